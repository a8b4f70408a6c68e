"""What a supervised task is: batches that can be asked for again, a loss, a score, and splits that never mix."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lsnn_rl.errors import unknown_name

SPLITS = ("train", "validation", "test")


class Batch(NamedTuple):
    """Examples side by side."""

    x: Tensor  # input lines [T, N, I]; may be overwritten by the next batch of the task
    target: Tensor  # whatever the task's loss and scores read


class Task:
    """A task for one network; a subclass sets the attributes and writes `batch`, `loss` and `scores`.

    Args of every task:
        spiking: whether the network spikes; one that does not may be given plain numbers instead of spikes.
    """

    inputs: int  # lines I
    readouts: int  # R
    measure: str  # what `scores` counts, such as "accuracy"
    larger_is_better: bool = True
    carries_state: bool = False  # the network's state goes on from one batch to the next
    answers_last: bool = False  # loss and scores read the end of a sequence only
    about: str | None = None  # the keyword that "name:value" on the command line sets, such as "env"
    sizes: Mapping[str, int]  # examples of "validation" and of "test", and of "train" where it is finite
    _lines: Tensor | None = None
    _spiking: Tensor

    def batch(self, split: str, n: int, index: int, seed: int = 0) -> Batch:
        """The index-th batch of n examples; the same arguments always give the same one.

        Of "train" there are endlessly many, and `seed` says in which order. "validation" and "test" are the same
        whatever the seed, and the last batch of theirs may be shorter.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a batch(split, n, index, seed).")

    def loss(self, readout: Tensor, batch: Batch) -> Tensor:
        """The mean cost of the readouts [T, N, R]."""
        raise NotImplementedError(f"{type(self).__name__} needs a loss(readout, batch).")

    def scores(self, readout: Tensor, batch: Batch) -> Tensor:
        """One number for each judged answer, [answers], or [N, E] for E a sequence; their mean is the `measure`."""
        raise NotImplementedError(f"{type(self).__name__} needs scores(readout, batch).")

    def batches(self, split: str, n: int) -> Iterator[Batch]:
        """All of "validation" or of "test", n at a time."""
        for index in range(-(-self.size_of(split) // n)):
            yield self.batch(split, n, index)

    def size_of(self, split: str) -> int:
        """Examples of a split that ends."""
        if split not in self.sizes:
            raise unknown_name("split with an end", split, self.sizes)
        return self.sizes[split]

    def count(self, split: str, n: int, index: int) -> int:
        """How many of n examples the index-th batch holds: fewer where the split ends."""
        return n if split == "train" else max(0, min(n, self.size_of(split) - index * n))

    def lines(self, shape: tuple[int, int, int], events: NDArray[np.int64]) -> Tensor:
        """Zeros [T, N, I] with ones at these flat places; all batches of that shape share one tensor.

        Spikes are few: wiping those of the last batch and setting the new ones costs far less than a fresh tensor.
        """
        if self._lines is None or self._lines.shape != shape:
            self._lines, self._spiking = torch.zeros(shape), torch.zeros(0, dtype=torch.long)
        flat = self._lines.view(-1)
        flat[self._spiking] = 0
        self._spiking = torch.from_numpy(events)
        flat[self._spiking] = 1
        return self._lines

    def details(self) -> dict[str, Any]:
        """What a card should say beside the task's keywords, such as where data came from."""
        return {}


def luck(split: str, index: int, seed: int) -> np.random.Generator:
    """The generator of one batch: no two batches, splits or training seeds share theirs.

    >>> float(luck("test", 0, seed=1).random()) == float(luck("test", 0, seed=2).random())
    True
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    return np.random.default_rng([SPLITS.index(split), seed if split == "train" else 0, index])


def poisson(generator: np.random.Generator, probability: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """True with that probability, to one part in 65,536, which is several times faster than with more."""
    drawn = np.frombuffer(generator.bytes(2 * math.prod(shape)), np.uint16)
    return (drawn < round(65536 * probability)).reshape(shape)


def right(logits: Tensor, target: Tensor) -> Tensor:
    """1 where the largest of [..., R] is the target, else 0, flat."""
    return (logits.argmax(dim=-1) == target).flatten().float()


def cross_entropy(logits: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """Softmax cross-entropy of [..., R] against classes, mean over all; `smoothing` is spread over the classes."""
    return F.cross_entropy(logits.flatten(0, -2), target.flatten(), label_smoothing=smoothing)
