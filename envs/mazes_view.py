"""The pictures of the mazes: seen from above, dim where the agent sees nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, INK, MUTED, NIGHT, WARN, Canvas, Color, Point, mix
from lsnn_rl.envs.mazes import UP
from lsnn_rl.envs.panel import BOTTOM, LEFT, RIGHT, TOP, draw_panel, heading, hue

if TYPE_CHECKING:
    from lsnn_rl.envs.mazes import MetaMaze, TMaze
    from lsnn_rl.envs.task import Moment

_MIDDLE, _SIDE = (306.0, 336.0), 500.0  # of the maze on the page, points
_WALL = mix(NIGHT, EDGE, 0.9)
_FOG = mix(NIGHT, FAINT, 0.55)  # a cell that is not seen
_TRAIL = 60  # steps until a trail has faded
_RUNS = 72  # runs in the box in the middle


def _titles(canvas: Canvas, title: str, words: str) -> None:
    canvas.text(title, 36, 34, 19, INK, bold=True)
    canvas.text(words, 36, 57, 12, MUTED)


def _agent(canvas: Canvas, at: Point, size: float, color: Color) -> None:
    canvas.disc(at, 0.36 * size, mix(FLOOR, color, 0.3))
    canvas.disc(at, 0.24 * size, INK)
    canvas.disc(at, 0.17 * size, color)


# -- the meta maze ----------------------------------------------------------------------------------------------------


def draw_meta_maze(
    canvas: Canvas, task: MetaMaze, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment of `history` is the number of the agent's cell."""
    _titles(canvas, "Maze", "only the bright cells are seen: find the goal, remember where it is and where you are")
    _floor_plan(canvas, task, slot)
    _trail(canvas, task, slot, history)
    at = _middle(task, *task.maze.cells[task.cell[slot]])
    _agent(canvas, at, _SIDE / task.maze.size, hue(int(task.trial[slot] + task.success[slot])))
    canvas.bar(36, 605, 14, 14, mix(FLOOR, GOAL, 0.35), rounded=3)
    canvas.text("goal, shown when you meet it" if task.secret else "goal, hidden from the agent", 58, 612, 12, MUTED)
    for k in range(3):
        canvas.disc((350 + 10 * k, 612), 3.2, hue(k))
    canvas.text("path, one colour per trial", 382, 612, 12, MUTED)
    draw_panel(canvas, task, slot, history, references)


def _middle(task: MetaMaze, row: int, column: int) -> Point:
    """The middle of a cell on the page."""
    size = _SIDE / task.maze.size
    return (
        _MIDDLE[0] - _SIDE / 2 + (float(column) + 0.5) * size,
        _MIDDLE[1] - _SIDE / 2 + (float(row) + 0.5) * size,
    )


def _floor_plan(canvas: Canvas, task: MetaMaze, slot: int) -> None:
    maze, size = task.maze, _SIDE / task.maze.size
    edge = 7.0
    canvas.bar(
        _MIDDLE[0] - _SIDE / 2 - edge,
        _MIDDLE[1] - _SIDE / 2 - edge,
        _SIDE + 2 * edge,
        _SIDE + 2 * edge,
        _WALL,
        rounded=8,
    )
    at, goal = maze.cells[task.cell[slot]], maze.cells[task.goal[slot]]
    for row in range(maze.size):
        for column in range(maze.size):
            x, y = _middle(task, row, column)
            near = max(abs(row - at[0]), abs(column - at[1])) <= maze.view // 2
            free = maze.number[row, column] >= 0
            color = (mix(FAINT, EDGE, 0.4) if near else _FOG) if free else _WALL
            if (row, column) == tuple(goal) and (task.success[slot] or not task.secret):
                color = mix(color, GOAL, 0.75 if task.success[slot] else 0.35)
            canvas.bar(x - size / 2 + 1, y - size / 2 + 1, size - 2, size - 2, color, rounded=4 if free else 2)
            if not free and near:
                canvas.bar(x - size / 2 + 1, y - size / 2 + 1, size - 2, size - 2, mix(_WALL, INK, 0.4), rounded=2)


