"""The finite-horizon Gittins index: what an arm of which some pulls were seen is worth, with h pulls left."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.bandit_players import Counter, Floats
from lsnn_rl.envs.bandits import BernoulliBandit

_GRID = np.linspace(0.0, 1.0, 101)  # sure rewards that an arm is compared with
_IGNORED = 1e-12  # differences that are only rounding


class Gittins(Counter):
    """Pulls the arm of highest finite-horizon Gittins index: nearly optimal where the exact optimum is out of reach.

    (With discounting for ever it would be optimal, Gittins 1979. With 5 arms and 10 pulls it earned as much as the
    exact plan, to within 0.001 wins, in the same 20,000 lifetimes.)
    """

    def __init__(self, rules: BernoulliBandit, seed: int = 0) -> None:
        super().__init__(rules, seed)
        # One pull more than there is: Gymnasium's vectors ask once more at the end of a lifetime.
        self._table = gittins_table(rules.steps + 1, rules.prior_wins, rules.prior_losses)

    def numbers(self, wins: Floats, losses: Floats, age: NDArray[np.int64]) -> Floats:
        left = np.maximum(self.rules.steps - age, 1)[:, None]
        return self._table[_place(wins.astype(np.int64), losses.astype(np.int64), left)]


def gittins_index(wins: int, losses: int, left: int, prior_wins: int = 1, prior_losses: int = 1) -> float:
    """The sure reward per pull that makes an arm, of which this much was seen, just worth pulling, with `left` to go.

    With one pull left it is the arm's mean; the more pulls are left, the more is knowledge worth.

    >>> round(gittins_index(1, 1, left=1), 3), round(gittins_index(1, 1, left=50), 3)
    (0.5, 0.739)
    """
    table = gittins_table(wins + losses + left, prior_wins, prior_losses)
    return float(table[_place(np.array(wins), np.array(losses), np.array(left))])


@lru_cache(maxsize=4)
def gittins_table(pulls: int, prior_wins: int = 1, prior_losses: int = 1) -> NDArray[np.float32]:
    """Every index that a lifetime of `pulls` pulls can ask for, in one row; `_place` says where.

    V(s, f, h) is the best that can be had in h pulls from an arm of s wins and f losses, or from leaving it for good
    for a sure reward of x a pull:
        V(s, f, h) = max(h x, m (1 + V(s + 1, f, h - 1)) + (1 - m) V(s, f + 1, h - 1)),   m the arm's mean.
    The index is the x at which both are equal. Between two x of the grid their difference is taken to be straight,
    which is right to 0.001.

    Each pull makes s + f one more and h one less, so all that depends on each other has one sum s + f + h, and each
    sum is computed apart. 0.2 s for 100 pulls, a quarter of a minute and 84 MB for 500.
    """
    x = _GRID
    table = np.empty(pulls * (pulls + 1) * (pulls + 2) // 6, np.float32)
    for total in range(1, pulls + 1):
        value = np.zeros((total + 1, len(x)))
        for seen in range(total - 1, -1, -1):
            wins = np.arange(seen + 1)
            mean = ((prior_wins + wins) / (prior_wins + prior_losses + seen))[:, None]
            sure = (total - seen) * x
            value = value[:-1] + mean * (1.0 + (value[1:] - value[:-1]))
            gain = value - sure
            last = np.clip((gain >= -_IGNORED).sum(axis=1) - 1, 0, len(x) - 2)
            above, below = gain[wins, last], gain[wins, last + 1]
            first = _place(0, seen, total - seen)
            table[first : first + seen + 1] = x[last] + (x[1] - x[0]) * above / np.maximum(above - below, _IGNORED)
            value = np.maximum(value, sure)
    table.flags.writeable = False
    return table


def _place(wins, losses, left):  # type: ignore[no-untyped-def]
    """Where the index of an arm stands in the row: ordered by s + f + h, then by s + f, then by s."""
    seen = wins + losses
    total = seen + left
    return (total - 1) * total * (total + 1) // 6 + seen * (seen + 1) // 2 + wins
