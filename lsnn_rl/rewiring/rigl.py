"""Rigged lottery (RigL): as SET, but synapses are reborn where the gradient is largest, ever fewer of them.

    moved fraction at step t:  fraction / 2 (1 + cos(pi t / until)), none after `until`
Source: Evci et al., ICML 2020, arXiv 1911.11134. A newborn synapse is given the sign in which the loss falls.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim import Optimizer

from lsnn_rl.errors import BadValue
from lsnn_rl.rewiring.base import Matrices
from lsnn_rl.rewiring.set import SET

if TYPE_CHECKING:
    from lsnn_rl.network import RecurrentNetwork


class RigL(SET):
    """Any torch optimiser, moving the weakest synapses to where the last gradient was largest.

    Args: as `SET`, and until: optimiser steps after which the wiring is final (three quarters of training, say).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: Matrices,
        connectivity: float | Sequence[float] = 0.12,
        fraction: float = 0.3,
        every: int = 100,
        until: int = 25_000,
        *,
        forbidden: Sequence[Tensor | None] | Mapping[str, Tensor] | None = None,
        seed: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            optimizer, parameters, connectivity, fraction, every, forbidden=forbidden, seed=seed, generator=generator
        )
        if until < 1:
            raise BadValue(f"until = {until} leaves no step to rewire in. Give a number of optimiser steps.")
        self.until = until

    @classmethod
    def check(cls, network: "RecurrentNetwork") -> None:
        super().check(network)
        if not network.dormant_gradients:
            raise BadValue(
                "RigL grows synapses where the gradient is largest, and dormant_gradients=False leaves out just those "
                "gradients. Leave that out, or rewire by deep_r or set."
            )

    def moved_fraction(self) -> float:
        return self.fraction / 2 * (1 + math.cos(math.pi * min(1.0, self.steps / self.until)))

    def regrow(self, name: str, births: int) -> None:
        gradient = self.matrices[name].grad
        if gradient is None:  # nothing is known about where a synapse would help
            super().regrow(name, births)
            return
        urgency = gradient.abs().masked_fill(~self.dormant(name), -1.0).flatten()
        places = urgency.topk(births).indices
        self.grow(name, places, 1 - 2 * (gradient.flatten()[places] > 0).int())
