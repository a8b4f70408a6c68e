"""Deep rewiring (DEEP R): one global budget of synapses that die by random walk or decay and are reborn elsewhere.

A synapse is w = s theta while theta > 0 and dormant otherwise; its sign s never changes. One iteration, in this order:
    1. the wrapped optimiser steps, on the gradient of every synapse, dormant ones included;
    2. what it did to dormant synapses is undone: no synapse reconnects by the optimiser alone;
    3. each active theta moves by -lr l1 + sqrt(2 lr T) N(0, 1), with the current learning rate lr;
    4. those at or below zero become dormant;
    5. as many as died are born: split over the matrices in proportion to connectivity times size, then uniformly among
       the dormant synapses of each, at theta = 1e-12.

The optimiser works on w rather than theta. That is the same thing for any optimiser that is odd in the gradient (SGD,
momentum, Adam, RMSprop, weight decay): gradient and moments of theta are those of w times s.

Source: Bellec, Kappel, Maass, Legenstein, ICLR 2018; global budget and order of operations as in the sparse LSNN of
Bellec et al. 2018, arXiv 1803.09574.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lsnn_rl.errors import BadValue
from lsnn_rl.rewiring.base import Matrices, Rewiring
from lsnn_rl.rewiring.signs import Signs, fixed_signs

if TYPE_CHECKING:
    from lsnn_rl.network import RecurrentNetwork


class DeepR(Rewiring):
    """Any torch optimiser, rewiring as it learns.

    Args:
        optimizer, parameters, connectivity, forbidden, seed, generator: see `Rewiring`. The budget is global: a matrix
            may end denser than it began, another sparser.
        l1: pull of every active synapse towards zero, per unit of learning rate.
        temperature: T of the random walk; 0 as in the LSNN experiments.
        signs: "random" keeps the sign of each given weight (a coin decides for zeros); "dale" reads one sign for each
            presynaptic cell (column) from the weights; or tensors of +1 and -1 by matrix, [pre] or [post, pre].

    >>> layer = torch.nn.Linear(100, 10)
    >>> optimizer = DeepR(torch.optim.Adam(layer.parameters(), lr=0.01), [layer.weight], connectivity=0.03)
    >>> layer(torch.ones(1, 100)).sum().backward()
    >>> optimizer.step()
    >>> int(layer.weight.count_nonzero()), bool((layer.weight.grad != 0).all())
    (30, True)
    """

    keeps_signs = True

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: Matrices,
        connectivity: float | Sequence[float] = 0.12,
        l1: float = 0.01,
        temperature: float = 0.0,
        signs: Signs = "random",
        *,
        forbidden: Sequence[Tensor | None] | Mapping[str, Tensor] | None = None,
        seed: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(optimizer, parameters, connectivity, forbidden=forbidden, seed=seed, generator=generator)
        for what, value in (("l1", l1), ("temperature", temperature)):
            if not 0 <= value < math.inf:
                raise BadValue(f"{what} = {value} would push synapses the wrong way. Give zero or a positive number.")
        self.l1, self.temperature = l1, temperature
        given = self._by_matrix(None if isinstance(signs, str) else signs, "signs")
        self.signs = fixed_signs(signs, self.matrices, given, self.generator)
        with torch.no_grad():
            for name, w in self.matrices.items():
                w.copy_(w.abs() * self.signs[name])
        self.prune()

    @classmethod
    def for_network(
        cls,
        optimizer: Optimizer,
        network: "RecurrentNetwork",
        connectivity: float | Sequence[float] = 0.12,
        **options: Any,
    ) -> "Rewiring":
        """As `Rewiring.for_network`; a network made with dale=True hands over the signs of its inputs and cells."""
        if getattr(network, "sign_rec", None) is not None:
            cells = network.sign_rec
            options.setdefault("signs", {"w_in": network.sign_in, "w_rec": cells, "w_out": cells})
        return super().for_network(optimizer, network, connectivity, **options)

    def beside(self) -> list[dict[str, Tensor]]:
        return [*super().beside(), self.signs]

    def rewire(self, active: dict[str, Tensor]) -> None:
        active = {name: self.walk(name, active[name]) for name in self.matrices}
        counts = {name: int(alive.sum()) for name, alive in active.items()}
        deficit = self.budget - sum(counts.values())
        if deficit < 0:
            raise BadValue(
                f"{sum(counts.values())} synapses are active, the budget is {self.budget}: the weights were replaced "
                "after the optimiser was wrapped. Load weights first, or wrap the optimiser again."
            )
        room = {name: self.possible[name] - count for name, count in counts.items()}
        for name, births in self.split(deficit, room).items():
            places = self.choose(self.allowed[name] & ~active[name], births)
            self.grow(name, places, self.signs[name].view(-1)[places])

    def walk(self, name: str, active: Tensor) -> Tensor:
        """Decay and noise of the active synapses of one matrix. Returns which of them are still above zero."""
        w, rate, sign = self.matrices[name], self.learning_rate(name), self.signs[name]
        theta = w * sign
        active = active & (theta > 0)  # one that the optimiser pushed below zero is dormant, whatever the noise says
        theta -= rate * self.l1
        if self.temperature > 0:
            theta += self.noise(w) * math.sqrt(2 * rate * self.temperature)
        active &= theta > 0
        w.copy_(theta.mul_(sign).masked_fill_(~active, 0.0))
        return active

    def noise(self, like: Tensor) -> Tensor:
        """N(0, 1) for every synapse, from this optimiser's own generator."""
        return torch.randn(like.shape, generator=self.generator, dtype=like.dtype).to(like.device)

    def split(self, births: int, room: Mapping[str, int]) -> dict[str, int]:
        """Divide births over the matrices by lot, each with odds of connectivity times size.

        A matrix with less room than its share passes the rest on to the others.
        """
        limits = torch.tensor([room[name] for name in self.matrices])
        odds = torch.tensor([float(self.budgets[name]) for name in self.matrices])
        shares = torch.zeros_like(limits)
        while (left := births - int(shares.sum())) > 0:
            drawn = torch.multinomial(odds * (shares < limits), left, replacement=True, generator=self.generator)
            shares = torch.minimum(shares + drawn.bincount(minlength=len(shares)), limits)
        return dict(zip(self.matrices, shares.tolist(), strict=True))

    def rewiring_state(self) -> dict[str, Any]:
        return super().rewiring_state() | {"signs": self.signs}

    def load_rewiring_state(self, state: dict[str, Any]) -> None:
        super().load_rewiring_state(state)
        given = self._by_matrix(state["signs"], "saved signs")
        self.signs = fixed_signs(state["signs"], self.matrices, given, self.generator)
