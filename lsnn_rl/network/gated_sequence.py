"""Gated cells over a whole sequence at once: torch's own fused kernels between resets."""

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from lsnn_rl.state import State, reset_where

if TYPE_CHECKING:
    from lsnn_rl.network.recurrent import RecurrentNetwork


def serves(network: "RecurrentNetwork") -> bool:
    """Whether the cell has a `sequence` and the readout does not leak."""
    return hasattr(network.cell, "sequence") and network.kappa is None


def run(network: "RecurrentNetwork", x: Tensor, state: State, starts: Tensor | None) -> tuple[Tensor, State]:
    """Readouts [T, N, R] and the state after the last step; the sequence is cut wherever a row is reset."""
    weights, k = network.weights(), network.substeps
    parameters = [weights.w_in, weights.w_rec, network.bias_in, network.bias_rec]
    resets = [] if starts is None else starts.any(dim=1).nonzero().flatten().tolist()
    parts = []
    for begin, end in pairwise(sorted({0, *resets, len(x)})):
        if begin in resets:
            state = reset_where(state, starts[begin])
        outputs, state = network.cell.sequence(x[begin:end].repeat_interleave(k, dim=0), state, parameters)
        parts.append(outputs[k - 1 :: k])
    return F.linear(torch.cat(parts), weights.w_out), state
