"""A bandit's picture: every arm a column, in it what the pulls say about it and, as a mark, what is true.

Nothing here decides anything: the picture is made of what the bandit says and of the glimpses of earlier steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, HUES, INK, MUTED, NIGHT, PANEL, Canvas, mix
from lsnn_rl.envs.panel import BOTTOM, LEFT, RIGHT, TOP, draw_panel, heading

if TYPE_CHECKING:
    from lsnn_rl.envs.bandits import Bandit, Floats
    from lsnn_rl.envs.task import Moment

_WEST, _EAST = 76.0, 588.0  # where columns can be, points
_CEILING, _GROUND = 104.0, 400.0  # of the columns
_COUNTS, _STRIP, _END = 424.0, 506.0, 590.0  # top of the counts, top and bottom of the strip of pulls
_WIDEST = 140.0  # column
_LEVELS = 100  # of a density
_CERTAIN = 11.0  # height of a belief that holds one value only: seen around the mark of the truth
_BELIEF, _NOW = HUES[1], HUES[0]


def draw_bandit(
    canvas: Canvas, bandit: Bandit, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment of `history` is the arm pulled and what it showed."""
    pulls = [moment for moment in history if moment.seen[0] >= 0]
    shown_truth = not bandit.secret or int(bandit.age[slot]) >= bandit.steps
    canvas.text(bandit.title, 36, 34, 19, INK, bold=True)
    canvas.text(bandit.told, 36, 57, 12, MUTED)
    _arms(canvas, bandit, slot, pulls, shown_truth)
    _counts(canvas, bandit, pulls)
    _strip(canvas, bandit, pulls)
    _legend(canvas, bandit, shown_truth)
    draw_panel(canvas, bandit, slot, history, references, trials=False)
    _best_arm(canvas, bandit, slot, pulls, shown_truth)


