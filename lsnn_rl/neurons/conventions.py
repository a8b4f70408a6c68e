"""The same adaptive neuron in two conventions: the LSNN's, and that of e-prop. Same spikes, other units.

    LSNN:    v' = decay_mem v + (1 - decay_mem) I - A z     b' = decay_adapt b + (1 - decay_adapt) z
    e-prop:  v' = decay_mem v + I                 - A z     b' = decay_adapt b + z                      A = thr + beta b

Dividing v by (1 - decay_mem) and b by (1 - decay_adapt) turns the first into the second with
    thr_eprop = thr / (1 - decay_mem),    beta_eprop = beta (1 - decay_adapt) / (1 - decay_mem)
and unchanged weights. Voltage may further be measured in any unit: thr, beta and weights scale together, so a threshold
can be chosen and the weights follow.

The spikes are identical when both reset by the same, adapted threshold A. (The e-prop code resets by thr: another
neuron, not another convention.)

Source: Bellec et al., Nature Communications 2020; IGITUGraz/eligibility_propagation, the comment on its constants.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lsnn_rl.errors import ShapeMismatch
from lsnn_rl.neurons.lif import LIF
from lsnn_rl.state import State


class Constants(NamedTuple):
    """What defines adaptive neurons in either convention; each a number or [H]."""

    thr: Tensor  # baseline threshold
    beta: Tensor  # lift of the threshold per unit of b
    decay_mem: Tensor  # exp(-dt / tau_mem)
    decay_adapt: Tensor  # exp(-dt / tau_adapt)


def constants_of(cell: LIF) -> Constants:
    """The constants of an ALIF cell (or of a LIF cell, with beta = 0), [H], in the LSNN convention."""
    zero = torch.zeros_like(cell.thr)
    values = cell.thr, getattr(cell, "beta", zero), cell.decay_mem, getattr(cell, "decay_adapt", zero)
    return Constants(*(value.detach().clone() for value in values))


def to_eprop(
    constants: Constants, weights: Sequence[Tensor] = (), *, thr: float | Tensor | None = None
) -> tuple[Constants, list[Tensor]]:
    """Constants and weights of the same neurons in the e-prop convention.

    Args:
        constants: in the LSNN convention.
        weights: matrices onto these neurons, [H, pre] each.
        thr: baseline threshold to reach, which sets the unit of voltage; thr / (1 - decay_mem) if None, and then the
            weights stay as they are.

    >>> from lsnn_rl.neurons.alif import ALIF
    >>> lsnn = constants_of(ALIF(1, thr=0.01, beta=1.8, tau_mem_ms=20.0, tau_adapt_ms=700.0))
    >>> eprop, _ = to_eprop(lsnn)
    >>> round(float(eprop.thr), 3), round(float(eprop.beta), 4)
    (0.205, 0.0527)
    """
    charge = 1 - constants.decay_mem
    unit = 1 / charge if thr is None else thr / constants.thr
    beta = constants.beta * (1 - constants.decay_adapt) * unit
    return constants._replace(thr=constants.thr * unit, beta=beta), _scaled(weights, charge * unit)


def from_eprop(
    constants: Constants, weights: Sequence[Tensor] = (), *, thr: float | Tensor | None = None
) -> tuple[Constants, list[Tensor]]:
    """Undo `to_eprop`: the LSNN convention, with thr (1 - decay_mem) as baseline threshold unless told."""
    charge = 1 - constants.decay_mem
    unit = charge if thr is None else thr / constants.thr
    beta = constants.beta / (1 - constants.decay_adapt) * unit
    return constants._replace(thr=constants.thr * unit, beta=beta), _scaled(weights, unit / charge)


def state_to_eprop(state: State, before: Constants, after: Constants) -> State:
    """The state in e-prop's units: `before` and `after` are the argument and the result of `to_eprop`."""
    return _rescaled(state, after.thr / before.thr, 1 / (1 - before.decay_adapt))


def state_from_eprop(state: State, before: Constants, after: Constants) -> State:
    """The state in the LSNN's units: `before` and `after` are the argument and the result of `from_eprop`."""
    return _rescaled(state, after.thr / before.thr, 1 - before.decay_adapt)


def readout_to_eprop(w_out: Tensor, kappa: float | Tensor) -> Tensor:
    """Readout weights [R, H] for y' = kappa y + W z, e-prop's leaky readout; ours is kappa y + (1 - kappa) W z."""
    return w_out * (1 - torch.as_tensor(kappa).to(w_out)).view(-1, 1)


def readout_from_eprop(w_out: Tensor, kappa: float | Tensor) -> Tensor:
    """Undo `readout_to_eprop`."""
    return w_out / (1 - torch.as_tensor(kappa).to(w_out)).view(-1, 1)


def _rescaled(state: State, voltage: Tensor, adaptation: Tensor) -> State:
    """The state with its entries in other units; a cell without adaptation has no "b"."""
    units = {"v": voltage, "b": adaptation}
    return {name: value * units[name] if name in units else value for name, value in state.items()}


def _scaled(weights: Sequence[Tensor], gain: Tensor) -> list[Tensor]:
    """Each row times the gain of its neuron."""
    for w in weights:
        if gain.dim() and gain.numel() not in (1, w.shape[0]):
            raise ShapeMismatch(
                f"Weights of shape {list(w.shape)} do not lead onto {gain.numel()} neurons. "
                "Give matrices [H, pre]; readout weights have readout_to_eprop."
            )
    return [w * gain.to(w).view(-1, 1) for w in weights]
