"""Point navigation: a point on a plane, a goal that is not seen, and rewards that tell where it is.

Three tasks that papers on meta-reinforcement learning share: the sparse point robot of PEARL (Rakelly et al. 2019,
arXiv 1903.08254) and VariBAD (Zintgraf et al. 2020, arXiv 1910.08348), the one with teleports of BOReL (Dorfman et al.
2021, arXiv 2008.02598) in the form of gymnax, and the navigation of MAML (Finn et al. 2017, arXiv 1703.03400). Ours in
all three: a reward belongs to the step that earns it, and the plane ends at a wall too far off to matter, so that
observations have bounds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.parts import Part, Parts
from lsnn_rl.envs.task import Floats, Hand, LifetimeTask, Moment, Rows, direction_of
from lsnn_rl.errors import BadValue

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas


class Navigation(LifetimeTask):
    """What the three worlds share: a point that moves by an action per axis, and a goal."""

    memory: ClassVar[tuple[str, ...]] = (*LifetimeTask.memory, "place", "goal", "action", "earned")

    def __init__(self, slots: int, steps: int, speed: float, room: float, parts: dict[str, Part]) -> None:
        super().__init__(slots, steps)
        for name, value in {"speed": speed, "room": room}.items():
            if not (value > 0 and math.isfinite(value)):
                raise BadValue(f"{name} = {value} is not a length. Give a positive number, such as 0.1 for a step.")
        self.speed, self.room = speed, room
        self._speed, self._wall = np.array(speed), np.array(room)  # numpy computes with these faster than with numbers
        self.place = np.zeros((slots, 2))
        self.goal = np.zeros((slots, 2))
        self.action = np.zeros((slots, 2))  # as the last step did it
        self.earned = np.zeros(slots)  # by the last step
        self.parts = Parts(**{"position": Part(2, -room, room), "action": Part(2, -1.0, 1.0), **parts})
        self.observation_space = self.parts.space
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.action[rows] = 0.0
        self.earned[rows] = 0.0

    def _move(self, actions: Floats) -> None:
        self.action = actions
        self.place = np.minimum(np.maximum(self.place + actions * self._speed, -self._wall), self._wall)

    def _distance(self) -> Floats:
        """From the place to the goal, [N]. Products and sums only: the same bits for any N."""
        way = self.place - self.goal
        way *= way
        return np.sqrt(way[:, 0] + way[:, 1])

    def observe(self) -> NDArray[np.float32]:
        seen = self.parts.blank(self.slots)
        self.parts.put(seen, "position", self.place)
        self.parts.put(seen, "action", self.action)
        self.parts.put(seen, "reward", self.earned)
        return seen

    def task_vector(self) -> NDArray[np.float32]:
        """The goal, [N, 2]."""
        return self.goal.astype(np.float32)

    def expert(self) -> NDArray[np.float32]:
        """Each axis as fast as it can towards the goal, [N, 2]: after any number of steps, no path is nearer to it."""
        way = (self.goal - self.place) / self._speed
        return np.minimum(np.maximum(way, -1.0), 1.0).astype(np.float32)

    def answer(self) -> dict[str, NDArray]:
        return {"goal": self.goal.copy()}

    def glimpse(self, slot: int) -> tuple[float, float]:
        x, y = self.place[slot]
        return float(x), float(y)

    def hand(self, slot: int, hand: Hand) -> NDArray[np.float32]:
        """Where arrow keys or WASD point; toward the pointer while the mouse button is down."""
        from lsnn_rl.envs.navigation_view import place_at

        if hand.pressed and hand.point is not None:
            way = (np.array(place_at(self, hand.point)) - self.place[slot]) / self.speed
        else:
            way = direction_of(hand.held)
        return np.clip(way, -1.0, 1.0).astype(np.float32)

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.navigation_view import draw_navigation

        draw_navigation(canvas, self, slot, history, references)


class EpisodicNavigation(Navigation):
    """Lifetimes of several episodes with one goal: `horizon` steps each, and back to the origin."""

    memory: ClassVar[tuple[str, ...]] = (*Navigation.memory, "fresh")
    views: ClassVar[frozenset[str]] = frozenset(
        ["observe_position", "observe_action", "observe_reward", "observe_start"]
    )
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "reward"

    def __init__(
        self,
        slots: int,
        steps: int | None,
        horizon: int,
        speed: float,
        room: float,
        least: float,
        seen: dict[str, bool],
    ) -> None:
        """least: the lowest reward there is; seen: is the part of that name observed?"""
        if horizon < 1:
            raise BadValue(f"horizon = {horizon} is not the length of an episode. Give a whole number of steps.")
        most = 0.0 if least < 0 else 1.0
        parts = {"reward": Part(1, least, most, seen["reward"]), "start": Part(1, on=seen["start"])}
        parts["position"], parts["action"] = (
            Part(2, -limit, limit, seen[name]) for name, limit in (("position", room), ("action", 1.0))
        )
        super().__init__(slots, 3 * horizon if steps is None else steps, speed, room, parts)
        self.horizon = int(horizon)
        self.fresh = np.zeros(slots, np.bool_)  # an episode begins at the place that is seen

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.place[rows] = 0.0
        self.goal[rows] = self._some_goal(rows)
        self.fresh[rows] = True

    def step(self, actions: Floats) -> Floats:
        over = self.age - self.trial_start >= self.horizon
        if np.count_nonzero(over):
            self.next_trial(np.flatnonzero(over))
        there = self._act(actions)
        self.fresh = self.age + 1 - self.trial_start >= self.horizon
        self.success = self.fresh & there
        if np.count_nonzero(self.fresh):
            self.place[self.fresh] = 0.0
        return self.earned.copy()

    def _some_goal(self, rows: Rows) -> Floats:
        """The goals of new lifetimes, [len(rows), 2]."""
        raise NotImplementedError(f"{type(self).__name__} has no _some_goal(). Write it as in PointRobotSparse.")

    def _act(self, actions: Floats) -> NDArray[np.bool_]:
        """Move, set `earned`, and return where the agent has got to the goal, [N]."""
        raise NotImplementedError(f"{type(self).__name__} has no _act(). Write it as in PointRobotSparse.")

    def observe(self) -> NDArray[np.float32]:
        seen = super().observe()
        self.parts.put(seen, "start", self.fresh)
        return seen


class PointRobotSparse(EpisodicNavigation):
    """Find a goal on the unit semicircle, paid only near it, and go there at once in the episodes that follow.

    ## Action space
    `Box(-1, 1, (2,))`: how far to go along x and y, in units of `speed`.

    ## Observation space
    `Box` of up to 6 numbers, in this order, each part switchable by its keyword:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0, 1 | place; in the first observation of an episode, the origin | -room, room | observe_position |
    | 2, 3 | previous action | -1, 1 | observe_action |
    | 4 | previous reward | 0, 1 | observe_reward |
    | 5 | 1 if an episode begins here | 0, 1 | observe_start |

    ## Rewards
    1 - distance to the goal, for a step that ends within `goal_radius` of it; 0 for any other.

    ## Starting state
    At the origin; the goal anywhere on the upper half of the unit circle.

    ## Lifetime
    `steps` steps, by default three episodes of `horizon` steps; it ends by `truncated`. Each episode is a trial and
    begins at the origin; it succeeds if its last step ends in the goal. `horizon=20` is PEARL's length, `horizon=100`
    VariBAD's. The observation after an episode's last step carries its reward and already shows the origin.

    ## What must be remembered
    Where the goal is, from one episode to the next; and before it is found, where it is not.

    ## Info
    `trial` (the episode), `trial_steps`, `success`; `first_find` (the first rewarded step, counted from 1, or -1) at
    the end of a lifetime; `privileged = {"goal": place}` only if asked for.

    ## Reference scores
    Reward per lifetime. Knowing the goal brings 13.43 an episode with horizon 20 and 93.4 with horizon 100 (13.23 and
    93.2 in a straight line, which leaves the shorter axis's haste unused). The walk along the arc for which the papers'
    tasks are known, "arc_walk", brings 2.7, 5.8, 5.8 and 78, 93, 93 in the three episodes. "best_known" searches from a
    circle inside the arc and goes on where it stopped; "amnesic" forgets everything between episodes.

    ## Arguments
    horizon: steps of an episode; steps: of a lifetime, None for three episodes; goal_radius; speed: the most per step
    and axis; room: half the side of the square that holds the agent; observe_position, observe_action, observe_reward,
    observe_start: what is seen. The split "test-ood" has goals of three quarters the radius.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*EpisodicNavigation.memory, "first_find")
    ood: ClassVar[dict[str, Any]] = {"goal_radius": 0.15}

    def __init__(
        self,
        slots: int = 1,
        *,
        horizon: int = 20,
        steps: int | None = None,
        goal_radius: float = 0.2,
        speed: float = 0.1,
        room: float = 2.0,
        observe_position: bool = True,
        observe_action: bool = True,
        observe_reward: bool = True,
        observe_start: bool = True,
    ) -> None:
        seen = {
            "position": observe_position,
            "action": observe_action,
            "reward": observe_reward,
            "start": observe_start,
        }
        super().__init__(slots, steps, horizon, speed, room, 0.0, seen)
        self.goal_radius = _goal_radius(goal_radius)
        self.first_find = np.full(slots, -1)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.first_find[rows] = -1

    def _some_goal(self, rows: Rows) -> Floats:
        return _on_semicircle(self.luck.take(rows, 1)[:, 0])

    def _act(self, actions: Floats) -> NDArray[np.bool_]:
        self._move(actions)
        distance = self._distance()
        inside = distance <= self.goal_radius
        self.earned = np.where(inside, np.maximum(1.0 - distance, 0.0), 0.0)
        self.first_find = np.where(inside & (self.first_find < 0), self.age + 1, self.first_find)
        return inside

    def task_known(self) -> NDArray[np.bool_]:
        """Where the goal has been met, [N]."""
        return self.first_find >= 0

    def summary(self) -> dict[str, NDArray]:
        return {"first_find": self.first_find.copy()}


