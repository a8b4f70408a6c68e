"""Where lifetimes come from: train, test and test-ood never share one.

Every lifetime is played with a random generator made from a `numpy.random.SeedSequence` whose spawn key begins with the
split's own code. Different spawn keys give independent streams, so no seed, however chosen, deals a training
environment a lifetime of the test split. The test splits are frozen: lifetime number 7 of "test" is the same lifetime
for every agent, on every machine, whatever the number of slots.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lsnn_rl.errors import BadValue, unknown_name

SPLITS = {"train": 1, "test": 2, "test-ood": 3}
_ROOT = 0x1511_2018_15AA_0001  # entropy of all numbered lifetimes; changing it changes every card, so never do


def check_split(split: str) -> str:
    """The split's name, if there is such a split.

    >>> check_split("tset")
    Traceback (most recent call last):
    lsnn_rl.errors.UnknownName: No split is called 'tset'. Did you mean 'test'? Known: test, test-ood, train.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    return split


def check_own_arguments(env_kwargs: Mapping[str, Any], where: str = "env_kwargs") -> None:
    """Raises BadValue for a setting of a world that evaluation and training choose themselves."""
    for name, instead in (("split", "the argument split (test.split in a recipe)"), ("num_envs", "slots or n_envs")):
        if name in env_kwargs:
            raise BadValue(
                f"{where} holds {name} = {env_kwargs[name]!r}, which is no rule of the world. Use {instead}."
            )


def seeded_generator(split: str, seed: int | None) -> np.random.Generator:
    """The generator of an environment seeded with `seed` (None: fresh entropy of the operating system)."""
    if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
        raise BadValue(f"seed = {seed!r} is not a seed. Give a whole number, zero or above, or None.")
    return _generator(None if seed is None else int(seed), (SPLITS[check_split(split)],))


def numbered_generator(split: str, number: int) -> np.random.Generator:
    """The generator that deals lifetime `number` (0, 1, 2, ...) of a split, always the same one.

    >>> numbered_generator("test", 7).random() == numbered_generator("test", 7).random()
    True
    """
    if number < 0:
        raise BadValue(f"Lifetime number {number} was asked for. Lifetimes of a split are numbered 0, 1, 2, ...")
    return _generator(_ROOT, (SPLITS[check_split(split)], int(number)))


def _generator(entropy: int | None, spawn_key: tuple[int, ...]) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=spawn_key)))


def split_hash(split: str, lifetimes: int = 1000) -> str:
    """Sixteen hex digits that stand for the first `lifetimes` lifetimes of a split; cards carry them.

    >>> split_hash("test") == split_hash("test"), split_hash("test") == split_hash("train")
    (True, False)
    """
    code, digest = SPLITS[check_split(split)], hashlib.sha256()
    for number in range(lifetimes):
        words = np.random.SeedSequence(_ROOT, spawn_key=(code, number)).generate_state(4)
        digest.update(words.astype("<u4").tobytes())
    return digest.hexdigest()[:16]
