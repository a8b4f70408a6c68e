"""Store-recall: keep one bit for seconds, and say it when asked."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsnn_rl.errors import BadValue
from lsnn_rl.tasks.base import Batch, Task, cross_entropy, luck, poisson
from lsnn_rl.units import per_step, steps


class StoreRecall(Task):
    """Symbols of 200 ms, each shown by a quarter of the lines firing at 50 Hz: the bits 0 and 1, STORE and RECALL.

    A bit is shown with every symbol but RECALL; the one shown with STORE is to be said at the next RECALL. Commands
    alternate and come at random, so what is kept must outlast bits that do not matter.

    Args:
        symbols: per sequence.   symbol_ms: how long each lasts.   rate_hz: of the lines of what is shown.
        lines: I, a multiple of 4.
        delay: expected number of symbols between STORE and RECALL; each comes with probability 1 / (1 + delay).
    Answer: the mean readout over a RECALL symbol, two classes. Score: error, the share of wrong answers.
    Source: IGITUGraz/LSNN-official, tutorial_storerecall_with_LSNN.py.
    """

    readouts = 2
    measure = "error"
    larger_is_better = False
    carries_state = True

    def __init__(
        self,
        *,
        spiking: bool = True,
        symbols: int = 12,
        symbol_ms: float = 200.0,
        rate_hz: float = 50.0,
        lines: int = 100,
        delay: float = 6.0,
        dt_ms: float = 1.0,
    ) -> None:
        if symbols < 2 or lines < 4 or lines % 4 or delay <= 0:
            raise BadValue(
                f"symbols = {symbols}, lines = {lines}, delay = {delay} make no task. Give at least 2 symbols, a "
                "multiple of 4 lines, and a positive delay."
            )
        self.inputs, self.sizes = lines, {"validation": 512, "test": 2048}
        self.symbols, self.chance = symbols, 1 / (1 + delay)
        self.steps = steps(symbol_ms, dt_ms, "symbol_ms")
        self.probability = per_step(rate_hz, dt_ms)

    def batch(self, split: str, n: int, index: int, seed: int = 0) -> Batch:
        generator = luck(split, index, seed)
        bits, store, recall = self.sequences(self.count(split, n, index), generator)
        row, symbol = np.indices(bits.shape).reshape(2, -1)
        shown = np.where(recall, 3, bits).ravel()  # one group in every symbol, and STORE beside its bit
        stored = np.flatnonzero(store)
        row, symbol = np.concatenate([row, row[stored]]), np.concatenate([symbol, symbol[stored]])
        shown = np.concatenate([shown, np.full(len(stored), 2)])
        quarter = self.inputs // 4
        which, when, line = np.unravel_index(
            np.flatnonzero(poisson(generator, self.probability, (len(row), self.steps, quarter))),
            (len(row), self.steps, quarter),
        )
        shape = (self.symbols * self.steps, len(bits), self.inputs)
        place = (symbol[which] * self.steps + when, row[which], shown[which] * quarter + line)
        x = self.lines(shape, np.ravel_multi_index(place, shape))
        return Batch(x, torch.from_numpy(answers(bits, store, recall)))

    def sequences(
        self, n: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Bits, STORE and RECALL, each [N, symbols]; every sequence has at least one RECALL, STORE comes first."""
        store, recall = np.zeros((2, n, self.symbols), dtype=bool)
        todo = np.arange(n)
        while len(todo):  # a sequence without a question is drawn again
            stored = np.zeros(len(todo), dtype=bool)
            for s in range(self.symbols):
                command = generator.random(len(todo)) < self.chance
                store[todo, s], recall[todo, s] = command & ~stored, command & stored
                stored ^= command
            todo = todo[~recall[todo].any(axis=1)]
        return generator.integers(0, 2, (n, self.symbols)), store, recall

    def judged(self, readout: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits [answers, 2] and what was to be said, [answers]."""
        mean = readout.unflatten(0, (self.symbols, self.steps)).mean(dim=1).transpose(0, 1)  # [N, symbols, 2]
        asked = batch.target >= 0
        return mean[asked], batch.target[asked]

    def loss(self, readout: Tensor, batch: Batch) -> Tensor:
        return cross_entropy(*self.judged(readout, batch))

    def scores(self, readout: Tensor, batch: Batch) -> Tensor:
        logits, target = self.judged(readout, batch)
        return (logits.argmax(dim=-1) != target).float()


def answers(bits: NDArray[np.int64], store: NDArray[np.bool_], recall: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What is to be said at each symbol, -1 where nothing is asked, [N, symbols].

    >>> bits, store, recall = np.array([[1, 0, 1, 0, 1]]), np.zeros((1, 5), bool), np.zeros((1, 5), bool)
    >>> store[0, [1, 3]], recall[0, [2, 4]] = True, True
    >>> answers(bits, store, recall).tolist()
    [[-1, -1, 0, -1, 0]]
    """
    said, kept = np.full(bits.shape, -1), np.zeros(len(bits), dtype=np.int64)
    for s in range(bits.shape[1]):
        kept = np.where(store[:, s], bits[:, s], kept)
        said[:, s] = np.where(recall[:, s], kept, -1)
    return said
