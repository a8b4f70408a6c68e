"""Spikes where a signal crosses a threshold: the sequential MNIST of the paper, 79 lines and a cue."""

import torch
from gymnasium import spaces
from torch import Tensor

from lsnn_rl.encoders.base import Encoder
from lsnn_rl.errors import BadValue


class ThresholdCrossing(Encoder):
    """A pair of lines per grey threshold, spiking when the signal rises to it or falls below it.

    With thresholds 0 .. 1 (`thresholds` of them, evenly spaced) and signal y: line 2k spikes where y rises from below
    threshold k, line 2k + 1 where it falls below it; the line of threshold 1 spikes wherever y = 1. The last line is
    the cue, which spikes at every step after the signal has ended. The pair of threshold 0 can never spike.

    Args:
        observation_space: one number between 0 and 1.
        thresholds: how many; 40 makes 2 * 39 + 1 + 1 = 80 lines.
        causal: put a spike at the step after the crossing is complete. The released code puts it at the step before,
            so it looks one pixel ahead; that is the default here, as in the published results.
        repeat: steps that each value is held for (2 for the paper's 2 ms per pixel).
        cue_steps: steps of cue at the end (56 at 1 ms).
    Source: IGITUGraz/LSNN-official, tutorial_sequential_mnist_with_LSNN.py.

    >>> encoder = ThresholdCrossing(thresholds=3, cue_steps=1)
    >>> spikes = encoder(torch.tensor([0.0, 0.5, 1.0, 0.2])[:, None, None])   # [T, N, 1]; thresholds 0, 0.5, 1
    >>> spikes[:, 0].tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0, 0.0], \
[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
    """

    thresholds: Tensor  # without the last, which is 1

    def __init__(
        self,
        observation_space: spaces.Space | None = None,
        *,
        thresholds: int = 40,
        causal: bool = False,
        repeat: int = 1,
        cue_steps: int = 56,
    ) -> None:
        super().__init__(observation_space or spaces.Box(0.0, 1.0, (1,)))
        if self.features != 1:
            raise BadValue(
                f"Threshold crossing reads one signal, found {self.features}. Take the encoder 'population'."
            )
        if thresholds < 2 or repeat < 1 or cue_steps < 0:
            raise BadValue(
                f"thresholds = {thresholds}, repeat = {repeat}, cue_steps = {cue_steps} encode nothing. "
                "Give at least 2 thresholds, repeat 1 and cue_steps 0."
            )
        self.causal, self.repeat, self.cue_steps = causal, repeat, cue_steps
        self.register_buffer("thresholds", torch.linspace(0, 1, thresholds)[:-1])
        self.size = 2 * (thresholds - 1) + 2

    def encode(self, obs: Tensor) -> Tensor:
        """Spikes [repeat * T + cue_steps, ..., I] of a whole signal [T, ..., 1], time first."""
        signal = obs.to(self.thresholds.dtype).repeat_interleave(self.repeat, dim=0)
        above = signal >= self.thresholds
        spikes = signal.new_zeros(len(signal) + self.cue_steps, *obs.shape[1:-1], self.size)
        first = 1 if self.causal else 0
        crossed = spikes[first : first + len(signal) - 1]
        crossed[..., 0:-2:2] = (~above[:-1] & above[1:]).to(spikes.dtype)
        crossed[..., 1:-2:2] = (above[:-1] & ~above[1:]).to(spikes.dtype)
        spikes[: len(signal), ..., -2] = (signal[..., 0] >= 1).to(spikes.dtype)
        spikes[len(signal) :, ..., -1] = 1
        return spikes
