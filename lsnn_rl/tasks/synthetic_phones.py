"""A stand-in for TIMIT that anyone may make: sentences spoken by eSpeak NG, with the times of their phones.

The folders are TIMIT's (lsnn_rl.tasks.speech_files), and so are the numbers of speakers and of sentences; the voices
are formants from a table and hardly coarticulate, so nothing that is measured on them is a result on TIMIT. Voices
are split: no variant of eSpeak NG that speaks in one split speaks in another.

`write_corpus` writes one; the task does when it is told to: lsnn-rl pretrain synthetic_phones --download
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue, BrokenFile, missing_package
from lsnn_rl.tasks.espeak import Speaker, Spoken
from lsnn_rl.tasks.espeak_phones import transcribe
from lsnn_rl.tasks.mfcc import RATE_HZ
from lsnn_rl.tasks.sentences import sentence

MANIFEST = "synthetic_phones.json"
SPEAKERS = {"train": 462, "validation": 50, "test": 24}  # as TIMIT's training, development and core test sets
SENTENCES = 8  # of each speaker
ACCENTS = ("en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
_MALE = """
    Alex Andy AnxiousAndy Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike Nguyen Reed
    RicishayMax RicishayMax2 RicishayMax3 Storm Tweaky adam announcer antonio benjamin boris caleb david ed edward
    edward2 grandpa gustave ian iven iven2 iven3 iven4 john kaukovalta klatt klatt2 klatt3 klatt4 klatt5 klatt6 m1 m2
    m3 m4 m5 m6 m7 m8 marcelo max michel miguel mike2 norbert pablo paul pedro quincy rob robert sandro shelby travis
    victor zac
"""
MALE = _MALE.split()  # variants of a voice; robots, whispers and the like are left out
_FEMALE = """
    Alicia Andrea Annie anika aunty belinda f1 f2 f3 f4 f5 grandma linda steph steph2 steph3
"""
FEMALE = _FEMALE.split()
HELD = {"validation": 10, "test": 8}  # variants that speak in that split only
UP, DOWN = 320, 441  # 22,050 Hz times UP / DOWN are 16,000
BREATH, NOISE = 0.15, (4.0, 12.0)  # seconds of silence at each end; spread of the noise, of 32,768


def write_corpus(
    folder: str | Path, seed: int = 0, speakers: Mapping[str, int] = SPEAKERS, sentences: int = SENTENCES
) -> Path:
    """Write a corpus; the same arguments give the same bytes. It takes about half a minute. Returns the folder.

    A process of its own does the work, because what eSpeak NG says depends on everything it said before.
    Raises: MissingPackage without the extra `speech`; BadValue for a folder that holds something, or too many speakers.
    """
    place = Path(folder)
    if place.exists() and any(place.iterdir()):
        raise BadValue(f"{place} is not empty. Name a new folder, or delete what is in this one.")
    for split, wanted in speakers.items():
        if not 1 <= wanted <= (most := len(ACCENTS) * len(_variants(seed)[split])):
            raise BadValue(f"{wanted} speakers for {split} cannot be: give at least 1, and at most {most}.")
    if find_spec("espeakng_loader") is None:
        raise missing_package("espeakng-loader", "speech", "Synthetic phones")
    unfinished = place.with_name(place.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    task = json.dumps([str(unfinished), seed, dict(speakers), sentences])
    done = subprocess.run(
        [sys.executable, "-m", "lsnn_rl.tasks.synthetic_phones", task], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise BrokenFile(
            f"eSpeak NG did not finish the corpus in {place}: {done.stderr.strip()[-300:]} Install it anew: "
            "pip install --force-reinstall espeakng-loader"
        )
    if place.exists():
        place.rmdir()
    os.replace(unfinished, place)
    return place


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `write_corpus` says about its corpus: seed, speakers of each split, sum of all files. Raises: BrokenFile."""
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BrokenFile(
            f"{folder} is no corpus of synthetic phones: its {MANIFEST} cannot be read ({problem}). Delete the folder "
            "and write it anew: --download."
        ) from problem
    assert isinstance(manifest, dict)
    return manifest


