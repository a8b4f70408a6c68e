"""Where the weights of a network begin."""

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lsnn_rl.network.recurrent import RecurrentNetwork


@torch.no_grad()
def first_weights(
    network: "RecurrentNetwork",
    gains: tuple[float, float, float],
    excitatory: float | None,
    generator: torch.Generator | None,
) -> None:
    """Fill w_in, w_rec and w_out, the one place where first weights come from.

    Spiking cells: N(0, 1) / sqrt(pre), as in the released code; one spike of weight 1 moves v by (1 - decay_mem) volts.
    Gated cells: uniform within 1 / sqrt(size), biases too, as torch's modules. Readouts: Glorot uniform, as in both.

    Args:
        gains: factors on the three.
        excitatory: fraction of excitatory cells under Dale's law; None for weights of either sign.
    """
    w_in, w_rec, w_out = network.w_in, network.w_rec, network.w_out
    if excitatory is not None:
        from lsnn_rl.network import initial

        initial.dale_weights(network, gains, excitatory, generator)
        return
    if network.spiking:
        w_in.normal_(std=gains[0] / math.sqrt(w_in.shape[1]), generator=generator)
        w_rec.normal_(std=gains[1] / math.sqrt(w_rec.shape[1]), generator=generator)
    else:
        limit = 1 / math.sqrt(network.size)
        w_in.uniform_(-gains[0] * limit, gains[0] * limit, generator=generator)
        w_rec.uniform_(-gains[1] * limit, gains[1] * limit, generator=generator)
        for bias in (network.bias_in, network.bias_rec):
            if bias is not None:
                bias.uniform_(-limit, limit, generator=generator)
    limit = gains[2] * math.sqrt(6 / sum(w_out.shape))
    w_out.uniform_(-limit, limit, generator=generator)
