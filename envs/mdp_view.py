"""The picture of a random decision process: states on a circle, the moves that were made, and what they brought.

Only what the agent has seen is drawn; the best actions, which it is never told, are marked in the table.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, HUES, INK, MUTED, NIGHT, PANEL, WARN, Canvas, Color, mix
from lsnn_rl.envs.mdp import PRIOR_MEAN, plan
from lsnn_rl.envs.panel import BOTTOM, LEFT, RIGHT, TOP, draw_panel, heading

if TYPE_CHECKING:
    from lsnn_rl.envs.mdp import TabularMDP
    from lsnn_rl.envs.task import Moment

_CENTER, _RADIUS = (306.0, 270.0), 150.0  # of the circle of states, points
_TABLE_LEFT, _TABLE_TOP, _TABLE_WIDE, _TABLE_HIGH = 96.0, 474.0, 480.0, 112.0


def draw_mdp(
    canvas: Canvas, task: TabularMDP, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment is the `glimpse` of TabularMDP."""
    open_book = not task.secret or int(task.age[slot]) >= task.steps
    # Each move: from, action, reward, to (None where the episode ended with it).
    moves = [
        (before.seen[0], after.seen[1], after.seen[2], after.seen[0] if after.seen[3] else None)
        for before, after in pairwise(history)
    ]
    visits, sums = np.zeros((task.states, task.actions)), np.zeros((task.states, task.actions))
    for at, did, reward, _ in moves:
        visits[at, did] += 1
        sums[at, did] += reward
    canvas.text("Random decision process", 36, 34, 19, INK, bold=True)
    words = f"episodes of {task.horizon} steps in one unknown process: learn what every action leads to and brings"
    canvas.text(words, 36, 57, 12, MUTED)
    _graph(canvas, task, slot, history, moves, visits, sums)
    _table(canvas, task, slot, visits, sums, open_book)
    draw_panel(canvas, task, slot, history, references, trials=False)
    _episodes(canvas, task, history, references)


def _place(task: TabularMDP, state: int) -> tuple[float, float]:
    """Where a state is drawn; state 0 on top, then clockwise."""
    angle = 2 * math.pi * state / task.states
    return _CENTER[0] + _RADIUS * math.sin(angle), _CENTER[1] - _RADIUS * math.cos(angle)


def _worth(mean: float) -> Color:
    """A colour for a mean reward: warm below, green above what is usual."""
    share = min(max((mean - PRIOR_MEAN) / 2.5, -1.0), 1.0)
    return mix(FLOOR, GOAL if share > 0 else WARN, 0.12 + 0.83 * abs(share))


def _graph(
    canvas: Canvas,
    task: TabularMDP,
    slot: int,
    history: list[Moment],
    moves: list,
    visits: np.ndarray,
    sums: np.ndarray,
) -> None:
    counts: dict[tuple[int, int, int], int] = {}
    for at, did, _, there in moves:
        if there is not None and there != at:
            counts[at, did, there] = counts.get((at, did, there), 0) + 1
    newest = moves[-1] if moves else None
    for (at, did, there), count in sorted(counts.items(), key=lambda item: item[1]):
        _arrow(
            canvas, task, at, there, mix(NIGHT, HUES[did % len(HUES)], min(0.25 + 0.12 * count, 0.8)), 1.0 + 0.7 * count
        )
    if newest and newest[3] is not None and newest[3] != newest[0]:
        _arrow(canvas, task, newest[0], newest[3], HUES[newest[1] % len(HUES)], 4.0)
    now = int(task.state[slot])
    size = min(24.0, 2.0 * _RADIUS * math.sin(math.pi / max(task.states, 2)) * 0.36)
    for state in range(task.states):
        seen = visits[state].sum()
        at = _place(task, state)
        canvas.disc(at, size, _worth(sums[state].sum() / seen) if seen else mix(NIGHT, FLOOR, 0.9))
        canvas.ring(at, size, INK if state == now else EDGE, 3.5 if state == now else 1.5)
        canvas.text(str(state), at[0], at[1], 13, INK if seen or state == now else MUTED, "m", bold=state == now)
    x, y = _place(task, 0)
    canvas.text("start", x, y - size - 12, 11, MUTED, "m")
    if newest:
        canvas.text(f"{newest[2]:+.1f}", 36, 100, 26, _worth_text(newest[2]), bold=True)
        words = f"action {newest[1] + 1} in state {newest[0]}"
        canvas.text(words, 36, 124, 12, HUES[newest[1] % len(HUES)])
        if newest[3] is None:
            canvas.text("episode over: back to the start", 36, 143, 11, MUTED)


def _worth_text(reward: float) -> Color:
    return GOAL if reward > PRIOR_MEAN else WARN


