"""The arena's picture: where the agent is and where it has been.

Nothing here decides anything: the picture is made of what the arena says and of the glimpses of earlier steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, INK, MUTED, NIGHT, WARN, Canvas, mix
from lsnn_rl.envs.panel import draw_panel, hue

if TYPE_CHECKING:
    from lsnn_rl.envs.arena import Arena
    from lsnn_rl.envs.arena_variants import ArenaDelay, ArenaReversal
    from lsnn_rl.envs.task import Moment

_CENTER, _RADIUS = (306.0, 334.0), 250.0  # of the arena on the page, points
_TRAIL = 500  # steps until a trail has faded to its remains
_REMAINS = 0.14  # strength of what remains


def draw_arena(
    canvas: Canvas,
    arena: Arena,
    slot: int,
    history: list[Moment],
    references: dict[str, float] | None,
    title: str = "Arena",
    words: str = "find the goal, remember it, go straight back",
    marks: Callable[[], None] | None = None,
) -> None:
    """Draw one slot; what was seen in each moment of `history` is the place x, y. `marks` are drawn on the floor."""
    _floor(canvas, arena, slot)
    canvas.text(title, 36, 34, 19, INK, bold=True)
    canvas.text(words, 36, 57, 12, MUTED)
    if marks is not None:
        marks()
    _trails(canvas, arena, history)
    _agent(canvas, arena, slot)
    draw_panel(canvas, arena, slot, history, references)


def draw_reversal(
    canvas: Canvas, arena: ArenaReversal, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """The arena, and beside the goal the place it has left or will move to."""
    moved = bool(arena.moved[slot])
    words = (
        "the goal has moved: notice, give it up, search anew" if moved else "half-way the goal will move unannounced"
    )

    def other_place() -> None:
        other = _page(arena, *(arena.old_goal if moved else arena.new_goal)[slot])
        canvas.ring(other, arena.goal_radius / arena.radius * _RADIUS, mix(FLOOR, MUTED, 0.7), 1.25, dashes=30)
        canvas.text("old goal" if moved else "next goal", *other, 11, MUTED, anchor="m")

    draw_arena(
        canvas, arena, slot, history, references, "Arena, reversal", words, None if arena.secret else other_place
    )


def draw_delay(
    canvas: Canvas, arena: ArenaDelay, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """The arena; during the pause a curtain over it, and how much of the pause is left."""
    left = int(arena.pause[slot])

    def curtain() -> None:
        canvas.disc(_CENTER, _RADIUS, mix(NIGHT, FLOOR, 0.35))
        if not arena.secret:
            radius = arena.goal_radius / arena.radius * _RADIUS
            canvas.ring(_page(arena, *arena.goal[slot]), radius, mix(NIGHT, GOAL, 0.6), 1.75, dashes=30)
        canvas.ring(_CENTER, _RADIUS, EDGE, 2.0)
        canvas.arc(_CENTER, _RADIUS, math.pi / 2, -2 * math.pi * left / arena.delay, WARN, 5.0)
        canvas.text(f"pause: {left} steps", _CENTER[0], _CENTER[1] - 12, 19, INK, "m", bold=True)
        canvas.text("nothing is seen, nothing can be done", _CENTER[0], _CENTER[1] + 14, 12, MUTED, "m")

    words = "find the goal, keep it in mind through a blank pause, go back"
    draw_arena(canvas, arena, slot, history, references, "Arena, delay", words, curtain if arena.blank[slot] else None)


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
