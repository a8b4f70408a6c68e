"""Arenas that ask more of memory: one whose goal moves half-way, one with a blank pause after the first find.

Reversal and delayed return are what students of animal memory ask in a water maze.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.arena import Arena, squared
from lsnn_rl.envs.task import Floats, Moment, Rows
from lsnn_rl.errors import BadValue

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

_TRIES = 8  # draws of a goal that does not overlap the old one


class ArenaReversal(Arena):
    """The arena whose goal moves once, half-way through the lifetime: what was remembered must be given up.

    Action space, observation space, rewards and starting state are those of `Arena`.

    ## Lifetime
    `steps` steps. Before the step that follows `reversal` of them (a part of the lifetime, 0 to 1), the goal moves to a
    place drawn as the first one was, drawn again (at most eight times) while the two goal discs overlap. Nothing tells
    the agent; an agent on its way is not moved.

    ## What must be remembered
    Where the goal is, as long as it is there; and that it is there no more.

    ## Info
    As `Arena`, and at the end of a lifetime `goals_before` (goals reached before the move), `second_find` (steps from
    the move to the first hit of the new goal, -1 for none) and `abandoned_after` (steps from the move until the agent
    was last in the old goal disc, the new goal not yet met; 0 if it never came there).
    `goals - goals_before` against `goals_before` is what the move cost.

    ## Reference scores
    Goals per lifetime of an agent that knows the goal all the time, of a searcher that remembers, finds it gone and
    searches anew, of one that searches in every trial, and of a random walk.

    ## Arguments
    reversal: the part of the lifetime after which the goal moves; all others are those of `Arena`.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (
        *Arena.memory,
        *("old_goal", "new_goal", "moved", "moved_at", "goals_before", "second_find", "abandoned_after"),
    )
    restless: ClassVar[bool] = True

    def __init__(self, slots: int = 1, *, reversal: float = 0.5, **settings: Any) -> None:
        super().__init__(slots, **settings)
        if not 0.0 < reversal <= 1.0:
            raise BadValue(
                f"reversal = {reversal} is no part of a lifetime. Give a number above 0, up to 1, such as 0.5."
            )
        self.turn = max(round(reversal * self.steps), 1)  # steps done with the first goal
        self.old_goal = np.zeros((slots, 2))  # where the goal was before it moved; where it is, as long as it has not
        self.new_goal = np.zeros((slots, 2))  # where it moves
        self.moved = np.zeros(slots, np.bool_)
        self.moved_at = np.zeros(slots, np.int64)  # age at which it moved
        self.goals_before = np.zeros(slots, np.int64)
        self.second_find = np.full(slots, -1)
        self.abandoned_after = np.zeros(slots, np.int64)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.old_goal[rows] = goal = self.goal[rows]
        tries = np.stack([self._some_goal(rows) for _ in range(_TRIES)])  # [_TRIES, len(rows), 2]
        away = ((tries - goal) ** 2).sum(axis=-1) > (2.0 * self.goal_radius) ** 2
        self.new_goal[rows] = tries[away.argmax(axis=0), np.arange(len(rows))]
        self.moved[rows] = False
        self.second_find[rows] = -1
        self.moved_at[rows] = self.goals_before[rows] = self.abandoned_after[rows] = 0

    def step(self, actions: Floats) -> Floats:
        now = (self.age >= self.turn) & ~self.moved
        if np.count_nonzero(now):
            rows = np.flatnonzero(now)
            self.goal[rows] = self.new_goal[rows]
            self.moved[rows] = True
            self.moved_at[rows] = self.age[rows]
            self.goals_before[rows] = self.trial[rows] + self.success[rows]
        reward = super().step(actions)
        if np.count_nonzero(self.moved):
            since = self.age + 1 - self.moved_at
            searching = self.moved & (self.second_find < 0)
            self.second_find = np.where(searching & self.success, since, self.second_find)
            lingers = searching & ~self.success & (squared(self.place - self.old_goal) <= self._goal_at)
            self.abandoned_after = np.where(lingers, since, self.abandoned_after)
        return reward

    def task_known(self) -> NDArray[np.bool_]:
        """Where the goal has been met in its present place."""
        return np.where(self.moved, self.second_find >= 0, super().task_known())

    def summary(self) -> dict[str, NDArray]:
        goals = self.trial + self.success
        return {
            **super().summary(),
            "goals_before": np.where(self.moved, self.goals_before, goals),
            "second_find": self.second_find.copy(),
            "abandoned_after": self.abandoned_after.copy(),
        }

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.arena_view import draw_reversal

        draw_reversal(canvas, self, slot, history, references)


