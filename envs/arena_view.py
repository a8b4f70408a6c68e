"""The arena's picture: where the agent is and where it has been.

Nothing here decides anything: the picture is made of what the arena says and of the glimpses of earlier steps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, INK, MUTED, NIGHT, WARN, Canvas, mix
from lsnn_rl.envs.panel import draw_panel, hue

if TYPE_CHECKING:
    from lsnn_rl.envs.arena import Arena
    from lsnn_rl.envs.task import Moment

_CENTER, _RADIUS = (306.0, 334.0), 250.0  # of the arena on the page, points
_TRAIL = 500  # steps until a trail has faded to its remains
_REMAINS = 0.14  # strength of what remains


def draw_arena(
    canvas: Canvas, arena: Arena, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment of `history` is the place x, y."""
    _floor(canvas, arena, slot)
    _trails(canvas, arena, history)
    _agent(canvas, arena, slot)
    draw_panel(canvas, arena, slot, history, references)


def _page(arena: Arena, x: float, y: float) -> tuple[float, float]:
    """A place in the arena, on the page."""
    return _CENTER[0] + x / arena.radius * _RADIUS, _CENTER[1] - y / arena.radius * _RADIUS


def place_at(arena: Arena, point: tuple[float, float]) -> tuple[float, float]:
    """The place in the arena that is drawn at a point of the page."""
    return (point[0] - _CENTER[0]) / _RADIUS * arena.radius, (_CENTER[1] - point[1]) / _RADIUS * arena.radius


def _floor(canvas: Canvas, arena: Arena, slot: int) -> None:
    canvas.disc(_CENTER, _RADIUS + 9, mix(NIGHT, FLOOR, 0.45))
    canvas.disc(_CENTER, _RADIUS, FLOOR)
    for part in (1 / 3, 2 / 3):
        canvas.ring(_CENTER, _RADIUS * part, mix(FLOOR, FAINT, 0.45), 0.75)
    if arena.ring is not None:
        canvas.ring(_CENTER, _RADIUS * arena.ring / arena.radius, mix(FLOOR, GOAL, 0.22), 1.0, dashes=90)

    goal, radius = _page(arena, *arena.goal[slot]), arena.goal_radius / arena.radius * _RADIUS
    hit = bool(arena.success[slot])
    if hit or not arena.secret:
        canvas.disc(goal, radius, mix(FLOOR, GOAL, 0.42 if hit else 0.10))
        canvas.ring(goal, radius, GOAL, 1.75, dashes=30)
    if hit:
        canvas.ring(goal, radius + 7, mix(FLOOR, GOAL, 0.45), 2.0)
    canvas.ring(_CENTER, _RADIUS, EDGE, 2.0)

    canvas.text("Arena", 36, 34, 19, INK, bold=True)
    canvas.text("find the goal, remember it, go straight back", 36, 57, 12, MUTED)
    canvas.ring((43, 612), 7, GOAL, 1.5, dashes=9)
    whose = "goal, shown when you meet it" if arena.secret else "goal, hidden from the agent"
    canvas.text(whose, 58, 612, 12, MUTED)
    for k in range(3):
        canvas.disc((350 + 10 * k, 612), 3.2, hue(k))
    canvas.text("goal reached, one colour per trial", 382, 612, 12, MUTED)


def _trails(canvas: Canvas, arena: Arena, history: list[Moment]) -> None:
    """Every step of the lifetime so far, the older the fainter, and a dot where a goal was reached."""
    now, longest = len(history) - 1, 1.5 * arena.speed
    remains: list[tuple[float, float]] = []  # of one trial, faded
    for k in range(now):
        (x, y), (x2, y2), trial = history[k].seen, history[k + 1].seen, history[k].trial
        age, teleported = now - k, math.hypot(x2 - x, y2 - y) > longest
        if age >= _TRAIL:
            remains.append(_page(arena, x, y))
            if teleported or age == _TRAIL:
                canvas.line(remains, mix(FLOOR, hue(trial), _REMAINS), 1.0)
                remains = []
        elif not teleported:
            fresh = 1.0 - age / _TRAIL
            color = mix(FLOOR, hue(trial), _REMAINS + (0.95 - _REMAINS) * fresh**1.6)
            canvas.line([_page(arena, x, y), _page(arena, x2, y2)], color, 1.0 + 2.0 * fresh)
    for k, moment in enumerate(history):
        if moment.success and not arena.teleport_at_once:
            fresh = max(0.0, 1.0 - (now - k) / _TRAIL)
            canvas.disc(_page(arena, *moment.seen), 3.6, mix(FLOOR, hue(moment.trial), 0.35 + 0.65 * fresh))


def _agent(canvas: Canvas, arena: Arena, slot: int) -> None:
    x, y = arena.place[slot]
    at, color = _page(arena, x, y), hue(int(arena.trial[slot]))
    if arena.wall[slot]:
        canvas.arc(_CENTER, _RADIUS, math.atan2(y, x) - 0.14, 0.28, WARN, 5.0)
    ax, ay = arena.action[slot]
    canvas.disc(at, 13, mix(FLOOR, color, 0.30))
    if math.hypot(ax, ay) > 0.05:
        canvas.line([at, (at[0] + 22 * ax, at[1] - 22 * ay)], INK, 2.5)
    canvas.disc(at, 8, INK)
    canvas.disc(at, 5.4, color)
