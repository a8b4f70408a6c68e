"""Players of point navigation: they search the arc where the goal can lie, or compute it from distances told.

They see what every agent sees and know the rules: where goals can lie, from how far they pay, how far a step goes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.navigation import Navigation2D, PointRobotSparse, PointRobotTeleport

State = dict[str, NDArray]
_ANGLES = (np.arange(720) + 0.5) * (np.pi / 720)  # goals to tell apart
_SLACK = np.pi / 1440  # how far a goal can be from the nearest of them
_PATCH = 0.05  # radians: possible goals nearer than this to each other are gone to as one


class ArcSearch:
    """Searches the arc from that end of what is left which is nearer, and having met the goal goes straight to it.

    It walks on a circle inside the arc, from which goals on the arc are just met; what it did not find in one episode
    it goes on to look for in the next. Rewards that tell the distance narrow the goal down to a point or two at once.

    State: possible [N, M] (which of M goals can still be it), met [N], last [N, 2] (the place the last step led to).
    """

    forgets = False

    def __init__(self, rules: PointRobotSparse | PointRobotTeleport, seed: int = 0) -> None:
        self.rules = rules
        self.goals = _on_circle(_ANGLES)
        self.teleports = isinstance(rules, PointRobotTeleport)
        radius = rules.goal_radius
        self.circle = max(1.0 - 0.5 * radius, 0.0)
        # Half the arc that is in reach from the circle: law of cosines.
        reach = (self.circle**2 + 1.0 - radius**2) / (2.0 * self.circle) if self.circle > 0 else -1.0
        self.lead = 0.9 * float(np.arccos(np.clip(reach, -1.0, 1.0)))

    def initial_state(self, n: int) -> State:
        return {
            "possible": np.ones((n, len(self.goals)), np.bool_),
            "met": np.zeros(n, np.bool_),
            "last": np.zeros((n, 2)),
        }

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        state = {name: value.copy() for name, value in state.items()}
        place, reward = self.rules.parts.read(obs, "position"), self.rules.parts.read(obs, "reward")[:, 0]
        fresh = reward > 0.0 if self.teleports else self.rules.parts.read(obs, "start")[:, 0] > 0.5
        _forget(state, starts)
        self._learn(state, place if self.teleports else state["last"], reward, ~starts)
        if self.forgets:
            _forget(state, fresh)
        target = np.where(state["met"][:, None], self._remembered(state), self._search(state, place))
        actions = self._towards(place, target)
        state["last"] = np.clip(place + self.rules.speed * actions, -self.rules.room, self.rules.room)
        return actions, state

    def _learn(self, state: State, place: NDArray, reward: NDArray, tested: NDArray[np.bool_]) -> None:
        """Rule out goals by what the last step earned."""
        x, y = self._ways(place)
        distance = np.sqrt(x * x + y * y)
        if self.teleports:
            fits = distance <= self.rules.goal_radius + _SLACK
        else:
            fits = np.abs(distance - (1.0 - reward)[:, None]) <= _SLACK
        paid = reward > 0.0
        possible = state["possible"] & np.where(paid[:, None], fits, distance > self.rules.goal_radius - _SLACK)
        possible[~tested] = state["possible"][~tested]
        nowhere = ~possible.any(axis=1)  # only rounding rules out all: look again
        possible[nowhere] = True
        state["possible"] = possible
        state["met"] = (state["met"] | (paid & tested)) & ~nowhere

    def _towards(self, place: NDArray, target: NDArray) -> NDArray[np.float32]:
        """Both axes as fast as they can."""
        return np.clip((target - place) / self.rules.speed, -1.0, 1.0).astype(np.float32)

    def _ways(self, place: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """From places [N, 2] to every goal, along x and along y, [N, M] each."""
        at, goals = place.astype(np.float32), self.goals.astype(np.float32)
        return goals[:, 0] - at[:, :1], goals[:, 1] - at[:, 1:]

    def _remembered(self, state: State) -> NDArray:
        """The middle of the first patch of possible goals."""
        first = state["possible"].argmax(axis=1)
        patch = state["possible"] & (np.abs(_ANGLES - _ANGLES[first][:, None]) < _PATCH)
        middle = patch @ _ANGLES / patch.sum(axis=1)
        return _on_circle(middle)

    def _search(self, state: State, place: NDArray) -> NDArray:
        possible = state["possible"]
        low, high = _ANGLES[possible.argmax(axis=1)], _ANGLES[::-1][possible[:, ::-1].argmax(axis=1)]
        middle = (low + high) / 2.0
        ends = (_on_circle(np.minimum(low + self.lead, middle)), _on_circle(np.maximum(high - self.lead, middle)))
        far_low, far_high = (np.abs(self.circle * end - place).max(axis=1) for end in ends)
        return self.circle * np.where((far_low <= far_high)[:, None], *ends)


class ArcSearchAmnesic(ArcSearch):
    """The same search, forgotten at every reward (with teleports) or at the end of every episode (without)."""

    forgets = True


class ArcWalk(ArcSearch):
    """Walks to one end of the arc and along it, every episode anew until the goal was met; then goes straight to it.

    The strategy for which the papers' tasks are known: what was searched in vain is searched again.
    """

    def initial_state(self, n: int) -> State:
        return {**super().initial_state(n), "at": np.zeros(n, np.int64)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        place, fresh = self.rules.parts.read(obs, "position"), self.rules.parts.read(obs, "start")[:, 0] > 0.5
        # On the arc, the next goal that is a whole step ahead.
        ahead = np.arange(len(self.goals)) >= np.where(starts | fresh, 0, state["at"])[:, None]
        x, y = self._ways(place)
        found = ahead & (np.maximum(np.abs(x), np.abs(y)) >= 0.999 * self.rules.speed)
        at = np.where(found.any(axis=1), found.argmax(axis=1), len(self.goals) - 1)
        actions, new = super().act(obs, {**state, "at": at}, starts, deterministic)
        return actions, new

    def _towards(self, place: NDArray, target: NDArray) -> NDArray[np.float32]:
        """In a straight line, as fast as the slower axis allows: the papers' way."""
        way = (target - place) / self.rules.speed
        return (way / np.maximum(np.abs(way).max(axis=1), 1.0)[:, None]).astype(np.float32)

    def _search(self, state: State, place: NDArray) -> NDArray:
        return self.goals[state["at"]]


