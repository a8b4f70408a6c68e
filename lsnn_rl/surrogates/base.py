"""What every surrogate shares: an exact step forward, a chosen slope backward."""

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, distance: Tensor, surrogate: "Surrogate") -> Tensor:
        ctx.save_for_backward(distance)
        ctx.surrogate = surrogate
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (distance,) = ctx.saved_tensors
        return gradient * ctx.surrogate.slope(distance), None


@dataclass(frozen=True)
class Surrogate:
    """A spike where the distance to the threshold is positive, with a slope that gradients can follow.

    The distance u has no unit: (v - threshold) / threshold, -1 at rest, 0 at the threshold (not yet a spike).
    A subclass writes `slope(u)`, the stand-in for dz/du; the adapted threshold is inside u, so gradients reach it too.
    """

    dampening: float = 0.3  # height of the slope at the threshold; smaller values keep long gradients from exploding

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0 or not math.isfinite(value):
                raise BadValue(
                    f"{field.name} = {value} makes no slope. Give a positive number, such as {field.default}."
                )

    def slope(self, distance: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} needs a slope(distance) that returns the stand-in for dz/du.")

    def __call__(self, distance: Tensor) -> Tensor:
        """Spikes, 0 or 1, of the shape and dtype of `distance`."""
        return _Spike.apply(distance, self)
