"""What a lifetime shows: goals, first find, trial lengths with censoring, and how goals come faster as it goes on.

Everything is derived from `Lifetimes`: when each goal was reached. A trial that the end of the lifetime cut short is
censored, never dropped and never counted as complete: plain means by trial index would be survivor-biased, because only
good lifetimes have a 20th trial.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsnn_rl.agents.statistics import Interval, bootstrap_interval, mean_interval
from lsnn_rl.errors import BadValue, ShapeMismatch

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lifetimes:
    """What happened in L lifetimes.

    Attributes:
        numbers: which lifetimes of the split, [L].
        steps: length of each lifetime, [L], environment steps.
        returns: sum of rewards, [L].
        hit_row, hit_step: one entry per goal reached: the row (0..L-1) and the step (1..steps) that reached it, in
            order of time within each row.
        spikes: spikes of the agent's network over the lifetime, [L], or None if it has none.
        rewards: reward of every step, [L, T], zero after a lifetime's end, or None where only goals count.
    """

    numbers: Ints
    steps: Ints
    returns: Floats
    hit_row: Ints
    hit_step: Ints
    spikes: Floats | None = None
    rewards: NDArray[np.float32] | None = None

    @property
    def goals(self) -> Ints:
        """Goals reached in each lifetime, [L]."""
        return np.bincount(self.hit_row, minlength=len(self.steps))

    @property
    def first_find(self) -> Ints:
        """Step of the first goal, [L]; the lifetime's length where none was found.

        Censoring happens at the end of the lifetime only, so the plain mean of these is the restricted mean.
        """
        first = self.steps.copy()
        np.minimum.at(first, self.hit_row, self.hit_step)
        return first


@dataclass(frozen=True)
class Trials:
    """Trials of many lifetimes side by side, [M] each: row, trial number from 1, length in steps, ended by the goal?"""

    row: Ints
    index: Ints
    length: Ints
    complete: NDArray[np.bool_]


def trials(lives: Lifetimes) -> Trials:
    """Cut lifetimes into trials; the last trial of a lifetime is censored unless the goal came in its last step."""
    order = np.lexsort((lives.hit_step, lives.hit_row))
    row, end = lives.hit_row[order], lives.hit_step[order]
    first = np.searchsorted(row, np.arange(len(lives.steps)))
    index = np.arange(len(row)) - first[row] + 1
    begin = np.where(index == 1, 0, np.concatenate([[0], end[:-1]])[: len(end)])
    last = np.zeros_like(lives.steps)
    np.maximum.at(last, row, end)
    open_rows = np.flatnonzero(last < lives.steps)
    return Trials(
        row=np.concatenate([row, open_rows]),
        index=np.concatenate([index, lives.goals[open_rows] + 1]),
        length=np.concatenate([end - begin, (lives.steps - last)[open_rows]]),
        complete=np.concatenate([np.ones(len(row), bool), np.zeros(len(open_rows), bool)]),
    )


def kaplan_meier(length: ArrayLike, complete: ArrayLike) -> tuple[Ints, Floats]:
    """Share of trials still running after each step at which one ended, censored ones leaving the risk set unseen.

    Args:
        length, complete: [M] as in `Trials`.
    Returns: event times [E], ascending, and the survival just after each, [E].
    Source: Kaplan and Meier 1958.

    >>> kaplan_meier([1, 2, 2, 3], [True, True, False, True])[1].tolist()
    [0.75, 0.5, 0.0]
    """
    t, done = np.asarray(length), np.asarray(complete, bool)
    if t.shape != done.shape:
        raise ShapeMismatch(f"{t.size} trial lengths and {done.size} marks of completion. Give one mark per length.")
    times, ended = np.unique(t[done], return_counts=True)
    at_risk = len(t) - np.searchsorted(np.sort(t), times)
    return times.astype(np.int64), np.cumprod(1.0 - ended / at_risk, dtype=np.float64)


def greenwood(length: ArrayLike, complete: ArrayLike) -> tuple[Floats, Floats]:
    """95 % band of the Kaplan-Meier curve at its event times, [E] each; the last, at zero, has no width.

    On the log-log scale, so that it stays within 0 and 1.
    Source: Greenwood 1926; Kalbfleisch and Prentice 1980.

    >>> low, high = greenwood([1, 2, 3, 4], [True, True, True, True])
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.13, 0.06, 0.01, 0.0], [0.96, 0.84, 0.67, 0.0])
    """
    t, done = np.asarray(length), np.asarray(complete, bool)
    times, share = kaplan_meier(t, done)
    ended = np.unique(t[done], return_counts=True)[1]
    at_risk = len(t) - np.searchsorted(np.sort(t), times)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.cumsum(ended / (at_risk * (at_risk - ended)))) / np.abs(np.log(share))
        low, high = share ** np.exp(1.959964 * spread), share ** np.exp(-1.959964 * spread)
    inside = (share > 0) & (share < 1)
    return np.where(inside, low, share), np.where(inside, high, share)


def restricted_mean(length: ArrayLike, complete: ArrayLike, horizon: float) -> float:
    """Mean trial length where longer ones count as `horizon`: the area under the Kaplan-Meier curve up to it.

    Beyond the longest trial that was seen the curve says nothing, and the area stops there.
    """
    times, survival = kaplan_meier(length, complete)
    horizon = min(horizon, float(np.max(length)))
    inside = times < horizon
    edges = np.concatenate([[0.0], times[inside], [horizon]])
    return float((np.diff(edges) * np.concatenate([[1.0], survival[inside]])).sum())


def normalized(goals: Interval, amnesic: float, best_known: float) -> Interval:
    """Where a score lies between a searcher that forgets every trial (0) and the best strategy known (1).

    >>> normalized(Interval(37.5, 35.0, 40.0), amnesic=20.0, best_known=55.0).mean
    0.5
    """
    return Interval(*((x - amnesic) / (best_known - amnesic) for x in goals))


def adaptation(lives: Lifetimes, bin_steps: int = 100) -> Floats:
    """Goals per 100 steps in each stretch of `bin_steps` of the lifetime, the last one maybe shorter, [L, bins]."""
    steps = int(lives.steps.max())
    edges = np.arange(0, steps, bin_steps)
    counts = np.zeros((len(lives.steps), len(edges)))
    np.add.at(counts, (lives.hit_row, (lives.hit_step - 1) // bin_steps), 1.0)
    return counts * 100.0 / np.diff(np.append(edges, steps))


def reward_by_age(lives: Lifetimes, bin_steps: int = 1) -> Floats:
    """Mean reward of a step in each stretch of `bin_steps` of the lifetime, [L, bins]."""
    if lives.rewards is None:
        raise BadValue("These lifetimes hold no rewards, goals only. Live them in a world whose score is its return.")
    steps = lives.rewards.shape[1]
    edges = np.arange(0, steps, bin_steps)
    sums = np.add.reduceat(lives.rewards.astype(np.float64), edges, axis=1)
    return sums / np.diff(np.append(edges, steps))


def after_discovery_ratio(lives: Lifetimes, oracle_goals: float, seed: int = 0) -> Interval | None:
    """Steps per goal once the goal was found, over those of an agent that always knew it; 1 is a straight line.

    Steps after the first find, with the censored last trial, divided by the goals they brought: the mean trial length
    that censoring does not bias. `oracle_goals` is per lifetime. None if no lifetime found the goal twice.
    """
    after = np.stack([lives.steps - lives.first_find, np.maximum(lives.goals - 1, 0)], axis=1)
    if not after[:, 1].any():
        return None
    oracle_steps = float(lives.steps.mean()) / oracle_goals

    def ratio(rows: Floats) -> float:
        steps, goals = rows.sum(axis=0)
        return float(steps / max(goals, 1.0) / oracle_steps)

    return bootstrap_interval(after, ratio, resamples=500, seed=seed)


def memory_gain(lives: Lifetimes) -> float | None:
    """How much shorter trials become once the goal was found: restricted mean of the first over that of the later."""
    cut = trials(lives)
    later = cut.index > 1
    if not (cut.complete & later).any():
        return None
    horizon = float(lives.steps.max())
    first = restricted_mean(cut.length[~later], cut.complete[~later], horizon)
    return first / restricted_mean(cut.length[later], cut.complete[later], horizon)


def by_trial(lives: Lifetimes, horizon: int | None = None) -> dict[str, list[float] | list[int] | int]:
    """Kaplan-Meier restricted mean length of the 1st, 2nd, ... trial, as far as half of the lifetimes came.

    Args:
        horizon: steps at which a trial is cut off in the mean; a quarter of the lifetime unless told.
    """
    cut = trials(lives)
    horizon = horizon or max(1, int(lives.steps.max()) // 4)
    index, mean, begun = [], [], []
    for k in range(1, int(cut.index.max()) + 1):
        those = cut.index == k
        if those.sum() < len(lives.steps) / 2:
            break
        index.append(k)
        begun.append(int(those.sum()))
        mean.append(round(restricted_mean(cut.length[those], cut.complete[those], horizon), 2))
    return {"index": index, "mean_steps": mean, "begun": begun, "horizon": horizon}


def spikes_per_goal(lives: Lifetimes, seed: int = 0) -> Interval | None:
    """All spikes of the network over all goals reached; None for an agent without spikes or without goals."""
    if lives.spikes is None or not lives.goals.any():
        return None
    both = np.stack([lives.spikes, lives.goals], axis=1)
    return bootstrap_interval(both, lambda rows: float(rows[:, 0].sum() / max(rows[:, 1].sum(), 1.0)), 500, seed)


def summary(lives: Lifetimes, oracle_goals: float | None = None) -> dict[str, object]:
    """The measures of a card beside score and normalised score; a measure that cannot be formed is None."""

    def entry(interval: Interval | None) -> dict[str, float | list[float]] | None:
        return None if interval is None else interval.as_dict()

    return {
        "goals": mean_interval(lives.goals).as_dict(),
        "found": float((lives.goals > 0).mean()),
        "first_find": mean_interval(lives.first_find).as_dict(),
        "after_discovery_ratio": entry(after_discovery_ratio(lives, oracle_goals) if oracle_goals else None),
        "memory_gain": memory_gain(lives),
        "spikes_per_goal": entry(spikes_per_goal(lives)),
    }
