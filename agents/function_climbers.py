"""Climbers of functions: greedy, optimistic, sampling; those who know the parabola; one who stays where it pays.

They see what every agent sees, the last place and what it paid, and know the rules.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.function_beliefs import State, of_family
from lsnn_rl.envs.function_bandits import FunctionBandit
from lsnn_rl.errors import BadValue

Floats = NDArray[np.float64]
_LEAPS = {1: (0.6180339887,), 2: (0.7548776662, 0.5698402910)}  # irrational parts of one and of two ranges


class _Puller:
    """Finds the last pull in the observation, and turns places into actions."""

    def __init__(self, rules: FunctionBandit) -> None:
        for name, part in {"x": "observe_action", "reward": "observe_reward"}.items():
            if name not in rules.seen:
                raise BadValue(
                    f"{part} = False was set; this climber cannot do without it. Leave it on, or choose another agent."
                )
        self.family, self.noise = rules.family, rules.noise
        self._x, self._reward = rules.seen["x"], rules.seen["reward"]

    def x(self, obs: NDArray) -> Floats:
        return obs[:, self._x].astype(np.float64)

    def reward(self, obs: NDArray) -> Floats:
        return obs[:, self._reward][:, 0].astype(np.float64)

    def action(self, x: Floats) -> NDArray[np.float32]:
        part = (x - self.family.low) / (self.family.high - self.family.low)
        return np.clip(2.0 * part - 1.0, -1.0, 1.0).astype(np.float32)


class _Climber:
    """Believes, like one who knows the family (see `function_beliefs.of_family`), and pulls a place of a grid.

    The Gaussian process has its true kernel, other families their own mean and covariance.
    State: mean [N, r] and cov [N, r, r] of the belief.
    """

    def __init__(self, rules: FunctionBandit, seed: int = 0) -> None:
        self._puller = _Puller(rules)
        self.belief = of_family(rules.family, rules.noise)
        self.places = rules.family.places(101 if rules.family.inputs == 1 else 21)  # [M, D]
        self._basis = self.belief.basis(self.places)
        self._luck = np.random.default_rng(seed)

    def initial_state(self, n: int) -> State:
        return self.belief.begin(n)

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        after = self.belief.after(state, self._puller.x(obs), self._puller.reward(obs), starts)
        return self._puller.action(self.places[self._worth(after).argmax(axis=1)]), after

    def _worth(self, state: State) -> Floats:
        """Of every place, [N, M]; the highest is pulled."""
        raise NotImplementedError(f"{type(self).__name__} has no _worth(). Write it as in Greedy.")


class Greedy(_Climber):
    """Pulls the place of the highest expectation; among equals, any."""

    def _worth(self, state: State) -> Floats:
        mean = state["mean"] @ self._basis.T
        return mean + 1e-6 * self._luck.random(mean.shape)


class UCB(_Climber):
    """Pulls the place of the highest expectation plus `beta` standard deviations (GP-UCB)."""

    beta = 2.0

    def _worth(self, state: State) -> Floats:
        mean, deviation = self.belief.over(state, self._basis)
        return mean + self.beta * deviation


class Thompson(_Climber):
    """Draws a function from its belief and pulls that function's highest place (GP-TS)."""

    def _worth(self, state: State) -> Floats:
        return self.belief.draw(state, self._basis, self._luck)


