"""Is this something the network can run over? Asked once per call, before any time is spent."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue, ShapeMismatch
from lsnn_rl.state import State, check_rows

if TYPE_CHECKING:
    from lsnn_rl.network.recurrent import RecurrentNetwork


def all_finite(x: Tensor) -> bool:
    """Whether x holds neither NaN nor infinity; one pass, because a sum keeps them."""
    return math.isfinite(x.sum().item()) or bool(torch.isfinite(x).all())


def check_finite(x: Tensor) -> None:
    """Neither NaN nor infinity on the input lines."""
    if not all_finite(x):
        row = int((~torch.isfinite(x)).any(2).any(0).nonzero()[0])
        raise BadValue(
            f"x holds NaN or infinity (first in row {row}). A spiking cell would fall silent without a word: "
            "look for it in the observation or the encoder."
        )


def check_input(network: "RecurrentNetwork", x: Tensor, noise: Tensor | None) -> None:
    """Shape and precision of the input lines and of the noise."""
    if x.dim() != 3 or x.shape[2] != network.inputs or not len(x):
        raise ShapeMismatch(
            f"The network runs over x of shape [T, N, {network.inputs}] with T >= 1 and was given {list(x.shape)}. "
            "Add the missing axis (one step: x[None]), or build the network with that number of inputs."
        )
    if x.dtype != network.w_in.dtype:
        raise BadValue(
            f"The network computes in {network.w_in.dtype} and x is {x.dtype}. Pass x.to({network.w_in.dtype}), "
            "or convert the network, as network.double() does."
        )
    if noise is not None:
        shape = [len(x), network.substeps, x.shape[1], network.size]
        if network.noise_std is None:
            raise BadValue("noise was given, but this network has none. Build it with noise=0.03, or leave it out.")
        if list(noise.shape) != shape:
            raise ShapeMismatch(
                f"noise has the shape {list(noise.shape)}. For this x it must be [T, K, N, H] = {shape}."
            )


def check_state(network: "RecurrentNetwork", state: State, n: int) -> None:
    """Every entry this network needs, for n rows."""
    check_rows(state, n)
    for name, shape in network.shapes.items():
        if name not in state:
            raise ShapeMismatch(
                f"This network's state has an entry {name!r}, the given one only {', '.join(state)}. "
                f"Begin afresh with initial_state({n}), or pass the state of the same network."
            )
        if state[name].shape[1:] != shape:
            raise ShapeMismatch(
                f"The state's {name} has the shape {list(state[name].shape)}, and this network needs {[n, *shape]}. "
                f"Begin afresh with initial_state({n}), or pass the state of the same network."
            )


def check_starts(starts: Tensor, x: Tensor) -> Tensor:
    """`starts` as bool, [T, N]."""
    if starts.shape != x.shape[:2]:
        raise ShapeMismatch(
            f"starts has the shape {list(starts.shape)}, x has {list(x.shape[:2])} steps and rows. "
            "Give one flag for each: starts [T, N] (one step: starts[None])."
        )
    return starts if starts.dtype == torch.bool else starts != 0