class ArenaDelay(Arena):
    """The arena with a blank pause after the first hit: the goal must be remembered while nothing happens.

    Action space, rewards and starting state are those of `Arena`.

    ## Observation space
    As `Arena`; during the pause every number is 0.

    ## Lifetime
    `steps` steps, the pause among them. The step that reaches the goal for the first time pays and shows it as ever.
    The next `delay` steps do nothing and show nothing: whatever the action, the agent is held at the place to which it
    was teleported, is not paid, and sees zeros. So the first step after them begins at a place not yet seen.

    ## What must be remembered
    Where the goal is, through a pause in which no observation supports the memory. A network whose adaptation lasts
    tau steps is asked with a `delay` of 1, tau / 2, tau, 2 tau and 4 tau (and `steps` long enough to tell).

    ## Info
    As `Arena`, and at the end of a lifetime `retention_steps` (steps from the end of the pause to the next hit, -1 for
    none) and `retention_shortest` (steps of the straight way there, -1 if the pause did not end): their ratio is the
    price of forgetting. Without a pause (`delay=0`) both are -1.

    ## Reference scores
    Goals per lifetime of an agent that knows the goal, of a searcher that remembers it through the pause, of one that
    searches in every trial, and of a random walk.

    ## Arguments
    delay: length of the pause in steps, 0 for none; all others are those of `Arena`.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (
        *Arena.memory,
        *("pause", "blank", "resumed", "retention_steps", "retention_shortest"),
    )

    def __init__(self, slots: int = 1, *, delay: int = 600, **settings: Any) -> None:
        super().__init__(slots, **settings)
        if delay < 0:
            raise BadValue(f"delay = {delay} is not the length of a pause. Give a whole number of steps, 0 for none.")
        self.delay = int(delay)
        self.pause = np.zeros(slots, np.int64)  # steps of the pause still to come
        self.blank = np.zeros(slots, np.bool_)  # the last step was one of the pause
        self.resumed = np.full(slots, -1)  # age at which the pause was over
        self.retention_steps = np.full(slots, -1)
        self.retention_shortest = np.full(slots, -1)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.pause[rows] = 0
        self.blank[rows] = False
        self.resumed[rows] = self.retention_steps[rows] = self.retention_shortest[rows] = -1

    def step(self, actions: Floats) -> Floats:
        self.blank = self.pause > 0
        if np.count_nonzero(self.blank):
            actions = np.where(self.blank[:, None], 0.0, actions)
        reward = super().step(actions)
        self._count()
        return reward

    def _reached(self) -> NDArray[np.bool_]:
        return super()._reached() & ~self.blank

    def _count(self) -> None:
        """Begin the pause, count it down, and note how the goal is found after it."""
        if np.count_nonzero(self.blank):
            self.pause = self.pause - self.blank
            rows = np.flatnonzero(self.blank & (self.pause == 0))
            self.resumed[rows] = self.age[rows] + 1
            way = np.sqrt(squared(self.place[rows] - self.goal[rows])) - self.goal_radius
            self.retention_shortest[rows] = np.maximum(np.ceil(way / self.speed), 1)
        if np.count_nonzero(self.success):
            asked = self.success & (self.resumed >= 0) & (self.retention_steps < 0)
            self.retention_steps = np.where(asked, self.age + 1 - self.resumed, self.retention_steps)
            self.pause[self.success & (self.first_find == self.age + 1)] = self.delay

    def observe(self) -> NDArray[np.float32]:
        seen = super().observe()
        seen[self.blank] = 0.0
        return seen

    def summary(self) -> dict[str, NDArray]:
        retention = {name: getattr(self, name).copy() for name in ("retention_steps", "retention_shortest")}
        return {**super().summary(), **retention}

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.arena_view import draw_delay

        draw_delay(canvas, self, slot, history, references)
