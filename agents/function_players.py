"""Learners of functions: the own mean, a plane, a Gaussian process, a network trained on the way, the family's best.

They see what every agent sees, x and the previous target, and know the rules; what they learn in a lifetime is all in
their state. See `function_climbers.py` for those who climb a function.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.function_beliefs import Belief, State, constant, members, of_family, plane, smooth
from lsnn_rl.envs.function_families import Sines
from lsnn_rl.envs.functions import FunctionRegression
from lsnn_rl.errors import BadValue

Floats = NDArray[np.float64]


class _Pupil:
    """Finds x and the previous target in the observation, and turns predictions into actions."""

    def __init__(self, rules: FunctionRegression) -> None:
        if "target" not in rules.seen:
            raise BadValue(
                "observe_target = False was set; nobody can learn a function without being told. Leave it on."
            )
        self.family = rules.family
        self._x, self._target = rules.seen["x"], rules.seen["target"]

    def x(self, obs: NDArray) -> Floats:
        return obs[:, self._x].astype(np.float64)

    def target(self, obs: NDArray) -> Floats:
        return obs[:, self._target][:, 0].astype(np.float64)

    def action(self, prediction: Floats) -> NDArray[np.float32]:
        part = (prediction - self.family.lowest) / (self.family.highest - self.family.lowest)
        return np.clip(2.0 * part - 1.0, -1.0, 1.0)[:, None].astype(np.float32)


class _Learner:
    """Predicts what it expects, by a belief that each example corrects.

    State: mean [N, r] and cov [N, r, r] of the belief, x [N, D] (the place whose target is still to come).
    """

    def __init__(self, rules: FunctionRegression, belief: Belief) -> None:
        self._pupil, self.belief = _Pupil(rules), belief

    def initial_state(self, n: int) -> State:
        return {**self.belief.begin(n), "x": np.zeros((n, self._pupil.family.inputs))}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        after = self.belief.after(state, state["x"], self._pupil.target(obs), starts)
        after["x"] = self._pupil.x(obs)
        return self._pupil.action(self.belief.at(after, after["x"])), after


class OwnMean(_Learner):
    """Predicts the mean of this lifetime's targets so far, the family's before there are any."""

    def __init__(self, rules: FunctionRegression, seed: int = 0) -> None:
        middle = (rules.family.lowest + rules.family.highest) / 2.0
        super().__init__(rules, Belief(constant, np.array([middle]), np.array([[1e3]]), 1.0))


class Ridge(_Learner):
    """Ridge regression on x: the best plane through this lifetime's examples.

    pull: how much weight zero slopes have, in examples. Among 0.001, 0.003, ..., 10 on lifetimes 0 to 199 of the train
    split, target networks want next to none; for sines, which no plane fits, it makes no difference (3.46 to 3.50).
    """

    def __init__(self, rules: FunctionRegression, seed: int = 0, pull: float = 0.003) -> None:
        middle = (rules.family.lowest + rules.family.highest) / 2.0
        mean = np.array([middle, *[0.0] * rules.family.inputs])
        super().__init__(rules, Belief(plane, mean, np.eye(len(mean)) / pull, 1.0))


class SmoothLearner(_Learner):
    """A Gaussian process that knows only that the function is smooth.

    Kernel length, standard deviation and noise are from a grid of 16 (sines) and 30 (target networks), tried on
    lifetimes 0 to 99 of the train split; their neighbours did as well within a few per cent.
    """

    def __init__(self, rules: FunctionRegression, seed: int = 0) -> None:
        family = rules.family
        if isinstance(family, Sines):
            belief = smooth(family, length_scale=1.5, height=10.0, offset=0.0, noise=0.003)
        else:
            belief = smooth(family, length_scale=1.5, height=1.5, offset=0.5, noise=0.001)
        super().__init__(rules, belief)


class FamilyFit(_Learner):
    """Knows the family: the best linear estimate, given the family's own mean and covariance.

    For sines this is least squares for amplitude and phase, linear once written as a sum of sin x and cos x.
    """

    def __init__(self, rules: FunctionRegression, seed: int = 0) -> None:
        super().__init__(rules, of_family(rules.family))


class OneExample:
    """The best guess without memory: what members of the family whose value was just the last target have at x.

    It does not know where the last target belonged to. The expectation is taken in 40 classes of targets, over 20 000
    examples of functions of its own drawing.
    """

    def __init__(self, rules: FunctionRegression, seed: int = 0) -> None:
        self._pupil, family = _Pupil(rules), rules.family
        self._prior = of_family(family)
        weights, _ = members(family, 2000)
        weights = np.repeat(weights, 10, axis=0)
        places = np.random.default_rng(seed).uniform(family.low, family.high, (len(weights), family.inputs))
        targets = (self._prior.basis(places) * weights).sum(axis=1)
        self._edges = np.quantile(targets, np.linspace(0.0, 1.0, 41)[1:-1])
        classes = np.searchsorted(self._edges, targets)
        self._mean = np.stack([weights[classes == k].mean(axis=0) for k in range(40)])  # [40, r]

    def initial_state(self, n: int) -> State:
        return {}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        mean = self._mean[np.searchsorted(self._edges, self._pupil.target(obs))]
        mean = np.where(starts[:, None], self._prior.mean, mean)
        return self._pupil.action((self._prior.basis(self._pupil.x(obs)) * mean).sum(axis=1)), state


class BackpropNet:
    """A network D-10-1 (tanh) trained by backpropagation on the lifetime's examples, one step of descent each.

    Every lifetime begins with the same random weights, those into the hidden units up to `spread` / sqrt(D). rate and
    spread had the least error on lifetimes 0 to 199 of the train split, of rates 0.003 to 0.4 and spreads 0.5 to 8:
    0.06 and 8 for sines, 0.2 and 1 for target networks.

    State: the weights, into [N, 10, D], bias [N, 10], out [N, 10], offset [N]; x [N, D].
    """

    HIDDEN = 10

    def __init__(
        self, rules: FunctionRegression, seed: int = 0, rate: float | None = None, spread: float | None = None
    ) -> None:
        self._pupil, family = _Pupil(rules), rules.family
        best_rate, best_spread = (0.06, 8.0) if isinstance(family, Sines) else (0.2, 1.0)
        self.rate, spread = best_rate if rate is None else rate, best_spread if spread is None else spread
        luck, size = np.random.default_rng(seed), (self.HIDDEN, family.inputs)
        self._born = {
            "into": spread * luck.uniform(-1.0, 1.0, size) / family.inputs**0.5,
            "bias": spread * luck.uniform(-1.0, 1.0, self.HIDDEN),
            "out": luck.uniform(-1.0, 1.0, self.HIDDEN) / self.HIDDEN**0.5,
            "offset": np.zeros(()),
            "x": np.zeros(family.inputs),
        }

    def initial_state(self, n: int) -> State:
        return {name: np.tile(value, (n, *[1] * value.ndim)) for name, value in self._born.items()}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        family = self._pupil.family
        middle, half = (family.highest + family.lowest) / 2.0, (family.highest - family.lowest) / 2.0
        after = self._learn(state, (self._pupil.target(obs) - middle) / half)
        for name, weights in after.items():
            weights[starts] = self._born[name]
        x = self._pupil.x(obs)
        after["x"] = (2.0 * x - family.high - family.low) / (family.high - family.low)
        return self._pupil.action(middle + half * self._forward(after)[1]), after

    def _forward(self, state: State) -> tuple[Floats, Floats]:
        hidden = np.tanh((state["into"] * state["x"][:, None, :]).sum(axis=2) + state["bias"])
        return hidden, (hidden * state["out"]).sum(axis=1) + state["offset"]

    def _learn(self, state: State, target: Floats) -> State:
        hidden, output = self._forward(state)
        step = self.rate * (target - output)  # half the squared error, descended
        back = step[:, None] * state["out"] * (1.0 - hidden * hidden)
        return {
            "into": state["into"] + back[:, :, None] * state["x"][:, None, :],
            "bias": state["bias"] + back,
            "out": state["out"] + step[:, None] * hidden,
            "offset": state["offset"] + step,
        }
