"""eSpeak NG by way of ctypes: a sentence becomes samples and the phonemes that were spoken when.

The library comes with the package espeakng-loader (extra `speech`); it is loaded only when speech is written.
"""

import ctypes
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue, missing_package

_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8 = 2, 1, 1
_PHONEME = 7  # type of event
_PARAMETERS = {"words_per_minute": 1, "pitch": 3, "range": 4}


class Spoken(NamedTuple):
    """A sentence: samples at 22,050 Hz, and for every phoneme the sample it begins at and eSpeak's name for it."""

    sound: NDArray[np.int16]
    begins: list[int]
    phonemes: list[str]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),  # of a phoneme; a union with wider members, all of eight bytes
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Speaker:
    """eSpeak NG, ready to speak. There is one in a process: the library keeps its state in global variables.

    Raises: MissingPackage without espeakng-loader.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as problem:
            raise missing_package("espeakng-loader", "speech", "Synthetic phones") from problem
        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate_hz = self.library.espeak_Initialize(
            _SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _PHONEME_EVENTS
        )
        self.library.espeak_Info.restype = ctypes.c_char_p
        self.version = self.library.espeak_Info(None).decode().split()[0]
        self._sound: list[NDArray[np.int16]] = []
        self._events: list[tuple[int, str]] = []
        self._callback = _Callback(self._hear)  # kept: the library holds no reference to it
        self.library.espeak_SetSynthCallback(self._callback)

    def say(self, sentence: str, voice: str, seed: int, **parameters: int) -> Spoken:
        """Speak a sentence; the same words give the same samples in a process that spoke the same before.

        Args: voice: accent and variant, such as "en-us+f2".  parameters: words_per_minute, pitch and range.
        Raises: BadValue for a voice that eSpeak NG does not have.
        """
        self._sound, self._events = [], []
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise BadValue(f"eSpeak NG {self.version} has no voice {voice!r}. Take an accent and a variant: en-us+f2.")
        for name, value in parameters.items():
            self.library.espeak_SetParameter(_PARAMETERS[name], value, 0)
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        text = sentence.encode() + b"\0"
        self.library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 0, 0, _UTF8, None, None)
        begins, phonemes = zip(*self._events, strict=True)
        return Spoken(np.concatenate(self._sound), list(begins), list(phonemes))

    def _hear(self, wave: "ctypes._Pointer[ctypes.c_short]", samples: int, events: "ctypes._Pointer[_Event]") -> int:
        if wave and samples > 0:
            self._sound.append(np.ctypeslib.as_array(wave, (samples,)).astype(np.int16))
        number = 0
        while (event := events[number]).type != 0:
            if event.type == _PHONEME:
                self._events.append((event.sample, event.name.decode("utf-8", "replace")))
            number += 1
        return 0
