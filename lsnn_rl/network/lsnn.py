"""The LSNN of the paper: regular and adaptive spiking cells in one recurrent network with leaky readouts."""

from inspect import signature
from typing import Any

import torch

from lsnn_rl.errors import BadValue
from lsnn_rl.network.options import split
from lsnn_rl.network.recurrent import RecurrentNetwork
from lsnn_rl.neurons.alif import ALIF
from lsnn_rl.neurons.constants import Constant, draw
from lsnn_rl.neurons.lif import LIF


class LSNN(RecurrentNetwork):
    """A long short-term memory of spiking neurons: `regular` cells first, `adaptive` cells last.

    Args:
        inputs, readouts: number of input lines and of readouts.
        regular, adaptive: number of cells without and with adaptation.
        tau_adapt_ms, beta: constants of the adaptive cells: a number, one for each, or a named distribution.
        tau_mem_ms, thr: constants of all cells, likewise.
        all others, and more by keyword: see RecurrentNetwork, LIF and ALIF.
    Source: Bellec et al. 2018, arXiv 1803.09574; the defaults are those of its sequential MNIST, without rewiring.

    >>> network = LSNN(inputs=80, regular=120, adaptive=100, readouts=10)
    >>> sum(p.numel() for p in network.parameters())
    68210
    >>> output, state = network.run(torch.zeros(5, 2, 80))
    >>> output.readout.shape, output.counts.shape, sorted(state)
    (torch.Size([5, 2, 10]), torch.Size([2, 220]), ['b', 'readout', 'refractory', 'v', 'z'])
    """

    def __init__(
        self,
        inputs: int,
        regular: int = 120,
        adaptive: int = 100,
        readouts: int = 10,
        *,
        tau_mem_ms: Constant = 20.0,
        tau_adapt_ms: Constant = 700.0,
        beta: Constant = 1.8,
        thr: Constant = 0.01,
        refractory_ms: float = 5.0,
        delay_ms: float = 1.0,
        tau_out_ms: Constant | None = 20.0,
        connectivity: float = 1.0,
        dale: bool = False,
        excitatory: float = 0.75,
        dampening: float = 0.3,
        dt_ms: float = 1.0,
        substeps: int = 1,
        timing: str = "paper",
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        size = regular + adaptive
        for name, count in (("regular", regular), ("adaptive", adaptive)):
            if not isinstance(count, int):
                raise BadValue(f"{name} = {count!r} is not a number of cells. Give a whole number.")
        if regular < 0 or adaptive < 0 or size == 0:
            raise BadValue(f"{regular} regular and {adaptive} adaptive cells make no network. Give at least one cell.")
        kind = ALIF if adaptive else LIF
        for_cell, for_network = split("LSNN", options, kind, RecurrentNetwork, also=set(signature(LSNN).parameters))
        if adaptive:
            silent = torch.zeros(regular, dtype=torch.float64)  # beta = 0 makes a cell regular
            for_cell["beta"] = torch.cat([silent, draw("beta", beta, adaptive, generator)])
            for_cell["tau_adapt_ms"] = tau_adapt_ms
            if regular and not isinstance(tau_adapt_ms, (int, float)):
                tau = draw("tau_adapt_ms", tau_adapt_ms, adaptive, generator)
                for_cell["tau_adapt_ms"] = torch.cat([tau[:1].expand(regular), tau])  # a trace without effect
        cell = kind(
            size,
            tau_mem_ms=tau_mem_ms,
            thr=thr,
            refractory_ms=refractory_ms,
            dampening=dampening,
            dt_ms=dt_ms,
            timing=timing,
            generator=generator,
            **for_cell,
        )
        super().__init__(
            cell,
            inputs,
            readouts,
            adaptive=adaptive,
            delay_ms=delay_ms,
            tau_out_ms=tau_out_ms,
            connectivity=connectivity,
            dale=dale,
            excitatory=excitatory,
            dt_ms=dt_ms,
            substeps=substeps,
            generator=generator,
            **for_network,
        )