class WinStay:
    """Stays where it pays, and leaps elsewhere if not: all that the last pull alone allows.

    It begins where the family is highest on average. A leap goes on from the last place by an irrational part of the
    range, around its end, so that leaps never meet and soon have been everywhere. How much must be paid to stay was
    chosen among 16 levels on 500 functions of its own drawing.
    """

    def __init__(self, rules: FunctionBandit, seed: int = 0) -> None:
        self._puller, family = _Puller(rules), rules.family
        belief = of_family(family)
        places = family.places(101 if family.inputs == 1 else 21)
        average = belief.basis(places) @ belief.mean
        self.first = places[average.argmax()] if np.ptp(average) > 0.02 else np.full(family.inputs, places.mean())
        self._leap = (family.high - family.low) * np.array(_LEAPS[family.inputs])
        self.level = self._best_level(rules.steps, np.random.default_rng(seed))

    def _best_level(self, steps: int, luck: np.random.Generator) -> float:
        family = self._puller.family
        functions = family.sample(luck, 500)
        anywhere = luck.uniform(family.low, family.high, (500, 40, family.inputs))
        levels = np.quantile(family.value(functions, anywhere), np.linspace(0.0, 0.99, 16))
        levels[0] = -math.inf  # never leap
        paid = []
        for level in levels:
            x, total = np.tile(self.first, (500, 1)), 0.0
            for _ in range(steps):
                value = family.value(functions, x)
                total += value.mean()
                x = self._next(x, value + self._puller.noise * luck.standard_normal(500), level)
            paid.append(total)
        return float(levels[int(np.argmax(paid))])

    def _next(self, x: Floats, reward: Floats, level: float) -> Floats:
        low, high = self._puller.family.low, self._puller.family.high
        return np.where((reward >= level)[:, None], x, low + np.remainder(x + self._leap - low, high - low))

    def initial_state(self, n: int) -> State:
        return {}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        x = self._next(self._puller.x(obs), self._puller.reward(obs), self.level)
        return self._puller.action(np.where(starts[:, None], self.first, x)), state


class FormAware:
    """Knows that it climbs -(x - c)^2: looks at 0, which tells |c|, tries a side, and is on the top.

    It keeps the exact belief about c on a grid; with noise it pulls the likeliest top. State: log_belief [N, M].
    """

    first = 0.0

    def __init__(self, rules: FunctionBandit, seed: int = 0) -> None:
        self._puller = _Puller(rules)
        self.tops = np.linspace(-1.0, 1.0, 4001)
        spacing = self.tops[1] - self.tops[0]
        self._blur = math.hypot(rules.noise, 2.0 * spacing)  # the grid itself is worth some noise

    def initial_state(self, n: int) -> State:
        return {"log_belief": np.zeros((n, len(self.tops)))}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        surprise = self._puller.reward(obs)[:, None] + (self._puller.x(obs) - self.tops) ** 2
        log_belief = state["log_belief"] - 0.5 * (surprise / self._blur) ** 2
        log_belief -= log_belief.max(axis=1, keepdims=True)
        log_belief[starts] = 0.0
        x = np.where(starts, self.first, self._top(log_belief))
        return self._puller.action(x[:, None]), {"log_belief": log_belief}

    def _top(self, log_belief: Floats) -> Floats:
        return self.tops[log_belief.argmax(axis=1)]


class Probing(FormAware):
    """Knows that it climbs -(x - c)^2, and looks as cheaply as can be.

    Without noise it is the best there is, up to the grid: a first look at 2 - sqrt(3) (at 0 if it is the only one); if
    c may then be on either side, a second look just far enough from the middle to tell which. In general: the expected
    top, plus a probe as long as tells values at one standard deviation to either side apart by four of noise, but at
    most that deviation. (With noise as large as the values themselves, 1 and more, that is no longer worth it.)
    """

    def __init__(self, rules: FunctionBandit, seed: int = 0) -> None:
        super().__init__(rules, seed)
        self.first = 2.0 - math.sqrt(3.0) if rules.steps > 1 else 0.0

    def _top(self, log_belief: Floats) -> Floats:
        weight = np.exp(log_belief)
        weight /= weight.sum(axis=1, keepdims=True)
        mean = (weight * self.tops).sum(axis=1)
        deviation = np.sqrt((weight * (self.tops - mean[:, None]) ** 2).sum(axis=1))
        return mean + np.minimum(deviation, self._blur / np.maximum(deviation, 1e-12))
