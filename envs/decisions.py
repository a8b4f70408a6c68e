"""Decisions that need a model: the two-step task, and Harlow's pairs of objects.

Daw et al. 2011 (Neuron 69) and Harlow 1949, as learning-to-reinforcement-learn tasks: Wang et al. 2018 (Nature
Neuroscience 21).
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

REST, CHOICE, FIRST = 0, 1, 2  # stages of the two-step task: pause, choice, and from 2 on the second-stage states
NOTHING = -1  # where there was nothing to choose


class TwoStep(LifetimeTask):
    """The two-step task: a choice leads to one of two states, usually to its own, and states pay unequally.

    A trial is three steps long: a pause, a choice, and the state that the choice led to. Choice 0 leads to state A
    with probability `common`, to state B otherwise; choice 1 the other way round. One of the states pays with
    probability `high`, the other with `low`, and at the start of every trial they change roles with probability
    `switch`. An agent that has a model credits a reward after a rare transition to the choice it did *not* make.

    ## Action space
    `Discrete(2)`. It counts in the choice step; in the two other steps of a trial either action does nothing.

    ## Observation space
    `Box` of up to 7 numbers, flags:

    | number | meaning | keyword |
    |---|---|---|
    | 0 to 3 | what is next: pause, choice, state A, state B | |
    | 4, 5 | the choice that the previous step made; none after a step without a choice | observe_action |
    | 6 | 1 if the previous step was rewarded | observe_reward |

    Actions that choose nothing leave no trace here: otherwise a hand could serve as a notepad, and an agent without
    memory would seem to have one.

    ## Rewards
    0 or 1 in the step that is made in state A or B.

    ## Starting state
    A pause. The better state is drawn, either with probability 1/2.

    ## Lifetime
    `steps` steps, a third as many trials; it ends by `truncated`, perhaps within a trial. A trial ends well when it is
    rewarded.

    ## What must be remembered
    Which states paid of late, across the pauses. The task changes within a lifetime.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `rewarded` (trials) at the end of a lifetime;
    `privileged = {"task": 0 if state A is better, else 1}` only if asked for.

    ## Reference scores
    Reward a trial with the default numbers, exact by hand: choosing blindly 0.5; knowing the better state
    0.8 * 0.9 + 0.2 * 0.1 = 0.74; repeating a choice after reward and changing it otherwise 0.609; following the last
    outcome with a model 0.682. A Bayes filter, which is optimal because both choices inform alike, earns 0.706
    (by simulation). Measured: `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    common, high, low, switch: the probabilities above; steps: of a lifetime; observe_action, observe_reward: what is
    seen. In the split "test-ood" transitions are common with probability 0.7.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (
        *LifetimeTask.memory,
        "stage",
        "better",
        "choice",
        "earned",
        "over",
        "rewarded",
    )
    ood: ClassVar[dict[str, Any]] = {"common": 0.7}
    views: ClassVar[frozenset[str]] = frozenset(["observe_action", "observe_reward"])
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "reward"
    restless: ClassVar[bool] = True

    def __init__(
        self,
        slots: int = 1,
        *,
        common: float = 0.8,
        high: float = 0.9,
        low: float = 0.1,
        switch: float = 0.025,
        steps: int = 300,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps)
        for name, value in {"common": common, "high": high, "low": low, "switch": switch}.items():
            if not 0.0 <= value <= 1.0:
                raise BadValue(f"{name} = {value} is not a probability. Give a number from 0 to 1.")
        if common < 0.5 or high < low:
            raise BadValue(
                f"common = {common}, high = {high}, low = {low}: common is the larger part, and high pays no less than "
                "low. Give common from 0.5 to 1, and high at least as large as low."
            )
        self.common, self.high, self.low, self.switch = common, high, low, switch
        self.stage = np.zeros(slots, np.int64)  # what is next: REST, CHOICE, FIRST (state A) or FIRST + 1 (state B)
        self.better = np.zeros(slots, np.bool_)  # state B is the better one
        self.choice = np.full(slots, NOTHING)  # made by the last step
        self.earned = np.zeros(slots)  # by the last step
        self.over = np.zeros(slots, np.bool_)  # the last step ended its trial
        self.rewarded = np.zeros(slots, np.int64)  # trials of this lifetime
        self.parts = Parts(stage=Part(4), action=Part(2, on=observe_action), reward=Part(1, 0.0, 1.0, observe_reward))
        self.observation_space = self.parts.space
        self.action_space = spaces.Discrete(2)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.better[rows] = self.luck.take(rows, 1)[:, 0] < 0.5
        self.stage[rows], self.choice[rows], self.earned[rows] = REST, NOTHING, 0.0
        self.over[rows], self.rewarded[rows] = False, 0

    def step(self, actions: NDArray) -> Floats:
        if np.count_nonzero(self.over):
            self.next_trial(np.flatnonzero(self.over))
        luck = self.luck.take(self.every, 1)[:, 0]
        resting, choosing = self.stage == REST, self.stage == CHOICE
        self.over = ~(resting | choosing)
        self.better = self.better ^ (resting & (luck < self.switch))
        pays = np.where((self.stage == FIRST + 1) == self.better, self.high, self.low)
        self.success = self.over & (luck < pays)
        there = np.where(luck < self.common, actions, 1 - actions)
        self.stage = np.where(resting, CHOICE, np.where(choosing, FIRST + there, REST))
        self.choice = np.where(choosing, actions, NOTHING)
        self.rewarded = self.rewarded + self.success
        self.earned = self.success.astype(np.float64)
        return self.earned.copy()

    def observe(self) -> NDArray[np.float32]:
        seen = self.parts.blank(self.slots)
        self.parts.mark(seen, "stage", self.stage)
        self.parts.mark(seen, "action", self.choice)
        self.parts.put(seen, "reward", self.earned)
        return seen

    def task_vector(self) -> NDArray[np.float32]:
        """0 where state A is the better one now, 1 where state B is, [N, 1]."""
        return self.better.astype(np.float32)[:, None]

    def task_known(self) -> NDArray[np.bool_]:
        """Where at least one trial is over, [N]: from then on there is evidence."""
        return (self.trial > 0) | self.over

    def expert(self) -> NDArray[np.int64]:
        """The choice that usually leads to the better state, [N]; 0 where there is nothing to choose."""
        return ((self.stage == CHOICE) & self.better).astype(np.int64)

    def summary(self) -> dict[str, NDArray]:
        return {"rewarded": self.rewarded.copy()}

    def glimpse(self, slot: int) -> tuple[int, int, bool, bool, bool]:
        """What is next, the choice just made, was the trial ended, was it rewarded, is B the better state."""
        return (
            int(self.stage[slot]),
            int(self.choice[slot]),
            bool(self.over[slot]),
            bool(self.success[slot]),
            bool(self.better[slot]),
        )

    def hand(self, slot: int, hand: Hand) -> int | None:
        """Arrow left or 1 for choice 0, arrow right or 2 for choice 1; any of them, or space, goes on elsewhere."""
        return _left_or_right(hand, wait_for_choice=bool(self.stage[slot] == CHOICE))

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.decisions_view import draw_two_step

        draw_two_step(canvas, self, slot, history, references)


class Harlow(LifetimeTask):
    """Harlow's learning set on a line: two new objects, one of which is always the right one.

    A trial begins with a pause in the middle of the line, nothing in sight. Then the two objects of the pair appear,
    the right one at either end with equal chance; the agent walks one place a step, and the trial ends when it reaches
    an object, `distance` places from the middle. After `trials_per_pair` trials a new pair is drawn. The first trial of
    a pair is a guess, all others need not be: learning from one look.

    ## Action space
    `Discrete(2)`: 0 walks left, 1 walks right. In the pause either does nothing.

    ## Observation space
    `Box` of up to 5 + 2 `features` numbers:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0 | 1 in the pause | 0, 1 | |
    | 1 | place: -1 at the left object, 0 in the middle, 1 at the right object | -1, 1 | |
    | 2 ... | `features` numbers of the left object, then of the right one; zeros in the pause | -1, 1 | |
    | then 2 | where the previous step walked; none after a pause | 0, 1 | observe_action |
    | then 1 | 1 if the previous step reached the right object | 0, 1 | observe_reward |

    ## Rewards
    1 in the step that reaches the right object, 0 otherwise.

    ## Starting state
    The pause before the first trial. Every feature of an object is drawn uniformly from -spread to spread.

    ## Lifetime
    `steps` steps; it ends by `truncated`. The default is just long enough for the six trials of one pair, walked
    straight; in a longer lifetime pair follows pair. A trial ends well when it ends at the right object.

    ## What must be remembered
    Which of the two objects is the right one, across the pause, for as long as the pair lasts.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `rewarded` (trials) at the end of a lifetime;
    `privileged = {"task": features of the right object}` only if asked for.

    ## Reference scores
    Reward of a lifetime with the default numbers, exact by hand: knowing the object 6; one look at each pair
    0.5 + 5 = 5.5; walking straight to either object 3. Measured:
    `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    trials_per_pair; distance: of an object from the middle, steps; features: numbers that describe an object; spread;
    steps: of a lifetime; observe_action, observe_reward: what is seen. In the split "test-ood" objects are more alike
    (spread 0.3).

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (
        *LifetimeTask.memory,
        "objects",
        "on_right",
        "resting",
        "place",
        "walked",
        "over",
        "looks",
        "rewarded",
    )
    ood: ClassVar[dict[str, Any]] = {"spread": 0.3}
    views: ClassVar[frozenset[str]] = frozenset(["observe_action", "observe_reward"])
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "reward"
    restless: ClassVar[bool] = True

    def __init__(
        self,
        slots: int = 1,
        *,
        trials_per_pair: int = 6,
        distance: int = 2,
        features: int = 3,
        spread: float = 1.0,
        steps: int = 18,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps)
        for name, value in {"trials_per_pair": trials_per_pair, "distance": distance, "features": features}.items():
            if value < 1:
                raise BadValue(f"{name} = {value} leaves no task. Give a whole number, 1 or more.")
        if not 0.0 < spread <= 1.0:
            raise BadValue(f"spread = {spread} does not fit features between -1 and 1. Give a number above 0, up to 1.")
        self.trials_per_pair, self.distance, self.features, self.spread = trials_per_pair, distance, features, spread
        self.objects = np.zeros((slots, 2, features))  # the right one, the wrong one
        self.on_right = np.zeros(slots, np.bool_)  # the right object lies at the right end
        self.resting = np.ones(slots, np.bool_)  # in the pause before a trial
        self.place = np.zeros(slots, np.int64)  # steps to the right of the middle
        self.walked = np.full(slots, NOTHING)  # direction of the last step
        self.over = np.zeros(slots, np.bool_)  # the last step ended its trial
        self.looks = np.zeros(slots, np.int64)  # trials that this pair has seen the end of
        self.rewarded = np.zeros(slots, np.int64)  # trials of this lifetime
        self.parts = Parts(
            rest=Part(1),
            place=Part(1, -1.0, 1.0),
            left=Part(features, -1.0, 1.0),
            right=Part(features, -1.0, 1.0),
            action=Part(2, on=observe_action),
            reward=Part(1, 0.0, 1.0, observe_reward),
        )
        self.observation_space = self.parts.space
        self.action_space = spaces.Discrete(2)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self._new_pair(rows)
        self.on_right[rows], self.resting[rows], self.place[rows] = False, True, 0
        self.walked[rows], self.over[rows], self.rewarded[rows] = NOTHING, False, 0

    def _new_pair(self, rows: Rows) -> None:
        luck = self.luck.take(rows, 2 * self.features)
        self.objects[rows] = (self.spread * (2.0 * luck - 1.0)).reshape(-1, 2, self.features)
        self.looks[rows] = 0

    def step(self, actions: NDArray) -> Floats:
        if np.count_nonzero(self.over):
            rows = np.flatnonzero(self.over)
            self.next_trial(rows)
            worn = rows[self.looks[rows] >= self.trials_per_pair]
            if len(worn):
                self._new_pair(worn)
        rested = self.resting
        self.walked = np.where(rested, NOTHING, actions)
        place = np.where(rested, 0, self.place + 2 * actions - 1)
        self.over = np.abs(place) >= self.distance
        self.success = self.over & ((place > 0) == self.on_right)
        self.place, self.resting = np.where(self.over, 0, place), self.over.copy()
        self.looks = self.looks + self.over
        self.rewarded = self.rewarded + self.success
        if np.count_nonzero(rested):
            rows = np.flatnonzero(rested)
            self.on_right[rows] = self.luck.take(rows, 1)[:, 0] < 0.5
        return self.success.astype(np.float64)

    def observe(self) -> NDArray[np.float32]:
        seen = self.parts.blank(self.slots)
        shown = (~self.resting).astype(np.float64)[:, None]
        right_end = self.on_right[:, None]
        good, bad = self.objects[:, 0], self.objects[:, 1]
        self.parts.put(seen, "rest", self.resting)
        self.parts.put(seen, "place", self.place / self.distance)
        self.parts.put(seen, "left", shown * np.where(right_end, bad, good))
        self.parts.put(seen, "right", shown * np.where(right_end, good, bad))
        self.parts.mark(seen, "action", self.walked)
        self.parts.put(seen, "reward", self.success)
        return seen

    def task_vector(self) -> NDArray[np.float32]:
        """The features of the right object, [N, features]."""
        return self.objects[:, 0].astype(np.float32)

    def task_known(self) -> NDArray[np.bool_]:
        """Where a trial with this pair is over, [N]."""
        return self.looks > 0

    def expert(self) -> NDArray[np.int64]:
        """Toward the right object, [N]; 0 in the pause."""
        return (~self.resting & self.on_right).astype(np.int64)

    def summary(self) -> dict[str, NDArray]:
        return {"rewarded": self.rewarded.copy()}

    def glimpse(self, slot: int) -> tuple[int, bool, bool]:
        """How many trials this pair has seen the end of, and whether the step ended one, and well."""
        return int(self.looks[slot]), bool(self.over[slot]), bool(self.success[slot])

    def hand(self, slot: int, hand: Hand) -> int | None:
        """Arrow keys walk; in the pause they, or space, go on."""
        return _left_or_right(hand, wait_for_choice=not self.resting[slot])

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.decisions_view import draw_harlow

        draw_harlow(canvas, self, slot, history, references)


def _left_or_right(hand: Hand, wait_for_choice: bool) -> int | None:
    """0 for left, 1 for right, None to wait; where nothing is to be chosen, space will do too."""
    if hand.tapped & {"left", "a", "1"}:
        return 0
    if hand.tapped & {"right", "d", "2"}:
        return 1
    return 0 if not wait_for_choice and "space" in hand.tapped else None
