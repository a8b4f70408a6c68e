"""A bell curve: dz/du = dampening exp(-u^2 / (2 width^2))."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lsnn_rl.surrogates.base import Surrogate


@dataclass(frozen=True)
class Gaussian(Surrogate):
    """Flat at the threshold and soon zero away from it. Source: Yin, Corradi and Bohte 2021, Nat. Mach. Intell. 3.

    >>> import torch
    >>> round(Gaussian(dampening=1.0, width=0.5).slope(torch.tensor(0.5)).item(), 4)
    0.6065
    """

    width: float = 0.5

    def slope(self, distance: Tensor) -> Tensor:
        return self.dampening * torch.exp(-0.5 * (distance / self.width) ** 2)
