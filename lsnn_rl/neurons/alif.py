"""Adaptive leaky integrate-and-fire: every spike lifts the cell's own threshold, and this slow trace is the memory."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lsnn_rl.neurons.constants import Constant, decays, make_trainable, positive
from lsnn_rl.neurons.lif import LIF
from lsnn_rl.state import State


class ALIF(LIF):
    """Adaptive spiking cells, the equations (A) to (D) of the paper.

        threshold(t) = thr + beta b(t)                                                    (B)
        v(t+1) = decay_mem v(t) + (1 - decay_mem) I(t) - threshold(t) z(t)                (C)
        b(t+1) = decay_adapt b(t) + (1 - decay_adapt) z(t)                                (A)
        z(t+1) = H(v(t+1) - threshold(t+1)), 0 for `refractory` steps after a spike       (D)

    Args:
        tau_adapt_ms: time constant of the adaptation b: a number, H numbers, or a named distribution.
        beta: strength of the adaptation; 0 makes a cell regular.
        detach_adaptation: no gradient from b to the spikes that made it (attached by default, as in the paper).
        others: as for LIF.
    State: v, b, z, refractory; each [N, H].
    Gradient: the surrogate stands in for dz/dv; reset, adaptation and the threshold below the fraction stay attached.

    >>> from lsnn_rl.probe import spike_times
    >>> spike_times(ALIF(1, beta=1.8, tau_adapt_ms=700.0), current=0.05, steps=40)
    [5, 11, 19, 28, 39]
    """

    entries = ("v", "b", "z", "refractory")

    decay_adapt: Tensor  # [H]
    beta: Tensor  # [H]

    def __init__(
        self,
        size: int,
        *,
        tau_adapt_ms: Constant = 700.0,
        beta: Constant = 1.8,
        dt_ms: float = 1.0,
        detach_adaptation: bool = False,
        trainable: Sequence[str] = (),
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        super().__init__(size, dt_ms=dt_ms, generator=generator, **options)
        self.detach_adaptation = detach_adaptation
        self._constant("decay_adapt", decays("tau_adapt_ms", tau_adapt_ms, size, dt_ms, generator))
        self._constant("beta", positive("beta", beta, size, generator, zero=True))
        make_trainable(self, trainable)

    def threshold(self, state: State) -> Tensor:
        return self.thr + self.beta * state["b"]

    def adapt(self, state: State) -> State:
        z = state["z"].detach() if self.detach_adaptation else state["z"]
        return {"b": self.decay_adapt * state["b"] + (1 - self.decay_adapt) * z}
