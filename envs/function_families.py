"""Families of functions that are drawn anew for every lifetime: sines, small networks, Gaussian processes, parabolas.

A family turns uniform numbers into functions, n at a time, and evaluates them. Worlds and supervised tasks share them:
the same numbers give the same functions everywhere. Nothing here needs more than numpy.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue, unknown_name

Floats = NDArray[np.float64]


class Family:
    """Functions from the cube [low, high]^inputs to [lowest, highest]; n functions, P parameters, D inputs.

    Attributes:
        inputs: D.
        low, high: ends of every input.
        lowest, highest: ends of the values (of a Gaussian process: one function in a thousand goes beyond).
        close: a value that near to the wanted one is as good as it.
        luck: how many uniform numbers make one function.

    >>> family = Sines()
    >>> waves = family.sample(np.random.default_rng(0), 3)
    >>> family.value(waves, np.zeros((3, 100, 1))).shape
    (3, 100)
    """

    inputs: int = 1
    low: float = -1.0
    high: float = 1.0
    lowest: float = 0.0
    highest: float = 1.0
    close: float = 0.05
    luck: int
    parameters: int

    def draw(self, luck: Floats) -> Floats:
        """Functions made of uniform numbers [n, luck]: their parameters, [n, P]."""
        raise NotImplementedError(f"{type(self).__name__} has no draw(). Write it as in Sines.")

    def value(self, parameters: Floats, x: Floats) -> Floats:
        """Values at x [n, ..., D], one row of places per function: [n, ...]."""
        flat = x.reshape(len(x), -1, self.inputs)
        return self._value(parameters, flat).reshape(x.shape[:-1])

    def _value(self, parameters: Floats, x: Floats) -> Floats:
        """[n, P] and [n, K, D] to [n, K]. Bits must depend on the own row only: no matrix product across rows."""
        raise NotImplementedError(f"{type(self).__name__} has no _value(). Write it as in Sines.")

    def peak(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Where every function is highest, [n, D], and how high, [n]."""
        raise NotImplementedError(f"{type(self).__name__} has no peak(). Write it as in Sines.")

    def describe(self, parameters: Floats) -> NDArray[np.float32]:
        """The numbers that tell a function from others, [n, V], natural units."""
        return parameters.astype(np.float32)

    def sample(self, generator: np.random.Generator, n: int) -> Floats:
        """Parameters of n functions, [n, P]."""
        return self.draw(generator.random((n, self.luck)))

    def places(self, per_axis: int) -> Floats:
        """A regular grid over the inputs, both ends included, [per_axis ** D, D]."""
        axis = np.linspace(self.low, self.high, per_axis)
        return np.stack(np.meshgrid(*[axis] * self.inputs, indexing="ij"), axis=-1).reshape(-1, self.inputs)


class Sines(Family):
    """y = A sin(phi + x) on [-5, 5]; A and phi uniform. Bellec et al. 2018, second family of learning from a teacher.

    >>> family = Sines()
    >>> family.value(np.array([[2.0, 0.0]]), np.array([[np.pi / 2]])).tolist()
    [2.0]
    """

    low, high, lowest, highest, close = -5.0, 5.0, -5.0, 5.0, 0.25
    luck = parameters = 2

    def __init__(
        self,
        least_amplitude: float = 0.1,
        most_amplitude: float = 5.0,
        least_phase: float = 0.0,
        most_phase: float = math.pi / 2,
    ) -> None:
        if not 0 <= least_amplitude <= most_amplitude <= self.highest:
            raise BadValue(
                f"Amplitudes from {least_amplitude} to {most_amplitude} were asked for, values must stay in -5 to 5. "
                "Give 0 <= least_amplitude <= most_amplitude <= 5."
            )
        if not -math.inf < least_phase <= most_phase < math.inf:
            raise BadValue(f"Phases from {least_phase} to {most_phase} are no range. Give radians, the lesser first.")
        self.amplitudes, self.phases = (least_amplitude, most_amplitude), (least_phase, most_phase)

    def draw(self, luck: Floats) -> Floats:
        low, high = np.array([self.amplitudes, self.phases]).T
        return low + (high - low) * luck

    def _value(self, parameters: Floats, x: Floats) -> Floats:
        return parameters[:, :1] * np.sin(parameters[:, 1:] + x[:, :, 0])

    def peak(self, parameters: Floats) -> tuple[Floats, Floats]:
        x = np.remainder(1.5 * np.pi - parameters[:, 1:], 2.0 * np.pi) - np.pi  # the top nearest to 0
        return x, parameters[:, 0].copy()


