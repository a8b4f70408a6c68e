"""Players of small random decision processes: they count what they see, imagine a process, and plan in it.

All know the prior: flat Dirichlet transitions, Gaussian rewards of known noise. They differ in the process they
imagine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.mdp import PRIOR_MEAN, PRIOR_SD, TabularMDP, values

State = dict[str, NDArray]


class PosteriorMean:
    """Plans in the process it expects, anew at every step, for what is left of the episode: greedy Bayes.

    State, all [N, ...]: counts [S, A, S] of transitions, visits and sums [S, A] of rewards, at (the state acted in),
    did (the action; -1 before the first), clock (steps into the episode), age.
    """

    def __init__(self, rules: TabularMDP, seed: int = 0) -> None:
        self.rules = rules
        self._luck = np.random.default_rng(seed)

    def initial_state(self, n: int) -> State:
        s, a = self.rules.states, self.rules.actions
        return {
            "counts": np.zeros((n, s, a, s)),
            "visits": np.zeros((n, s, a)),
            "sums": np.zeros((n, s, a)),
            "at": np.zeros(n, np.int64),
            "did": np.full(n, -1),
            "clock": np.zeros(n, np.int64),
            "age": np.zeros(n, np.int64),
        }

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        fresh = self.initial_state(len(obs))
        state = {
            name: np.where(starts.reshape(-1, *[1] * (old.ndim - 1)), fresh[name], old) if starts.any() else old.copy()
            for name, old in state.items()
        }
        self._learn(obs, state)
        every = np.arange(len(obs))
        worth = self.worth(state)[every, state["clock"], state["at"]]
        actions = worth.argmax(axis=1)
        state["did"], state["clock"] = actions, state["clock"] + 1
        state["age"] = state["age"] + 1
        return actions, state

    def _learn(self, obs: NDArray, state: State) -> None:
        """Count the last step. What an episode's last action led to is not seen: the next episode has begun."""
        rules = self.rules
        here, reward = rules.parts.which(obs, "state"), rules.parts.read(obs, "reward")[:, 0]
        ended = state["clock"] >= rules.horizon
        rows = np.flatnonzero(state["did"] >= 0)
        at, did = state["at"][rows], state["did"][rows]
        state["visits"][rows, at, did] += 1.0
        state["sums"][rows, at, did] += reward[rows]
        seen = ~ended[rows]
        state["counts"][rows[seen], at[seen], did[seen], here[rows[seen]]] += 1.0
        state["clock"] = np.where(ended, 0, state["clock"])
        state["at"] = here

    def rewards(self, state: State) -> tuple[NDArray, NDArray]:
        """Mean and standard deviation of what is believed about mean rewards, [N, S, A] each."""
        noise = max(self.rules.noise, 1e-6) ** 2
        share = 1.0 / (1.0 / PRIOR_SD**2 + state["visits"] / noise)
        return share * (PRIOR_MEAN / PRIOR_SD**2 + state["sums"] / noise), np.sqrt(share)

    def transitions(self, state: State) -> NDArray:
        """The expected transitions, [N, S, A, S]."""
        counts = state["counts"] + 1.0
        return counts / counts.sum(axis=-1, keepdims=True)

    def worth(self, state: State) -> NDArray:
        """What each action brings in the imagined process, [N, horizon, S, A]."""
        return values(self.transitions(state), self.rewards(state)[0], self.rules.horizon)


class Forgetful(PosteriorMean):
    """Learns within an episode and forgets it at the next: the most that memory of an episode brings."""

    def _learn(self, obs: NDArray, state: State) -> None:
        super()._learn(obs, state)
        again = state["clock"] == 0
        for name in ("counts", "visits", "sums"):
            state[name][again] = 0.0


class Optimist(PosteriorMean):
    """Adds a bonus to rewards it is not sure of, which fades as the lifetime ends: what is learned late is of no use.

    The bonus is `daring` standard deviations, times the share of the lifetime that is left. With the bonus of Kolter
    and Ng (2009), 1 / (1 + visits), the idea is called BEB.
    """

    def __init__(self, rules: TabularMDP, seed: int = 0, daring: float = 1.2) -> None:
        super().__init__(rules, seed)
        self.daring = daring

    def worth(self, state: State) -> NDArray:
        mean, deviation = self.rewards(state)
        left = np.maximum(1.0 - state["age"] / self.rules.steps, 0.0)
        bonus = self.daring * left[:, None, None] * deviation
        return values(self.transitions(state), mean + bonus, self.rules.horizon)


class PosteriorSampling(PosteriorMean):
    """Draws a process from what it believes at the start of every episode and plans in it (PSRL).

    Strens 2000; Osband, Russo and Van Roy 2013. State, besides: plan [N, horizon, S, A].
    """

    def initial_state(self, n: int) -> State:
        s, a = self.rules.states, self.rules.actions
        return {**super().initial_state(n), "plan": np.zeros((n, self.rules.horizon, s, a))}

    def worth(self, state: State) -> NDArray:
        rows = np.flatnonzero(state["clock"] == 0)
        if len(rows):
            mean, deviation = (part[rows] for part in self.rewards(state))
            drawn = self._luck.standard_gamma(state["counts"][rows] + 1.0)
            transitions = drawn / drawn.sum(axis=-1, keepdims=True)
            rewards = mean + deviation * self._luck.standard_normal(mean.shape)
            state["plan"][rows] = values(transitions, rewards, self.rules.horizon)
        return state["plan"]