def arm_at(bandit: Bandit, point: tuple[float, float]) -> int | None:
    """The arm whose column is at a point of the page."""
    left, width = _columns(bandit)
    arm = int((point[0] - left) // width)
    return arm if 0 <= arm < bandit.arms and _CEILING - 24 <= point[1] < _STRIP - 12 else None


def _columns(bandit: Bandit) -> tuple[float, float]:
    """Left end of the first column, and the width of each."""
    width = min((_EAST - _WEST) / bandit.arms, _WIDEST)
    return (_WEST + _EAST - width * bandit.arms) / 2, width


def _tallies(bandit: Bandit, pulls: list[Moment]) -> tuple[Floats, Floats, Floats]:
    """Pulls, sum of what they showed, and successes of every arm, [K] each."""
    arms = np.array([moment.seen[0] for moment in pulls], np.int64)
    shown, good = (np.array(x, np.float64) for x in ([m.seen[1] for m in pulls], [m.success for m in pulls]))
    counts = (np.bincount(arms, weights, bandit.arms) for weights in (np.ones(len(arms)), shown, good))
    return tuple(count.astype(np.float64) for count in counts)  # type: ignore[return-value]


def _arms(canvas: Canvas, bandit: Bandit, slot: int, pulls: list[Moment], truth: bool) -> None:
    (low, high), (left, width) = bandit.span(), _columns(bandit)
    at = np.linspace(low, high, _LEVELS)
    tall = (_GROUND - _CEILING) / _LEVELS
    counts, sums, _ = _tallies(bandit, pulls)
    beliefs = bandit.belief(counts, sums, at)
    now, best = (pulls[-1].seen[0] if pulls else -1), int(bandit.means[slot].argmax())

    def height(mean: float) -> float:
        return _GROUND - tall / 2 - (_GROUND - _CEILING - tall) * (mean - low) / (high - low)

    canvas.text(bandit.axis, left, _CEILING - 12, 10.5, MUTED)
    canvas.bar(left, _CEILING, width * bandit.arms, _GROUND - _CEILING, FLOOR, rounded=3)
    for mean in _ticks(low, high):
        canvas.line([(left, height(mean)), (left + width * bandit.arms, height(mean))], mix(FLOOR, FAINT, 0.8), 0.75)
        canvas.text(f"{mean:g}", left - 8, height(mean), 10.5, MUTED, anchor="r")
    for arm in range(bandit.arms):
        x, density = left + (arm + 0.5) * width, beliefs[arm]
        if arm == now:
            canvas.bar(x - width / 2, _CEILING, width, _GROUND - _CEILING, mix(FLOOR, _NOW, 0.10))
        certain = np.count_nonzero(density) <= bandit.arms
        tint = mix(FLOOR, _NOW if arm == now else _BELIEF, 0.75 if counts[arm] or certain else 0.16)
        thick = _CERTAIN if certain else tall
        for mean, likely in zip(at, density, strict=True):
            half = 0.44 * width * likely
            if half > 0.2:
                canvas.bar(x - half, height(mean) - thick / 2, 2 * half, thick + 0.3, tint)
        if truth:
            y, strong = height(bandit.means[slot, arm]), arm == best
            ends = [(x - 0.44 * width, y), (x + 0.44 * width, y)]
            if not certain:
                canvas.line(ends, NIGHT, 5.0 if strong else 3.4)
            canvas.line(ends, GOAL if strong else mix(FLOOR, GOAL, 0.8), 3.4 if strong else 2.0)
        if counts[arm]:
            seen = sums[arm] / counts[arm]
            canvas.disc((x, height(min(max(seen, low), high))), min(4.5, max(2.0, 0.3 * width)), NIGHT)
            canvas.disc((x, height(min(max(seen, low), high))), min(3.2, max(1.4, 0.2 * width)), INK)
    canvas.line([(left, _GROUND), (left + width * bandit.arms, _GROUND)], EDGE, 1.2)


def _counts(canvas: Canvas, bandit: Bandit, pulls: list[Moment]) -> None:
    """Under every column its number, and how often it was pulled, the successes bright."""
    left, width = _columns(bandit)
    counts, _, good = _tallies(bandit, pulls)
    most, tallest = max(counts.max(), 5.0), 44.0
    every = next(k for k in (1, 5, 10, 50, 100, 1000) if k * width >= 18)
    canvas.text("pulls", left - 8, _COUNTS + 36, 10.5, MUTED, anchor="r")
    canvas.text("arm", left - 8, _GROUND + 12, 10.5, MUTED, anchor="r")
    for arm in range(bandit.arms):
        x = left + (arm + 0.5) * width
        if arm == 0 or (arm + 1) % every == 0:
            canvas.text(str(arm + 1), x, _GROUND + 12, 10.5, MUTED, anchor="m")
        half, floor = min(0.36 * width, 16.0), _COUNTS + tallest
        for count, share in ((counts[arm], 0.35), (good[arm], 0.9)):
            if count:
                tall = tallest * count / most
                canvas.bar(x - half, floor - tall, 2 * half, tall, mix(NIGHT, _BELIEF, share), rounded=1)
        if width >= 18 and counts[arm]:
            canvas.text(f"{counts[arm]:.0f}", x, floor + 11, 10.5, INK, anchor="m")


def _strip(canvas: Canvas, bandit: Bandit, pulls: list[Moment]) -> None:
    """Every pull at its time, one row per arm."""
    left, right = _WEST, _EAST
    canvas.bar(left, _STRIP, right - left, _END - _STRIP, mix(PANEL, NIGHT, 0.35), rounded=3)
    wide, tall = (right - left - 4) / bandit.steps, (_END - _STRIP - 4) / bandit.arms
    for moment in pulls:
        x, y = left + 2 + (moment.age - 1) * wide, _STRIP + 2 + moment.seen[0] * tall
        color = mix(NIGHT, _BELIEF, 0.95 if moment.success else 0.38)
        gap = min(1.0, 0.15 * min(wide, tall))
        canvas.bar(x + gap / 2, y + gap / 2, max(wide - gap, 1.0), max(tall - gap, 1.4), color)
    canvas.text("arm 1", left - 8, _STRIP + 7, 10.5, MUTED, anchor="r")
    canvas.text(str(bandit.arms), left - 8, _END - 7, 10.5, MUTED, anchor="r")
    canvas.text("time", left - 8, (_STRIP + _END) / 2, 10.5, MUTED, anchor="r")


def _legend(canvas: Canvas, bandit: Bandit, truth: bool) -> None:
    y = 615.0
    canvas.bar(36, y - 6, 12, 12, mix(NIGHT, _BELIEF, 0.6))
    canvas.text("belief", 54, y, 11, MUTED)
    canvas.disc((108, y), 3.2, INK)
    canvas.text("mean seen", 118, y, 11, MUTED)
    canvas.line([(200, y), (216, y)], GOAL, 3.0)
    whose = "truth, hidden from the agent" if not bandit.secret else "truth" if truth else "truth, shown at the end"
    canvas.text(whose, 223, y, 11, MUTED)
    for x, share, words in ((400, 0.95, "success"), (475, 0.38, "none")):
        canvas.bar(x, y - 5, 10, 10, mix(NIGHT, _BELIEF, share))
        canvas.text(words, x + 16, y, 11, MUTED)
    canvas.bar(532, y - 5, 10, 10, mix(FLOOR, _NOW, 0.75))
    canvas.text("now", 548, y, 11, MUTED)


def _best_arm(canvas: Canvas, bandit: Bandit, slot: int, pulls: list[Moment], truth: bool) -> None:
    """How often the best arm was chosen in each stretch of the lifetime: exploring, then taking."""
    heading(canvas, "Pulls of the best arm", f"by chance 1 in {bandit.arms}")
    canvas.text("100 %", RIGHT - 6, TOP + 10, 10, MUTED, anchor="r")
    canvas.text("0", LEFT, BOTTOM + 12, 10, MUTED)
    canvas.text(f"{bandit.steps} steps", RIGHT, BOTTOM + 12, 10, MUTED, anchor="r")
    if not truth:
        canvas.text("shown at the end", (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2, 11, MUTED, anchor="m")
        return
    best = bandit.means[slot] >= bandit.means[slot].max()
    stretches = min(bandit.steps, 25)
    wide, tall = (RIGHT - LEFT - 8) / stretches, BOTTOM - TOP - 20  # leaves room for the words above
    when = np.array([(moment.age - 1) * stretches // bandit.steps for moment in pulls], np.int64)
    hits = np.array([best[moment.seen[0]] for moment in pulls], np.float64)
    made, good = np.bincount(when, minlength=stretches), np.bincount(when, hits, stretches)
    for k in np.flatnonzero(made):
        height = max(tall * good[k] / made[k], 1.0)
        canvas.bar(LEFT + 4 + k * wide, BOTTOM - height, max(wide - 1.6, 1.0), height, GOAL, rounded=1)
    y = BOTTOM - tall / bandit.arms
    canvas.dashed((LEFT, y), (RIGHT, y), mix(PANEL, INK, 0.6), 1.0)


def _ticks(low: float, high: float) -> list[float]:
    """A few round numbers from low to high."""
    step = next(s for s in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 1e9) if (high - low) / s <= 6)
    return [k * step for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