class TargetNetworks(Family):
    """Random networks 2-10-1 on [-1, 1]^2, values in [0, 1]: the paper's first family of learning from a teacher.

    Weights and biases are uniform in [-weight_range, weight_range]; the output is linear and scaled so that, on a grid
    of 21 x 21 places, this very network's values reach from exactly 0 to exactly 1 (between places a value may be cut,
    by less than a thousandth). Scaled all alike, most networks would be nearly constant: within-task variance 0.0004
    instead of 0.06. The output's own bias would vanish in the scaling and is left out.

    Args: hidden: "sigmoid" or "tanh"; weight_range: 1 is the paper's, and nearly linear; 3 is clearly curved.
    """

    inputs, close = 2, 0.05
    HIDDEN: ClassVar[int] = 10
    luck = 4 * HIDDEN
    parameters = 4 * HIDDEN + 4

    def __init__(self, hidden: str = "sigmoid", weight_range: float = 1.0) -> None:
        if hidden not in ("sigmoid", "tanh"):
            raise unknown_name("hidden non-linearity", hidden, ("sigmoid", "tanh"))
        if not 0 < weight_range < math.inf:
            raise BadValue(f"weight_range = {weight_range} is not a range. Give a positive number; the paper has 1.")
        self.hidden, self.weight_range = hidden, weight_range
        self._grid, self._axis = self.places(21), np.linspace(self.low, self.high, 21)

    def draw(self, luck: Floats) -> Floats:
        weights = self.weight_range * (2.0 * luck - 1.0)
        lowest, highest = np.empty((2, len(luck)), np.intp)  # which place of the grid
        for start in range(0, len(luck), 64):  # a few at a time stay in the processor's cache
            raw = self._over_the_grid(weights[start : start + 64])
            lowest[start : start + 64], highest[start : start + 64] = raw.argmin(axis=1), raw.argmax(axis=1)
        ends = self._raw(weights, np.stack([self._grid[lowest], self._grid[highest]], axis=1))
        least, scale = ends[:, :1], 1.0 / (ends[:, 1:] - ends[:, :1])
        return np.concatenate([weights, least, scale, self._grid[highest]], axis=1)

    def _over_the_grid(self, weights: Floats) -> Floats:
        """What rises and falls as the raw values at all places of the grid do, [n, places].

        exp(-(u + v)) is exp(-u) exp(-v): one exponential for each line of the grid, not for each place. tanh(z) is
        2 / (1 + exp(-2 z)) - 1, and the same holds.
        """
        first, second, bias, out = weights.reshape(-1, 4, 1, self.HIDDEN).swapaxes(0, 1)
        steep = 2.0 if self.hidden == "tanh" else 1.0
        across = np.exp(-np.clip(steep * first * self._axis[:, None], -300.0, 300.0))  # [n, axis, hidden]
        along = np.exp(-np.clip(steep * (second * self._axis[:, None] + bias), -300.0, 300.0))
        raw = np.zeros((len(weights), len(self._axis), len(self._axis)))
        for unit in range(self.HIDDEN):
            raw += out[:, :, unit, None] / (1.0 + across[:, :, None, unit] * along[:, None, :, unit])
        return raw.reshape(len(weights), -1)

    def _value(self, parameters: Floats, x: Floats) -> Floats:
        raw = self._raw(parameters, x)
        return np.clip((raw - parameters[:, 40, None]) * parameters[:, 41, None], 0.0, 1.0)

    def _raw(self, parameters: Floats, x: Floats) -> Floats:
        first, second, bias, out = parameters[:, :40].reshape(-1, 4, 1, self.HIDDEN).swapaxes(0, 1)
        drive = x[:, :, :1] * first + x[:, :, 1:] * second + bias  # [n, K, hidden]
        active = np.tanh(drive) if self.hidden == "tanh" else 1.0 / (1.0 + np.exp(-drive))
        return (active * out).sum(axis=-1)

    def peak(self, parameters: Floats) -> tuple[Floats, Floats]:
        return parameters[:, 42:].copy(), np.ones(len(parameters))

    def describe(self, parameters: Floats) -> NDArray[np.float32]:
        """Values at the corners, the middles of the edges and the centre, [n, 9].

        The weights would not do: permuted hidden units make the same function.
        """
        places = np.broadcast_to(self.places(3), (len(parameters), 9, 2))
        return self._value(parameters, places).astype(np.float32)


