"""Random numbers for N slots at once, each slot from its own generator.

A slot's luck is one endless stream of uniform numbers. Which numbers a slot receives depends on its own generator and
on how many it took before, never on its neighbours: so slot i of a vector environment lives exactly the lifetimes of a
single environment with the same seed. The streams are read ahead in blocks, so taking is one indexing operation.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue


class Luck:
    """Streams of uniform numbers in [0, 1), one per slot.

    >>> luck = Luck(2)
    >>> luck.deal(0, np.random.default_rng(5)); luck.deal(1, np.random.default_rng(6))
    >>> luck.take(np.array([0, 1]), 3).shape
    (2, 3)
    """

    def __init__(self, slots: int, block: int = 256) -> None:
        self.generators: list[np.random.Generator | None] = [None] * slots
        self.held: NDArray[np.bool_] | None = None  # [N]: slots that may look at their numbers but not use them up
        self._numbers = np.zeros((slots, block))  # [N, block], read ahead
        self._next = np.full(slots, block)  # [N], first number not yet taken
        self._ahead = np.arange(block)

    def deal(self, slot: int, generator: np.random.Generator) -> None:
        """Let `slot` draw from `generator` from now on; what was read ahead from the old one is dropped."""
        self.generators[slot] = generator
        self._next[slot] = self._numbers.shape[1]

    def take(self, rows: NDArray[np.intp], count: int) -> NDArray[np.float64]:
        """The next `count` numbers of each slot in `rows`, [len(rows), count]."""
        if count > self._numbers.shape[1]:
            self._widen(2 * count)
        start = self._next[rows]
        short = start > self._numbers.shape[1] - count
        if np.count_nonzero(short):
            for slot in rows[short]:
                self._refill(slot)
            start = self._next[rows]
        self._next[rows] = start + count if self.held is None else np.where(self.held[rows], start, start + count)
        return self._numbers[rows[:, None], start[:, None] + self._ahead[:count]]

    def _refill(self, slot: int) -> None:
        """Move the numbers not yet taken to the front and read ahead behind them."""
        numbers, start = self._numbers[slot], self._next[slot]
        left = len(numbers) - start
        numbers[:left] = numbers[start:].copy()
        generator = self.generators[slot]
        if generator is None:
            raise BadValue(f"Slot {slot} has no generator, so no lifetime has begun there. Call reset() first.")
        generator.random(out=numbers[left:])
        self._next[slot] = 0

    def _widen(self, block: int) -> None:
        slots, old = self._numbers.shape
        self._numbers = np.concatenate([np.zeros((slots, block - old)), self._numbers], axis=1)
        self._next += block - old
        self._ahead = np.arange(block)

    def get_state(self) -> dict[str, Any]:
        """Everything that decides the numbers to come: arrays and generator states."""
        states = [None if g is None else g.bit_generator.state for g in self.generators]
        return {"numbers": self._numbers.copy(), "next": self._next.copy(), "generators": states}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue exactly where `get_state` was called."""
        self._numbers, self._next = np.array(state["numbers"], np.float64), np.array(state["next"], np.intp)
        self._ahead = np.arange(self._numbers.shape[1])
        for slot, saved in enumerate(state["generators"]):
            if saved is not None:
                generator = self.generators[slot] = np.random.Generator(np.random.PCG64())
                generator.bit_generator.state = saved
