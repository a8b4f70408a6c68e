"""Players of the two-step task and of Harlow's pairs, and what their choices betray.

They see what every agent sees and know the rules (probabilities, sizes), never which state or object is the good one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.contract import Agent, let_watch
from lsnn_rl.envs.decisions import CHOICE, FIRST, REST, Harlow, TwoStep
from lsnn_rl.errors import ShapeMismatch

State = dict[str, NDArray]


class BayesFilter:
    """Keeps the probability that state A is the better one, and chooses what usually leads to the likelier state.

    Nothing does better: both choices bring equally good evidence, so there is no point in trying out.

    State: belief [N], probability that A is better; visited [N], the state of this trial.
    """

    def __init__(self, rules: TwoStep, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        return {"belief": np.full(n, 0.5), "visited": np.full(n, FIRST)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        rules, stage = self.rules, self.rules.parts.which(obs, "stage")
        belief = np.where(starts, 0.5, state["belief"])
        paid = rules.parts.read(obs, "reward")[:, 0] > 0.5
        outcome = (stage == REST) & ~starts
        belief = np.where(outcome, self.weigh(belief, state["visited"] == FIRST, paid), belief)
        visited = np.where(stage >= FIRST, stage, state["visited"])
        actions = ((stage == CHOICE) & (belief < 0.5)).astype(np.int64)
        return actions, {"belief": belief, "visited": visited}

    def weigh(self, belief: NDArray, in_a: NDArray[np.bool_], paid: NDArray[np.bool_]) -> NDArray:
        """The belief at the next choice: Bayes' rule for an outcome, then the chance that the states changed roles."""
        high, low, switch = self.rules.high, self.rules.low, self.rules.switch
        as_better, as_worse = np.where(paid, high, 1.0 - high), np.where(paid, low, 1.0 - low)
        for_a = belief * np.where(in_a, as_better, as_worse)
        for_b = (1.0 - belief) * np.where(in_a, as_worse, as_better)
        sure = for_a + for_b
        belief = np.where(sure > 0.0, for_a / np.where(sure > 0.0, sure, 1.0), 0.5)  # the rules exclude sum zero
        return belief * (1.0 - switch) + (1.0 - belief) * switch


class LastOutcome(BayesFilter):
    """Has the same model and remembers one trial only: back to where it was paid, away from where it was not."""

    def weigh(self, belief: NDArray, in_a: NDArray[np.bool_], paid: NDArray[np.bool_]) -> NDArray:
        return super().weigh(np.full_like(belief, 0.5), in_a, paid)