class GaussianProcess(Family):
    """Draws from a Gaussian process on [0, 1]: mean 0, variance 1, kernel exp(-(x - x')^2 / (2 length_scale^2)).

    A draw is exact up to rounding on a grid of 201 places, and straight in between (which misses a typical smooth draw
    by less than 0.0002 at length scale 0.2, 0.0006 at 0.1); its highest point is therefore a grid point, known exactly.
    No matrix is factorised: the kernel is a sum of products of known functions, see `rbf_features`.

    Args: length_scale: at least 0.02, below which 201 places are too few.
    """

    low, high, lowest, highest, close = 0.0, 1.0, -4.0, 4.0, 0.1
    parameters = 201

    def __init__(self, length_scale: float = 0.2) -> None:
        if not 0.02 <= length_scale < math.inf:
            raise BadValue(f"length_scale = {length_scale} cannot be drawn on 201 places. Give 0.02 or more.")
        self.length_scale = length_scale
        self._features = self.features(self.places(self.parameters), 1e-12).T  # [terms, places]
        self.luck = 2 * len(self._features)

    def features(self, x: Floats, left: float) -> Floats:
        """Functions whose products sum to the kernel, [..., K]; what they miss of the variance is at most `left`."""
        from_middle = (x[..., 0] - 0.5) / self.length_scale
        return np.stack(rbf_features(from_middle, rbf_terms(0.5 / self.length_scale, left)), axis=-1)

    def draw(self, luck: Floats) -> Floats:
        normal = gaussian(luck)
        values = np.zeros((len(luck), self.parameters))
        for k, feature in enumerate(self._features):
            values += normal[:, k, None] * feature
        return values

    def _value(self, parameters: Floats, x: Floats) -> Floats:
        place = np.clip(x[:, :, 0], 0.0, 1.0) * (self.parameters - 1)
        left = np.minimum(place.astype(np.intp), self.parameters - 2)
        before, after = (np.take_along_axis(parameters, left + k, axis=1) for k in (0, 1))
        return before + (after - before) * (place - left)

    def peak(self, parameters: Floats) -> tuple[Floats, Floats]:
        best = parameters.argmax(axis=1)
        return (best / (self.parameters - 1.0))[:, None], parameters.max(axis=1)

    def describe(self, parameters: Floats) -> NDArray[np.float32]:
        """Values at 0, 0.1, ..., 1, [n, 11]."""
        return parameters[:, ::20].astype(np.float32)


class Parabolas(Family):
    """y = -(x - c)^2 on [-1, 1], c uniform there. Hochreiter, Younger and Conwell 2001."""

    lowest, highest, close = -4.0, 0.0, 0.01
    luck = parameters = 1

    def draw(self, luck: Floats) -> Floats:
        return 2.0 * luck - 1.0

    def _value(self, parameters: Floats, x: Floats) -> Floats:
        away = x[:, :, 0] - parameters
        return -away * away

    def peak(self, parameters: Floats) -> tuple[Floats, Floats]:
        return parameters.copy(), np.zeros(len(parameters))


def rbf_terms(reach: float, left: float) -> int:
    """How many terms `rbf_features` needs on [-reach, reach] to miss at most `left` of the variance 1."""
    term = math.exp(-reach * reach)
    done, count = term, 1
    while 1.0 - done > left:
        term *= reach * reach / count
        done, count = done + term, count + 1
    return count


def rbf_features(x: Floats, terms: int) -> list[Floats]:
    """The first terms of exp(-(x - x')^2 / 2) = sum over k of phi_k(x) phi_k(x'), each in the shape of x.

    phi_k(x) = exp(-x^2 / 2) x^k / sqrt(k!); their squares at x are Poisson probabilities of mean x^2.
    """
    features = [np.exp(-0.5 * x * x)]
    for k in range(1, terms):
        features.append(features[-1] * x / math.sqrt(k))
    return features


def gaussian(luck: Floats) -> Floats:
    """Standard normal numbers [n, count] of uniform ones [n, 2 count], by Box and Muller's rule."""
    count = luck.shape[1] // 2
    return np.sqrt(-2.0 * np.log1p(-luck[:, :count])) * np.cos(2.0 * np.pi * luck[:, count:])
