"""The arena: find a hidden goal on a disc, be carried off, and go straight back.

Bellec et al. 2018 (arXiv 1803.09574), meta-learning from reward; geometry as recalled in their supplement.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.task import Floats, Hand, LifetimeTask, Moment, Rows, direction_of
from lsnn_rl.errors import BadValue, unknown_name

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

TELEPORTS = ("next_step", "same_step")
_ON_BORDER = 1e-9  # part of the radius: rounding may put a place on the border that much outside


class Arena(LifetimeTask):
    """A circular arena with a hidden goal that stays where it is for a lifetime and moves between lifetimes.

    ## Action space
    `Box(-1, 1, (2,))`, the velocity a. One step moves the agent by `speed` a; an a longer than 1 is shortened to
    length 1 and keeps its direction (so finite numbers outside the box are accepted; NaN and infinity are refused).

    ## Observation space
    `Box` of up to 6 numbers, in this order, each part switchable by its keyword:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0, 1 | position, arena radii | -radius, radius | observe_position |
    | 2, 3 | previous action, as it was done (length at most 1) | -1, 1 | observe_action |
    | 4 | 1 if the previous step reached the goal | 0, 1 | observe_reward |
    | 5 | 1 if the previous step met the wall | 0, 1 | observe_wall |

    ## Rewards
    +1 in the step that reaches the goal disc, `wall_reward` in a step that would leave the arena; both may meet.

    ## Starting state
    The goal is drawn on the circle of radius `ring` (None: anywhere in the arena), the agent anywhere in the arena.

    ## Lifetime
    `steps` steps with one goal; it ends by `truncated`. Reaching the goal ends a trial: the agent is put at a random
    place (perhaps inside the goal: the lifetime goes on) and the next trial begins. With `teleport="next_step"` the
    observation that carries the reward still shows the place where it was earned, and the agent is moved at the start
    of the next step, before that step's action. With `"same_step"` it already shows the new place.

    ## What must be remembered
    Where the goal is: it is never seen, only met.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `goals` and `first_find` (the step of the first hit, counted from
    1, or -1) at the end of a lifetime; `privileged = {"goal": place}` only if asked for.

    ## Reference scores
    Goals per lifetime of an agent that knows the goal, of the best known searcher, of one that forgets the goal at
    every teleport, and of a random walk: `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    teleport: "next_step" or "same_step"; radius: of the arena; goal_radius, ring, speed (per step): in the same unit;
    steps: of a lifetime; wall_reward; observe_position, observe_action, observe_reward, observe_wall: what is seen.
    The split "test-ood" has goals of two thirds the radius.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*LifetimeTask.memory, "place", "goal", "action", "wall", "first_find")
    clips: ClassVar[bool] = True
    ood: ClassVar[dict[str, Any]] = {"goal_radius": 0.2}
    views: ClassVar[frozenset[str]] = frozenset(
        ["observe_position", "observe_action", "observe_reward", "observe_wall"]
    )

    def __init__(
        self,
        slots: int = 1,
        *,
        teleport: str = "next_step",
        radius: float = 1.0,
        goal_radius: float = 0.3,
        ring: float | None = 0.85,
        speed: float = 0.02,
        steps: int = 2000,
        wall_reward: float = -0.02,
        observe_position: bool = True,
        observe_action: bool = True,
        observe_reward: bool = True,
        observe_wall: bool = True,
    ) -> None:
        super().__init__(slots, steps)
        if teleport not in TELEPORTS:
            raise unknown_name("teleport", teleport, TELEPORTS)
        for name, value in {"radius": radius, "goal_radius": goal_radius, "speed": speed}.items():
            if not (value > 0 and math.isfinite(value)):
                raise BadValue(f"{name} = {value} is not a length. Give a positive number, in arena radii.")
        if ring is not None and not 0 <= ring <= radius:
            raise BadValue(f"ring = {ring} is outside the arena (radius {radius}). Give 0 to {radius}, or None.")
        self.teleport_at_once = teleport == "same_step"
        self.radius, self.goal_radius, self.ring, self.speed = radius, goal_radius, ring, speed
        self.wall_reward = wall_reward
        # Arrays of no dimension: with few slots, numpy takes longer to convert a Python number than to compute with it.
        self._one, self._speed = np.array(1.0), np.array(speed)
        self._wall_at, self._goal_at = np.array((radius * (1.0 + _ON_BORDER)) ** 2), np.array(goal_radius**2)

        self.place = np.zeros((slots, 2))  # where the agent is
        self.goal = np.zeros((slots, 2))  # centre of the goal disc
        self.action = np.zeros((slots, 2))  # the last action, shortened
        self.wall = np.zeros(slots, np.bool_)  # the last step met the wall
        self.first_find = np.full(slots, -1)  # step of the first hit, from 1

        parts = [  # name of the array, its width, is it seen, lowest, highest
            ("place", 2, observe_position, -radius, radius),
            ("action", 2, observe_action, -1.0, 1.0),
            ("success", 1, observe_reward, 0.0, 1.0),
            ("wall", 1, observe_wall, 0.0, 1.0),
        ]
        seen = [part for part in parts if part[2]]
        if not seen:
            raise BadValue("All four parts of the observation are switched off. Leave at least one observe_... on.")
        ends = np.cumsum([0, *(width for _, width, *_ in seen)])
        self.seen = [
            (name, slice(a, b) if b - a > 1 else int(a))
            for (name, *_), a, b in zip(seen, ends[:-1], ends[1:], strict=True)
        ]
        self._width = int(ends[-1])
        low, high = (np.repeat([p[k] for p in seen], [p[1] for p in seen]).astype(np.float32) for k in (3, 4))
        self.observation_space = spaces.Box(low, high, dtype=np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    # -- the rules --------------------------------------------------------------------------------------------------

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.goal[rows] = self._some_goal(rows)
        self.place[rows] = self._somewhere(rows)
        self.action[rows] = 0.0
        self.wall[rows] = False
        self.first_find[rows] = -1

    def step(self, actions: Floats) -> Floats:
        if np.count_nonzero(self.success):
            rows = np.flatnonzero(self.success)
            self.next_trial(rows)
            if not self.teleport_at_once:
                self.place[rows] = self._somewhere(rows)

        length = squared(actions)
        if np.count_nonzero(length > self._one):
            actions = actions / np.sqrt(np.maximum(length, self._one))[:, None]
        move = actions * self._speed
        there = self.place + move
        wall = squared(there) > self._wall_at
        met_wall = np.count_nonzero(wall)
        if met_wall:
            rows = np.flatnonzero(wall)
            there[rows] = self._border(self.place[rows], move[rows])
        self.action, self.place, self.wall = actions, there, wall

        self.success = self._reached()
        reward = self.success.astype(np.float64)
        if met_wall:
            reward += self.wall_reward * wall
        if np.count_nonzero(self.success):
            rows = np.flatnonzero(self.success)
            first = rows[self.first_find[rows] < 0]
            self.first_find[first] = self.age[first] + 1
            if self.teleport_at_once:
                self.place[rows] = self._somewhere(rows)
        return reward

    def observe(self) -> NDArray[np.float32]:
        seen = np.empty((self.slots, self._width), np.float32)
        for name, where in self.seen:
            seen[:, where] = getattr(self, name)
        return seen

    def _reached(self) -> NDArray[np.bool_]:
        """Where the agent is in the goal, [N]."""
        return squared(self.place - self.goal) <= self._goal_at

    def _some_goal(self, rows: Rows) -> Floats:
        """A goal as lifetimes begin with one, [len(rows), 2]."""
        if self.ring is None:
            return self._somewhere(rows)
        return self.ring * _direction(self.luck.take(rows, 1)[:, 0])

    def _somewhere(self, rows: Rows) -> Floats:
        """Uniform over the arena, [len(rows), 2]."""
        luck = self.luck.take(rows, 2)
        return (self.radius * np.sqrt(luck[:, 0]))[:, None] * _direction(luck[:, 1])

    def _border(self, start: Floats, move: Floats) -> Floats:
        """Where moves that would leave the arena meet its border: the root t in [0, 1] of |start + t move| = radius."""
        along = (start * move).sum(axis=1)
        length = squared(move)
        inside = np.maximum(self.radius**2 - squared(start), 0.0)
        t = (np.sqrt(along * along + length * inside) - along) / length
        return start + np.clip(t, 0.0, 1.0)[:, None] * move

    # -- what only teachers and judges may know -----------------------------------------------------------------------

    def task_vector(self) -> NDArray[np.float32]:
        """The goal's centre, [N, 2]."""
        return self.goal.astype(np.float32)

    def expert(self) -> NDArray[np.float32]:
        """Straight to the goal's centre, [N, 2].

        Where a teleport is about to come, nobody knows the place from which the action will start: the best guess is
        the middle of the arena.
        """
        start = self.place if self.teleport_at_once else np.where(self.success[:, None], 0.0, self.place)
        way = (self.goal - start) / self.speed
        length = np.sqrt(np.maximum(squared(way), 1.0))
        return (way / length[:, None]).astype(np.float32)

    def answer(self) -> dict[str, NDArray]:
        return {"goal": self.goal.copy()}

    def summary(self) -> dict[str, NDArray]:
        return {"goals": self.trial + self.success, "first_find": self.first_find.copy()}

    # -- drawing ------------------------------------------------------------------------------------------------------

    def glimpse(self, slot: int) -> tuple[float, float]:
        x, y = self.place[slot]
        return float(x), float(y)

    def hand(self, slot: int, hand: Hand) -> NDArray[np.float32]:
        """Toward the pointer while the mouse button is down, else where arrow keys or WASD point."""
        from lsnn_rl.envs.arena_view import place_at

        if hand.pressed and hand.point is not None:
            way = (np.array(place_at(self, hand.point)) - self.place[slot]) / self.speed
        else:
            way = direction_of(hand.held)
        return (way / max(1.0, float(np.hypot(*way)))).astype(np.float32)

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.arena_view import draw_arena  # only whoever draws needs it

        draw_arena(canvas, self, slot, history, references)


def squared(vectors: Floats) -> Floats:
    """Squared length of each row, [n]. Products and sums only: the same bits for any n and on any machine."""
    squares = vectors * vectors
    return squares[:, 0] + squares[:, 1]


def _direction(part: Floats) -> Floats:
    """Unit vectors at `part` of a full turn, [n, 2]."""
    angle = 2.0 * np.pi * part
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
