"""The picture of a world that has none of its own: what was seen, step by step, beside the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsnn_rl.envs.canvas import FLOOR, GOAL, HUES, INK, MUTED, Canvas
from lsnn_rl.envs.panel import draw_panel

if TYPE_CHECKING:
    from lsnn_rl.envs.task import LifetimeTask, Moment

_LEFT, _TOP, _WIDTH, _HEIGHT = 76.0, 110.0, 496.0, 440.0
_SHOWN = 60  # steps


def draw_plain(
    canvas: Canvas, task: LifetimeTask, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """One row per number of the observation, one column per step, the newest at the right; brighter is greater."""
    shown = np.stack([np.ravel(moment.seen) for moment in history[-_SHOWN:]], axis=1).astype(np.float64)
    low, high = shown.min(axis=1, keepdims=True), shown.max(axis=1, keepdims=True)
    level = np.divide(shown - low, high - low, out=np.zeros_like(shown), where=high > low)
    level = np.pad(level, ((0, 0), (_SHOWN - level.shape[1], 0)))
    ground, bright = np.array(FLOOR, np.float64), np.array(HUES[1], np.float64)
    pixels = ground + level[:, :, None] * (bright - ground)
    canvas.text(type(task).__name__, 36, 34, 19, INK, bold=True)
    canvas.text("what was seen, the newest at the right; brighter is greater", 36, 57, 12, MUTED)
    canvas.image(pixels.astype(np.uint8), _LEFT, _TOP, _WIDTH, _HEIGHT)
    row = _HEIGHT / len(level)
    for k in range(len(level)):
        canvas.text(str(k), _LEFT - 10, _TOP + (k + 0.5) * row, min(11, row), MUTED, "r")
    for k, moment in enumerate(history[-_SHOWN:]):
        if moment.success:
            at = _LEFT + _WIDTH * (_SHOWN - min(len(history), _SHOWN) + k + 0.5) / _SHOWN
            canvas.disc((at, _TOP + _HEIGHT + 12), 3, GOAL)
    canvas.text("green: a trial ended well", _LEFT, _TOP + _HEIGHT + 34, 11, MUTED)
    draw_panel(canvas, task, slot, history, references)
