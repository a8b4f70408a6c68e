"""The derivative of a fast sigmoid: dz/du = dampening / (1 + sharpness |u|)^2."""

from dataclasses import dataclass

from torch import Tensor

from lsnn_rl.surrogates.base import Surrogate


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """Never quite zero, so that cells far from their threshold still hear a gradient.

    Source: Zenke and Ganguli 2018, SuperSpike, Neural Computation 30.

    >>> import torch
    >>> FastSigmoid(dampening=1.0, sharpness=1.0).slope(torch.tensor([0.0, 1.0])).tolist()
    [1.0, 0.25]
    """

    sharpness: float = 2.0

    def slope(self, distance: Tensor) -> Tensor:
        return self.dampening / (1 + self.sharpness * distance.abs()) ** 2
