"""The picture of point navigation: the plane from above, where goals can lie, and the paths so far."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, INK, MUTED, NIGHT, PANEL, Canvas, Point, mix
from lsnn_rl.envs.navigation import EpisodicNavigation, Navigation, Navigation2D
from lsnn_rl.envs.panel import BOTTOM, LEFT, RIGHT, TOP, draw_panel, heading, hue

if TYPE_CHECKING:
    from lsnn_rl.envs.task import Moment

_LEFT, _RIGHT, _TOP, _BOTTOM = 36.0, 576.0, 82.0, 588.0  # of the plane on the page, points
_MOST = 12  # episodes in the box in the middle


def draw_navigation(
    canvas: Canvas, task: Navigation, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment of `history` is the place x, y."""
    _plane(canvas, task)
    _goal(canvas, task, slot, history)
    _paths(canvas, task, history)
    _agent(canvas, task, slot)
    episodes = isinstance(task, EpisodicNavigation)
    draw_panel(canvas, task, slot, history, references, trials=not episodes)
    if episodes:
        _reward_per_episode(canvas, history)


def _frame(task: Navigation) -> tuple[float, float, float]:
    """Where the origin is on the page, x and y, and how long a unit is."""
    if isinstance(task, Navigation2D):
        return 306.0, 335.0, 190.0 / task.extent
    return 306.0, 450.0, 230.0


def place_at(task: Navigation, point: Point) -> Point:
    """The place that is drawn at a point of the page."""
    x, y, unit = _frame(task)
    return (point[0] - x) / unit, (y - point[1]) / unit


def _page(task: Navigation, x: float, y: float) -> Point:
    """A place on the page; one too far off is drawn at the edge."""
    left, top, unit = _frame(task)
    return min(max(left + x * unit, _LEFT + 6), _RIGHT - 6), min(max(top - y * unit, _TOP + 6), _BOTTOM - 6)


def _plane(canvas: Canvas, task: Navigation) -> None:
    canvas.bar(_LEFT, _TOP, _RIGHT - _LEFT, _BOTTOM - _TOP, FLOOR, rounded=8)
    origin, unit = _page(task, 0.0, 0.0), _frame(task)[2]
    for a, b in (((_LEFT, origin[1]), (_RIGHT, origin[1])), ((origin[0], _TOP), (origin[0], _BOTTOM))):
        canvas.line([a, b], mix(FLOOR, FAINT, 0.6), 0.75)
    if isinstance(task, Navigation2D):
        half = task.extent * unit
        corners = [
            (origin[0] + half * a, origin[1] + half * b) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
        ]
        for a, b in pairwise(corners):
            canvas.dashed(a, b, mix(FLOOR, GOAL, 0.45), 1.5)
        title, words = "Navigation", "after every step you are told how far it is: find out where, and go there"
    else:
        for k in range(40):
            canvas.arc(origin, unit, math.pi * k / 40, math.pi / 75, mix(FLOOR, GOAL, 0.45), 1.5)
        title, words = "Point robot", "the goal is somewhere on the arc and pays only near it: find it, remember it"
    canvas.text(title, 36, 34, 19, INK, bold=True)
    canvas.text(words, 36, 57, 12, MUTED)


def _goal(canvas: Canvas, task: Navigation, slot: int, history: list[Moment]) -> None:
    met = float(task.earned[slot]) > 0.0 or bool(task.success[slot])
    unit = _frame(task)[2]
    if met or not task.secret:
        radius = max(getattr(task, "goal_radius", 0.0) * unit, 16.0)
        at = _page(task, *task.goal[slot])
        canvas.disc(at, radius, mix(FLOOR, GOAL, 0.42 if met else 0.14))
        canvas.ring(at, radius, GOAL, 1.75, dashes=max(round(radius * 0.6), 9))
    canvas.ring((43, 612), 7, GOAL, 1.5, dashes=9)
    canvas.text("goal, shown when you meet it" if task.secret else "goal, hidden from the agent", 58, 612, 12, MUTED)
    for k in range(3):
        canvas.disc((350 + 10 * k, 612), 3.2, hue(k))
    unit_of_time = "episode" if isinstance(task, EpisodicNavigation) else "trial"
    canvas.text(f"path, one colour per {unit_of_time}", 382, 612, 12, MUTED)


def _paths(canvas: Canvas, task: Navigation, history: list[Moment]) -> None:
    """Every step of the lifetime so far; earlier episodes and trials are fainter."""
    longest, now = 1.6 * task.speed, history[-1].trial
    for before, after in pairwise(history):
        if math.dist(before.seen, after.seen) <= longest:  # not carried off, not back at the origin
            color = mix(FLOOR, hue(after.trial), 0.9 if after.trial == now else 0.4)
            canvas.line([_page(task, *before.seen), _page(task, *after.seen)], color, 2.4)
            canvas.disc(_page(task, *after.seen), 2.6, color)
        if after.success and not isinstance(task, EpisodicNavigation):
            canvas.disc(_page(task, *after.seen), 4.5, hue(after.trial))


def _agent(canvas: Canvas, task: Navigation, slot: int) -> None:
    at, color = _page(task, *task.place[slot]), hue(int(task.trial[slot]))
    ax, ay = task.action[slot]
    canvas.disc(at, 13, mix(FLOOR, color, 0.30))
    if math.hypot(ax, ay) > 0.05:
        canvas.line([at, (at[0] + 20 * ax, at[1] - 20 * ay)], INK, 2.5)
    canvas.disc(at, 8, INK)
    canvas.disc(at, 5.4, color)
    canvas.ring(_page(task, 0.0, 0.0), 4, EDGE, 1.5)


def _reward_per_episode(canvas: Canvas, history: list[Moment]) -> None:
    """One bar per episode, as long as what it earned or cost."""
    sums: dict[int, float] = {}
    for before, after in pairwise(history):
        sums[after.trial] = sums.get(after.trial, 0.0) + after.scored - before.scored
    costs = any(value < 0 for value in sums.values())
    heading(
        canvas,
        f"{'Cost' if costs else 'Reward'} per episode",
        f"{'less' if costs else 'more'} later = memory",
    )
    shown = list(sums.items())[-_MOST:]
    most = max([abs(value) for _, value in shown], default=0.0) or 1.0
    height = (BOTTOM - TOP - 12) / max(len(shown), 3)
    for row, (episode, value) in enumerate(shown):
        y = TOP + 6 + row * height
        width = (RIGHT - LEFT - 110) * abs(value) / most
        canvas.text(str(episode + 1), LEFT + 10, y + height / 2, 10.5, MUTED)
        canvas.bar(LEFT + 30, y + 0.15 * height, max(width, 1.0), 0.7 * height, hue(episode), rounded=2)
        canvas.text(f"{abs(value):.1f}", LEFT + 38 + max(width, 1.0), y + height / 2, 10.5, INK)
    if not shown:
        canvas.text(
            "none yet", (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2, 10.5, mix(PANEL, mix(NIGHT, MUTED, 0.8), 0.9), "m"
        )