class ModelFree:
    """Repeats a choice that was rewarded and changes one that was not, whatever state it led to.

    State: choice [N], the last one.
    """

    def __init__(self, rules: TwoStep, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        return {"choice": np.zeros(n, np.int64)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        choice = np.where(starts, 0, state["choice"])
        stage = self.rules.parts.which(obs, "stage")
        paid = self.rules.parts.read(obs, "reward")[:, 0] > 0.5
        choice = np.where((stage == REST) & ~starts & ~paid, 1 - choice, choice)
        return np.where(stage == CHOICE, choice, 0), {"choice": choice}


class OneLook:
    """Guesses at the first sight of a pair, and from then on goes to the right object: all that can be done.

    State: good [N, features], the object known to be right; left, right [N, features], last seen; walked [N].
    """

    def __init__(self, rules: Harlow, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        features = self.rules.features
        return {
            **{name: np.full((n, features), np.inf) for name in ("good", "left", "right")},  # like no object
            "walked": np.zeros(n, np.int64),
        }

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        parts, blank = self.rules.parts, starts[:, None]
        resting = parts.read(obs, "rest")[:, 0] > 0.5
        paid = parts.read(obs, "reward")[:, 0] > 0.5
        good, left, right = (np.where(blank, np.inf, state[name]) for name in ("good", "left", "right"))
        # The right object is the one reached with reward, or the one not reached without.
        is_right = (state["walked"] == 1) == paid
        outcome = resting & ~starts
        good = np.where(outcome[:, None], np.where(is_right[:, None], right, left), good)
        seen_left, seen_right = parts.read(obs, "left"), parts.read(obs, "right")
        left = np.where(resting[:, None], left, seen_left)
        right = np.where(resting[:, None], right, seen_right)
        goes_left = ~resting & (good == left).all(axis=1)  # else the right one, or a guess
        walked = np.where(goes_left, 0, 1)
        return walked, {"good": good, "left": left, "right": right, "walked": walked}


class StraightOn:
    """Walks to the right end, always: as many trials as can be had, each a guess. The most without memory."""

    def __init__(self, rules: Harlow, seed: int = 0) -> None:
        pass

    def initial_state(self, n: int) -> State:
        return {}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        return np.ones(len(obs), np.int64), state


class StaySignature(NamedTuple):
    """How often the first choice of a trial is repeated in the next one, by what had happened.

    Attributes:
        stays: [2, 2], rows: not rewarded, rewarded; columns: rare, common transition. NaN where there was no trial.
        reward_effect: how much more often a choice is repeated after reward: what a model-free learner shows.
        interaction: how much more that is so after common than after rare transitions: what a model shows; between
            -2 and 2.
    """

    stays: NDArray[np.float64]
    reward_effect: float
    interaction: float


def stay_signature(choices: NDArray, states: NDArray, rewards: NDArray) -> StaySignature:
    """The signature of Daw et al. 2011 in trials of the two-step task.

    Args:
        choices: 0 or 1, [K, N]: K trials in a row of N lifetimes.
        states: that the choice led to, 0 (A, usual after choice 0) or 1 (B), [K, N].
        rewards: of the trial, [K, N].

    >>> choices, states, rewards = np.array([[0], [0], [1]]), np.array([[0], [1], [1]]), np.array([[1], [1], [0]])
    >>> stay_signature(choices, states, rewards).stays.tolist()  # stayed after common reward, left after a rare one
    [[nan, nan], [0.0, 1.0]]
    """
    if not choices.shape == states.shape == rewards.shape or choices.ndim != 2:
        shapes = [list(np.shape(array)) for array in (choices, states, rewards)]
        raise ShapeMismatch(f"choices, states and rewards have shapes {shapes}. Give three arrays [trials, lifetimes].")
    stayed, common, paid = choices[1:] == choices[:-1], choices[:-1] == states[:-1], rewards[:-1] > 0
    stays = np.full((2, 2), np.nan)
    for row in (0, 1):
        for column in (0, 1):
            chosen = stayed[(paid == bool(row)) & (common == bool(column))]
            if len(chosen):
                stays[row, column] = chosen.mean()
    after_rare, after_common = stays[1] - stays[0]
    return StaySignature(stays, float((after_rare + after_common) / 2), float(after_common - after_rare))


def two_step_trials(
    agent: Agent, lifetimes: int = 100, split: str = "test", **settings: Any
) -> tuple[NDArray, NDArray, NDArray]:
    """Whole trials of an agent in LSNNTwoStep-v0: choices, states and rewards, each [trials, lifetimes].

    They are what `stay_signature` wants.
    """
    env = gym.make_vec("LSNNTwoStep-v0", num_envs=lifetimes, split=split, **settings)
    rules: TwoStep = env.unwrapped.task  # type: ignore[attr-defined]
    obs, _ = env.reset(options={"lifetimes": np.arange(lifetimes)})
    let_watch(agent, env)
    state, starts = agent.initial_state(lifetimes), np.ones(lifetimes, np.bool_)
    steps = []
    for _ in range(3 * (rules.steps // 3)):  # all lifetimes are in the same stage
        stage = rules.stage.copy()
        actions, state = agent.act(obs, state, starts)
        starts = np.zeros(lifetimes, np.bool_)
        obs, reward, *_ = env.step(actions)
        steps.append((np.asarray(actions), stage - FIRST, reward))
    env.close()
    choices, states, rewards = (np.stack(column) for column in zip(*steps, strict=True))
    return choices[1::3], states[2::3], rewards[2::3]
