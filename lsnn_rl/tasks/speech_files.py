"""A speech corpus laid out as TIMIT is: sounds with a transcription beside each, and who belongs to which split.

    TRAIN|TEST / DR1 .. DR8 / SPEAKER / SENTENCE.WAV, .PHN

Either case of letters will do. Sounds are NIST SPHERE, as on the disc of the Linguistic Data Consortium, or RIFF, as in
many copies, which often add a second suffix (SX37.WAV.wav). The two SA sentences, the same for all, are left out.
"""

import wave
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BrokenFile, MissingFile
from lsnn_rl.tasks.mfcc import RATE_HZ
from lsnn_rl.tasks.phones import PHONES

# The 50 speakers for development and the 24 of the core test, from the corpus' documentation and Kaldi's recipe.
_DEVELOPMENT = """
    faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0 fedw0 mgjf0 mglb0 mrtk0
    mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0 mdvc0 mers0 fmah0 fdrw0 mrcs0 mrjm4 fcal1 mmwh0
    fjsj0 majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0 mteb0 mjfc0 mrjr0 fmml0 mrws1
"""
DEVELOPMENT = frozenset(_DEVELOPMENT.split())
_CORE_TEST = """
    mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 mbpm0 mklt0 fnlp0 mcmj0 mjdh0 fmgd0 mgrt0
    mnjm0 fdhc0 mjln0 mpam0 fmld0
"""
CORE_TEST = frozenset(_CORE_TEST.split())
_MAGIC = b"NIST_1A"


class Utterance(NamedTuple):
    """A sound and what is said in it."""

    name: str  # speaker/sentence, lower case
    sound: NDArray[np.int16]  # at 16 kHz
    ends: NDArray[np.int64]  # the sample at which each phone ends
    phones: tuple[str, ...]


def corpus_in(root: str | Path) -> Path | None:
    """The folder that holds TRAIN and TEST: this one, or one below it that copies of the corpus use."""
    for below in ("", "TIMIT", "timit", "TIMIT/TIMIT", "timit/timit", "data"):
        folder = Path(root) / below
        if _child(folder, "train") is not None and _child(folder, "test") is not None:
            return folder
    return None


def read_split(
    folder: Path, split: str, speakers: Mapping[str, Iterable[str]] | None = None
) -> tuple[list[Utterance], int]:
    """The utterances of "train", "validation" or "test", in order of their names, and of how many speakers.

    Args: speakers: of "validation" and "test"; TIMIT's own unless told.
    Raises: MissingFile for a split without utterances; BrokenFile for a sound or a transcription that is none.
    """
    lists = speakers or {"validation": DEVELOPMENT, "test": CORE_TEST}
    wanted = None if split == "train" else frozenset(name.lower() for name in lists[split])
    part = _child(folder, "train" if split == "train" else "test")
    found = sorted(part.glob("*/*/*"), key=lambda file: str(file).lower()) if part is not None else []
    chosen = [
        file
        for file in found
        if file.suffix.lower() == ".phn"
        and not file.name.lower().startswith("sa")
        and (wanted is None or file.parent.name.lower() in wanted)
    ]
    heard = {file.parent.name.lower() for file in chosen}
    if not chosen or (wanted is not None and heard != wanted):
        lacking = f", speakers {', '.join(sorted(wanted - heard)[:5])} among them" if wanted else ""
        raise MissingFile(
            f"The corpus in {folder} lacks utterances of the {split} split{lacking}. Name the folder of a whole "
            "corpus, with TRAIN/DR1/SPEAKER/SX1.WAV and SX1.PHN in it: --data FOLDER."
        )
    return [_utterance(file) for file in chosen], len(heard)


