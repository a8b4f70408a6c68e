"""Gated cells over a whole sequence at once: by torch's own fused kernels between resets, or by loops that know resets.

Measured forward and backward, 16 rows of 128 steps, 128 units, one thread of a busy machine, milliseconds:

    steps with a reset       0     10     20     100
    GRU    cut, torch       39     37     41      52
           loop             24     25     23      26
    LSTM   cut, torch       25     31     36      87
           loop             28     28     28      30

So the GRU takes the loop whenever it learns, the LSTM when its pieces become short. Sorting the pieces of lifetimes by
length for torch's packed sequences was tried instead (length buckets without padding): 53 to 64 for the GRU and 89 to
125 for the LSTM, since those kernels are slow on a CPU. Acting, one step without gradient, is torch's either way.
"""

from functools import cache
from importlib import import_module
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from lsnn_rl.neurons.gated import GRU, LSTM, Gated
from lsnn_rl.state import State, reset_where

if TYPE_CHECKING:
    from lsnn_rl.network.recurrent import RecurrentNetwork

STEPS_PER_CUT = 20  # torch's LSTM is the faster one if its pieces are longer than this on average


@cache
def loops() -> ModuleType | None:
    """The loops, imported when first wanted; None where numba cannot be imported."""
    try:
        return import_module("lsnn_rl.network.gated_loops")
    except ImportError:
        return None


def serves(network: "RecurrentNetwork") -> bool:
    """Whether the cell has such a kernel and the readout does not leak."""
    return isinstance(network.cell, Gated) and network.kappa is None


def run(network: "RecurrentNetwork", x: Tensor, state: State, starts: Tensor | None) -> tuple[Tensor, State]:
    """Readouts [T, N, R] and the state after the last step."""
    weights, k, cell = network.weights(), network.substeps, cast(Gated, network.cell)
    parameters = [weights.w_in, weights.w_rec, cast(Tensor, network.bias_in), cast(Tensor, network.bias_rec)]
    cuts = [] if starts is None or not starts.any() else starts.any(dim=1).nonzero().flatten().tolist()
    plain = x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")  # what the loops know
    loop = loops() if plain and torch.is_grad_enabled() and x.device.type == "cpu" else None
    if loop is not None and (type(cell) is GRU or (type(cell) is LSTM and STEPS_PER_CUT * len(cuts) > len(x))):
        lines = x if k == 1 else x.repeat_interleave(k, dim=0)
        outputs, state = _loop(loop, cell, lines, state, starts, k, parameters)
    else:
        outputs, state = _pieces(cell, x, state, starts, k, parameters, cuts)
    return F.linear(outputs if k == 1 else outputs[k - 1 :: k], weights.w_out), state


def _loop(
    loop: ModuleType, cell: Gated, x: Tensor, state: State, starts: Tensor | None, k: int, parameters: list[Tensor]
) -> tuple[Tensor, State]:
    resets = {k * t: keep for t, keep in loop.keeps(starts, x.dtype).items()}
    if type(cell) is GRU:
        outputs, h = loop.gru(x, state["h"], parameters, resets)
        return outputs, {"h": h}
    outputs, h, c = loop.lstm(x, state["h"], state["c"], parameters, resets)
    return outputs, {"h": h, "c": c}


def _pieces(
    cell: Gated, x: Tensor, state: State, starts: Tensor | None, k: int, parameters: list[Tensor], cuts: list[int]
) -> tuple[Tensor, State]:
    """The sequence is cut wherever a row is reset."""
    parts = []
    for begin, end in pairwise(sorted({0, *cuts, len(x)})):
        if starts is not None and begin in cuts:
            state = reset_where(state, starts[begin])
        piece = x[begin:end] if k == 1 else x[begin:end].repeat_interleave(k, dim=0)
        outputs, state = cell.sequence(piece, state, parameters)
        parts.append(outputs)
    return parts[0] if len(parts) == 1 else torch.cat(parts), state
