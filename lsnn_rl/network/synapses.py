"""Synapses between populations, post x pre: fixed masks, delays and the ring of future currents."""

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue


def draw_mask(shape: torch.Size, connectivity: float, generator: torch.Generator | None = None) -> Tensor | None:
    """Ones where a synapse exists, exactly round(connectivity * post * pre); None where all exist."""
    if not 0 < connectivity <= 1:
        raise BadValue(
            f"connectivity = {connectivity} is no fraction of synapses. Give a number in (0, 1], such as 0.12."
        )
    if connectivity == 1:
        return None
    mask = torch.zeros(shape.numel())
    mask[torch.randperm(shape.numel(), generator=generator)[: round(connectivity * shape.numel())]] = 1
    return mask.view(shape)


def draw_delays(shape: torch.Size, first: int, slots: int, generator: torch.Generator | None = None) -> Tensor:
    """A whole number of steps per synapse, uniform over first .. first + slots - 1, drawn once and not trained."""
    return torch.randint(first, first + slots, shape, generator=generator)


def spread(weight: Tensor, slot: Tensor, slots: int) -> Tensor:
    """Each weight in the row block of its slot, zero in the others: [post, pre] -> [slots * post, pre]."""
    return (weight * (slot == torch.arange(slots, device=slot.device)[:, None, None])).flatten(0, 1)


def shift(ring: Tensor) -> tuple[Tensor, Tensor]:
    """The current that arrives now, [N, H], and the ring [N, D, H] one step later: a shift register."""
    return ring[:, 0], torch.cat([ring[:, 1:], torch.zeros_like(ring[:, :1])], dim=1)
