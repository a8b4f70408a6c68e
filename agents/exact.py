"""The exact optimum of a small Bernoulli bandit, by dynamic programming over all that can be known of its arms."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.bandit_players import Counter, Floats
from lsnn_rl.envs.bandits import BernoulliBandit
from lsnn_rl.errors import BadValue

MOST_STATES = 1_000_000  # beyond that the computation takes minutes
Arm = tuple[int, int]  # wins and losses


class Plan(NamedTuple):
    """What to do whatever is known, and what it brings.

    Attributes:
        value: wins of a lifetime, on average, if nobody could do better.
        best: wins and losses of every arm, sorted -> wins and losses of the arm to pull.
    """

    value: float
    best: dict[tuple[Arm, ...], Arm]


@lru_cache(maxsize=4)
def optimal_plan(arms: int, pulls: int, prior_wins: int = 1, prior_losses: int = 1) -> Plan:
    """The Bayes-optimal plan for `pulls` pulls of `arms` arms whose chances come from Beta(prior_wins, prior_losses).

    Arms are alike before they are pulled, so only the sorted counts matter.

    Raises: BadValue if more than a million things can be known.

    >>> round(optimal_plan(arms=2, pulls=10).value, 3)
    6.022
    """
    if states(arms, pulls) > MOST_STATES:
        raise BadValue(
            f"{arms} arms and {pulls} pulls can turn out in more than {MOST_STATES:,} ways, too many to go through. "
            'Use classical("gittins", ...), which is nearly optimal, or fewer arms or pulls.'
        )
    levels: list[set[tuple[Arm, ...]]] = [{((0, 0),) * arms}]
    for _ in range(pulls - 1):
        levels.append({after for state in levels[-1] for arm in set(state) for after in _outcomes(state, arm)})
    best: dict[tuple[Arm, ...], Arm] = {}
    later: dict[tuple[Arm, ...], float] = {}
    for level in reversed(levels):
        value = {}
        for state in level:
            options = []
            for arm in sorted(set(state)):
                chance = (prior_wins + arm[0]) / (prior_wins + prior_losses + arm[0] + arm[1])
                won, lost = _outcomes(state, arm)
                options.append((chance * (1 + later.get(won, 0.0)) + (1 - chance) * later.get(lost, 0.0), arm))
            value[state], best[state] = max(options)
        later = value
    return Plan(next(iter(later.values())), best)


def states(arms: int, pulls: int) -> int:
    """How many things can be known of the arms before the last pull; beyond `MOST_STATES` it stops counting.

    >>> states(arms=2, pulls=2)  # nothing; one win; one loss
    3
    """
    ways = np.zeros((arms + 1, pulls), np.int64)  # by how many arms were pulled, and how often altogether
    ways[0, 0] = 1
    for seen in range(1, pulls):
        for _ in range(seen + 1):  # an arm pulled that often can have 0 to `seen` wins
            for k in range(1, arms + 1):
                ways[k, seen:] += ways[k - 1, :-seen]
            if ways.sum() > MOST_STATES:
                return int(ways.sum())
    return int(ways.sum())


def _outcomes(state: tuple[Arm, ...], arm: Arm) -> tuple[tuple[Arm, ...], tuple[Arm, ...]]:
    """What is known after one such arm was pulled and won, and after it lost."""
    k = state.index(arm)
    others, (wins, losses) = state[:k] + state[k + 1 :], arm
    return tuple(sorted((*others, (wins + 1, losses)))), tuple(sorted((*others, (wins, losses + 1))))


class BayesOptimal(Counter):
    """Follows the exact plan: no agent can win more on average. For few arms and pulls.

    Not in the table of classical agents, because it refuses most settings; make it with the rules:
    `evaluate(BayesOptimal(BernoulliBandit(arms=2, steps=20)), "LSNNBernoulliBandit-v0", env_kwargs=...)`.
    """

    def __init__(self, rules: BernoulliBandit, seed: int = 0) -> None:
        super().__init__(rules, seed)
        self.plan = optimal_plan(rules.arms, rules.steps, rules.prior_wins, rules.prior_losses)

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        counts = np.stack([wins, losses], axis=2).astype(np.int64)
        nothing = (-1, -1)  # after the last pull there is no plan
        best = [self.plan.best.get(tuple(sorted(map(tuple, arms))), nothing) for arms in counts.tolist()]
        return (counts == np.array(best)[:, None]).all(axis=2).astype(np.float64)
