"""Small random Markov decision processes, played for a few episodes each.

Duan et al. 2016, "RL^2" (arXiv 1611.02779): 10 states, 5 actions, episodes of 10 steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.parts import Part, Parts
from lsnn_rl.envs.task import Floats, LifetimeTask, Moment, Rows
from lsnn_rl.errors import BadValue

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

NOTHING = -1  # before anything was done
PRIOR_MEAN, PRIOR_SD = 1.0, 1.0  # of the mean reward of a state and action
SEEN_REWARD = 9.0  # rewards are shown up to this far from PRIOR_MEAN


class TabularMDP(LifetimeTask):
    """A random Markov decision process, new in every lifetime, played for several episodes from the same state.

    Transitions from each state and action are drawn from a flat Dirichlet distribution. A reward is Gaussian with
    standard deviation `noise`; its mean, one per state and action, is drawn from a Gaussian with mean 1 and standard
    deviation 1.

    ## Action space
    `Discrete(actions)`.

    ## Observation space
    `Box` of up to `states + actions + 2` numbers:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0 ... | the state, one flag each | 0, 1 | |
    | then 1 | 1 where an episode begins | 0, 1 | observe_start |
    | then `actions` | the previous action, one flag each | 0, 1 | observe_action |
    | then 1 | the previous reward (beyond -8 and 10 it is shown as these) | -8, 10 | observe_reward |

    ## Rewards
    That of the state and the action, in the same step.

    ## Starting state
    State 0, and again state 0 after every `horizon` steps: the observation that carries an episode's last reward
    already shows it.

    ## Lifetime
    `steps` steps in one process, by default ten episodes; it ends by `truncated`. A trial is an episode; it ends well
    if it brought more than acting at random brings on average, 1 a step.

    ## What must be remembered
    What every action in every state led to and brought.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `privileged = {"transitions": [S, A, S], "rewards": [S, A]}` only
    if asked for.

    ## Reference scores
    Reward of ten episodes as published by Duan et al.: random 100.1, posterior sampling (PSRL) 138.1, OPSRL 144.1,
    UCRL2 146.6, BEB 150.2, their network 156.2. Exact by hand: random 100. Measured:
    `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    states, actions; horizon: steps of an episode; noise: of a reward; steps: of a lifetime; observe_start,
    observe_action, observe_reward: what is seen. In the split "test-ood" rewards are noisier (noise 2).

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (
        *LifetimeTask.memory,
        "state",
        "clock",
        "done",
        "earned",
        "gain",
        "odds",
        "means",
        "plans",
        "planned",
    )
    ood: ClassVar[dict[str, Any]] = {"noise": 2.0}
    views: ClassVar[frozenset[str]] = frozenset(["observe_start", "observe_action", "observe_reward"])
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "reward"

    def __init__(
        self,
        slots: int = 1,
        *,
        states: int = 10,
        actions: int = 5,
        horizon: int = 10,
        noise: float = 1.0,
        steps: int = 100,
        observe_start: bool = True,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps)
        for name, value in {"states": states, "actions": actions, "horizon": horizon}.items():
            if value < 1:
                raise BadValue(f"{name} = {value} makes no decision process. Give a whole number, 1 or more.")
        if not 0.0 <= noise < np.inf:
            raise BadValue(f"noise = {noise} is not a standard deviation. Give a number, zero or above.")
        self.states, self.actions, self.horizon, self.noise = states, actions, horizon, noise
        self.state = np.zeros(slots, np.int64)
        self.clock = np.zeros(slots, np.int64)  # steps taken in this episode
        self.done = np.full(slots, NOTHING)  # the last action
        self.earned = np.zeros(slots)  # by the last step
        self.gain = np.zeros(slots)  # by this episode so far
        self.odds = np.zeros((slots, states, actions, states))  # of the next state being at most this one
        self.means = np.zeros((slots, states, actions))  # of the reward
        self.plans = np.zeros((slots, horizon, states), np.int64)  # the best action at each clock; made when asked for
        self.planned = np.zeros(slots, np.bool_)
        self.parts = Parts(
            state=Part(states),
            start=Part(1, on=observe_start),
            action=Part(actions, on=observe_action),
            reward=Part(1, PRIOR_MEAN - SEEN_REWARD, PRIOR_MEAN + SEEN_REWARD, observe_reward),
        )
        self.observation_space = self.parts.space
        self.action_space = spaces.Discrete(actions)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        pairs, states = self.states * self.actions, self.states
        luck = self.luck.take(rows, pairs * (states + 2))
        # Exponential numbers, divided by their sum, are a draw from the flat Dirichlet distribution.
        cut = pairs * states
        upto = np.cumsum(-np.log1p(-luck[:, :cut]).reshape(-1, self.states, self.actions, states), axis=-1)
        self.odds[rows] = upto / upto[..., -1:]
        means = PRIOR_MEAN + PRIOR_SD * gaussian(luck[:, cut : cut + pairs], luck[:, cut + pairs :])
        self.means[rows] = means.reshape(-1, self.states, self.actions)
        self.state[rows], self.clock[rows], self.done[rows] = 0, 0, NOTHING
        self.earned[rows] = self.gain[rows] = 0.0
        self.planned[rows] = False

    def step(self, actions: NDArray) -> Floats:
        begins = self.clock == 0
        rows = np.flatnonzero(begins & (self.done != NOTHING))
        if len(rows):
            self.next_trial(rows)
        luck = self.luck.take(self.every, 3)
        reward = self.means[self.every, self.state, actions]
        reward = reward + self.noise * gaussian(luck[:, 1].copy(), luck[:, 2].copy())
        there = np.count_nonzero(luck[:, :1] >= self.odds[self.every, self.state, actions], axis=1)
        clock = self.clock + 1
        ends = clock >= self.horizon
        self.gain = np.where(begins, reward, self.gain + reward)
        self.success = ends & (self.gain > PRIOR_MEAN * self.horizon)
        self.state, self.clock = np.where(ends, 0, there), np.where(ends, 0, clock)
        self.done, self.earned = actions.copy(), reward
        return reward.copy()

    def observe(self) -> NDArray[np.float32]:
        seen = self.parts.blank(self.slots)
        self.parts.mark(seen, "state", self.state)
        self.parts.put(seen, "start", self.clock == 0)
        self.parts.mark(seen, "action", self.done)
        shown = np.clip(self.earned, PRIOR_MEAN - SEEN_REWARD, PRIOR_MEAN + SEEN_REWARD)
        self.parts.put(seen, "reward", shown)
        return seen

    def transitions(self) -> Floats:
        """Probabilities of the next state, [N, S, A, S]."""
        return np.diff(self.odds, axis=-1, prepend=0.0)

    def task_vector(self) -> NDArray[np.float32]:
        """Mean reward of every state and action, [N, S A]."""
        return self.means.reshape(self.slots, -1).astype(np.float32)

    def task_known(self) -> NDArray[np.bool_]:
        """Where one episode is over, [N]: the process is never known altogether."""
        return (self.trial > 0) | ((self.clock == 0) & (self.done != NOTHING))

    def expert(self) -> NDArray[np.int64]:
        """The best action for what is left of the episode, [N], by value iteration in the true process."""
        rows = np.flatnonzero(~self.planned)
        if len(rows):
            self.plans[rows] = plan(self.transitions()[rows], self.means[rows], self.horizon)
            self.planned[rows] = True
        return self.plans[self.every, self.clock, self.state]

    def answer(self) -> dict[str, NDArray]:
        return {"transitions": self.transitions(), "rewards": self.means.copy()}

    def glimpse(self, slot: int) -> tuple[int, int, float, int, float]:
        """State, last action, last reward, steps into the episode, the episode's reward so far."""
        return (
            int(self.state[slot]),
            int(self.done[slot]),
            float(self.earned[slot]),
            int(self.clock[slot]),
            float(self.gain[slot]),
        )

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.mdp_view import draw_mdp

        draw_mdp(canvas, self, slot, history, references)


def gaussian(one: Floats, other: Floats) -> Floats:
    """Standard Gaussian numbers of two uniform ones in [0, 1) each (Box and Muller 1958)."""
    return np.sqrt(-2.0 * np.log1p(-one)) * np.cos(2.0 * np.pi * other)


def values(transitions: Floats, rewards: Floats, horizon: int) -> Floats:
    """What each action brings from then on if the best follow, [n, horizon, S, A], by backward induction.

    Args:
        transitions: [n, S, A, S]; rewards: [n, S, A], mean reward of a step.
        horizon: steps until the episode ends; entry h of the result has horizon - h steps left.
    """
    worth = np.empty((len(rewards), horizon, *rewards.shape[1:]))
    worth[:, -1] = rewards
    for h in range(horizon - 2, -1, -1):
        onward = worth[:, h + 1].max(axis=-1)
        worth[:, h] = rewards + (transitions * onward[:, None, None, :]).sum(axis=-1)
    return worth


def plan(transitions: Floats, rewards: Floats, horizon: int) -> NDArray[np.int64]:
    """The best actions, [n, horizon, S]; arguments as for `values`."""
    return values(transitions, rewards, horizon).argmax(axis=-1)
