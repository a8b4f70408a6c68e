"""A flat observation made of named parts, each of which can be left out.

Worlds whose observations are symbols, flags and a few numbers say here what they are made of; agents find by name what
they need, and are told which keyword to switch on where it is missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue, unknown_name


class Part(NamedTuple):
    """Some neighbouring numbers of an observation: how many, from, to, and whether they are seen at all."""

    width: int
    low: float = 0.0
    high: float = 1.0
    on: bool = True


class Parts:
    """The parts of an observation [N, F], in the order in which they are given.

    >>> parts = Parts(stage=Part(3), action=Part(2, on=False), reward=Part(1, -1.0, 1.0))
    >>> parts.space.shape
    (4,)
    >>> seen = parts.blank(2)
    >>> parts.mark(seen, "stage", np.array([2, -1]))
    >>> parts.put(seen, "reward", np.array([0.5, -1.0]))
    >>> seen.tolist()
    [[0.0, 0.0, 1.0, 0.5], [0.0, 0.0, 0.0, -1.0]]
    >>> parts.which(seen, "stage").tolist()
    [2, -1]
    """

    def __init__(self, **parts: Part) -> None:
        self.parts = parts
        seen = {name: part for name, part in parts.items() if part.on}
        ends = np.cumsum([0, *(part.width for part in seen.values())])
        self.where = {name: slice(int(a), int(b)) for name, a, b in zip(seen, ends[:-1], ends[1:], strict=True)}
        self._codes = {name: np.arange(part.width) for name, part in seen.items()}
        low, high = (
            np.repeat([part[k] for part in seen.values()], [part.width for part in seen.values()]) for k in (1, 2)
        )
        self.space = spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)

    def blank(self, slots: int) -> NDArray[np.float32]:
        """An observation of nothing, [slots, F]."""
        return np.zeros((slots, *self.space.shape), np.float32)

    def put(self, seen: NDArray[np.float32], name: str, values: NDArray) -> None:
        """Write numbers, [N] or [N, width], into a part; where the part is left out, nothing happens."""
        if name in self.where:
            seen[:, self.where[name]] = values if values.ndim == 2 else values[:, None]

    def mark(self, seen: NDArray[np.float32], name: str, choice: NDArray) -> None:
        """Write a choice, [N], as one of `width` flags; a choice below zero raises none."""
        if name in self.where:
            seen[:, self.where[name]] = choice[:, None] == self._codes[name]

    def read(self, seen: NDArray, name: str) -> NDArray[np.float64]:
        """The numbers of a part, [N, width]. Raises BadValue where the part was left out."""
        if name not in self.parts:
            raise unknown_name("part of the observation", name, self.parts)
        if name not in self.where:
            raise BadValue(
                f"observe_{name} = False was set; this agent cannot do without it. "
                "Leave it on, or choose another agent."
            )
        return seen[:, self.where[name]].astype(np.float64)

    def which(self, seen: NDArray, name: str) -> NDArray[np.intp]:
        """The choice that a part's flags stand for, [N]; -1 where none is raised."""
        flags = self.read(seen, name) > 0.5
        return np.where(flags.any(axis=1), flags.argmax(axis=1), -1)
