"""What a network hears of speech: cepstral coefficients or filter energies, a vector every 10 ms.

    frames of 25 ms every 10 ms -> pre-emphasis, Hamming window, power spectrum -> 26 triangles on the mel scale
    -> logarithm -> ("mfcc") the first 13 of a cosine transform, liftered, the first replaced by the frame's log energy

Beside each value stand its first and its second difference in time, v(k+1) - v(k-1), not halved.
Source: Davis and Mermelstein 1980, with the constants of the HTK book; the differences as in the e-prop release.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue, unknown_name

RATE_HZ = 16000
WINDOW, HOP, POINTS = 400, 160, 512  # samples: 25 ms, 10 ms, and of the Fourier transform
FILTERS, CEPSTRA, LIFTER, PRE_EMPHASIS = 26, 13, 22, 0.97
KINDS = {"mfcc": 3 * CEPSTRA, "filterbank": 3 * (FILTERS + 1)}  # and how many numbers a frame has

Floats = NDArray[np.floating]


def features(wave: NDArray[np.int16], kind: str = "mfcc") -> NDArray[np.float32]:
    """The vectors of a sound, [frames, 39] or [frames, 81]; frame k is centred on sample 160 k + 200.

    Args: wave: samples at 16 kHz. kind: "mfcc", or "filterbank": the logarithms themselves and the log energy.
    Raises: UnknownName; BadValue for a sound shorter than one frame.

    >>> features(np.zeros(16000, dtype=np.int16)).shape
    (98, 39)
    """
    if kind not in KINDS:
        raise unknown_name("kind of features", kind, KINDS)
    if len(wave) < WINDOW:
        raise BadValue(f"A sound of {len(wave)} samples has no frame of {WINDOW}. Give at least 25 ms at 16 kHz.")
    sound = wave.astype(np.float64)
    sound[1:] -= PRE_EMPHASIS * sound[:-1].copy()
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hamming(WINDOW), POINTS)) ** 2 / POINTS
    least = np.finfo(np.float64).eps  # digital silence has a logarithm, too
    energy = np.log(np.maximum(spectrum.sum(axis=1), least))
    heard = np.log(np.maximum(spectrum @ mel_filters().T, least))
    if kind == "mfcc":
        rows = heard @ _cosines().T
        rows[:, 0] = energy
    else:
        rows = np.column_stack([heard, energy])
    first = difference(rows)
    return np.concatenate([rows, first, difference(first)], axis=1).astype(np.float32)


def difference(rows: Floats) -> Floats:
    """v(k+1) - v(k-1), the first and the last row standing in for their missing neighbours.

    >>> difference(np.array([[0.0], [1.0], [4.0]])).ravel().tolist()
    [1.0, 4.0, 3.0]
    """
    padded = np.concatenate([rows[:1], rows, rows[-1:]])
    return padded[2:] - padded[:-2]


def centres(frames: int) -> NDArray[np.int64]:
    """The sample on which each frame is centred."""
    return np.arange(frames) * HOP + WINDOW // 2


@cache
def mel_filters() -> Floats:
    """Triangles from 0 to 8 kHz, their corners evenly spaced in mel and rounded down to a point, [26, 257]."""
    top = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, FILTERS + 2) / 2595) - 1)
    corners = np.floor((POINTS + 1) * hertz / RATE_HZ)
    points = np.arange(POINTS // 2 + 1)
    low, peak, high = (corners[i : i + FILTERS, None] for i in range(3))
    return np.clip(np.minimum((points - low) / (peak - low), (high - points) / (high - peak)), 0, None)


@cache
def _cosines() -> Floats:
    """The orthonormal cosine transform with the lifter's weights, [13, 26]."""
    order = np.arange(CEPSTRA)[:, None]
    cosines = np.sqrt(2 / FILTERS) * np.cos(np.pi * order * (2 * np.arange(FILTERS) + 1) / (2 * FILTERS))
    cosines[0] /= np.sqrt(2)
    return cosines * (1 + LIFTER / 2 * np.sin(np.pi * order / LIFTER))
