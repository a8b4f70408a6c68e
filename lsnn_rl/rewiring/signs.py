"""Which sign a synapse has for life: its own, or that of its presynaptic cell (Dale's law)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue, ShapeMismatch, UnknownName

Signs = str | Sequence[Tensor] | Mapping[str, Tensor]


@torch.no_grad()
def fixed_signs(
    signs: Signs, matrices: Mapping[str, Tensor], by_matrix: Mapping[str, Tensor | None], generator: torch.Generator
) -> dict[str, Tensor]:
    """+1 or -1 for every synapse, shaped and typed like its matrix [post, pre].

    Args:
        signs: "random", "dale", or anything else when the tensors themselves are in `by_matrix`.
        matrices: the weights as given, before any pruning.
        by_matrix: given signs, [pre] or [post, pre]; a matrix without keeps the signs of its weights.
        generator: tosses the coins for weights that are zero.
    Raises: UnknownName, ShapeMismatch, and BadValue where a presynaptic cell both excites and inhibits.
    """
    if isinstance(signs, str) and signs not in ("random", "dale"):
        raise UnknownName(f"No choice of signs is called {signs!r}. Known: random, dale, or tensors of +1 and -1.")
    chosen = {}
    for name, w in matrices.items():
        if isinstance(signs, str) and signs == "dale":
            chosen[name] = _of_columns(name, w)
        elif (given := by_matrix.get(name)) is not None:
            chosen[name] = _given(name, w, given)
        else:
            coins = torch.randint(0, 2, w.shape, generator=generator).to(w) * 2 - 1
            chosen[name] = torch.where(w == 0, coins, w.sign())
    return chosen


def _of_columns(name: str, w: Tensor) -> Tensor:
    excites, inhibits = (w > 0).any(dim=0), (w < 0).any(dim=0)
    mixed = int((excites & inhibits).sum())
    silent = int((~excites & ~inhibits).sum())
    if mixed or silent:
        raise BadValue(
            f"signs='dale' needs one sign for each presynaptic cell; of the {w.shape[1]} columns of {name!r} {mixed} "
            f"have both and {silent} none. Build the network with dale=True, or pass the signs as tensors of +1 and -1."
        )
    return torch.where(excites, 1.0, -1.0).to(w).expand_as(w).contiguous()


def _given(name: str, w: Tensor, signs: Tensor) -> Tensor:
    if signs.shape not in (w.shape, w.shape[1:]):
        raise ShapeMismatch(
            f"The signs of {name!r} are {list(signs.shape)}, the matrix is {list(w.shape)}. "
            f"Give [{w.shape[1]}], one for each presynaptic cell, or the matrix's own shape."
        )
    signs = signs.to(w).expand_as(w).contiguous()
    if not (signs.abs() == 1).all():
        raise BadValue(f"The signs of {name!r} hold other values than +1 and -1. Pass weights.sign() of dense weights.")
    return signs
