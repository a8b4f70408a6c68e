"""Leaky integrate-and-fire: the regular cell, and the frame that the adaptive cell fills in.

tau_mem dv/dt = -v + I;  a spike lowers v by the threshold, then a refractory period.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lsnn_rl import units
from lsnn_rl.errors import unknown_name
from lsnn_rl.neurons.base import Cell
from lsnn_rl.neurons.constants import Constant, decays, make_trainable, positive
from lsnn_rl.state import State
from lsnn_rl.surrogates import Surrogate, build_surrogate


class LIF(Cell):
    """Regular spiking cells, with the equations (C) and (D) of the paper and a fixed threshold.

        v(t+1) = decay_mem v(t) + (1 - decay_mem) I(t) - thr z(t)
        z(t+1) = H(v(t+1) - thr), 0 for `refractory` steps after a spike

    Args:
        size: number of cells H.
        tau_mem_ms, thr: membrane time constant and threshold (volts): a number, H numbers, or a named distribution.
        refractory_ms: silence after a spike, while the membrane goes on integrating.
        timing: "paper", or "official" for what the authors' code does: the spike tests the *old* v and its
            reset comes one step later, by the threshold of that step.
        surrogate, dampening: stand-in for dz/du, a name in SURROGATES or an instance.
        surrogate_scale: u = (v - threshold) / threshold ("adapted"), or / thr ("base", as the group's later code).
        detach_reset: no gradient through the reset (attached by default, as in the paper).
        trainable: constants to be trained, of "thr", "tau_mem" (and "beta", "tau_adapt" where there is adaptation).
        generator: source of the sampled constants.
    State: v offset from rest (volts), z last spikes, refractory steps left; each [N, H].
    Source: Bellec et al. 2018, arXiv 1803.09574; released code: IGITUGraz/LSNN-official, spiking_models.py.

    >>> from lsnn_rl.probe import spike_times
    >>> spike_times(LIF(1, refractory_ms=0), current=0.05, steps=40)
    [5, 10, 15, 19, 24, 29, 34, 39]
    """

    spiking = True
    output = "z"
    entries: tuple[str, ...] = ("v", "z", "refractory")

    decay_mem: Tensor  # [H]
    thr: Tensor  # [H], volts

    def __init__(
        self,
        size: int,
        *,
        tau_mem_ms: Constant = 20.0,
        thr: Constant = 0.01,
        refractory_ms: float = 5.0,
        dt_ms: float = 1.0,
        timing: str = "paper",
        surrogate: str | Surrogate = "triangular",
        dampening: float = 0.3,
        surrogate_scale: str = "adapted",
        detach_reset: bool = False,
        trainable: Sequence[str] = (),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(size)
        for kind, name, known in (
            ("timing", timing, ("paper", "official")),
            ("surrogate scale", surrogate_scale, ("adapted", "base")),
        ):
            if name not in known:
                raise unknown_name(kind, name, known)
        self.timing = timing
        self.surrogate = build_surrogate(surrogate, dampening=dampening)
        self.surrogate_scale = surrogate_scale
        self.detach_reset = detach_reset
        self.refractory = units.steps(refractory_ms, dt_ms, "refractory_ms")
        self._constant("decay_mem", decays("tau_mem_ms", tau_mem_ms, size, dt_ms, generator))
        self._constant("thr", positive("thr", thr, size, generator))
        make_trainable(self, trainable)

    def _constant(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.to(torch.get_default_dtype()))

    def threshold(self, state: State) -> Tensor:
        """The threshold in that state, volts."""
        return self.thr

    def adapt(self, state: State) -> State:
        """What the last spikes leave behind for the next step, beside voltage and silence."""
        return {}

    def step(self, input: Tensor, recurrent: Tensor, state: State) -> tuple[Tensor, State]:
        paper = self.timing == "paper"
        v, z, wait = state["v"], state["z"], state["refractory"]
        adapted = self.adapt(state)
        threshold = self.threshold(adapted)

        reset = (self.threshold(state) if paper else threshold) * z
        if self.detach_reset:
            reset = reset.detach()
        charged = self.decay_mem * v + (1 - self.decay_mem) * (input + recurrent) - reset

        scale = threshold if self.surrogate_scale == "adapted" else self.thr
        spikes = self.surrogate(((charged if paper else v) - threshold) / scale)
        if self.refractory:
            spikes = spikes * (wait == 0)  # a suppressed spike has no gradient either
            wait = (wait - 1).clamp(min=0) + self.refractory * spikes.detach()
        return spikes, {"v": charged, **adapted, "z": spikes, "refractory": wait}

    def extra_repr(self) -> str:
        return f"{self.size}, timing={self.timing!r}, refractory={self.refractory}, surrogate={self.surrogate}"
