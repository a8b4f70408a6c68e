"""The state of a network: a flat dict of tensors, each [N, ...], handed in and handed back, never hidden.

All zeros is the rest state of every cell, so a reset is a multiplication and code that knows nothing of the cell
(Stable-Baselines3's buffers among it) resets it correctly.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from lsnn_rl.errors import ShapeMismatch

State = dict[str, Tensor]


def rows(state: Mapping[str, Tensor]) -> int:
    """How many environments (or batch rows) the state holds."""
    return next(iter(state.values())).shape[0] if state else 0


def take(state: Mapping[str, Tensor], index: Tensor | slice) -> State:
    """The state of some rows only."""
    return {name: value[index] for name, value in state.items()}


def detach(state: Mapping[str, Tensor]) -> State:
    """The same numbers without their history: truncates backpropagation through time here."""
    return {name: value.detach() for name, value in state.items()}


def reset_where(state: Mapping[str, Tensor], starts: Tensor) -> State:
    """Rest state in the rows where a lifetime starts (`starts` [N], nonzero), unchanged elsewhere."""
    keep = starts == 0
    return {name: value * keep.to(value.dtype).view(-1, *[1] * (value.dim() - 1)) for name, value in state.items()}


def check_rows(state: Mapping[str, Tensor], n: int) -> None:
    if state and rows(state) != n:
        raise ShapeMismatch(
            f"The state holds {rows(state)} environments, the observation {n}. "
            f"Pass take(state, rows), or begin afresh with initial_state({n})."
        )


def size(state: Mapping[str, Tensor]) -> int:
    """Numbers per row."""
    return sum(value[0].numel() for value in state.values())


def pack(state: Mapping[str, Tensor]) -> Tensor:
    """All numbers of the state side by side, [N, size]."""
    return torch.cat([value.flatten(1) for value in state.values()], dim=1)


def unpack(flat: Tensor, like: Mapping[str, Tensor]) -> State:
    """Undo `pack`: `like` is any state of the same network and gives names, order and shapes."""
    state, start = {}, 0
    for name, value in like.items():
        shape = value.shape[1:]
        width = shape.numel()
        state[name] = flat[:, start : start + width].reshape(flat.shape[0], *shape)
        start += width
    return state
