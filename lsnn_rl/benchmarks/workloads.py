"""The four loads of the core: what is run, how large it is, and how much its cells spike."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lsnn_rl.network import LSNN, RecurrentNetwork
from lsnn_rl.rewiring import DeepR


@dataclass(frozen=True)
class Workload:
    """One network and one batch of input spikes."""

    name: str
    batch: int  # N
    steps: int  # T, simulation steps of 1 ms
    inputs: int  # I
    regular: int
    adaptive: int
    readouts: int  # R
    connectivity: float
    tau_adapt_ms: float
    input_hz: float  # of each input line, Poisson
    rate_hz: float  # of the cells: input weights are scaled until they spike that often
    lstm: tuple[int, ...]  # sizes of the LSTMs to compare with

    @property
    def size(self) -> int:
        return self.regular + self.adaptive

    def shortened(self, factor: int) -> "Workload":
        """The same with fewer steps, for a quick look."""
        return replace(self, steps=max(16, self.steps // factor))

    def spikes(self, generator: torch.Generator) -> Tensor:
        """Input lines, [T, N, I], 0 or 1."""
        shape = (self.steps, self.batch, self.inputs)
        return (torch.rand(shape, generator=generator) < self.input_hz / 1000).float()

    def untuned(self, generator: torch.Generator, delay_ms: float = 1.0) -> RecurrentNetwork:
        """A dense LSNN of this size with its first weights; calmer than usual, so that its rate can be set."""
        return LSNN(
            self.inputs, self.regular, self.adaptive, self.readouts,
            tau_adapt_ms=self.tau_adapt_ms, delay_ms=delay_ms, recurrent_gain=0.5, generator=generator,
        )  # fmt: skip

    def network(self, generator: torch.Generator) -> RecurrentNetwork:
        """The LSNN as DEEP R would wire it (absent synapses are zeros), spiking at about rate_hz."""
        network = self.untuned(generator)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
        DeepR.for_network(optimizer, network, self.connectivity, generator=generator)
        set_rate(network, self, generator)
        return network


# Sizes of the sequential MNIST, arena and PPO runs of the paper and of this project; rates as measured in training.
WORKLOADS = {
    "smnist": Workload("smnist", 256, 840, 80, 120, 100, 10, 0.12, 700.0, 45.0, 12.0, (128, 220)),
    "arena": Workload("arena", 16, 2000, 160, 280, 120, 5, 0.20, 1200.0, 21.0, 6.0, (400,)),
    "minibatch": Workload("minibatch", 64, 128, 80, 64, 64, 10, 0.20, 300.0, 45.0, 14.0, (128, 220)),
    "minibatch_dense": Workload("minibatch_dense", 64, 128, 80, 64, 64, 10, 1.0, 300.0, 45.0, 14.0, (128, 220)),
    "acting": Workload("acting", 16, 1, 160, 280, 120, 5, 0.20, 1200.0, 21.0, 6.0, (400,)),
}
ACTING_ROWS = (1, 16, 256)


@torch.no_grad()
def set_rate(network: RecurrentNetwork, load: Workload, generator: torch.Generator) -> float:
    """Scale w_in until the cells spike at load.rate_hz, within 5 %. Returns the rate reached, Hz."""
    steps = 300 if load.steps == 1 else min(load.steps, 500)
    sample = replace(load, batch=min(load.batch, 16), steps=steps).spikes(generator)
    low, high, start = 0.0, 1.0, network.w_in.clone()
    for _ in range(12):
        gain = (low + high) / 2
        network.w_in.copy_(gain * start)
        rate = mean_rate_hz(network, sample)
        if abs(rate / load.rate_hz - 1) < 0.05:
            break
        low, high = (gain, high) if rate < load.rate_hz else (low, gain)
    return rate


@torch.no_grad()
def mean_rate_hz(network: RecurrentNetwork, x: Tensor) -> float:
    """Spikes of a cell per second, averaged over cells, rows and time."""
    output, _ = network.run(x)
    assert output.counts is not None, "only spiking networks have a rate"
    return float(output.counts.mean()) * 1000 / (len(x) * network.substeps * network.dt_ms)