class ArcWalkAmnesic(ArcWalk):
    """The same walk, its find forgotten at the end of every episode."""

    forgets = True


class Trilaterate:
    """Computes the goal from the distances that rewards tell, and goes there.

    Two steps along different axes give two circles around the goal, which meet in two places. It makes for the one in
    the square of goals; the next distance tells whether it is the other.

    State: told [N] (distances told so far), first, last [N, 2] and distance [N] (the first place, the last one, the
    first distance), candidates [N, 2, 2], misfit [N, 2].
    """

    forgets = False

    def __init__(self, rules: Navigation2D, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        return {
            "told": np.zeros(n, np.int64),
            "first": np.zeros((n, 2)),
            "last": np.zeros((n, 2)),
            "distance": np.zeros(n),
            "candidates": np.zeros((n, 2, 2)),
            "misfit": np.zeros((n, 2)),
        }

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        state = {name: value.copy() for name, value in state.items()}
        parts = self.rules.parts
        place, distance = parts.read(obs, "position"), -parts.read(obs, "reward")[:, 0]
        self._learn(state, distance, starts)
        if self.forgets:
            state["told"][parts.read(obs, "start")[:, 0] > 0.5] = 0
        best = state["candidates"][np.arange(len(obs)), state["misfit"].argmin(axis=1)]
        actions = np.clip((best - place) / self.rules.speed, -1.0, 1.0).astype(np.float32)
        actions[state["told"] == 0] = (1.0, 0.0)
        actions[state["told"] == 1] = (0.0, 1.0)
        state["last"] = place + self.rules.speed * actions
        return actions, state

    def _learn(self, state: State, distance: NDArray, starts: NDArray[np.bool_]) -> None:
        last, told = state["last"], state["told"]
        one, two, more = (~starts & (told == 0)), (~starts & (told == 1)), (~starts & (told >= 2))
        state["first"][one], state["distance"][one] = last[one], distance[one]
        if two.any():
            a, b, r, s = state["first"][two], last[two], state["distance"][two], distance[two]
            y = (r**2 - s**2 + b[:, 1] ** 2 - a[:, 1] ** 2) / (2.0 * (b[:, 1] - a[:, 1]))
            aside = np.sqrt(np.maximum(r**2 - (y - a[:, 1]) ** 2, 0.0))
            x = a[:, :1] + np.stack([aside, -aside], axis=1)
            state["candidates"][two] = np.stack([x, np.repeat(y[:, None], 2, axis=1)], axis=2)
            state["misfit"][two] = np.maximum(np.abs(x) - self.rules.extent, 0.0)
        off = np.abs(np.linalg.norm(state["candidates"] - last[:, None], axis=2) - distance[:, None])
        state["misfit"][more] += off[more]
        state["told"] = np.where(starts, 0, told + 1)


class TrilaterateAmnesic(Trilaterate):
    """The same computation, its result forgotten at the end of every episode."""

    forgets = True


def _forget(state: State, rows: NDArray[np.bool_]) -> None:
    state["possible"][rows] = True
    state["met"][rows] = False


def _on_circle(angle: NDArray) -> NDArray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
