"""Mazes: walk through corridors of which only the nearest cells are seen, and remember what was met there.

`MetaMaze` is Miconi's maze (Miconi et al. 2018, arXiv 1804.02464) in the form of gymnax; `TMaze` the T-maze of Bakker
(2001), passive and active as in Ni et al. 2023 (arXiv 2307.03864), run after run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.parts import Part, Parts
from lsnn_rl.envs.task import Floats, Hand, LifetimeTask, Moment, Rows
from lsnn_rl.errors import BadValue

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

UP, RIGHT, DOWN, LEFT = range(4)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # row and column, in that order
KEYS = ({"up", "w"}, {"right", "d"}, {"down", "s"}, {"left", "a"})
NOTHING = -1


class Maze:
    """A square maze with a wall wherever row and column are both odd, and everything about it that can be tabulated.

    Attributes (C free cells):
        cells: row and column of each, [C, 2].
        number: of the cell at a row and column, -1 in walls, [size, size].
        after: the cell to which each move leads, the same one where a wall is in the way, [C, 4].
        seen: what is seen around each, 1 for a wall, row by row, [C, view * view].
        distance: steps from each to each, [C, C].
        best: a move that leads from each to each by a shortest way; from a cell to itself, one that leaves it, [C, C].

    >>> maze = Maze(7, 3)
    >>> len(maze.cells), int(maze.distance.max())
    (40, 12)
    """

    def __init__(self, size: int, view: int) -> None:
        self.size, self.view = size, view
        self.cells = np.array([(r, c) for r in range(size) for c in range(size) if r % 2 == 0 or c % 2 == 0])
        count, half = len(self.cells), view // 2
        self.number = np.full((size, size), NOTHING)
        self.number[tuple(self.cells.T)] = np.arange(count)
        walled = np.ones((size + 2 * half, size + 2 * half), np.float32)
        walled[half : half + size, half : half + size] = self.number == NOTHING
        self.seen = np.stack([walled[r : r + view, c : c + view].ravel() for r, c in self.cells])

        edged = np.pad(self.number, 1, constant_values=NOTHING)
        beside = np.stack([edged[tuple((self.cells + 1 + move).T)] for move in MOVES], axis=1)
        self.after = np.where(beside == NOTHING, np.arange(count)[:, None], beside)
        self.distance = np.where(np.eye(count, dtype=bool), 0, count)
        for _ in range(2 * size):  # no way is longer
            self.distance = np.minimum(self.distance, 1 + self.distance[self.after].min(axis=1))
        stays = (self.after == np.arange(count)[:, None])[:, :, None]
        self.best = np.where(stays, count, self.distance[self.after]).argmin(axis=1)


class MetaMaze(LifetimeTask):
    """Find a hidden goal in a maze, be carried to a random cell, and come back as often as the lifetime allows.

    ## Action space
    `Discrete(4)`: go up, right, down or left by a cell. A move into a wall does nothing.

    ## Observation space
    `Box` of view * view + 6 numbers, in this order, each part switchable by its keyword:

    | numbers | meaning | from, to | keyword |
    |---|---|---|---|
    | view * view | the cells around, row by row, 1 for a wall | 0, 1 | observe_view |
    | 4 | previous action, one flag each; none before the first | 0, 1 | observe_action |
    | 1 | previous reward | 0, reward | observe_reward |
    | 1 | part of the lifetime that is over | 0, 1 | observe_time |

    Walls stand wherever row and column are both odd, so many places look alike.

    ## Rewards
    `reward` for a step into the goal. Being put there by a teleport pays nothing, nor does bumping into a wall there.

    ## Starting state
    Goal and agent in random free cells, perhaps the same.

    ## Lifetime
    `steps` steps with one goal; it ends by `truncated`. Reaching the goal ends a trial: the agent is put into a random
    free cell at once, and the observation that carries the reward already shows what is seen there. That cell may be
    the goal; nothing ends by that (in gymnax, the lifetime does).

    ## What must be remembered
    Where the goal is, and where oneself is: no single view tells it.

    ## Info
    `trial`, `trial_steps`, `success`; `goals` and `first_find` (the step of the first hit, counted from 1, or -1) at
    the end of a lifetime; `privileged = {"goal": [row, column]}` only if asked for.

    ## Reference scores
    Reward per lifetime. Knowing goal and maze brings about 417 (size 7), 321 (9) and 270 (11). "best_known" keeps every
    pair of own cell and goal that agrees with what was seen, and goes where steps and doubt are least: about 336, 216
    and 149, for it must find out after every teleport where it is. "amnesic" does the same in every trial anew.
    Evolution strategies and genetic algorithms reach 32 in gymnax-blines.

    ## Arguments
    size: cells along a side, odd; view: cells along a side of what is seen, odd; steps; reward; observe_view,
    observe_action, observe_reward, observe_time: what is seen. The split "test-ood" has mazes of size 9.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*LifetimeTask.memory, "cell", "goal", "done", "first_find")
    ood: ClassVar[dict[str, Any]] = {"size": 9}
    views: ClassVar[frozenset[str]] = frozenset(["observe_view", "observe_action", "observe_reward", "observe_time"])
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "reward"

    def __init__(
        self,
        slots: int = 1,
        *,
        size: int = 7,
        view: int = 3,
        steps: int = 200,
        reward: float = 10.0,
        observe_view: bool = True,
        observe_action: bool = True,
        observe_reward: bool = True,
        observe_time: bool = True,
    ) -> None:
        super().__init__(slots, steps)
        if size < 3 or size % 2 == 0:
            raise BadValue(f"size = {size} is no size of this maze. Give an odd number from 3, such as 7, 9 or 11.")
        if view < 1 or view % 2 == 0:
            raise BadValue(f"view = {view} has no middle for the agent to stand in. Give an odd number: 3 or 5.")
        if reward <= 0:
            raise BadValue(f"reward = {reward} would teach to avoid the goal. Give a positive number, such as 10.")
        self.maze, self.reward = Maze(size, view), reward
        self.cell = np.zeros(slots, np.int64)  # where the agent is
        self.goal = np.zeros(slots, np.int64)
        self.done = np.full(slots, NOTHING)  # the last action
        self.first_find = np.full(slots, -1)
        self.parts = Parts(
            view=Part(view * view, on=observe_view),
            action=Part(4, on=observe_action),
            reward=Part(1, 0.0, reward, observe_reward),
            time=Part(1, on=observe_time),
        )
        self.observation_space = self.parts.space
        self.action_space = spaces.Discrete(4)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.goal[rows], self.cell[rows] = self._cells(rows, 2).T
        self.done[rows] = NOTHING
        self.first_find[rows] = -1

    def step(self, actions: NDArray) -> Floats:
        if np.count_nonzero(self.success):
            self.next_trial(np.flatnonzero(self.success))
        cell = self.maze.after[self.cell, actions]
        self.success = (cell == self.goal) & (cell != self.cell)
        self.cell, self.done = cell, actions
        if np.count_nonzero(self.success):
            rows = np.flatnonzero(self.success)
            first = rows[self.first_find[rows] < 0]
            self.first_find[first] = self.age[first] + 1
            self.cell[rows] = self._cells(rows, 1)[:, 0]
        return np.where(self.success, self.reward, 0.0)

    def _cells(self, rows: Rows, count: int) -> NDArray[np.int64]:
        """Random free cells, [len(rows), count]."""
        return (self.luck.take(rows, count) * len(self.maze.cells)).astype(np.int64)

    def observe(self) -> NDArray[np.float32]:
        seen = self.parts.blank(self.slots)
        self.parts.put(seen, "view", self.maze.seen[self.cell])
        self.parts.mark(seen, "action", self.done)
        self.parts.put(seen, "reward", self.reward * self.success)
        self.parts.put(seen, "time", np.minimum(self.age / self.steps, 1.0))
        return seen

    def task_vector(self) -> NDArray[np.float32]:
        """Row and column of the goal, [N, 2]."""
        return self.maze.cells[self.goal].astype(np.float32)

    def expert(self) -> NDArray[np.int64]:
        """The first move of a shortest way to the goal, [N]."""
        return self.maze.best[self.cell, self.goal]

    def answer(self) -> dict[str, NDArray]:
        return {"goal": self.maze.cells[self.goal]}

    def summary(self) -> dict[str, NDArray]:
        return {"goals": self.trial + self.success, "first_find": self.first_find.copy()}

    def glimpse(self, slot: int) -> int:
        return int(self.cell[slot])

    def hand(self, slot: int, hand: Hand) -> int | None:
        """A step for every arrow key or WASD pressed."""
        return _tapped(hand)

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.mazes_view import draw_meta_maze

        draw_meta_maze(canvas, self, slot, history, references)


