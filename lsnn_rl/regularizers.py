"""Costs on activity, with their units said: hertz outside, spikes per simulation step inside."""

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue, ShapeMismatch
from lsnn_rl.units import per_step


def firing_rate(
    counts: Tensor, steps: int | Tensor, dt_ms: float = 1.0, target_hz: float = 10.0, reduction: str = "mean"
) -> Tensor:
    """Squared distance of each unit's rate to the target, in (spikes per simulation step)^2.

        cost = mean_j or sum_j (rate_j - target)^2,  rate_j = mean over rows of counts_j / steps

    Args:
        counts: spikes of each unit, [N, H].
        steps: simulation steps (T * K) in which they were counted: one number, or [N] where rows differ in length.
        dt_ms: length of a simulation step.
        target_hz: rate that costs nothing.
        reduction: "sum" over units as in the released code, or "mean", which does not grow with the network.
    Gradient: through the counts.
    Source: Bellec et al. 2018: weight 0.1 on the sum at 10 Hz (sequential MNIST), 100 on the mean (meta-RL).

    >>> counts = torch.tensor([[10.0, 0.0], [30.0, 0.0]])                 # rates 0.02 and 0 per step, target 0.01
    >>> round(firing_rate(counts, steps=1000, reduction="sum").item(), 6)
    0.0002
    """
    if counts.dim() != 2:
        raise ShapeMismatch(
            f"counts has the shape {list(counts.shape)}. Give the spikes of each unit in each row, [N, H]."
        )
    total = torch.as_tensor(steps, dtype=counts.dtype, device=counts.device)
    if not bool((total > 0).all()):
        raise BadValue(f"Spikes counted over {steps} steps have no rate. Give the number of simulation steps, T * K.")
    rate = (counts / total.view(-1, 1)).mean(dim=0)
    return _reduce((rate - per_step(target_hz, dt_ms)) ** 2, reduction)


def voltage(v: Tensor, threshold: Tensor | float, reduction: str = "mean") -> Tensor:
    """Squared excess of the membrane potential over +-threshold, relative to the threshold: no unit.

        cost = mean or sum of max(0, v/threshold - 1)^2 + max(0, -v/threshold - 1)^2

    It reaches cells that the surrogate cannot see, far from their threshold on either side.

    Args:
        v: membrane potentials, any shape [..., H], as `probe.record` gives them.
        threshold: volts, adapted or not, broadcast to v.
    Source: Bellec et al. 2020, e-prop, Atari (there in units of the threshold 1).
    """
    relative = v / threshold
    return _reduce(torch.relu(relative - 1) ** 2 + torch.relu(-relative - 1) ** 2, reduction)


def _reduce(cost: Tensor, reduction: str) -> Tensor:
    if reduction not in ("mean", "sum"):
        raise BadValue(f"No reduction is called {reduction!r}. Take 'mean' or 'sum'.")
    return cost.mean() if reduction == "mean" else cost.sum()
