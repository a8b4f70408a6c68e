"""Searchers of the arena: sweep until the goal is met, remember it or not, or just wander.

They see what every agent sees, position and reward, and know the rules (sizes, speed, where goals can lie).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.arena import Arena
from lsnn_rl.errors import BadValue

State = dict[str, NDArray]


class RandomWalk:
    """A persistent random walk that turns away from walls and knows nothing.

    drift: standard deviation of the change of heading, radians per step. With 0.1 it makes long, straight runs, the
    best a wanderer can do here; with 0.3 it gets a quarter fewer goals.
    """

    def __init__(self, arena: Arena, seed: int = 0, drift: float = 0.1) -> None:
        self.drift = drift
        self._eyes = _Eyes(arena)
        self._luck = np.random.default_rng(seed)

    def initial_state(self, n: int) -> State:
        return {"heading": np.zeros(n)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        n, heading = len(obs), state["heading"]
        anew = starts | self._eyes.rewarded(obs)
        heading = np.where(anew, 2.0 * np.pi * self._luck.random(n), heading + self.drift * self._luck.normal(size=n))
        turn = np.pi * (0.5 + self._luck.random(n))
        heading = np.where(self._eyes.at_wall(obs) & ~anew, heading + turn, heading)
        return _along(heading).astype(np.float32), {"heading": heading}


class SweepRemember:
    """Sweeps the places where a goal can be, and having met it goes straight back for the rest of the lifetime.

    The sweep is a lap on a circle from which the goals farthest out are just met; what the lap leaves in the middle is
    then visited, nearest first. (In the disc this finds the goal in 118 steps on average; no searcher can need less
    than 108, because none uncovers more new area per step than 2 goal_radius speed.)

    What it remembers is which goal centres are still possible, on a grid: every step that was not rewarded rules out
    the centres near its place, every reward rules out those far from it. It goes to the middle of what is left. Where
    nothing is left the goal has moved, and it sweeps anew.

    State: searched and possible [N, M] (M centres), met [N], last [N, 2] (the place to which the last step led).
    """

    forgets = False

    def __init__(self, arena: Arena) -> None:
        self.arena, self._eyes = arena, _Eyes(arena)
        self.centres, self._slack = _centres(arena)
        if arena.ring is not None:
            self.circle = max(arena.ring - 0.9 * arena.goal_radius, 0.0)
        else:
            self.circle = max(arena.radius - 0.93 * arena.goal_radius, 0.0)
        self._outer = np.linalg.norm(self.centres, axis=1) >= self.circle - arena.goal_radius

    def initial_state(self, n: int) -> State:
        return {
            "searched": np.zeros((n, len(self.centres)), np.bool_),
            "possible": np.ones((n, len(self.centres)), np.bool_),
            "met": np.zeros(n, np.bool_),
            "last": np.zeros((n, 2)),
        }

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        state = {name: value.copy() for name, value in state.items()}
        place, rewarded = self._eyes.place(obs), self._eyes.rewarded(obs) & ~starts
        _forget(state, starts)
        self._learn(state, place, rewarded, starts, self._eyes.blank(obs))
        if self.forgets:
            _forget(state, rewarded)

        # The step after a reward begins at a place nobody knows yet: aim from the middle of the arena. (There, too, is
        # the place that is read from a blank observation.)
        unknown = rewarded & (not self.arena.teleport_at_once)
        start = np.where(unknown[:, None], 0.0, place)
        target = np.where(state["met"][:, None], self._remembered(state), self._search(state, start))
        way = (target - start) / self.arena.speed
        actions = way / np.maximum(np.linalg.norm(way, axis=1), 1.0)[:, None]
        state["last"] = place + self.arena.speed * actions
        return actions.astype(np.float32), state

    def _learn(self, state: State, place: NDArray, rewarded: NDArray, starts: NDArray, blank: NDArray) -> None:
        """Rule out centres by the last step: rewarded there, or not."""
        inner, reach, outer = (self.arena.goal_radius + slack for slack in (-self._slack, 0.0, self._slack))
        judged = np.where(rewarded[:, None], state["last"], place) if self.arena.teleport_at_once else place
        distance = _squared_distances(judged, self.centres)
        missed = ~(starts | rewarded | blank)[:, None]  # the first place of a lifetime was never put to the test
        state["searched"] |= (distance < reach**2) & missed
        state["possible"] &= ~((distance < inner**2) & missed)
        if rewarded.any():
            near = distance[rewarded] <= outer**2
            both = state["possible"][rewarded] & near
            state["possible"][rewarded] = np.where(both.any(axis=1)[:, None], both, near)
        state["met"] |= rewarded
        nowhere = ~state["possible"].any(axis=1)
        state["possible"][nowhere] = True
        _forget(state, nowhere & ~rewarded)  # it was met, and is not there any more
        state["searched"][state["searched"].all(axis=1)] = False  # only rounding finds it nowhere: look again

    def _remembered(self, state: State) -> NDArray:
        possible = state["possible"].astype(np.float32)
        return possible @ self.centres / possible.sum(axis=1, keepdims=True)

    def _search(self, state: State, place: NDArray) -> NDArray:
        lap = np.any(~state["searched"] & self._outer, axis=1)
        target = self._along_circle(place)
        rows = np.flatnonzero(~lap & ~state["met"])
        if len(rows):
            distance = _squared_distances(place[rows], self.centres)
            target[rows] = self.centres[np.where(state["searched"][rows], np.inf, distance).argmin(axis=1)]
        return target

    def _along_circle(self, place: NDArray) -> NDArray:
        radius, angle = np.linalg.norm(place, axis=1), np.arctan2(place[:, 1], place[:, 0])
        on_circle = np.abs(radius - self.circle) < self.arena.speed
        step = self.arena.speed / max(self.circle, self.arena.speed)
        return self.circle * _along(angle + np.where(on_circle, step, 0.0))


class SweepAmnesic(SweepRemember):
    """The same sweep, forgotten at every reward: what a good searcher gets without memory of the lifetime."""

    forgets = True


class _Eyes:
    """Finds position and reward in the observation."""

    def __init__(self, arena: Arena) -> None:
        columns = dict(arena.seen)
        for name, part in {"place": "observe_position", "success": "observe_reward"}.items():
            if name not in columns:
                raise BadValue(
                    f"{part} = False was set; this searcher cannot do without it. Leave it on, or choose another agent."
                )
        self._place, self._reward = columns["place"], columns["success"]
        self._wall_from = arena.radius - 0.01 * arena.speed

    def place(self, obs: NDArray) -> NDArray:
        return obs[:, self._place].astype(np.float64)

    def rewarded(self, obs: NDArray) -> NDArray[np.bool_]:
        return obs[:, self._reward] > 0.5

    def blank(self, obs: NDArray) -> NDArray[np.bool_]:
        """Where nothing at all is seen: a pause."""
        return np.count_nonzero(obs, axis=1) == 0

    def at_wall(self, obs: NDArray) -> NDArray[np.bool_]:
        return np.linalg.norm(self.place(obs), axis=1) > self._wall_from


def _centres(arena: Arena) -> tuple[NDArray, float]:
    """Goal centres to tell apart, [M, 2], and how far a goal can be from the nearest of them."""
    if arena.ring is not None:
        angles = np.arange(180) * (2.0 * np.pi / 180)
        return (arena.ring * _along(angles)).astype(np.float32), math.pi * arena.ring / 180
    spacing = arena.goal_radius / 5.0
    axis = np.arange(-arena.radius, arena.radius + spacing, spacing)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    grid = grid[np.linalg.norm(grid, axis=1) < arena.radius]
    return grid.astype(np.float32), spacing / math.sqrt(2.0)


def _forget(state: State, rows: NDArray[np.bool_]) -> None:
    state["searched"][rows] = False
    state["possible"][rows] = True
    state["met"][rows] = False


def _along(angle: NDArray) -> NDArray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _squared_distances(places: NDArray, points: NDArray) -> NDArray:
    """[N, 2] and [M, 2] to [N, M]."""
    x = places[:, :1].astype(np.float32) - points[:, 0].astype(np.float32)
    y = places[:, 1:].astype(np.float32) - points[:, 1].astype(np.float32)
    x *= x
    y *= y
    x += y
    return x