class TMaze(LifetimeTask):
    """Run down a corridor and turn at its end to the side that a cue at its beginning told; run after run.

    ## Action space
    `Discrete(4)`: go up, right, down or left by a cell. A move into a wall does nothing.

    ## Observation space
    `Box` of up to 9 numbers, in this order, each part switchable by its keyword:

    | numbers | meaning | from, to | keyword |
    |---|---|---|---|
    | 2 | the cue, one flag for up and one for down; none outside its cell | 0, 1 | |
    | 1 | 1 at the junction | 0, 1 | |
    | 1 | 1 if a run begins here | 0, 1 | observe_start |
    | 4 | previous action, one flag each; none before the first | 0, 1 | observe_action |
    | 1 | previous reward | 0, 1 | observe_reward |

    ## Rewards
    1 for entering the arm that the cue told, 0 for anything else.

    ## Starting state
    The corridor has `length` steps from the cue's cell at its left end to the junction at its right end. The agent
    begins in the cue's cell; if `active`, in the cell right of it, so that it must first go back to look. The cue is up
    or down, each half of the time.

    ## Lifetime
    `steps` steps; it ends by `truncated`. Entering an arm, right or wrong, ends a run, which is a trial: the agent is
    put back to the beginning at once, with a new cue, and the observation that carries the reward already shows it.
    With `steps = length + 1` (`length + 2` if active) a lifetime is a single run, as in the literature.

    ## What must be remembered
    The cue, for `length` steps; and the cue of this run, not that of the last.

    ## Info
    `trial` (the run), `trial_steps`, `success`; `runs` (finished ones) at the end of a lifetime; `privileged = {"cue":
    0 for up, 2 for down}` only if asked for.

    ## Reference scores
    Right turns per lifetime: steps / (length + 1) for an agent that remembers the cue (length + 2 if active), half of
    the runs right for one that does not ("amnesic", which guesses and, if active, never looks), and steps / length for
    who knows the cue without looking, if active.

    ## Arguments
    length: of the corridor; active: the cue must be looked for; steps: of a lifetime; observe_start, observe_action,
    observe_reward: what is seen. The split "test-ood" has a corridor of 15 steps.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*LifetimeTask.memory, "place", "cue", "looked", "over", "done")
    ood: ClassVar[dict[str, Any]] = {"length": 15}
    views: ClassVar[frozenset[str]] = frozenset(["observe_start", "observe_action", "observe_reward"])
    unit: ClassVar[str] = "right turns"
    restless: ClassVar[bool] = True

    def __init__(
        self,
        slots: int = 1,
        *,
        length: int = 10,
        active: bool = False,
        steps: int = 200,
        observe_start: bool = True,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps)
        if length < 1:
            raise BadValue(f"length = {length} leaves no corridor. Give the steps from its beginning to the junction.")
        self.length, self.active = int(length), bool(active)
        self.first = 1 if active else 0  # where runs begin
        self.place = np.zeros(slots, np.int64)  # steps from the corridor's left end
        self.cue = np.zeros(slots, np.int64)  # the action that is right at the junction
        self.looked = np.zeros(slots, np.bool_)  # the cue was seen in this run
        self.over = np.zeros(slots, np.bool_)  # the last step ended a run
        self.done = np.full(slots, NOTHING)  # the last action
        self.parts = Parts(
            cue=Part(2),
            junction=Part(1),
            start=Part(1, on=observe_start),
            action=Part(4, on=observe_action),
            reward=Part(1, on=observe_reward),
        )
        self.observation_space = self.parts.space
        self.action_space = spaces.Discrete(4)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.over[rows] = False
        self.done[rows] = NOTHING
        self._new_run(rows)

    def _new_run(self, rows: Rows) -> None:
        self.place[rows] = self.first
        self.looked[rows] = not self.active
        self.cue[rows] = np.where(self.luck.take(rows, 1)[:, 0] < 0.5, UP, DOWN)

    def step(self, actions: NDArray) -> Floats:
        if np.count_nonzero(self.over):
            self.next_trial(np.flatnonzero(self.over))
        at_junction = self.place == self.length
        self.over = at_junction & ((actions == UP) | (actions == DOWN))
        self.success = self.over & (actions == self.cue)
        ahead = (actions == RIGHT).astype(np.int64) - (actions == LEFT)
        self.place = np.minimum(np.maximum(self.place + ahead, 0), self.length)
        self.looked = self.looked | (self.place == 0)
        self.done = actions
        if np.count_nonzero(self.over):
            self._new_run(np.flatnonzero(self.over))
        return self.success.astype(np.float64)

    def observe(self) -> NDArray[np.float32]:
        seen = self.parts.blank(self.slots)
        self.parts.mark(seen, "cue", np.where(self.place == 0, self.cue // 2, NOTHING))
        self.parts.put(seen, "junction", self.place == self.length)
        self.parts.put(seen, "start", self.over | (self.done == NOTHING))
        self.parts.mark(seen, "action", self.done)
        self.parts.put(seen, "reward", self.success)
        return seen

    def task_vector(self) -> NDArray[np.float32]:
        """The cue of this run as two flags, up and down, [N, 2]."""
        return (self.cue[:, None] == (UP, DOWN)).astype(np.float32)

    def task_known(self) -> NDArray[np.bool_]:
        """Where the cue was seen in this run, [N]."""
        return self.looked.copy()

    def expert(self) -> NDArray[np.int64]:
        """To the junction and then to the side of the cue, [N]."""
        return np.where(self.place == self.length, self.cue, RIGHT)

    def answer(self) -> dict[str, NDArray]:
        return {"cue": self.cue.copy()}

    def summary(self) -> dict[str, NDArray]:
        return {"runs": self.trial + self.over}

    def glimpse(self, slot: int) -> tuple[int, bool]:
        """The place, and whether the last step ended a run."""
        return int(self.place[slot]), bool(self.over[slot])

    def hand(self, slot: int, hand: Hand) -> int | None:
        """A step for every arrow key or WASD pressed."""
        return _tapped(hand)

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.mazes_view import draw_t_maze

        draw_t_maze(canvas, self, slot, history, references)


def _tapped(hand: Hand) -> int | None:
    return next((action for action, keys in enumerate(KEYS) if keys & hand.tapped), None)
