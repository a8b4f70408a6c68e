"""Non-spiking controls: RNN, GRU and LSTM with torch's own formulas and order of gates.

The network's weights are laid out as torch's (`weight_ih` is `w_in`, `weight_hh` is `w_rec`), so whole stretches
without a reset run in torch's fused sequence kernels (`sequence`), and a step is the same equation in the open.
"""

import torch
from torch import Tensor

from lsnn_rl.neurons.base import Cell
from lsnn_rl.state import State


class Gated(Cell):
    """A cell that torch can also run over a whole sequence."""

    def sequence(self, x: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        """All steps of x [T, N, I] at once, by w_in, w_rec, bias_in, bias_rec: h [T, N, H] and the last state."""
        raise NotImplementedError(f"{type(self).__name__} needs a sequence(x, state, weights).")


class RNN(Gated):
    """h' = tanh(input + recurrent). State: h [N, H]. Source: Elman 1990, in the form of torch.nn.RNN."""

    def step(self, input: Tensor, recurrent: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(input + recurrent)
        return h, {"h": h}

    def sequence(self, x: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        h, last = torch.rnn_tanh(x, state["h"][None], weights, True, 1, 0.0, False, False, False)
        return h, {"h": last[0]}


class GRU(Gated):
    """Three currents a unit, for the gates r and z and the candidate n. State: h [N, H].

        r = sigmoid(.), z = sigmoid(.), n = tanh(input_n + r recurrent_n), h' = (1 - z) n + z h

    Source: Cho et al. 2014, arXiv 1406.1078, in the form of torch.nn.GRU (r acts after the matrix).
    """

    currents = 3

    def step(self, input: Tensor, recurrent: Tensor, state: State) -> tuple[Tensor, State]:
        r, z = torch.sigmoid((input + recurrent)[:, : 2 * self.size]).chunk(2, dim=1)
        n = torch.tanh(input[:, 2 * self.size :] + r * recurrent[:, 2 * self.size :])
        h = (1 - z) * n + z * state["h"]
        return h, {"h": h}

    def sequence(self, x: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        h, last = torch.gru(x, state["h"][None], weights, True, 1, 0.0, False, False, False)
        return h, {"h": last[0]}


class LSTM(Gated):
    """Four currents a unit, for the gates i, f, the candidate g and the gate o. State: h and c, each [N, H].

        c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c')

    Source: Hochreiter and Schmidhuber 1997, Gers et al. 2000, in the form of torch.nn.LSTM.
    """

    currents = 4
    entries = ("h", "c")

    def step(self, input: Tensor, recurrent: Tensor, state: State) -> tuple[Tensor, State]:
        i, f, g, o = (input + recurrent).chunk(4, dim=1)
        c = torch.sigmoid(f) * state["c"] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, {"h": h, "c": c}

    def sequence(self, x: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        start = (state["h"][None], state["c"][None])
        h, last, c = torch.lstm(x, start, weights, True, 1, 0.0, False, False, False)
        return h, {"h": last[0], "c": c[0]}