class Navigation2D(EpisodicNavigation):
    """Go to a hidden place in a square, told after every step how far it is: MAML's first task.

    ## Action space
    `Box(-1, 1, (2,))`: how far to go along x and y, in units of `speed`.

    ## Observation space
    `Box` of up to 6 numbers, in this order, each part switchable by its keyword:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0, 1 | place; in the first observation of an episode, the origin | -room, room | observe_position |
    | 2, 3 | previous action | -1, 1 | observe_action |
    | 4 | previous reward | -sqrt(2) (room + extent), 0 | observe_reward |
    | 5 | 1 if an episode begins here | 0, 1 | observe_start |

    ## Rewards
    Minus the distance to the goal after the step. Once a step ends within `close` of the goal along both axes, the
    agent has arrived: it stays, and the rest of the episode costs nothing (the original ends the episode there, which
    comes to the same return).

    ## Starting state
    At the origin; the goal anywhere in the square from -extent to extent.

    ## Lifetime
    `steps` steps, by default three episodes of `horizon` steps; it ends by `truncated`. Each episode is a trial and
    begins at the origin; it succeeds if the agent has arrived by its end. The observation after an episode's last step
    carries its reward and already shows the origin.

    ## What must be remembered
    The distances told so far: three of them, from places not in line, fix the goal.

    ## Info
    `trial` (the episode), `trial_steps`, `success`; `arrivals` (episodes in which the agent arrived) at the end of a
    lifetime; `privileged = {"goal": place}` only if asked for.

    ## Reference scores
    Reward per lifetime. An episode costs 0.50 who knows the goal: the optimum. MAML's authors report -40.4 before, and
    -11.7, -3.3, -3.2 after one, two and three gradient steps of 20 episodes each, and -2.29 for what they call the
    oracle, by whose rules it could do better. "best_known" computes the goal from three distances; "amnesic" does so
    in every episode.

    ## Arguments
    horizon: steps of an episode; steps: of a lifetime, None for three episodes; extent: of the square of goals; close;
    speed: the most per step and axis; room: half the side of the square that holds the agent; observe_position,
    observe_action, observe_reward, observe_start: what is seen. The split "test-ood" has a square half as wide again.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*EpisodicNavigation.memory, "arrived", "arrivals")
    ood: ClassVar[dict[str, Any]] = {"extent": 0.75}

    def __init__(
        self,
        slots: int = 1,
        *,
        horizon: int = 100,
        steps: int | None = None,
        extent: float = 0.5,
        close: float = 0.01,
        speed: float = 0.1,
        room: float = 2.0,
        observe_position: bool = True,
        observe_action: bool = True,
        observe_reward: bool = True,
        observe_start: bool = True,
    ) -> None:
        if not 0.0 < extent <= room:
            raise BadValue(
                f"extent = {extent} gives no square within the room ({room}). Give 0 to {room}, such as 0.5."
            )
        seen = {
            "position": observe_position,
            "action": observe_action,
            "reward": observe_reward,
            "start": observe_start,
        }
        # The range holds the rewards of every split, so that observations mean the same in all.
        farthest = math.sqrt(2.0) * (room + max(extent, self.ood["extent"]))
        super().__init__(slots, steps, horizon, speed, room, -farthest, seen)
        self.extent, self.close = extent, close
        self.arrived = np.zeros(slots, np.bool_)  # in this episode
        self.arrivals = np.zeros(slots, np.int64)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.arrived[rows] = False
        self.arrivals[rows] = 0

    def _some_goal(self, rows: Rows) -> Floats:
        return self.extent * (2.0 * self.luck.take(rows, 2) - 1.0)

    def _act(self, actions: Floats) -> NDArray[np.bool_]:
        rests = self.arrived & ~self.fresh
        if np.count_nonzero(rests):
            actions = np.where(rests[:, None], 0.0, actions)
        self._move(actions)
        self.earned = np.where(rests, 0.0, -self._distance())
        off = np.abs(self.place - self.goal)
        there = np.maximum(off[:, 0], off[:, 1]) < self.close
        self.arrivals = self.arrivals + (there & ~rests)
        self.arrived = there | rests
        return self.arrived

    def task_known(self) -> NDArray[np.bool_]:
        """Where three steps have been done: three distances fix the goal, unless they were told in line, [N]."""
        return (self.trial > 0) | (self.age - self.trial_start >= 3)

    def summary(self) -> dict[str, NDArray]:
        return {"arrivals": self.arrivals.copy()}


class PointRobotTeleport(Navigation):
    """Find a goal on the unit semicircle, be carried to a random place, and come back: as often as 100 steps allow.

    ## Action space
    `Box(-1, 1, (2,))`: how far to go along x and y, in units of `speed`.

    ## Observation space
    `Box` of up to 5 numbers, in this order, each part switchable by its keyword:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0, 1 | place | -room, room | observe_position |
    | 2, 3 | previous action; zeros if the step carried the agent off | -1, 1 | observe_action |
    | 4 | 1 if the previous step reached the goal | 0, 1 | observe_reward |

    ## Rewards
    1 for a step that ends within `goal_radius` of the goal.

    ## Starting state
    The goal anywhere on the upper half of the unit circle; the agent in the upper half of the unit disc, at a distance
    from the origin and an angle that are both uniform, as in gymnax.

    ## Lifetime
    `steps` steps with one goal; it ends by `truncated`. Reaching the goal ends a trial, and the step after it carries
    the agent to a random place instead of moving it, whatever the action. That place may lie in the goal: then this
    step is paid too, and the lifetime goes on.

    ## What must be remembered
    Where the goal is: it is never seen, only met.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `goals` and `first_find` (the step of the first hit, counted from
    1, or -1) at the end of a lifetime; `privileged = {"goal": place}` only if asked for.

    ## Reference scores
    Goals per lifetime. Evolution strategies reach about 10 in gymnax, where 12.5 is what knowing the goal brings to who
    walks straight; there the reward comes one step late, so that the last goal of a lifetime may be lost, and walking
    straight is slower than using both axes fully, as the oracle does.

    ## Arguments
    steps: of a lifetime; goal_radius; speed: the most per step and axis; room: half the side of the square that holds
    the agent; observe_position, observe_action, observe_reward: what is seen. The split "test-ood" has goals of three
    quarters the radius.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*Navigation.memory, "first_find")
    ood: ClassVar[dict[str, Any]] = {"goal_radius": 0.15}
    views: ClassVar[frozenset[str]] = frozenset(["observe_position", "observe_action", "observe_reward"])

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 100,
        goal_radius: float = 0.2,
        speed: float = 0.1,
        room: float = 2.0,
        observe_position: bool = True,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        parts = {
            "position": Part(2, -room, room, observe_position),
            "action": Part(2, -1.0, 1.0, observe_action),
            "reward": Part(1, on=observe_reward),
        }
        if room < 1.0:
            raise BadValue(f"room = {room} has no place for the half disc in which lifetimes begin. Give 1 or more.")
        super().__init__(slots, steps, speed, room, parts)
        self.goal_radius = _goal_radius(goal_radius)
        self.first_find = np.full(slots, -1)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.goal[rows] = _on_semicircle(self.luck.take(rows, 1)[:, 0])
        self.place[rows] = self._somewhere(rows)
        self.first_find[rows] = -1

    def step(self, actions: Floats) -> Floats:
        carried = self.success
        some = np.count_nonzero(carried)
        if some:
            actions = np.where(carried[:, None], 0.0, actions)
        self._move(actions)
        if some:
            rows = np.flatnonzero(carried)
            self.next_trial(rows)
            self.place[rows] = self._somewhere(rows)
        self.success = self._distance() <= self.goal_radius
        self.earned = self.success.astype(np.float64)
        self.first_find = np.where(self.success & (self.first_find < 0), self.age + 1, self.first_find)
        return self.earned.copy()

    def _somewhere(self, rows: Rows) -> Floats:
        luck = self.luck.take(rows, 2)
        return luck[:, :1] * _on_semicircle(luck[:, 1])

    def summary(self) -> dict[str, NDArray]:
        return {"goals": self.trial + self.success, "first_find": self.first_find.copy()}


def _on_semicircle(part: Floats) -> Floats:
    """Unit vectors at `part` of half a turn, [n, 2]."""
    angle = np.pi * part
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _goal_radius(radius: float) -> float:
    if not (radius > 0 and math.isfinite(radius)):
        raise BadValue(f"goal_radius = {radius} is not a length. Give a positive number, such as 0.2.")
    return radius
