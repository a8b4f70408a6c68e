"""Players of the mazes: one keeps everything that can still be so and acts on the likeliest, one remembers a cue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.mazes import DOWN, LEFT, RIGHT, UP, MetaMaze, TMaze

State = dict[str, NDArray]
_FAR = 10_000


class MazeSearch:
    """Keeps every pair of own cell and goal that agrees with all that was seen, and goes the shortest way.

    Moves in the maze are certain, so every observation only strikes out pairs: cells from which other walls would be
    seen, goals that were entered without reward. It goes to the nearest possible goal of the likeliest cell, which
    first is a systematic search and, once the goal was met, the way back.

    State: pairs [N, C, C], which pairs of cell and goal are possible.
    """

    forgets = False

    def __init__(self, rules: MetaMaze, seed: int = 0) -> None:
        self.rules, self.maze = rules, rules.maze
        after, cells = self.maze.after.T, np.arange(len(self.maze.cells))  # [4, C]
        self.after, self.goes = after, after != cells
        self.before = after[[2, 3, 0, 1]]  # [4, C]: whence a move leads into each cell, if from another one
        self.came = self.before != cells
        alike = np.unique(self.maze.seen, axis=0, return_inverse=True)[
            1
        ].ravel()  # [C]: cells from which the same is seen
        self.alike = (alike[:, None] == np.arange(alike.max() + 1)).astype(np.float32)  # [C, views]

    def initial_state(self, n: int) -> State:
        count = len(self.maze.cells)
        return {"pairs": np.ones((n, count, count), np.bool_)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        parts = self.rules.parts
        rewarded = parts.read(obs, "reward")[:, 0] > 0.0
        pairs = self._moved(state["pairs"], parts.which(obs, "action"), rewarded)
        pairs[starts] = True
        here = (parts.read(obs, "view")[:, None] == self.maze.seen).all(axis=2)  # [N, C]: seen from here?
        pairs &= here[:, :, None]
        nowhere = ~pairs.any(axis=(1, 2))
        pairs[nowhere] = here[nowhere][:, :, None]
        actions = self._towards(pairs)
        cells, goals = np.asarray(pairs.any(axis=2)), np.asarray(pairs.any(axis=1))
        known = np.flatnonzero(np.count_nonzero(goals, axis=1) == 1)
        if len(known):
            actions[known] = self._back(cells[known], goals[known].argmax(axis=1))
        return actions, {"pairs": pairs}

    def _moved(self, pairs: NDArray[np.bool_], action: NDArray, rewarded: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What the last action and its reward leave of the pairs, before anything is seen, [N, C, C]."""
        rows, cells = np.arange(len(pairs))[:, None], np.arange(pairs.shape[1])
        after, goes, before, came = self.after[action], self.goes[action], self.before[action], self.came[action]
        entered = pairs[rows, cells, after] & goes  # [N, C]: from here, the move led into the goal
        kept = pairs.copy()
        kept[rows, cells, after] &= ~goes
        kept = (kept[rows, before] & came[:, :, None]) | (kept & ~goes[:, :, None])
        if rewarded.any():  # the goal is where the move led, and the agent was carried off
            goal = entered[rows, before] & came
            kept[rewarded] = (goal[rewarded] | self.forgets)[:, None]
        return kept

    def _towards(self, pairs: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The first step from the likeliest cell to its nearest possible goal."""
        cell = pairs.sum(axis=2).argmax(axis=1)
        goal = np.where(pairs[np.arange(len(pairs)), cell], _steps(self.maze.distance[cell]), _FAR).argmin(axis=1)
        return self.maze.best[cell, goal]

    def _back(self, cells: NDArray[np.bool_], goal: NDArray) -> NDArray[np.int64]:
        """The move that is best on average over the possible cells [M, C], for known goals [M]."""
        rows, distance = np.arange(len(cells)), self.maze.distance[goal]  # [M, C]
        count, cost = cells.sum(axis=1), np.zeros((len(cells), 4))
        for action in range(4):
            left = np.where(self.goes[action], distance[:, self.after[action]], _steps(distance))
            ends = (cells[:, self.before[action]] & self.came[action]) | (cells & ~self.goes[action])
            ends[rows, goal] = False  # who gets there is in no doubt
            alike = ends.astype(np.float32) @ self.alike
            doubt = (alike * np.log(np.maximum(alike, 1.0))).sum(axis=1)
            cost[:, action] = ((left * cells).sum(axis=1) + doubt) / count
        return cost.round(6).argmin(axis=1)


def _steps(distance: NDArray) -> NDArray:
    """Steps to the goal: who was put into it must leave it and come back."""
    return np.where(distance == 0, 2, distance)


class MazeSearchAmnesic(MazeSearch):
    """The same search, the goal forgotten whenever it was met."""

    forgets = True


class RememberCue:
    """Looks at the cue, keeps it in mind down the corridor, and turns to its side.

    State: cue [N], the turn it told, or -1 while it was not seen in this run.
    """

    def __init__(self, rules: TMaze, seed: int = 0) -> None:
        self.rules = rules
        self._luck = np.random.default_rng(seed)

    def initial_state(self, n: int) -> State:
        return {"cue": np.full(n, -1)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        parts = self.rules.parts
        shown, begins = parts.which(obs, "cue"), parts.read(obs, "start")[:, 0] > 0.5
        cue = np.where(starts | begins, -1, state["cue"])
        cue = np.where(shown >= 0, 2 * shown, cue)
        at_junction = parts.read(obs, "junction")[:, 0] > 0.5
        return np.where(cue < 0, LEFT, np.where(at_junction, cue, RIGHT)), {"cue": cue}


class GuessTurn(RememberCue):
    """Runs to the junction and guesses: what a good runner gets without memory."""

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        at_junction = self.rules.parts.read(obs, "junction")[:, 0] > 0.5
        guess = np.where(self._luck.random(len(obs)) < 0.5, UP, DOWN)
        return np.where(at_junction, guess, RIGHT), {name: value.copy() for name, value in state.items()}
