"""What does an agent believe? A linear reading of the hidden task from its state, the thresholds above all.

    belief = bias + weights (state - mean) / scale,      weights by ridge regression over training lifetimes

It reads what is there and teaches the agent nothing. That something can be read does not mean that the agent uses it:
whether the memory moves with an entry of the state is asked by surgery (`lsnn_rl.agents.surgery`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsnn_rl import probe
from lsnn_rl.agents.adapters import as_agent
from lsnn_rl.agents.inside import network_of, record_lives
from lsnn_rl.agents.operated import units_of
from lsnn_rl.errors import BadValue, unknown_name

Floats = NDArray[np.float64]
RIDGES = tuple(10.0**k for k in range(-4, 5))  # penalties tried, per sample


@dataclass(frozen=True)
class Decoder:
    """A linear reading of the task, V numbers, from F numbers of the state.

    Attributes:
        names, units: which entries of the state are read, of which neurons.
        weights: [F, V]; bias: [V]; mean, scale: of every number of the state, [F].
        covariance: of what is left unexplained in held-out lifetimes, [V, V].
        error: root of the mean squared distance to the task there, in units of the task.
        r2: explained share of the task's variance there; 0 is no better than the mean task.
        samples, held_out: how many moments it was fitted and judged on.
    """

    names: tuple[str, ...]
    units: probe.Units
    weights: Floats
    bias: Floats
    mean: Floats
    scale: Floats
    covariance: Floats
    error: float
    r2: float
    samples: int
    held_out: int

    def __call__(self, state: Mapping[str, Any]) -> Floats:
        """The belief about the hidden task, [N, V], in a state of tensors or arrays [N, ...]."""
        return self.read(features(state, self.names, self.units))

    def read(self, numbers: NDArray) -> Floats:
        """The belief, [..., V], from numbers [..., F] that were taken off a state."""
        return self.bias + ((numbers - self.mean) / self.scale) @ self.weights

    def density(self, belief: ArrayLike, places: ArrayLike) -> Floats:
        """How probable places [..., V] are as the task, given a belief [V]: a Gaussian as wide as the reading errs.

        The wider the errors were in held-out lifetimes, the flatter it is. It integrates to 1 over the whole space.
        """
        away = np.asarray(places, np.float64) - np.asarray(belief, np.float64)
        inverse = np.linalg.inv(self.covariance)
        size = np.sqrt(np.linalg.det(2 * np.pi * self.covariance))
        return np.exp(-0.5 * np.einsum("...i,ij,...j->...", away, inverse, away)) / size


def fit_decoder(
    agent: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    names: str | Sequence[str] = "b",
    units: str | probe.Units = None,
    lifetimes: int = 64,
    held_out: int = 32,
    steps: int | None = None,
    every: int = 10,
) -> Decoder:
    """Fit a reading of the hidden task on lifetimes of the training split.

    Moments of all ages count, from when the agent could know the task. The lifetimes after those fitted are held out:
    the ridge penalty is chosen and the error measured on them. The test split is not touched.

    Args:
        names: entries of the state to read: "b" (the thresholds), "v", ("z", "readout") ...
        units: a label of the populations, such as "adaptive", a slice or indices; None for all.
        lifetimes, held_out: how many to fit on, and to judge by.
        steps: of each lifetime. every: only every so many steps is a sample, as neighbours are alike.
    Raises: BadValue for an agent without network, or one that never got to know the task.

    >>> decoder = fit_decoder("LSNNArena-v0/lsnn", "LSNNArena-v0", names="v", lifetimes=8, held_out=8, steps=600)
    >>> decoder.weights.shape, decoder.r2 > 0.3
    ((300, 2), True)
    """
    chosen = (names,) if isinstance(names, str) else tuple(names)
    read = fit_decoders(agent, env_id, env_kwargs, {"": chosen}, units, lifetimes, held_out, steps, every)
    return read[""]


def fit_decoders(
    agent: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None,
    entries: Mapping[str, tuple[str, ...]],
    units: str | probe.Units = None,
    lifetimes: int = 64,
    held_out: int = 32,
    steps: int | None = None,
    every: int = 10,
) -> dict[str, Decoder]:
    """Several readings from one recording: `entries` says what each is made from; the rest is as for `fit_decoder`."""
    if min(lifetimes, held_out) < 1:
        raise BadValue(f"{lifetimes} lifetimes to fit on and {held_out} held out: give at least one of each.")
    names = tuple(dict.fromkeys(name for some in entries.values() for name in some))
    actor = as_agent(agent, env_id, env_kwargs)
    network_of(actor)
    chosen = units_of(actor, units)
    lives = record_lives(actor, env_id, env_kwargs, "train", range(lifetimes + held_out), steps, names, every)
    usable = lives.known & lives.alive
    fitted = usable & (np.arange(lifetimes + held_out) < lifetimes)
    judged = usable & ~fitted
    if fitted.sum() < 2 or judged.sum() < 2:
        raise BadValue(
            f"The agent got to know the task in {int(fitted.sum())} moments to fit on and {int(judged.sum())} to judge "
            "by. Give more lifetimes or steps."
        )
    task, task_held, found = lives.task[fitted], lives.task[judged], {}
    for label, some in entries.items():
        x = features(lives.state, some, chosen, lead=2)
        found[label] = fit(x[fitted], task, x[judged], task_held, some, chosen)
    return found


def fit(
    x: NDArray, task: NDArray, x_held: NDArray, task_held: NDArray, names: tuple[str, ...] = (), units: Any = None
) -> Decoder:
    """The ridge reading of `task` [M, V] from `x` [M, F], its penalty chosen and its error measured on held-out pairs.

    >>> x = np.random.default_rng(0).normal(size=(400, 3))
    >>> task = x @ np.array([[1.0], [0.0], [-2.0]]) + 5.0
    >>> decoder = fit(x[:300], task[:300], x[300:], task[300:])
    >>> round(decoder.r2, 3), decoder.read(np.zeros((1, 3))).round(2).tolist()
    (1.0, [[5.0]])
    """
    x, task, x_held, task_held = (np.asarray(a, np.float64) for a in (x, task, x_held, task_held))
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9 * (1 + np.abs(mean)), scale, np.inf)  # a number that never moved says nothing
    standard, bias = (x - mean) / scale, task.mean(axis=0)
    # One eigendecomposition serves every penalty: (X'X / M + ridge) w = X'y / M.
    values, vectors = np.linalg.eigh(standard.T @ standard / len(x))
    target = vectors.T @ (standard.T @ (task - bias) / len(x))
    best: tuple[float, Floats] | None = None
    for ridge in RIDGES:
        weights = vectors @ (target / (values[:, None] + ridge))
        left = task_held - bias - ((x_held - mean) / scale) @ weights
        squared = float((left**2).sum(axis=1).mean())
        if best is None or squared < best[0]:
            best = (squared, weights)
    assert best is not None
    squared, weights = best
    left = task_held - bias - ((x_held - mean) / scale) @ weights
    spread = float(((task_held - task_held.mean(axis=0)) ** 2).sum(axis=1).mean())
    covariance = left.T @ left / len(left) + 1e-9 * np.eye(left.shape[1])
    r2 = 1.0 - squared / spread if spread > 0 else 0.0
    return Decoder(
        names, units, weights, bias, mean, scale, covariance, float(np.sqrt(squared)), r2, len(x), len(x_held)
    )


def features(state: Mapping[str, Any], names: Sequence[str], units: probe.Units = None, lead: int = 1) -> NDArray:
    """Entries of a state side by side, [N, F] (or [T, N, F] with `lead` = 2); `units` picks neurons in each."""
    parts = []
    for name in names:
        if name not in state:
            raise unknown_name("state entry", name, state)
        value = np.asarray(state[name])
        value = value if units is None else value[..., units]
        parts.append(value.reshape(*value.shape[:lead], -1))
    return np.concatenate(parts, axis=-1)
