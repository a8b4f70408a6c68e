"""From the phonemes of eSpeak NG to the phones of TIMIT: names, closures, and where one begins."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import unknown_name

VOWELS = {  # a vowel that ends in another sound is two phones
    "0": "aa", "A:": "aa", "a": "ae", "aa": "ae", "V": "ah", "O:": "ao", "O2": "ao", "aU": "aw", "@": "ax", "@2": "ax",
    "a#": "ax", "3": "axr", "aI": "ay", "aI2": "ay", "E": "eh", "@L": "el", "n-": "en", "3:": "er", "IR": "er",
    "VR": "er", "eI": "ey", "I": "ih", "I2": "ix", "I#": "ix", "i": "iy", "i:": "iy", "oU": "ow", "OI": "oy", "U": "uh",
    "u:": "uw", "A@": "aa r", "O@": "ao r", "o@": "ao r", "e@": "eh r", "U@": "uh r", "aI3": "ay axr", "aI@": "ay ax",
    "i@": "iy ax", "i@3": "iy axr",
}  # fmt: skip
CONSONANTS = {
    "D": "dh", "f": "f", "h": "hh", "j": "y", "l": "l", "m": "m", "n": "n", "N": "ng", "r": "r", "r-": "r", "s": "s",
    "S": "sh", "t#": "dx", "T": "th", "v": "v", "w": "w", "w#": "w", "z": "z", "Z": "zh", "?": "q",
}  # fmt: skip
STOPS = {  # closure and release
    "b": ("bcl", "b"), "d": ("dcl", "d"), "g": ("gcl", "g"), "dZ": ("dcl", "jh"), "p": ("pcl", "p"), "t": ("tcl", "t"),
    "t2": ("tcl", "t"), "t[": ("tcl", "t"), "k": ("kcl", "k"), "tS": ("tcl", "ch"),
}  # fmt: skip
HUMMING = ("b", "d", "g", "dZ")  # their closure is part of eSpeak's phoneme; the others' is the silence before
SILENT = ("_", "_:")
STRESS, SOFT = "',%=", ";"  # a mark before a vowel; a phoneme of its own that only softens the one before
GLIDE = 0.6  # of a vowel's time belong to the first of its two phones
RELEASE = 0.65  # of a humming stop is closure, where no rise of sound says better
SHORTEST = 220  # samples, 10 ms: less silence than that is part of its phone, twice that where no stop follows
ONSET = 132  # samples, 6 ms: how much earlier than its event a burst may begin
STEP = 110  # samples, 5 ms

Samples = NDArray[np.int16]


class Phone(NamedTuple):
    """A phone of TIMIT, from sample `begin` up to sample `end`."""

    begin: int
    end: int
    name: str


def transcribe(sound: Samples, begins: Sequence[int], phonemes: Sequence[str]) -> list[Phone]:
    """The phones of a sentence spoken by eSpeak NG at 22,050 Hz, without gaps, h# at both ends.

    Silence at the end of a phoneme is the closure of the stop that follows, else a pause (epi where it is short).
    Raises: UnknownName for a phoneme that English does not have.

    >>> silence, hum = np.zeros(1000, dtype=np.int16), np.full(1000, 900, dtype=np.int16)
    >>> sound = np.concatenate([hum, silence, hum, silence])
    >>> [phone.name for phone in transcribe(sound, [0, 2000, 3000], ["'I", "t", "_:"])]
    ['ih', 'tcl', 't', 'h#']
    """
    stops = [*begins[1:], len(sound)]
    spans = [
        (begin, end, name.lstrip(STRESS), name[0] == "'")
        for begin, end, name in zip(begins, stops, phonemes, strict=True)
        if end > begin and name != SOFT
    ]
    found = [Phone(0, spans[0][0], "h#")] if spans[0][0] > 0 else []
    for number, (begin, end, name, stressed) in enumerate(spans):
        begin = found[-1].end if found else begin
        following = spans[number + 1][2] if number + 1 < len(spans) else "_"
        before = spans[number - 1][2] if number else "_"
        sounding = end if name in SILENT else _last_sound(sound, begin, end)
        if following not in STOPS and following not in SILENT and end - sounding < 2 * SHORTEST:
            sounding = end
        found += _phones(sound, begin, sounding, name, stressed, before, following)
        if sounding < end:
            found.append(Phone(sounding, end, _silence(following, end - sounding)))
    return _joined([phone for phone in found if phone.end > phone.begin])


def _phones(
    sound: Samples, begin: int, end: int, name: str, stressed: bool, before: str, following: str
) -> list[Phone]:
    """The sounding part of one phoneme."""
    if name in SILENT:
        return [Phone(begin, end, "pau")]
    if name in STOPS:
        closure, release = STOPS[name]
        cut = _release(sound, begin, end) if name in HUMMING else begin
        return [Phone(begin, cut, closure), Phone(cut, end, release)]
    if name in CONSONANTS:
        phone = CONSONANTS[name]
        if name == "h" and before in VOWELS and following in VOWELS:
            phone = "hv"
        return [Phone(begin, end, phone)]
    if name not in VOWELS:
        raise unknown_name("English phoneme of eSpeak NG", name, [*VOWELS, *CONSONANTS, *STOPS])
    first, _, second = VOWELS[name].partition(" ")
    if not second:
        reduced = {"ih": "ix", "uw": "ux"} if not stressed else {}
        return [Phone(begin, end, reduced.get(first, first))]
    cut = begin + round(GLIDE * (end - begin))
    return [Phone(begin, cut, first), Phone(cut, end, second)]


def _last_sound(sound: Samples, begin: int, end: int) -> int:
    """Where the silence begins that a phoneme ends with; `end` if there is none worth the name."""
    loud = np.flatnonzero(np.abs(sound[begin : max(begin, end - ONSET)]) > 2)
    last = begin + int(loud[-1]) + 1 if len(loud) else begin
    return last if end - last >= SHORTEST else end


def _silence(following: str, samples: int) -> str:
    if following in STOPS:
        return STOPS[following][0]
    return "pau" if following in SILENT or samples > 10 * SHORTEST else "epi"


def _release(sound: Samples, begin: int, end: int) -> int:
    """Where a humming stop opens: the largest rise of its high frequencies in the second half of its time."""
    sharp = np.diff(sound[begin:end].astype(np.float64)) ** 2
    steps = len(sharp) // STEP
    if steps < 6:
        return begin + round(RELEASE * (end - begin))
    energy = np.log(sharp[: steps * STEP].reshape(steps, STEP).sum(axis=1) + 1)
    smooth = (energy[1:] + energy[:-1]) / 2  # two steps, as long as a period of a low voice
    rise = smooth[2:] - smooth[:-2]
    first = steps // 2 - 1
    place = first + int(np.argmax(rise[first:]))
    return begin + (place + 2) * STEP


def _joined(phones: list[Phone]) -> list[Phone]:
    """Neighbours of one name as one phone, and silence at the end as TIMIT writes it."""
    joined: list[Phone] = []
    for phone in phones:
        if joined and joined[-1].name == phone.name:
            joined[-1] = joined[-1]._replace(end=phone.end)
        else:
            joined.append(phone)
    if joined[-1].name in ("pau", "epi"):
        joined[-1] = joined[-1]._replace(name="h#")
    return joined
