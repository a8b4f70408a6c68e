"""What is Bayes-optimal in the bandits whose arms explain each other, and in the one with a known arm."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.bandit_players import Bools, Eyes, Floats, State, WinStay
from lsnn_rl.envs.bandits import Bandit, DependentBandit, GaussianBandit, InformativeBandit


class Majority:
    """The optimum of two dependent arms: pull the one for which more pulls spoke, by winning or by the other's losing.

    Both arms tell the same, so there is nothing to explore; and the chances lie evenly on both sides of one half, so
    the majority of the evidence is where the better arm is. Where the evidence is even, it takes arm 0.

    State: evidence [N], pulls that spoke for arm 0 less those against it.
    """

    def __init__(self, rules: DependentBandit, seed: int = 0) -> None:
        self._eyes = Eyes(rules)

    def initial_state(self, n: int) -> State:
        return {"evidence": np.zeros(n, np.int64)}

    def act(self, obs: NDArray, state: State, starts: Bools, deterministic: bool = True) -> tuple[NDArray, State]:
        arm, won = self._eyes.arm(obs), self._eyes.shown(obs) > 0.5
        spoke = np.where(won == (arm == 0), 1, -1) * (arm >= 0)
        evidence = state["evidence"] * ~starts + spoke
        return (evidence < 0).astype(np.int64), {"evidence": evidence}


class TryAll(WinStay):
    """Tries the ordinary arms of the informative bandit in turn until it meets the target, and stays there."""

    def choices(self, rules: Bandit) -> int:
        return rules.arms - 1


class AskFirst(TryAll):
    """The optimum of the informative bandit: pull the arm that tells, then the one it named, then stay there.

    Where the other arms pay almost as much as the target, trying them in turn earns more, and it does that. (What one
    more try gains over asking now does not depend on the time left, and grows with every arm that is ruled out: so
    nobody who tries first should ask later.)

    The last reward always says what to do next, so it remembers nothing.
    """

    def __init__(self, rules: InformativeBandit, seed: int = 0) -> None:
        super().__init__(rules, seed)
        self.rules, self.asks = rules, rules.steps > 1 and asking(rules) > trying(rules)

    def act(self, obs: NDArray, state: State, starts: Bools, deterministic: bool = True) -> tuple[NDArray, State]:
        if not self.asks:
            return super().act(obs, state, starts, deterministic)
        arm, shown = self._eyes.arm(obs), self._eyes.shown(obs)
        named = np.rint(shown / self.rules.hint).astype(np.int64) - 1
        found = shown >= np.float32(self.rules.good)
        return np.where(arm == self.rules.ordinary, named, np.where(found, arm, self.rules.ordinary)), state


def asking(rules: InformativeBandit) -> float:
    """What is earned on average by asking first."""
    return rules.hint * (rules.ordinary + 1) / 2 + (rules.steps - 1) * rules.target_reward


def trying(rules: InformativeBandit) -> float:
    """What is earned on average by trying the ordinary arms in turn."""
    misses = np.minimum(np.arange(rules.ordinary), rules.steps)  # before the target is met, by its number
    return float((misses * rules.other_reward + (rules.steps - misses) * rules.target_reward).mean())


class LookOnce:
    """Pulls the unknown arm of the Gaussian bandit for as long as its last pull paid: needs no memory but that."""

    def __init__(self, rules: GaussianBandit, seed: int = 0) -> None:
        self._eyes = Eyes(rules)

    def initial_state(self, n: int) -> State:
        return {}

    def act(self, obs: NDArray, state: State, starts: Bools, deterministic: bool = True) -> tuple[NDArray, State]:
        arm, shown = self._eyes.arm(obs), self._eyes.shown(obs)
        return ((arm < 0) | ((arm == 1) & (shown > 0))).astype(np.int64), state


class LearnOrLeave:
    """The optimum of the Gaussian bandit: pull the unknown arm while its estimated mean is above `bounds`.

    Once it pulls the known arm it learns nothing more, and the less time is left the less is knowledge worth: so it
    never returns.

    State: pulls and sum [N], of the unknown arm.
    """

    def __init__(self, rules: GaussianBandit, seed: int = 0) -> None:
        self.rules, self._eyes = rules, Eyes(rules)
        self.bounds, self.value = optimal_stopping(rules.steps, rules.prior_mean, rules.prior_sd, rules.pull_sd)

    def initial_state(self, n: int) -> State:
        return {"pulls": np.zeros(n, np.int64), "sum": np.zeros(n)}

    def act(self, obs: NDArray, state: State, starts: Bools, deterministic: bool = True) -> tuple[NDArray, State]:
        unknown = self._eyes.arm(obs) == 1
        pulls = state["pulls"] * ~starts + unknown
        total = state["sum"] * ~starts + unknown * self._eyes.shown(obs)
        precision, certainty = self.rules.prior_sd**-2, self.rules.pull_sd**-2
        mean = (precision * self.rules.prior_mean + certainty * total) / (precision + certainty * pulls)
        bound = self.bounds[np.minimum(pulls, self.rules.steps - 1)]
        return (mean > bound).astype(np.int64), {"pulls": pulls, "sum": total}


@lru_cache(maxsize=16)
def optimal_stopping(steps: int, prior_mean: float, prior_sd: float, pull_sd: float) -> tuple[Floats, float]:
    """When to give up an arm of unknown mean for one that pays nothing, and what the best plan earns.

    After t pulls the mean is believed to be normal around m with variance w(t) = 1 / (prior_sd^-2 + t pull_sd^-2), and
    one more pull moves m by a normal number of variance w(t) - w(t + 1). What is left to earn at age t is
        V(t, m) = max(0, m + E V(t + 1, m')),   V(steps, m) = 0,
    by numerical integration on a grid of m around zero, as wide as m can still move and finer than one pull moves it:
    beyond it V is straight. The bound is where both sides of the maximum are equal.

    Returns: the bounds [steps] by pulls made, and V(0, prior_mean).
    """
    width = 1.0 / (prior_sd**-2 + np.arange(steps + 1) * pull_sd**-2)  # w(t)
    spread = np.sqrt(width[:-1] - width[1:])
    step = np.linspace(-6.0, 6.0, 241)
    weight = np.exp(-0.5 * step**2)
    weight /= weight.sum()
    bounds, points = np.empty(steps), 128 * math.ceil(math.sqrt(steps)) + 1
    grid, value, left = np.array([-1.0, 1.0]), np.zeros(2), 0  # of the age above
    for t in range(steps - 1, -1, -1):
        here = np.append(np.sqrt(width[t] - width[steps]) * np.linspace(-6.0, 6.0, points), prior_mean)
        here.sort()
        there = here[:, None] + spread[t] * step
        # Far above the grid the arm is never given up, and every pull left pays m.
        later = np.interp(there, grid, value) + left * np.maximum(there - grid[-1], 0.0)
        gain = here + later @ weight
        bounds[t] = np.interp(0.0, gain, here)  # the gain rises with m
        grid, value, left = here, np.maximum(gain, 0.0), left + 1
    return bounds, float(np.interp(prior_mean, grid, value))
