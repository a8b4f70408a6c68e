"""The paper's surrogate: dz/du = dampening max(0, 1 - |u|)."""

from dataclasses import dataclass

from torch import Tensor

from lsnn_rl.surrogates.base import Surrogate


@dataclass(frozen=True)
class Triangular(Surrogate):
    """A triangle of height `dampening` that ends one threshold away on either side.

    Source: Bellec et al. 2018, arXiv 1803.09574; 0.3 in its sequential MNIST, 0.4 in its learning to learn.

    >>> import torch
    >>> u = torch.tensor([-1.5, -0.5, 0.0, 0.5], requires_grad=True)
    >>> z = Triangular(dampening=0.3)(u)
    >>> z.sum().backward()
    >>> z.tolist(), [round(g, 2) for g in u.grad.tolist()]
    ([0.0, 0.0, 0.0, 1.0], [0.0, 0.15, 0.3, 0.15])
    """

    def slope(self, distance: Tensor) -> Tensor:
        return self.dampening * (1 - distance.abs()).clamp(min=0)
