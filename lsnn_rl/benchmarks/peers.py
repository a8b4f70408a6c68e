"""The rivals, each written as its own users would write it: a layer over time, a linear readout at every step.

A peer knows two things: `train(load, x)` returns a function that runs forward and backward once, and `act(load, n)`
returns a function that advances one step without gradients. Peers that are not installed are left out.

None of these indexes a tensor with gradient inside the time loop (`x[t]`): its backward costs T times T. `unbind(0)`.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from lsnn_rl.benchmarks.workloads import Workload
from lsnn_rl.registry import Registry

Run = Callable[[], Any]
Step = Callable[[Tensor], Any]


def backward(model: nn.Module, loss: Tensor) -> None:
    """A fresh gradient for every parameter."""
    model.zero_grad(set_to_none=True)
    loss.backward()


class Peer:
    """One rival at one load; `needs` is the package that must be installed."""

    needs = "torch"

    def train(self, load: Workload, x: Tensor) -> Run:
        raise NotImplementedError

    def act(self, load: Workload, n: int) -> Step:
        raise NotImplementedError


class LSTM(Peer):
    """torch's own long short-term memory, over the whole sequence at once; acting with its cell."""

    def __init__(self, size: int) -> None:
        self.size = size

    def train(self, load: Workload, x: Tensor) -> Run:
        layer, head = nn.LSTM(load.inputs, self.size), nn.Linear(self.size, load.readouts)
        model = nn.ModuleList([layer, head])
        return lambda: backward(model, head(layer(x)[0]).square().mean())

    def act(self, load: Workload, n: int) -> Step:
        cell, head = nn.LSTMCell(load.inputs, self.size), nn.Linear(self.size, load.readouts)
        state = (torch.zeros(n, self.size), torch.zeros(n, self.size))

        def step(x: Tensor) -> Tensor:
            nonlocal state
            state = cell(x, state)
            return head(state[0])

        return step


class Norse(Peer):
    """norse's LSNNRecurrent: hard reset, an extra synaptic filter, no refractory period, adaptation detached."""

    needs = "norse"

    def train(self, load: Workload, x: Tensor) -> Run:
        import norse.torch as norse

        layer = norse.LSNNRecurrent(load.inputs, load.size, p=self._constants(load))
        head = nn.Linear(load.size, load.readouts)
        model = nn.ModuleList([layer, head])
        return lambda: backward(model, head(layer(x)[0]).square().mean())

    def act(self, load: Workload, n: int) -> Step:
        import norse.torch as norse

        cell = norse.LSNNRecurrentCell(load.inputs, load.size, p=self._constants(load))
        head, state = nn.Linear(load.size, load.readouts), None

        def step(x: Tensor) -> Tensor:
            nonlocal state
            spikes, state = cell(x, state)
            return head(spikes)

        return step

    @staticmethod
    def _constants(load: Workload) -> Any:
        import norse.torch as norse

        tau_s = load.tau_adapt_ms / 1000
        return norse.LSNNParameters(tau_mem_inv=torch.tensor(1 / 0.02), tau_adapt_inv=torch.tensor(1 / tau_s))


class SnnTorch(Peer):
    """snnTorch's RLeaky: recurrent leaky cells without adaptation, which it does not have."""

    needs = "snntorch"

    def _model(self, load: Workload) -> Any:
        import snntorch

        cells = snntorch.RLeaky(beta=0.95, linear_features=load.size, reset_mechanism="subtract")
        return nn.ModuleList([nn.Linear(load.inputs, load.size), cells, nn.Linear(load.size, load.readouts)])

    def train(self, load: Workload, x: Tensor) -> Run:
        model = self._model(load)
        into, cells, head = model

        def run() -> None:
            spikes, membrane = cells.init_rleaky()
            outputs = []
            for line in x.unbind(0):
                spikes, membrane = cells(into(line), spikes, membrane)
                outputs.append(head(spikes))
            backward(model, torch.stack(outputs).square().mean())

        return run

    def act(self, load: Workload, n: int) -> Step:
        into, cells, head = self._model(load)
        spikes, membrane = cells.init_rleaky()

        def step(x: Tensor) -> Tensor:
            nonlocal spikes, membrane
            spikes, membrane = cells(into(x), spikes, membrane)
            return head(spikes)

        return step


class SpikingJelly(Peer):
    """SpikingJelly's LIF cells in a linear recurrent container, single-step mode; no adaptation."""

    needs = "spikingjelly"

    def _model(self, load: Workload) -> nn.Sequential:
        from spikingjelly.activation_based import layer, neuron, surrogate

        cells = neuron.LIFNode(tau=20.0, surrogate_function=surrogate.ATan(), detach_reset=True)
        return nn.Sequential(
            nn.Linear(load.inputs, load.size),
            layer.LinearRecurrentContainer(cells, in_features=load.size, out_features=load.size),
            nn.Linear(load.size, load.readouts),
        )

    def train(self, load: Workload, x: Tensor) -> Run:
        from spikingjelly.activation_based import functional

        model = self._model(load)

        def run() -> None:
            functional.reset_net(model)
            backward(model, torch.stack([model(line) for line in x.unbind(0)]).square().mean())

        return run

    def act(self, load: Workload, n: int) -> Step:
        return self._model(load)


PEERS = Registry("peer")
PEERS.add("norse", Norse())
PEERS.add("snntorch", SnnTorch())
PEERS.add("spikingjelly", SpikingJelly())
ORDER = ("norse", "snntorch", "spikingjelly")


def peers_for(load: Workload) -> dict[str, Peer]:
    """Every installed rival, and nn.LSTM in the sizes of this load."""
    installed = {name: PEERS.get(name) for name in ORDER if find_spec(PEERS.get(name).needs)}
    return installed | {f"lstm{size}": LSTM(size) for size in load.lstm}
