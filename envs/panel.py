"""The right side of every picture: what the lifetime has brought, beside what agents of known skill would have.

A world draws its own scene on the left; the panel needs nothing of it but moments and reference scores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lsnn_rl.envs.canvas import GOAL, HUES, INK, MUTED, NIGHT, PANEL, WARN, Canvas, Color, mix

if TYPE_CHECKING:
    from lsnn_rl.envs.task import LifetimeTask, Moment

LEFT, RIGHT = 640.0, 924.0  # of the panel's contents, points
TOP, BOTTOM = 382.0, 502.0  # of the box in the middle, which a world may fill itself
_LINES = {"oracle": INK, "best_known": GOAL, "amnesic": WARN, "random": MUTED}
_WORDS = {"oracle": "knows the task", "best_known": "best known", "amnesic": "no memory", "random": "random"}
_FINEST = 300  # points of the curve: more cannot be told apart


def draw_panel(
    canvas: Canvas,
    task: LifetimeTask,
    slot: int,
    history: list[Moment],
    references: dict[str, float] | None,
    *,
    trials: bool = True,
) -> None:
    """Counters, the score over the lifetime among the references, the verdict.

    Args:
        references: random, amnesic, best_known and oracle per lifetime, or None if not measured under these rules.
        trials: fill the box in the middle with one bar per trial; if not, the world draws there (LEFT, RIGHT, TOP,
            BOTTOM, a heading at TOP - 22).
    """
    age, scored = int(task.age[slot]), history[-1].scored
    canvas.bar(612, 0, 348, 640, PANEL)
    _counters(canvas, task, slot, scored)
    _over_the_lifetime(canvas, task, age, history, references)
    if trials:
        _steps_per_trial(canvas, task, history, references)
    _verdict(canvas, age, task.steps, scored, references)


def heading(canvas: Canvas, words: str, aside: str = "") -> None:
    """The heading of the box in the middle, and the box's ground."""
    canvas.text(words, LEFT, TOP - 22, 12, INK, bold=True)
    canvas.text(aside, RIGHT, TOP - 22, 10.5, MUTED, anchor="r")
    canvas.bar(LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, mix(PANEL, NIGHT, 0.6), rounded=4)


def hue(trial: int) -> Color:
    """The colour of a trial."""
    return HUES[trial % len(HUES)]


def _number(task: LifetimeTask, score: float) -> str:
    return f"{score:.0f}" if task.score == "goals" or abs(score) >= 100 else f"{score:.1f}"


def _counters(canvas: Canvas, task: LifetimeTask, slot: int, scored: float) -> None:
    trial = int(task.trial[slot])
    canvas.text(task.unit.upper(), LEFT, 34, 11, MUTED, bold=True)
    words = _number(task, scored)
    canvas.text(words, LEFT - 2, 68, 44 if len(words) < 4 else 30, INK, bold=True)
    canvas.text("TRIAL", 752, 34, 11, MUTED, bold=True)
    canvas.text(str(trial + 1), 752, 60, 22, hue(trial), bold=True)
    canvas.text("STEP", 838, 34, 11, MUTED, bold=True)
    canvas.text(str(int(task.age[slot])), 838, 60, 22, INK, bold=True)
    canvas.text(f"of {task.steps}", 838, 80, 11, MUTED)