def _arrow(canvas: Canvas, task: TabularMDP, start: int, end: int, color: Color, width: float) -> None:
    """A bent line from state to state; it thickens where it arrives."""
    (ax, ay), (bx, by) = _place(task, start), _place(task, end)
    mx, my = (ax + bx) / 2 * 0.82 + _CENTER[0] * 0.18, (ay + by) / 2 * 0.82 + _CENTER[1] * 0.18
    bend = 16.0 / (math.dist((ax, ay), (bx, by)) or 1.0)
    mx, my = mx + bend * (by - ay), my - bend * (bx - ax)
    curve = []
    for k in range(13):
        t = k / 12
        u = 1 - t
        curve.append((u * u * ax + 2 * u * t * mx + t * t * bx, u * u * ay + 2 * u * t * my + t * t * by))
    canvas.line(curve, color, width)
    canvas.line(curve[7:11], color, width + 2.5)


def _table(canvas: Canvas, task: TabularMDP, slot: int, visits: np.ndarray, sums: np.ndarray, open_book: bool) -> None:
    """A column per state, a row per action: how often it was tried, coloured by what it brought on average."""
    wide, high = _TABLE_WIDE / task.states, _TABLE_HIGH / task.actions
    best = None
    if open_book:
        one = slice(slot, slot + 1)
        best = plan(task.transitions()[one], task.means[one], task.horizon)[
            0, min(int(task.clock[slot]), task.horizon - 1)
        ]
    for state in range(task.states):
        x = _TABLE_LEFT + state * wide
        now = state == int(task.state[slot])
        canvas.text(str(state), x + wide / 2, _TABLE_TOP - 12, 11, INK if now else MUTED, "m", bold=now)
        for action in range(task.actions):
            y, tried = _TABLE_TOP + action * high, int(visits[state, action])
            color = _worth(sums[state, action] / tried) if tried else mix(NIGHT, FLOOR, 0.75)
            canvas.bar(x + 1.5, y + 1.5, wide - 3, high - 3, color, rounded=3)
            if tried and high > 12:
                canvas.text(str(tried), x + wide / 2, y + high / 2, 11, INK, "m")
            if best is not None and best[state] == action:
                canvas.disc((x + wide - 8, y + 8), 2.8, INK)
    for action in range(task.actions):
        y = _TABLE_TOP + (action + 0.5) * high
        canvas.text(f"action {action + 1}", _TABLE_LEFT - 8, y, 11, HUES[action % len(HUES)], "r")
    canvas.text("state", _TABLE_LEFT - 8, _TABLE_TOP - 12, 11, MUTED, "r")
    y = 610
    for k, (color, words) in enumerate(
        [(_worth(PRIOR_MEAN - 2.5), "brought little"), (_worth(PRIOR_MEAN + 2.5), "much")]
    ):
        canvas.bar(96 + 108 * k, y - 6, 14, 12, color, rounded=3)
        canvas.text(words, 116 + 108 * k, y, 11, MUTED)
    canvas.text("number: tries", 266, y, 11, MUTED)
    if open_book:
        canvas.disc((362, y), 2.8, INK)
        canvas.text("best action, hidden from the agent", 371, y, 11, MUTED)


def _episodes(canvas: Canvas, task: TabularMDP, history: list[Moment], references: dict[str, float] | None) -> None:
    """Reward of every episode: it rises where something is learned."""
    heading(canvas, "Reward per episode", "rising = learning")
    gains: dict[int, float] = {}
    for moment in history[1:]:
        gains[moment.trial] = moment.seen[4]
    known = {name: references[name] * task.horizon / task.steps for name in ("random", "oracle")} if references else {}
    shown = list(gains.values())[-40:]
    high = max([*shown, *known.values(), 1.0]) * 1.08
    low = min([*shown, 0.0]) * 1.08
    tall, places = BOTTOM - TOP, max(-(-task.steps // task.horizon), 1)
    width = (RIGHT - LEFT) / min(max(places, len(shown)), 40)

    def at(gain: float) -> float:
        return BOTTOM - tall * (gain - low) / (high - low)

    for k, gain in enumerate(shown):
        top, bottom = min(at(gain), at(0.0)), max(at(gain), at(0.0))
        canvas.bar(LEFT + (k + 0.15) * width, top, 0.7 * width, max(bottom - top, 1.5), HUES[1], rounded=2)
    for name, color in {"random": MUTED, "oracle": INK}.items():
        if name in known:
            canvas.dashed((LEFT, at(known[name])), (RIGHT, at(known[name])), mix(PANEL, color, 0.75), 1.0)
            words = "random" if name == "random" else "knows the process"
            canvas.text(words, RIGHT - 4, at(known[name]) - 8, 9.5, mix(PANEL, color, 0.9), "r")
    canvas.line([(LEFT, at(0.0)), (RIGHT, at(0.0))], FAINT, 1.0)
    canvas.text("episode 1" if len(gains) <= 40 else f"episode {len(gains) - 39}", LEFT, BOTTOM + 12, 10, MUTED)
