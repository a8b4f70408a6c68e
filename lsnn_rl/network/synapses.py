"""Synapses between populations, post x pre: first weights, fixed masks, delays and the ring of future currents."""

import math

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue


def gaussian(post: int, pre: int, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """N(0, 1) / sqrt(pre), as in the released code; a spike of weight 1 moves v by (1 - decay_mem) volts."""
    return gain * torch.randn(post, pre, generator=generator) / math.sqrt(pre)


def glorot(post: int, pre: int, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Uniform within sqrt(6 / (post + pre)), the released code's first readout weights."""
    return uniform(post, pre, gain * math.sqrt(6 / (post + pre)), generator)


def uniform(post: int, pre: int, limit: float, generator: torch.Generator | None = None) -> Tensor:
    """Uniform within +-limit; torch's gated cells take 1 / sqrt(size)."""
    return limit * (2 * torch.rand(post, pre, generator=generator) - 1)


def draw_mask(post: int, pre: int, connectivity: float, generator: torch.Generator | None = None) -> Tensor | None:
    """Ones where a synapse exists, exactly round(connectivity * post * pre) of them; None where all exist."""
    if not 0 < connectivity <= 1:
        raise BadValue(
            f"connectivity = {connectivity} is no fraction of synapses. Give a number in (0, 1], such as 0.12."
        )
    if connectivity == 1:
        return None
    mask = torch.zeros(post * pre)
    mask[torch.randperm(post * pre, generator=generator)[: round(connectivity * post * pre)]] = 1
    return mask.view(post, pre)


def draw_delays(post: int, pre: int, first: int, slots: int, generator: torch.Generator | None = None) -> Tensor:
    """A whole number of steps per synapse, uniform over first .. first + slots - 1, drawn once and not trained."""
    return torch.randint(first, first + slots, (post, pre), generator=generator)


def spread(weight: Tensor, slot: Tensor, slots: int) -> Tensor:
    """Each weight in the row block of its slot, zero in the others: [post, pre] -> [slots * post, pre]."""
    return (weight * (slot == torch.arange(slots, device=slot.device)[:, None, None])).flatten(0, 1)


def shift(ring: Tensor) -> tuple[Tensor, Tensor]:
    """The current that arrives now, [N, H], and the ring [N, D, H] one step later: a shift register."""
    return ring[:, 0], torch.cat([ring[:, 1:], torch.zeros_like(ring[:, :1])], dim=1)
