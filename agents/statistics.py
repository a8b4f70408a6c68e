"""How sure are we: means with intervals, robust means over runs, paired differences. Plain numpy, every draw seeded.

A score is reported as `Interval(mean, low, high)`: the estimate and its 95 % confidence interval.
Sources: Efron and Tibshirani 1993 (bootstrap); Agarwal et al. 2021, arXiv 2108.13264 (interquartile mean, stratified
bootstrap, probability of improvement).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsnn_rl.errors import BadValue, ShapeMismatch

RESAMPLES = 2000


class Interval(NamedTuple):
    """An estimate with its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | list[float]]:
        """The form it has in a card.

        >>> Interval(2.0, 1.0, 3.0).as_dict()
        {'mean': 2.0, 'ci95': [1.0, 3.0]}
        """
        return {"mean": self.mean, "ci95": [self.low, self.high]}


def student_t_quantile(p: float, df: int) -> float:
    """The value that a t-distributed number with `df` degrees of freedom stays below with probability `p`.

    With t = sqrt(df) tan(phi) the distribution function becomes the integral of cos(phi)^(df - 1), which is smooth on
    a bounded interval; it is tabulated there and read backwards.

    >>> round(student_t_quantile(0.975, 9), 3)
    2.262
    """
    phi = np.linspace(0.0, math.pi / 2, 20001)
    density = np.cos(phi) ** (df - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = np.interp(abs(2 * p - 1), area / area[-1], phi)
    return math.copysign(math.sqrt(df) * math.tan(angle), p - 0.5)


def mean_interval(values: ArrayLike) -> Interval:
    """Mean of independent values [n] with Student's t interval; a single value has no width to report.

    >>> mean_interval([1.0, 2.0, 3.0]).mean
    2.0
    """
    x = _values(values)
    mean = float(x.mean())
    if x.size < 2:
        return Interval(mean, mean, mean)
    half = student_t_quantile(0.975, x.size - 1) * float(x.std(ddof=1)) / math.sqrt(x.size)
    return Interval(mean, mean - half, mean + half)


def share_interval(hits: int, of: int) -> Interval:
    """A share of independent cases with Wilson's interval, which has a width also where all or none were hits.

    Source: Wilson 1927.

    >>> [round(x, 3) for x in share_interval(10, 10)]
    [1.0, 0.722, 1.0]
    """
    if not 0 <= hits <= of or of < 1:
        raise BadValue(f"{hits} of {of} is no share. Give a number of hits between 0 and the number of cases.")
    share, z = hits / of, 1.959964
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float] = lambda x: float(x.mean()),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Any statistic of independent rows [n, ...] with its percentile bootstrap interval."""
    x = _values(values)
    rng = np.random.default_rng(seed)
    draws = [statistic(x[rng.integers(len(x), size=len(x))]) for _ in range(resamples)]
    return _percentiles(statistic(x), draws)


def iqm(values: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half, robust to a lucky or a failed run.

    The share of a value that is only partly inside the middle half counts in proportion, so no value is lost when
    n is not a multiple of four.

    >>> iqm([0.0, 1.0, 2.0, 100.0])
    1.5
    """
    x = np.sort(_values(values), axis=None)
    edges = np.arange(x.size + 1) / x.size
    weight = np.clip(np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25), 0.0, None)
    return float((weight * x).sum() / weight.sum())


def stratified_bootstrap(
    scores: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float] = iqm,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """A statistic of scores [runs, tasks] with its interval: runs are redrawn within each task, tasks never.

    The interval then speaks of other training seeds on the same tasks, which is what a table of worlds claims.
    """
    x = _values(scores)
    if x.ndim != 2:
        raise ShapeMismatch(f"Scores have shape {x.shape}. Pass [runs, tasks], for one task scores[:, None].")
    rng = np.random.default_rng(seed)
    runs, tasks = x.shape
    draws = [statistic(x[rng.integers(runs, size=(runs, tasks)), np.arange(tasks)]) for _ in range(resamples)]
    return _percentiles(statistic(x), draws)


def probability_of_improvement(x: ArrayLike, y: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """How often a run of X beats a run of Y on the same task, averaged over tasks; a tie counts half.

    Args:
        x, y: scores [runs, tasks]; the number of runs may differ. One task may be given as [runs].
    """
    a, b = (v[:, None] if v.ndim == 1 else v for v in (_values(x), _values(y)))
    if a.shape[1] != b.shape[1]:
        raise ShapeMismatch(f"X has {a.shape[1]} tasks and Y has {b.shape[1]}. Compare both on the same tasks.")
    rng = np.random.default_rng(seed)
    task = np.arange(a.shape[1])

    def wins(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
        return float((np.sign(p[:, None] - q[None]) / 2 + 0.5).mean())

    draws = [
        wins(a[rng.integers(len(a), size=a.shape), task], b[rng.integers(len(b), size=b.shape), task])
        for _ in range(resamples)
    ]
    return _percentiles(wins(a, b), draws)


def paired_difference(x: ArrayLike, y: ArrayLike) -> Interval:
    """Mean of x - y over lifetimes that both agents lived, [n] each, with Student's t interval.

    Pairing takes the luck of the lifetimes out: the interval is far narrower than that of two separate means.
    """
    a, b = _values(x), _values(y)
    if a.shape != b.shape:
        raise ShapeMismatch(f"X has shape {a.shape}, Y {b.shape}. Pair the same lifetimes of both agents.")
    return mean_interval(a - b)


def _values(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.size == 0:
        raise BadValue("There is nothing to average: 0 values were given. Pass at least one.")
    if not np.isfinite(x).all():
        raise BadValue(f"{int((~np.isfinite(x)).sum())} of {x.size} values are not finite. Drop or censor them first.")
    return x


def _percentiles(estimate: float, draws: list[float]) -> Interval:
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(float(estimate), float(low), float(high))
