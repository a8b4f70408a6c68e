"""What the single and the vector environment share: dealing lifetimes to slots, checking what they are asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.splits import numbered_generator, seeded_generator
from lsnn_rl.envs.task import LifetimeTask, Rows
from lsnn_rl.errors import BadValue, ShapeMismatch, unknown_name

METADATA: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 60}
_OPTIONS = ("ages", "lifetimes", "reset_mask")


class Face:
    """What both faces share: dealing lifetimes to slots, the privileged views, saving."""

    task: LifetimeTask
    split: str

    def shortens(self) -> bool:
        """Whether an action that is too long is shortened in its own direction, not refused or cut number by number."""
        return self.task.clips

    def _deal(self, rows: Rows, seeds: list[int | None] | None, lifetimes: NDArray | None) -> None:
        """Give each slot in `rows` the generator of its seed or of its numbered lifetime; otherwise it goes on."""
        luck = self.task.luck
        for slot in rows:
            if lifetimes is not None:
                luck.deal(slot, numbered_generator(self.split, int(lifetimes[slot])))
            elif seeds is not None and seeds[slot] is not None:
                luck.deal(slot, seeded_generator(self.split, seeds[slot]))
            elif luck.generators[slot] is None:
                luck.deal(slot, seeded_generator(self.split, None))

    def _begin(self, rows: Rows, ages: NDArray | None = None) -> None:
        self.task.begin(rows)
        if ages is not None:
            self.task.age[rows] = self.task.trial_start[rows] = ages[rows]

    def _whole_numbers(self, options: dict[str, Any], name: str, below: int | None = None) -> NDArray | None:
        """Option `name` as one whole number per slot, or None where it is not given."""
        if options.get(name) is None:
            return None
        array = np.atleast_1d(np.asarray(options[name]))
        if array.shape != (self.task.slots,):
            raise ShapeMismatch(
                f"options[{name!r}] has shape {list(array.shape)}, there are {self.task.slots} lifetimes. "
                f"Give one whole number per slot, shape [{self.task.slots}]."
            )
        if array.dtype.kind not in "iu" or np.any(array < 0) or (below is not None and np.any(array >= below)):
            room = "zero or above" if below is None else f"0 to {below - 1}"
            raise BadValue(f"options[{name!r}] = {array.tolist()[:8]}. Give whole numbers, {room}.")
        return array.astype(np.int64)


def check_options(options: dict[str, Any] | None) -> dict[str, Any]:
    for name in options or {}:
        if name not in _OPTIONS:
            raise unknown_name("reset option", name, _OPTIONS)
    return options or {}


def check_render_mode(mode: str | None) -> str | None:
    if mode is not None and mode not in METADATA["render_modes"]:
        raise unknown_name("render mode", mode, METADATA["render_modes"])
    return mode