def _trail(canvas: Canvas, task: MetaMaze, slot: int, history: list[Moment]) -> None:
    """The last steps, the older the fainter; what reached the goal leads into it, and no line joins a teleport."""
    recent = history[-_TRAIL - 1 :]
    goal = _middle(task, *task.maze.cells[task.goal[slot]])
    for k, (before, after) in enumerate(pairwise(recent)):
        color = mix(FLOOR, hue(after.trial), 0.15 + 0.75 * (k + 1) / (len(recent) - 1))
        start = _middle(task, *task.maze.cells[before.seen])
        end = goal if after.success else _middle(task, *task.maze.cells[after.seen])
        if start != end:
            canvas.line([start, end], color, 3.0)
        if after.success:
            canvas.disc(end, 5.0, color)


# -- the T-maze -------------------------------------------------------------------------------------------------------


def draw_t_maze(
    canvas: Canvas, task: TMaze, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment of `history` is the place and whether a run ended there."""
    words = "the cue is shown at the left end only: turn to its side at the junction"
    _titles(canvas, "T-maze, active" if task.active else "T-maze", words)
    cells = task.length + 1
    size = min(64.0, 530.0 / cells)
    x0, y = 306.0 - cells * size / 2, _MIDDLE[1]
    at = int(task.place[slot])

    def cell(x: float, y: float, color: Color) -> None:
        gap = min(1.5, 0.06 * size)
        canvas.bar(x + gap, y - size / 2 + gap, size - 2 * gap, size - 2 * gap, color, rounded=min(5.0, size / 6))

    for place in range(cells):
        seen = place == at
        cell(x0 + place * size, y, mix(FAINT, EDGE, 0.4) if seen else _FOG)
    last_x, right_up = x0 + task.length * size, task.cue[slot] == UP
    for side, up in ((-1, True), (1, False)):
        right = up == right_up and not task.secret
        color = mix(FLOOR, GOAL, 0.35) if right else _FOG
        for k in (1, 2):
            cell(last_x, y + side * k * size, color)
    if at == 0 or not task.secret:
        _arrow(canvas, (x0 + size / 2, y - max(size, 26.0)), right_up, GOAL if at == 0 else mix(NIGHT, GOAL, 0.45))
    canvas.text("cue", x0 + size / 2, y + max(size, 26.0) * 0.85, 11, MUTED, anchor="m")
    canvas.text("junction", last_x - 8, y + max(size, 26.0) * 0.85, 11, MUTED, anchor="r")
    _agent(canvas, (x0 + (at + 0.5) * size, y), max(size, 22.0), hue(int(task.trial[slot] + task.over[slot])))
    canvas.bar(36, 605, 14, 14, mix(FLOOR, GOAL, 0.35), rounded=3)
    canvas.text("the cue is hidden unless you stand on it" if task.secret else "right arm", 58, 612, 12, MUTED)
    draw_panel(canvas, task, slot, history, references, trials=False)
    _runs(canvas, history)


def _arrow(canvas: Canvas, at: Point, up: bool, color: Color) -> None:
    x, y = at
    tip, tail = (y - 11, y + 11) if up else (y + 11, y - 11)
    wing = tip + (9 if up else -9)
    canvas.line([(x, tail), (x, tip)], color, 4.0)
    canvas.line([(x - 8, wing), (x, tip), (x + 8, wing)], color, 4.0)


def _runs(canvas: Canvas, history: list[Moment]) -> None:
    """One square per finished run: right or wrong."""
    heading(canvas, "Runs", "filled = right arm, ring = wrong")
    ended = [moment.success for moment in history if moment.seen[1]][-_RUNS:]
    across, size = 18, 15.2
    for k, right in enumerate(ended):
        at = (LEFT + 12 + (k % across) * size, TOP + 14 + (k // across) * 1.7 * size)
        if right:
            canvas.disc(at, 5.5, GOAL)
        else:
            canvas.ring(at, 4.8, WARN, 1.5)
    if not ended:
        canvas.text("none finished yet", (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2, 10.5, MUTED, "m")
