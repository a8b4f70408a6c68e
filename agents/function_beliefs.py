"""What is believed of an unknown function: Bayesian linear regression on chosen basis functions, N lifetimes at once.

Every classical learner of functions here is this one rule with another basis and another prior: a constant (the own
mean), a plane (ridge), the terms of a kernel (a Gaussian process), the shapes that make up a family. An example costs
O(r^2) for r basis functions, however many came before, so that a Gaussian process may see 500 examples in each of a
thousand lifetimes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.function_families import (
    Family,
    GaussianProcess,
    Parabolas,
    Sines,
    TargetNetworks,
    rbf_features,
    rbf_terms,
)

Floats = NDArray[np.float64]
Basis = Callable[[Floats], Floats]  # places [..., D] to [..., r]
State = dict[str, NDArray]


class Belief:
    """y = basis(x) . w + noise with w normal: `mean` [N, r] and `cov` [N, r, r] in the state, Kalman's rule.

    Args:
        basis: the r functions of x.
        mean, cov: of w, before any example, [r] and [r, r].
        noise: standard deviation of what an example adds; what the basis cannot follow counts as noise.
    """

    def __init__(self, basis: Basis, mean: Floats, cov: Floats, noise: float) -> None:
        self.basis, self.mean, self.cov, self.noise = basis, mean, cov, noise

    def begin(self, n: int) -> State:
        """The state of one who has seen no example."""
        r = len(self.mean)
        return {"mean": np.tile(self.mean, (n, 1)), "cov": np.broadcast_to(self.cov, (n, r, r)).copy()}

    def after(self, state: State, x: Floats, y: Floats, starts: NDArray[np.bool_]) -> State:
        """The state after an example x [N, D], y [N]; where a lifetime starts, the prior instead."""
        basis = self.basis(x)
        along = np.matmul(state["cov"], basis[:, :, None])[:, :, 0]
        gain = along / ((basis * along).sum(axis=1) + self.noise**2)[:, None]
        mean = state["mean"] + gain * (y - (basis * state["mean"]).sum(axis=1))[:, None]
        cov = state["cov"] - gain[:, :, None] * along[:, None, :]
        mean[starts], cov[starts] = self.mean, self.cov
        return {"mean": mean, "cov": cov}

    def at(self, state: State, x: Floats) -> Floats:
        """The expected value at one place per lifetime, [N]."""
        return (self.basis(x) * state["mean"]).sum(axis=1)

    def over(self, state: State, basis: Floats) -> tuple[Floats, Floats]:
        """Expected value and standard deviation at the same M places for all, [N, M]; basis: of the places, [M, r]."""
        variance = (np.matmul(basis, state["cov"]) * basis).sum(axis=2)
        return state["mean"] @ basis.T, np.sqrt(np.maximum(variance, 0.0))

    def draw(self, state: State, basis: Floats, luck: np.random.Generator) -> Floats:
        """One function of each lifetime's belief, at M places, [N, M]."""
        n, r = state["mean"].shape
        cov = state["cov"] + 1e-9 * np.diag(np.diag(self.cov) + 1e-6)  # rounding must not make it indefinite
        weights = state["mean"] + np.matmul(np.linalg.cholesky(cov), luck.standard_normal((n, r, 1)))[:, :, 0]
        return weights @ basis.T


def constant(x: Floats) -> Floats:
    """1, [..., 1]."""
    return np.ones((*x.shape[:-1], 1))


def plane(x: Floats) -> Floats:
    """1 and x, [..., 1 + D]."""
    return np.concatenate([constant(x), x], axis=-1)


def polynomials(x: Floats, degree: int) -> Floats:
    """All products of powers up to a total degree, [..., r]."""
    powers = [np.ones_like(x)]
    for _ in range(degree):
        powers.append(powers[-1] * x)
    exponents = itertools.product(range(degree + 1), repeat=x.shape[-1])
    kept = [e for e in exponents if sum(e) <= degree]
    return np.stack([_product([powers[k][..., d] for d, k in enumerate(e)]) for e in kept], axis=-1)


def waves(x: Floats) -> Floats:
    """sin x and cos x, [..., 2]: A sin(phi + x) = A cos(phi) sin(x) + A sin(phi) cos(x)."""
    return np.concatenate([np.sin(x), np.cos(x)], axis=-1)


def smooth(family: Family, length_scale: float, height: float, offset: float, noise: float) -> Belief:
    """A Gaussian process around `offset` with standard deviation `height` and kernel exp(-d^2 / (2 length_scale^2)).

    The kernel is cut into products of basis functions (`rbf_features`) of total degree below a bound; what that misses
    of the variance is below a millionth.
    """
    middle, reach = (family.high + family.low) / 2.0, (family.high - family.low) / 2.0 / length_scale
    terms = rbf_terms(reach * family.inputs**0.5, 1e-6)

    def basis(x: Floats) -> Floats:
        axes = [rbf_features((x[..., d] - middle) / length_scale, terms) for d in range(family.inputs)]
        chosen = (e for e in itertools.product(range(terms), repeat=family.inputs) if sum(e) < terms)
        products = [_product([axes[d][k] for d, k in enumerate(e)]) for e in chosen]
        return np.stack([np.ones(x.shape[:-1]), *(height * f for f in products)], axis=-1)

    r = basis(np.zeros((1, family.inputs))).shape[1]
    mean, certain = np.zeros(r), np.ones(r)
    mean[0], certain[0] = offset, 0.0
    return Belief(basis, mean, np.diag(certain), noise)


def of_family(family: Family, noise: float = 0.0) -> Belief:
    """The belief of one who knows from which family the function comes.

    A Gaussian process and its kernel: that is exact. For the others, the shapes of which all members are sums (for the
    target networks, nearly: polynomials up to degree 6), with the mean and covariance that their weights have in the
    family: the best linear estimate there is.
    """
    if isinstance(family, GaussianProcess):
        basis = _shapes(family)
        r = basis(np.zeros((1, 1))).shape[1]
        return Belief(basis, np.zeros(r), np.eye(r), max(noise, 1e-3))
    weights, missed = members(family, 2000)
    cov = np.cov(weights.T).reshape(weights.shape[1], -1)
    return Belief(_shapes(family), weights.mean(axis=0), cov, float(np.sqrt(noise**2 + missed + 1e-8)))


@lru_cache(maxsize=1)  # some agents ask twice of the same family
def members(family: Family, count: int) -> tuple[Floats, float]:
    """Weights [count, r] of functions drawn from the family, and the mean square of what the shapes miss."""
    places = family.places(21 if family.inputs > 1 else 101)
    functions = family.sample(np.random.default_rng(2018), count)
    values = family.value(functions, np.broadcast_to(places, (count, *places.shape)))
    shapes = _shapes(family)(places)
    weights = values @ np.linalg.pinv(shapes).T
    return weights, float(np.mean((weights @ shapes.T - values) ** 2))


def _shapes(family: Family) -> Basis:
    """Functions of which every member of the family is a sum, exactly or nearly."""
    if isinstance(family, Sines):
        return waves
    if isinstance(family, Parabolas):
        return lambda x: polynomials(x, 2)
    if isinstance(family, TargetNetworks):
        return lambda x: polynomials(x, 6)
    if isinstance(family, GaussianProcess):
        return lambda x: family.features(x, 1e-6)
    raise TypeError(f"No shapes are known for {type(family).__name__}. Add them in lsnn_rl.agents.function_beliefs.")


def _product(factors: list[Floats]) -> Floats:
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product
