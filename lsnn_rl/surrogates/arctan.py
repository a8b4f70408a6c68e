"""The derivative of an arc tangent: dz/du = dampening / (1 + (pi sharpness u / 2)^2)."""

import math
from dataclasses import dataclass

from torch import Tensor

from lsnn_rl.surrogates.base import Surrogate


@dataclass(frozen=True)
class Arctan(Surrogate):
    """Smooth at the threshold, with long tails. Source: Fang et al. 2021, ICCV, arXiv 2007.05785.

    >>> import torch
    >>> round(Arctan(dampening=1.0, sharpness=2.0).slope(torch.tensor(1 / torch.pi)).item(), 4)
    0.5
    """

    sharpness: float = 2.0

    def slope(self, distance: Tensor) -> Tensor:
        return self.dampening / (1 + (math.pi / 2 * self.sharpness * distance) ** 2)
