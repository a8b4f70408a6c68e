"""The arena's picture: where the agent is, where it has been, and how well it does for its age.

Nothing here decides anything: the picture is made of what the arena says and of the glimpses of earlier steps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, HUES, INK, MUTED, NIGHT, PANEL, WARN, Canvas, Color, mix

if TYPE_CHECKING:
    from lsnn_rl.envs.arena import Arena

_CENTER, _RADIUS = (306.0, 334.0), 250.0  # of the arena on the page, points
_LEFT, _RIGHT = 640.0, 924.0  # of the panel's contents
_TRAIL = 500  # steps until a trail has faded to its remains
_REMAINS = 0.14  # strength of what remains
_LINES = {"oracle": INK, "best_known": GOAL, "amnesic": WARN, "random": MUTED}
_WORDS = {"oracle": "knows the goal", "best_known": "best known", "amnesic": "no memory", "random": "random"}


def draw_arena(
    canvas: Canvas, arena: Arena, slot: int, history: list[Any], references: dict[str, float] | None
) -> None:
    """Draw one slot; `history` holds (x, y, trial, success) of every step so far, `references` goals per lifetime."""
    age, trial = int(arena.age[slot]), int(arena.trial[slot])
    goals = trial + int(arena.success[slot])
    _floor(canvas, arena, slot)
    _trails(canvas, arena, history)
    _agent(canvas, arena, slot)
    canvas.bar(612, 0, 348, 640, PANEL)
    _counters(canvas, goals, trial, age, arena.steps)
    _goals_over_time(canvas, arena.steps, age, goals, history, references)
    _steps_per_trial(canvas, arena.steps, history, goals, references)
    _verdict(canvas, age, arena.steps, goals, references)


def _page(arena: Arena, x: float, y: float) -> tuple[float, float]:
    """A place in the arena, on the page."""
    return _CENTER[0] + x / arena.radius * _RADIUS, _CENTER[1] - y / arena.radius * _RADIUS


def place_at(arena: Arena, point: tuple[float, float]) -> tuple[float, float]:
    """The place in the arena that is drawn at a point of the page."""
    return (point[0] - _CENTER[0]) / _RADIUS * arena.radius, (_CENTER[1] - point[1]) / _RADIUS * arena.radius


def _hue(trial: int) -> Color:
    return HUES[trial % len(HUES)]


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
        canvas.disc((350 + 10 * k, 612), 3.2, _hue(k))
    canvas.text("goal reached, one colour per trial", 382, 612, 12, MUTED)


def _trails(canvas: Canvas, arena: Arena, history: list[Any]) -> None:
    """Every step of the lifetime so far, the older the fainter, and a dot where a goal was reached."""
    now, longest = len(history) - 1, 1.5 * arena.speed
    remains: list[tuple[float, float]] = []  # of one trial, faded
    for k in range(now):
        (x, y, trial, _), (x2, y2, *_) = history[k], history[k + 1]
        age, teleported = now - k, math.hypot(x2 - x, y2 - y) > longest
        if age >= _TRAIL:
            remains.append(_page(arena, x, y))
            if teleported or age == _TRAIL:
                canvas.line(remains, mix(FLOOR, _hue(trial), _REMAINS), 1.0)
                remains = []
        elif not teleported:
            fresh = 1.0 - age / _TRAIL
            color = mix(FLOOR, _hue(trial), _REMAINS + (0.95 - _REMAINS) * fresh**1.6)
            canvas.line([_page(arena, x, y), _page(arena, x2, y2)], color, 1.0 + 2.0 * fresh)
    for k, (x, y, trial, success) in enumerate(history):
        if success and not arena.teleport_at_once:
            fresh = max(0.0, 1.0 - (now - k) / _TRAIL)
            canvas.disc(_page(arena, x, y), 3.6, mix(FLOOR, _hue(trial), 0.35 + 0.65 * fresh))


def _agent(canvas: Canvas, arena: Arena, slot: int) -> None:
    x, y = arena.place[slot]
    at, hue = _page(arena, x, y), _hue(int(arena.trial[slot]))
    if arena.wall[slot]:
        canvas.arc(_CENTER, _RADIUS, math.atan2(y, x) - 0.14, 0.28, WARN, 5.0)
    ax, ay = arena.action[slot]
    canvas.disc(at, 13, mix(FLOOR, hue, 0.30))
    if math.hypot(ax, ay) > 0.05:
        canvas.line([at, (at[0] + 22 * ax, at[1] - 22 * ay)], INK, 2.5)
    canvas.disc(at, 8, INK)
    canvas.disc(at, 5.4, hue)


def _counters(canvas: Canvas, goals: int, trial: int, age: int, steps: int) -> None:
    canvas.text("GOALS", _LEFT, 34, 11, MUTED, bold=True)
    canvas.text(str(goals), _LEFT - 2, 68, 44, INK, bold=True)
    canvas.text("TRIAL", 752, 34, 11, MUTED, bold=True)
    canvas.text(str(trial + 1), 752, 60, 22, _hue(trial), bold=True)
    canvas.text("STEP", 838, 34, 11, MUTED, bold=True)
    canvas.text(str(age), 838, 60, 22, INK, bold=True)
    canvas.text(f"of {steps}", 838, 80, 11, MUTED)


def _goals_over_time(
    canvas: Canvas, steps: int, age: int, goals: int, history: list[Any], references: dict[str, float] | None
) -> None:
    """Goals so far against the age of the lifetime, among the lines on which agents of known skill would be."""
    top, bottom, right = 148.0, 318.0, _RIGHT - 92 if references else _RIGHT
    ceiling = max(max(references.values()) if references else 0.0, goals, 10) * 1.06
    canvas.text("Goals over the lifetime", _LEFT, 126, 12, INK, bold=True)
    canvas.bar(_LEFT, top, right - _LEFT, bottom - top, mix(PANEL, NIGHT, 0.6), rounded=4)

    def at(time: float, score: float) -> tuple[float, float]:
        return _LEFT + (right - _LEFT) * time / steps, bottom - (bottom - top) * score / ceiling

    if references:
        label_y = math.inf
        for name in ("random", "amnesic", "best_known", "oracle"):
            color, score = _LINES[name], references[name]
            canvas.dashed(at(0, 0), at(steps, score), mix(PANEL, color, 0.75), 1.0)
            label_y = min(at(steps, score)[1], label_y - 15)
            canvas.text(f"{_WORDS[name]} {score:.0f}", right + 7, label_y, 10.5, mix(PANEL, color, 0.9))
    hits = [k for k, glimpse in enumerate(history) if glimpse[3]]
    began = age - (len(history) - 1)  # a lifetime may have begun at an age
    stairs = [at(began, 0)]
    for count, k in enumerate(hits, start=1):
        stairs += [at(began + k, count - 1), at(began + k, count)]
    stairs.append(at(age, len(hits)))
    canvas.line(stairs, HUES[1], 2.2)
    canvas.disc(stairs[-1], 4.2, HUES[1])
    canvas.text("0", _LEFT, bottom + 12, 10, MUTED)
    canvas.text(f"{steps} steps", right, bottom + 12, 10, MUTED, anchor="r")


def _steps_per_trial(
    canvas: Canvas, steps: int, history: list[Any], goals: int, references: dict[str, float] | None
) -> None:
    """One bar per trial, as tall as the trial was long: with memory, only the first is tall."""
    top, bottom, most = 382.0, 502.0, 140
    canvas.text("Steps per trial", _LEFT, 360, 12, INK, bold=True)
    canvas.text("short after the first = memory", _RIGHT, 360, 10.5, MUTED, anchor="r")
    canvas.bar(_LEFT, top, _RIGHT - _LEFT, bottom - top, mix(PANEL, NIGHT, 0.6), rounded=4)
    lengths = np.bincount([glimpse[2] for glimpse in history[1:]] or [0])
    tallest = max(int(lengths.max()), 100)
    first = max(len(lengths) - most, 0)
    width = (_RIGHT - _LEFT - 8) / max(min(len(lengths), most), 28)
    for k, length in enumerate(lengths[first:]):
        height = max((bottom - top - 10) * length / tallest, 1.0)
        color = _hue(first + k) if first + k < goals else mix(PANEL, _hue(first + k), 0.5)
        canvas.bar(
            _LEFT + 4 + k * width, bottom - height, max(width - min(1.6, 0.3 * width), 1.0), height, color, rounded=1
        )
    if references:
        mean = steps / references["oracle"]
        y = bottom - (bottom - top - 10) * mean / tallest
        canvas.dashed((_LEFT, y), (_RIGHT, y), mix(PANEL, INK, 0.75), 1.0)
        canvas.text(f"knows the goal: {mean:.0f} on average", _RIGHT, bottom + 12, 10, MUTED, anchor="r")
    canvas.text(f"{tallest} steps", _RIGHT - 6, top + 10, 10, MUTED, anchor="r")
    canvas.text(f"trial {first + 1}", _LEFT, bottom + 12, 10, MUTED)


def _verdict(canvas: Canvas, age: int, steps: int, goals: int, references: dict[str, float] | None) -> None:
    """How far from no memory (0 %) to the best known strategy (100 %) this lifetime has come, for its age."""
    y = 578.0
    canvas.text("From no memory to best known", _LEFT, 548, 12, INK, bold=True)
    canvas.bar(_LEFT, y - 7, _RIGHT - _LEFT, 14, mix(PANEL, NIGHT, 0.6), rounded=7)
    if not references:
        canvas.text("not measured under these rules", _LEFT, 601, 10.5, MUTED)
        return
    low, high = (references[name] * age / steps for name in ("amnesic", "best_known"))
    share = (goals - low) / (high - low) if age else 0.0
    length = (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0)
    if length > 4:
        canvas.bar(_LEFT, y - 7, max(length, 14), 14, GOAL, rounded=7)
    canvas.text(f"{100 * share:.0f} %" if age else "", _RIGHT, 548, 12, GOAL if share > 0 else WARN, "r", bold=True)
    canvas.text("no memory", _LEFT, 601, 10.5, WARN)
    canvas.text("best known", _RIGHT, 601, 10.5, GOAL, anchor="r")
