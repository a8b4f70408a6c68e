"""First weights under Dale's law: a presynaptic cell excites or inhibits, and the two balance.

The recipe of the released code, in our orientation [post, pre]: magnitudes |N(0, 1)| with the sign of the presynaptic
cell; inhibition scaled until it totals as much as excitation; the inputs of every postsynaptic cell balanced to zero
sum; the square matrix divided by its spectral radius, so that activity neither explodes nor dies at first.

Source: Bellec et al. 2018, arXiv 1803.09574; IGITUGraz/LSNN-official, toolbox/rewiring_tools.py.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue
from lsnn_rl.network.populations import inhibitory_cells

if TYPE_CHECKING:
    from lsnn_rl.network.recurrent import RecurrentNetwork


def cell_signs(size: int, excitatory: float = 0.75) -> Tensor:
    """-1 for the inhibitory cells, which come first, then +1, [size].

    >>> signs = cell_signs(220)
    >>> int((signs < 0).sum()), int((signs > 0).sum())
    (54, 166)
    """
    signs = torch.ones(size)
    signs[: inhibitory_cells(size, excitatory)] = -1
    return signs


def dale_matrix(post: int, signs: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Balanced weights [post, pre] whose columns have the given signs.

    Args:
        signs: +1 or -1 for each presynaptic cell, [pre].
        gain: spectral radius of the square matrix [pre, pre] that is drawn first.
    Returns: the first `post` rows of the square matrix, or rows drawn from it with replacement if post > pre.
    Raises: BadValue for signs other than +1 and -1.
    """
    if signs.dim() != 1 or not (signs.abs() == 1).all():
        raise BadValue(f"Signs of shape {list(signs.shape)} must be +1 or -1, [pre]. Use cell_signs(size, excitatory).")
    pre = len(signs)
    w = torch.randn(pre, pre, generator=generator).abs().double() * signs
    if (signs < 0).any() and (signs > 0).any():
        w[:, signs < 0] *= w[:, signs > 0].sum() / w[:, signs < 0].sum().abs()
        w = balance(w)
    w = w * (gain / spectral_radius(w))
    rows = torch.arange(post) if post <= pre else torch.randint(pre, (post,), generator=generator)
    return w[rows].to(torch.get_default_dtype())


def balance(w: Tensor) -> Tensor:
    """Rows summing to zero, by strengthening the weaker side of each row equally; zeros and signs stay.

    >>> balance(torch.tensor([[3.0, 1.0, -1.0, -2.0], [1.0, 0.0, -3.0, -1.0]]))
    tensor([[ 3.0000,  1.0000, -1.5000, -2.5000],
            [ 4.0000,  0.0000, -3.0000, -1.0000]])
    """
    surplus = w.sum(dim=1, keepdim=True)
    weaker = torch.where(surplus > 0, w < 0, w > 0)
    return w - weaker * surplus / weaker.sum(dim=1, keepdim=True).clamp(min=1)


def spectral_radius(w: Tensor) -> float:
    """Largest magnitude of an eigenvalue of a square matrix."""
    return float(torch.linalg.eigvals(w.double()).abs().max())


@torch.no_grad()
def dale_weights(
    network: "RecurrentNetwork",
    gains: tuple[float, float, float],
    excitatory: float = 0.75,
    generator: torch.Generator | None = None,
) -> None:
    """Fill a spiking network's w_in, w_rec and w_out under Dale's law and leave the signs behind for rewiring.

    Inhibitory cells come first; inhibitory input lines are shuffled among the others, since lines have an order of
    their own. Fixed masks act on the weights afterwards, as in the released code.

    Args:
        gains: spectral radius of the matrices that w_in, w_rec and w_out are cut from.
        excitatory: fraction of excitatory cells, and of excitatory input lines.
    Adds to the network: buffers sign_in [I] and sign_rec [H]; w_out takes the signs of the cells.
    """
    order = torch.randperm(network.inputs, generator=generator)
    network.register_buffer("sign_in", cell_signs(network.inputs, excitatory)[order])
    network.register_buffer("sign_rec", cell_signs(network.size, excitatory))
    for gain, w, signs in (
        (gains[0], network.w_in, network.sign_in),
        (gains[1], network.w_rec, network.sign_rec),
        (gains[2], network.w_out, network.sign_rec),
    ):
        w.copy_(dale_matrix(w.shape[0], signs, gain, generator))
