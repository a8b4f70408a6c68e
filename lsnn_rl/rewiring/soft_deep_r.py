"""Soft DEEP R: no count is enforced; dormant synapses walk at random below zero and reconnect when they cross it.

    active (theta > 0):   theta <- theta - lr (dL/dtheta + l1) + sqrt(2 lr T) N(0, 1)
    dormant (theta <= 0): theta <- max(theta + sqrt(2 lr T) N(0, 1), floor)
Without a loss, theta is exponential above zero (mean T / l1) and uniform between floor and zero, so the expected
connectivity p fixes the floor at -(1 - p) / p * T / l1.

Source: Bellec, Kappel, Maass, Legenstein, ICLR 2018, algorithm 2.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lsnn_rl.errors import BadValue
from lsnn_rl.rewiring.base import Matrices
from lsnn_rl.rewiring.deep_r import DeepR
from lsnn_rl.rewiring.signs import Signs


class SoftDeepR(DeepR):
    """DEEP R whose connectivity holds in expectation only: births come from the random walk, not from a count.

    Args: as `DeepR`; temperature must be positive, it is what moves dormant synapses. The strength of a dormant synapse
    (theta <= 0) is kept here and saved with the optimiser.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: Matrices,
        connectivity: float | Sequence[float] = 0.12,
        l1: float = 0.01,
        temperature: float = 1e-4,
        signs: Signs = "random",
        *,
        forbidden: Sequence[Tensor | None] | Mapping[str, Tensor] | None = None,
        seed: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        if not (l1 > 0 and temperature > 0):
            raise BadValue(
                f"Soft DEEP R with l1 = {l1} and temperature = {temperature} has no equilibrium. "
                "Give both a positive value, or use DeepR, which counts."
            )
        options: dict[str, Any] = {"forbidden": forbidden, "seed": seed, "generator": generator}
        super().__init__(optimizer, parameters, connectivity, l1, temperature, signs, **options)
        self.floors, self.below = {}, {}
        for name, w in self.matrices.items():
            p = self.budgets[name] / max(1, self.possible[name])
            self.floors[name] = -(1 - p) / p * temperature / l1 if p > 0 else -math.inf
            depth = torch.rand(w.shape, generator=self.generator, dtype=w.dtype).to(w.device) * self.floors[name]
            self.below[name] = torch.where(w.detach() == 0, depth, 0.0)

    def beside(self) -> list[dict[str, Tensor]]:
        return [*super().beside(), self.below]

    def rewire(self, active: dict[str, Tensor]) -> None:
        for name, w in self.matrices.items():
            rate, sign, above = self.learning_rate(name), self.signs[name], active[name]
            theta = torch.where(above, w * sign - rate * self.l1, self.below[name])
            theta += self.noise(w) * math.sqrt(2 * rate * self.temperature)
            theta = torch.where(self.allowed[name], theta.clamp_(min=self.floors[name]), 0.0)
            w.copy_(torch.where(theta > 0, theta * sign, 0.0))
            self.below[name] = theta.clamp_(max=0.0)

    def rewiring_state(self) -> dict[str, Any]:
        return super().rewiring_state() | {"below": self.below}

    def load_rewiring_state(self, state: dict[str, Any]) -> None:
        super().load_rewiring_state(state)
        self.below = {name: state["below"][name].to(w) for name, w in self.matrices.items()}
