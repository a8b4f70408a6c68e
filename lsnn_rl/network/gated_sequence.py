"""Gated cells over a whole sequence at once: torch's own fused kernels between resets."""

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from lsnn_rl.neurons.gated import Gated
from lsnn_rl.state import State, reset_where

if TYPE_CHECKING:
    from lsnn_rl.network.recurrent import RecurrentNetwork


def serves(network: "RecurrentNetwork") -> bool:
    """Whether the cell has such a kernel and the readout does not leak."""
    return isinstance(network.cell, Gated) and network.kappa is None


def run(network: "RecurrentNetwork", x: Tensor, state: State, starts: Tensor | None) -> tuple[Tensor, State]:
    """Readouts [T, N, R] and the state after the last step; the sequence is cut wherever a row is reset."""
    weights, k, cell = network.weights(), network.substeps, cast(Gated, network.cell)
    parameters = [weights.w_in, weights.w_rec, cast(Tensor, network.bias_in), cast(Tensor, network.bias_rec)]
    cuts = [] if starts is None or not starts.any() else starts.any(dim=1).nonzero().flatten().tolist()
    parts = []
    for begin, end in pairwise(sorted({0, *cuts, len(x)})):
        if starts is not None and begin in cuts:
            state = reset_where(state, starts[begin])
        segment = x[begin:end] if k == 1 else x[begin:end].repeat_interleave(k, dim=0)
        outputs, state = cell.sequence(segment, state, parameters)
        parts.append(outputs if k == 1 else outputs[k - 1 :: k])
    outputs = parts[0] if len(parts) == 1 else torch.cat(parts)
    return F.linear(outputs, weights.w_out), state