def read_sound(file: Path) -> NDArray[np.int16]:
    """The samples of a NIST SPHERE or RIFF file of 16-bit numbers, one channel, 16 kHz. Raises: BrokenFile."""
    raw = file.read_bytes()
    if raw.startswith(_MAGIC):
        return _sphere(raw, file)
    try:
        with wave.open(str(file)) as sound:
            form = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
            content, said = sound.readframes(sound.getnframes()), sound.getnframes()
    except (wave.Error, EOFError) as problem:
        raise _broken(file, f"is neither NIST SPHERE nor RIFF ({problem})") from problem
    if form != (1, 2, RATE_HZ):
        raise _broken(file, f"has {form[0]} channels of {8 * form[1]} bits at {form[2]} Hz, not 1 of 16 at {RATE_HZ}")
    if len(content) != 2 * said:
        raise _broken(file, f"ends after {len(content) // 2} of {said} samples")
    return np.frombuffer(content, "<i2").astype(np.int16)


def read_phones(file: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Where each phone ends, in samples, and its symbol. Raises: BrokenFile."""
    ends, phones, before = [], [], 0
    for number, line in enumerate(file.read_text(encoding="ascii", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not (words[0].isdigit() and words[1].isdigit()) or words[2] not in PHONES:
            raise _broken(file, f"says {line!r} in line {number}, which is no 'BEGIN END PHONE' of TIMIT")
        begin, end = int(words[0]), int(words[1])
        if end <= begin or begin < before:
            raise _broken(file, f"goes back in time in line {number}: {line!r}")
        before = end
        ends.append(end)
        phones.append(words[2])
    if not phones:
        raise _broken(file, "transcribes nothing")
    return np.array(ends, dtype=np.int64), tuple(phones)


def _utterance(file: Path) -> Utterance:
    ends, phones = read_phones(file)
    stem = file.name.lower().removesuffix(".phn")
    names = {other.name.lower(): other for other in file.parent.iterdir()}
    sound = names.get(f"{stem}.wav") or names.get(f"{stem}.wav.wav")
    if sound is None:
        raise MissingFile(
            f"{file} has no sound beside it. Copy {stem.upper()}.WAV there, or name the folder of a whole corpus: "
            "--data FOLDER."
        )
    return Utterance(f"{file.parent.name.lower()}/{stem}", read_sound(sound), ends, phones)


def _sphere(raw: bytes, file: Path) -> NDArray[np.int16]:
    """Samples after a header of text lines such as `sample_rate -i 16000`."""
    try:
        size = int(raw.split(b"\n", 2)[1])
    except (IndexError, ValueError) as problem:
        raise _broken(file, "begins as NIST SPHERE and does not say how long its header is") from problem
    fields = {}
    for line in raw[:size].decode("ascii", "replace").splitlines()[2:]:
        name, _, value = line.partition(" ")
        if name == "end_head":
            break
        fields[name] = value.split(" ", 1)[-1].strip()
    coding = fields.get("sample_coding", "pcm")
    if coding != "pcm":
        raise _broken(file, f"is compressed ({coding})", "Unpack it with sph2pipe -f wav, or take an unpacked copy.")
    form = tuple(fields.get(name) for name in ("channel_count", "sample_n_bytes", "sample_rate"))
    if form != ("1", "2", str(RATE_HZ)):
        raise _broken(file, f"has {form[0]} channels of {form[1]} bytes at {form[2]} Hz, not 1 of 2 at {RATE_HZ}")
    content, said = raw[size:], fields.get("sample_count", "")
    if not said.isdigit() or len(content) < 2 * int(said):
        raise _broken(file, f"ends after {len(content) // 2} of {said or 'an unknown number of'} samples")
    order = ">i2" if fields.get("sample_byte_format") == "10" else "<i2"
    return np.frombuffer(content, order, count=int(said)).astype(np.int16)


def _child(folder: Path, name: str) -> Path | None:
    for spelt in (name.upper(), name, name.capitalize()):
        if (folder / spelt).is_dir():
            return folder / spelt
    return None


def _broken(file: Path, problem: str, remedy: str = "Copy it anew from the corpus.") -> BrokenFile:
    return BrokenFile(f"{file} {problem}. {remedy}")
