"""Sparse evolutionary training (SET): now and then, the weakest synapses of each matrix move to random places.

Source: Mocanu et al., Nature Communications 2018, arXiv 1707.04780. Here the count of each matrix is kept, "weakest" is
by magnitude over both signs, and a moved synapse starts at nothing with a random sign, as in DEEP R.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lsnn_rl.errors import BadValue
from lsnn_rl.rewiring.base import Matrices, Rewiring


class SET(Rewiring):
    """Any torch optimiser, moving the weakest synapses to random places every so many steps.

    Args:
        optimizer, parameters, connectivity, forbidden, seed, generator: see `Rewiring`. Each matrix keeps its count.
        fraction: of the active synapses, moved at a time.
        every: optimiser steps between two moves.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: Matrices,
        connectivity: float | Sequence[float] = 0.12,
        fraction: float = 0.3,
        every: int = 100,
        *,
        forbidden: Sequence[Tensor | None] | Mapping[str, Tensor] | None = None,
        seed: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(optimizer, parameters, connectivity, forbidden=forbidden, seed=seed, generator=generator)
        if not 0 <= fraction <= 1 or every < 1:
            raise BadValue(
                f"fraction = {fraction}, every = {every}. Give a fraction from 0 to 1 and at least one step."
            )
        self.fraction, self.every, self.steps = fraction, every, 0
        self.prune()

    def rewire(self, active: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, w in self.matrices.items():
            w.masked_fill_(~active[name], 0.0)
            if self.steps % self.every == 0:
                count = round(self.moved_fraction() * int(w.count_nonzero()))
                strength = torch.where(w == 0, torch.inf, w.abs())
                w.view(-1)[strength.flatten().topk(count, largest=False).indices] = 0.0
                births = min(self.budgets[name] - int(w.count_nonzero()), int(self.dormant(name).sum()))
                self.regrow(name, births)

    def moved_fraction(self) -> float:
        return self.fraction

    def regrow(self, name: str, births: int) -> None:
        places = self.choose(self.dormant(name), births)
        coins = torch.randint(0, 2, (births,), generator=self.generator) * 2 - 1
        self.grow(name, places, coins.to(places.device))

    def rewiring_state(self) -> dict[str, Any]:
        return super().rewiring_state() | {"steps": self.steps}

    def load_rewiring_state(self, state: dict[str, Any]) -> None:
        super().load_rewiring_state(state)
        self.steps = state["steps"]