def _variants(seed: int) -> dict[str, list[str]]:
    """The variants of each split."""
    shuffled = np.random.default_rng([seed, 0]).permutation(MALE + FEMALE).tolist()
    first, second = HELD["validation"], HELD["validation"] + HELD["test"]
    return {"validation": shuffled[:first], "test": shuffled[first:second], "train": shuffled[second:]}


def _write(folder: Path, seed: int, speakers: Mapping[str, int], sentences: int) -> None:
    """All of it, in a fixed order; to be called once, first thing in a process."""
    voices, variants, digest = Speaker(), _variants(seed), hashlib.sha256()
    named: dict[str, list[str]] = {}
    for number, split in enumerate(SPEAKERS):
        generator = np.random.default_rng([seed, 1 + number])
        pairs = [(accent, variant) for accent in range(len(ACCENTS)) for variant in variants[split]]
        chosen = generator.permutation(len(pairs))[: speakers[split]]
        named[split] = []
        for index, (accent, variant) in enumerate(pairs[pair] for pair in chosen):
            name = f"{'F' if variant in FEMALE else 'M'}{'ABC'[number]}{index:03d}"
            named[split].append(name)
            place = folder / ("TRAIN" if split == "train" else "TEST") / f"DR{accent + 1}" / name
            place.mkdir(parents=True)
            manner = {
                "words_per_minute": int(generator.integers(150, 211)),
                "pitch": int(generator.integers(30, 71)),
                "range": int(generator.integers(30, 81)),
            }
            noise = generator.uniform(*NOISE)
            for said in range(1, sentences + 1):
                text = sentence(generator)
                spoken = voices.say(text, f"{ACCENTS[accent]}+{variant}", int(generator.integers(1, 2**31)), **manner)
                sound, phones = _recorded(spoken, noise, generator)
                files = {
                    f"SX{said}.WAV": _riff(sound),
                    f"SX{said}.PHN": "".join(f"{begin} {end} {phone}\n" for begin, end, phone in phones).encode(),
                    f"SX{said}.TXT": f"0 {len(sound)} {text}\n".encode(),
                }
                for file, content in files.items():
                    (place / file).write_bytes(content)
                    digest.update(content)
    manifest = {
        "what": "synthetic phones: sentences spoken by eSpeak NG, laid out as TIMIT and no part of it",
        "seed": seed,
        "sentences": sentences,
        "espeak": voices.version,
        "sha256": digest.hexdigest(),
        "speakers": named,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _recorded(
    spoken: Spoken, noise: float, generator: np.random.Generator
) -> tuple[NDArray[np.int16], list[tuple[int, int, str]]]:
    """The sentence at 16 kHz between two breaths, in a room that is never quite silent."""
    sound = resampled(spoken.sound)
    breath = round(BREATH * RATE_HZ)
    sound = np.concatenate([np.zeros(breath), sound, np.zeros(breath)])
    sound += noise * generator.standard_normal(len(sound))
    phones = [
        (breath + begin * UP // DOWN, breath + end * UP // DOWN, name)
        for begin, end, name in transcribe(spoken.sound, spoken.begins, spoken.phonemes)
    ]
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16), _between_silences(phones, len(sound))


def resampled(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """From 22,050 to 16,000 Hz: the same Fourier series, cut at 8 kHz.

    >>> resampled(np.full(4410, 7, dtype=np.int16))[[0, -1]].round(6).tolist()
    [7.0, 7.0]
    """
    parts = -(-len(sound) // DOWN)
    whole = np.pad(sound.astype(np.float64), (0, parts * DOWN - len(sound)))
    return np.fft.irfft(np.fft.rfft(whole)[: parts * UP // 2 + 1], parts * UP) * UP / DOWN


def _between_silences(phones: list[tuple[int, int, str]], samples: int) -> list[tuple[int, int, str]]:
    """The phones with h# from the first sample and to the last."""
    inner = [phone for phone in phones if phone[2] != "h#"]
    return [(0, inner[0][0], "h#"), *inner, (inner[-1][1], samples, "h#")]


def _riff(sound: NDArray[np.int16]) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(sound.astype("<i2").tobytes())
    return content.getvalue()


if __name__ == "__main__":
    _folder, _seed, _speakers, _sentences = json.loads(sys.argv[1])
    _write(Path(_folder), _seed, _speakers, _sentences)
