"""Players of bandits with independent arms: they count wins and losses and go by a number for each arm.

They see what every agent sees, the arm pulled last and what it showed, and know the rules: how many arms and pulls
there are, and how chances are drawn. Among arms of equal number they take the first, unless said otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.bandits import Bandit, BernoulliBandit, GaussianBandit, InformativeBandit
from lsnn_rl.errors import BadValue

State = dict[str, NDArray]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Eyes:
    """Finds the last pull in the observation."""

    def __init__(self, rules: Bandit) -> None:
        for name in ("observe_action", "observe_reward"):
            if not getattr(rules, name):
                raise BadValue(
                    f"{name} = False was set; this player cannot do without it. Leave it on, or choose another agent."
                )
        self._arms = rules.arms

    def pulled(self, obs: NDArray) -> Floats:
        """One-hot, [N, K]; zeros where nothing was pulled yet."""
        return obs[:, : self._arms].astype(np.float64)

    def arm(self, obs: NDArray) -> NDArray[np.int64]:
        """[N], -1 where nothing was pulled yet."""
        pulled = self.pulled(obs)
        return np.where(pulled.any(axis=1), pulled.argmax(axis=1), -1)

    def shown(self, obs: NDArray) -> Floats:
        """What the last pull showed, [N]."""
        return obs[:, -1].astype(np.float64)


class Counter:
    """Counts wins and losses; a subclass says what number an arm has. The arm with the highest is pulled.

    State: wins and losses [N, K], age [N] (pulls seen).
    """

    def __init__(self, rules: BernoulliBandit, seed: int = 0) -> None:
        self.rules, self._eyes = rules, Eyes(rules)
        self._luck = np.random.default_rng(seed)

    def initial_state(self, n: int) -> State:
        nothing = np.zeros((n, self.rules.arms))
        return {"wins": nothing, "losses": nothing.copy(), "age": np.zeros(n, np.int64)}

    def act(self, obs: NDArray, state: State, starts: Bools, deterministic: bool = True) -> tuple[NDArray, State]:
        pulled, won = self._eyes.pulled(obs), self._eyes.shown(obs)[:, None] > 0.5
        kept = ~starts[:, None]
        wins = state["wins"] * kept + pulled * won
        losses = state["losses"] * kept + pulled * ~won
        age = state["age"] * ~starts + pulled.any(axis=1)
        return self.numbers(wins, losses, age).argmax(axis=1), {"wins": wins, "losses": losses, "age": age}

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        """One number per arm, [N, K]."""
        raise NotImplementedError(f"{type(self).__name__} has no numbers(). Write it as in Greedy.")

    def posterior(self, wins: Floats, losses: Floats) -> tuple[Floats, Floats]:
        """Both parameters of each arm's Beta distribution, given what was seen."""
        return self.rules.prior_wins + wins, self.rules.prior_losses + losses


class Greedy(Counter):
    """The arm that wins most often by all that is known: never a pull for knowledge's sake.

    Luck decides among equals: an arm that won once and lost once is worth as much as one never pulled.
    """

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        a, b = self.posterior(wins, losses)
        return a / (a + b) + 1e-9 * self._luck.random(a.shape)


class UCB1(Counter):
    """Upper confidence bounds, mean + c sqrt(2 ln t / pulls), every arm once at first (Auer et al. 2002).

    c: 1 in the theory; of 0.05, 0.1, 0.15, 0.2, 0.3, 0.5 and 1, 0.1 was best in 4,000 or more train lifetimes of 10
    arms and 100 pulls (0.2: 0.5 wins fewer; 1: 18 fewer).
    """

    def __init__(self, rules: BernoulliBandit, seed: int = 0, c: float = 0.1) -> None:
        super().__init__(rules, seed)
        self.c = c

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        pulls = wins + losses
        bonus = self.c * np.sqrt(2.0 * np.log(np.maximum(age, 1))[:, None] / np.maximum(pulls, 1.0))
        return np.where(pulls > 0, wins / np.maximum(pulls, 1.0) + bonus, np.inf)


class BayesUCB(Counter):
    """Posterior mean and `width` posterior standard deviations (after Kaufmann et al. 2012).

    width: of 0.7, 1, 1.3, 1.5 and 2, 1.3 was best in 4,000 or more train lifetimes of 10 arms and 100 pulls (1: 0.5
    wins fewer; 2: 3 fewer). Longer lifetimes ask for more: 1.5 at 200 pulls.
    """

    def __init__(self, rules: BernoulliBandit, seed: int = 0, width: float = 1.3) -> None:
        super().__init__(rules, seed)
        self.width = width

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        a, b = self.posterior(wins, losses)
        mean = a / (a + b)
        return mean + self.width * np.sqrt(mean * (1.0 - mean) / (a + b + 1.0))


class Thompson(Counter):
    """The arm that is best in one draw from what is believed (Thompson 1933)."""

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        return self._luck.beta(*self.posterior(wins, losses))


class OptimisticThompson(Counter):
    """Thompson sampling whose draws never fall below the mean (May et al. 2012)."""

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        a, b = self.posterior(wins, losses)
        return np.maximum(self._luck.beta(a, b), a / (a + b))


class WinStay:
    """Stays with an arm whose last pull was a success, else goes on to the next: needs no memory but its last pull."""

    def __init__(self, rules: Bandit, seed: int = 0) -> None:
        self._eyes, self._good, self._arms = Eyes(rules), rules.good, self.choices(rules)

    def choices(self, rules: Bandit) -> int:
        """How many arms are gone through, from the first on."""
        return rules.arms

    def initial_state(self, n: int) -> State:
        return {}

    def act(self, obs: NDArray, state: State, starts: Bools, deterministic: bool = True) -> tuple[NDArray, State]:
        arm = self._eyes.arm(obs)
        stays = (arm >= 0) & (obs[:, -1] >= np.float32(self._good))
        return np.where(stays, arm, (arm + 1) % self._arms), state


class Innate:
    """Pulls the arm that is best before anything is seen, and learns nothing."""

    def __init__(self, rules: Any, seed: int = 0) -> None:
        self._arm = 0
        if isinstance(rules, GaussianBandit):
            self._arm = int(rules.prior_mean > 0)
        if isinstance(rules, InformativeBandit):  # an ordinary arm against the one that tells
            ordinary = rules.other_reward + (rules.target_reward - rules.other_reward) / rules.ordinary
            self._arm = 0 if ordinary >= rules.hint * (rules.ordinary + 1) / 2 else rules.ordinary

    def initial_state(self, n: int) -> State:
        return {}

    def act(self, obs: NDArray, state: State, starts: Bools, deterministic: bool = True) -> tuple[NDArray, State]:
        return np.full(len(obs), self._arm), state