def _over_the_lifetime(
    canvas: Canvas, task: LifetimeTask, age: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """The score so far against the age, among the lines on which agents of known skill would be."""
    top, bottom, right = 148.0, 318.0, RIGHT - 98 if references else RIGHT
    known, scores = list((references or {}).values()), [moment.scored for moment in history]
    high = max([*known, max(scores), 10.0 if task.score == "goals" else 0.0])
    low = min([*known, min(scores), 0.0])
    high, low = (high + 0.06 * (high - low), low) if high > low else (1.0, low)
    canvas.text(f"{task.unit.capitalize()} over the lifetime", LEFT, 126, 12, INK, bold=True)
    canvas.bar(LEFT, top, right - LEFT, bottom - top, mix(PANEL, NIGHT, 0.6), rounded=4)

    def at(time: float, score: float) -> tuple[float, float]:
        return LEFT + (right - LEFT) * time / task.steps, bottom - (bottom - top) * (score - low) / (high - low)

    if references:
        labels = _apart([at(task.steps, references[name])[1] for name in _LINES], top, bottom)
        for (name, color), label_y in zip(_LINES.items(), labels, strict=True):
            canvas.dashed(at(0, 0), at(task.steps, references[name]), mix(PANEL, color, 0.75), 1.0)
            words = f"{_WORDS[name]} {_number(task, references[name])}"
            canvas.text(words, right + 7, label_y, 10, mix(PANEL, color, 0.9))
    if task.score == "goals":
        curve = [at(history[0].age, 0)]  # a lifetime may have begun at an age
        for hit in (moment for moment in history if moment.success):
            curve += [at(hit.age, hit.scored - 1), at(hit.age, hit.scored)]
        curve.append(at(age, history[-1].scored))
    else:
        stride = max(1, len(history) // _FINEST)
        curve = [at(moment.age, moment.scored) for moment in [*history[::stride], history[-1]]]
    canvas.line(curve, HUES[1], 2.2)
    canvas.disc(curve[-1], 4.2, HUES[1])
    canvas.text("0", LEFT, bottom + 12, 10, MUTED)
    canvas.text(f"{task.steps} steps", right, bottom + 12, 10, MUTED, anchor="r")


def _apart(heights: list[float], top: float, bottom: float, gap: float = 15.0) -> list[float]:
    """Heights of labels that touch neither each other nor the end of the plot, in the order of the lines."""
    shown, lowest = [0.0] * len(heights), math.inf
    for k in sorted(range(len(heights)), key=lambda k: (-heights[k], -k)):
        lowest = shown[k] = min(heights[k], lowest - gap)
    shift = max(0.0, top - min(shown))
    return [min(height + shift, bottom + gap) for height in shown]


def _steps_per_trial(
    canvas: Canvas, task: LifetimeTask, history: list[Moment], references: dict[str, float] | None
) -> None:
    """One bar per trial, as tall as the trial was long: with memory, only the first is tall."""
    most, finished = 140, history[-1].trial + history[-1].success
    heading(canvas, "Steps per trial", "short after the first = memory")
    lengths = np.bincount([moment.trial for moment in history[1:]] or [0])
    tallest = max(int(lengths.max()), task.steps // 20)
    first = max(len(lengths) - most, 0)
    width = (RIGHT - LEFT - 8) / max(min(len(lengths), most), 28)
    for k, length in enumerate(lengths[first:]):
        height = max((BOTTOM - TOP - 10) * length / tallest, 1.0)
        color = hue(first + k) if first + k < finished else mix(PANEL, hue(first + k), 0.5)
        canvas.bar(
            LEFT + 4 + k * width, BOTTOM - height, max(width - min(1.6, 0.3 * width), 1.0), height, color, rounded=1
        )
    if references and task.score == "goals" and references["oracle"] > 0:
        mean = task.steps / references["oracle"]
        y = BOTTOM - (BOTTOM - TOP - 10) * mean / tallest
        canvas.dashed((LEFT, y), (RIGHT, y), mix(PANEL, INK, 0.75), 1.0)
        canvas.text(f"knows the task: {mean:.0f} on average", RIGHT, BOTTOM + 12, 10, MUTED, anchor="r")
    canvas.text(f"{tallest} steps", RIGHT - 6, TOP + 10, 10, MUTED, anchor="r")
    canvas.text(f"trial {first + 1}", LEFT, BOTTOM + 12, 10, MUTED)


def _verdict(canvas: Canvas, age: int, steps: int, scored: float, references: dict[str, float] | None) -> None:
    """How far from no memory (0 %) to the best known strategy (100 %) this lifetime has come, for its age."""
    y = 578.0
    canvas.text("From no memory to best known", LEFT, 548, 12, INK, bold=True)
    canvas.bar(LEFT, y - 7, RIGHT - LEFT, 14, mix(PANEL, NIGHT, 0.6), rounded=7)
    if not references:
        canvas.text("not measured under these rules", LEFT, 601, 10.5, MUTED)
        return
    low, high = (references[name] * age / steps for name in ("amnesic", "best_known"))
    share = (scored - low) / (high - low) if high > low else 0.0
    length = (RIGHT - LEFT) * min(max(share, 0.0), 1.0)
    if length > 4:
        canvas.bar(LEFT, y - 7, max(length, 14), 14, GOAL, rounded=7)
    canvas.text(f"{100 * share:.0f} %" if age else "", RIGHT, 548, 12, GOAL if share > 0 else WARN, "r", bold=True)
    canvas.text("no memory", LEFT, 601, 10.5, WARN)
    canvas.text("best known", RIGHT, 601, 10.5, GOAL, anchor="r")
