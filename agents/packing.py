"""A network's state as upstream's LSTM pair (h, c): what sb3_contrib.RecurrentPPO stores, resets and hands back.

Upstream knows one shape only, `(layers, N, hidden_size)` twice. A state of S numbers a row is laid out flat, cut in two
halves and padded by at most one zero. Upstream resets by multiplying with zero: the rest state of every cell.
It keeps such a pair for actor and critic at every step, 8 S bytes each a transition; lsnn_rl.RecurrentPPO keeps states
at the starts of chunks only.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from lsnn_rl.agents.feedforward import FeedForward
from lsnn_rl.agents.poisson import AGE, KeyedPoisson, ages, with_age
from lsnn_rl.encoders import Encoder
from lsnn_rl.errors import ShapeMismatch
from lsnn_rl.network import Output, RecurrentNetwork
from lsnn_rl.state import State, check_rows, pack, size, unpack

Pair = tuple[Tensor, Tensor]
_CRITIC = "critic."


class Packing:
    """Converts between a State and (h, c), each [1, N, width]."""

    def __init__(self, rest: State) -> None:
        self.layout = {name: value.to("meta") for name, value in rest.items()}  # shapes, without memory or device
        self.size = size(rest)
        self.width = max(1, (self.size + 1) // 2)  # at least one, also for a network without state

    def pack(self, state: State, n: int) -> Pair:
        flat = pack(state) if state else torch.zeros(n, 0)
        h, c = F.pad(flat, (0, 2 * self.width - self.size)).unsqueeze(0).split(self.width, -1)
        return h.contiguous(), c.contiguous()

    def unpack(self, pair: tuple[Tensor, ...]) -> State:
        h, c = pair
        if h.dim() != 3 or h.shape != c.shape or h.shape[::2] != (1, self.width):
            raise ShapeMismatch(
                f"The state holds arrays of shape {tuple(h.shape)} and {tuple(c.shape)}, this policy needs two of "
                f"(1, N, {self.width}). Pass back what the last call returned, or state=None to begin afresh."
            )
        return unpack(torch.cat([h[0], c[0]], -1), self.layout)


class Core(nn.Module):
    """Encoder and network, with the three numbers that upstream reads off an nn.LSTM.

    With `direct` the input lines stand behind the readouts, as in the extended state of an echo state network.
    """

    num_layers = 1

    def __init__(
        self,
        encoder: Encoder | KeyedPoisson,
        network: RecurrentNetwork | FeedForward,
        inputs: int,
        direct: bool = False,
    ) -> None:
        super().__init__()
        self.encoder, self.network, self.direct = encoder, network, direct
        self.packing = Packing(self.initial_state(1))
        self.input_size, self.hidden_size = inputs, self.packing.width

    def initial_state(self, n: int) -> State:
        state = self.network.initial_state(n)
        return with_age(state, n) if isinstance(self.encoder, KeyedPoisson) else state

    def run(self, features: Tensor, state: State, starts: Tensor, counts: bool = False) -> tuple[Output, State]:
        """Run features [T, N, F] from `state`, reset where `starts` [T, N]; the Output and the state after."""
        check_rows(state, features.shape[1])
        if isinstance(self.encoder, KeyedPoisson):
            age = ages(state[AGE][:, 0], starts)
            lines = self.encoder(features, age)
            inner = {name: value for name, value in state.items() if name != AGE}
            output, state = self.network.run(lines, inner, starts, counts=counts)
            state = {**state, AGE: age[-1].unsqueeze(1)}
        else:
            lines = self.encoder(features)
            output, state = self.network.run(lines, state, starts, counts=counts)
        if self.direct:
            output = output._replace(readout=torch.cat([output.readout, lines], -1))
        return output, state


def join(actor: State, critic: State) -> State:
    """One state of two networks; the critic's entries carry a prefix."""
    return {**actor, **{_CRITIC + name: value for name, value in critic.items()}}


def split(state: State) -> tuple[State, State]:
    """Undo `join`."""
    if not any(name.startswith(_CRITIC) for name in state):
        return state, {}
    critic = {name.removeprefix(_CRITIC): value for name, value in state.items() if name.startswith(_CRITIC)}
    return {name: value for name, value in state.items() if not name.startswith(_CRITIC)}, critic


class _AlsoMinimise(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, cost: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, grad.new_ones(())


def also_minimise(values: Tensor, cost: Tensor) -> Tensor:
    """`values` unchanged; whoever backpropagates through them descends `cost` (a scalar) too, with weight 1.

    >>> x = torch.tensor([2.0], requires_grad=True)
    >>> also_minimise(0 * x, 5 * x.sum()).sum().backward()
    >>> x.grad.item()
    5.0
    """
    return _AlsoMinimise.apply(values, cost)
