"""Output units that sum and forget: tau_out dy/dt = -y + spikes, scaled so that a steady rate reads as itself."""

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue
from lsnn_rl.neurons.constants import Constant, draw
from lsnn_rl.units import decay


def leak(
    tau_out_ms: Constant | None, readouts: int, dt_ms: float, generator: torch.Generator | None = None
) -> Tensor | None:
    """The decay of each readout per simulation step, [R]; 0 for a readout that does not leak, None if none does.

    >>> leak([20.0, 0.0], readouts=2, dt_ms=1.0)
    tensor([0.9512, 0.0000])

    Slow ones beside fast ones read what the network said long ago beside what it says now:

    >>> leak(("log_uniform", 5.0, 300.0), 3, 1.0, torch.Generator().manual_seed(0))
    tensor([0.9962, 0.9890, 0.9700])
    """
    tau = draw("tau_out_ms", 0.0 if tau_out_ms is None else tau_out_ms, readouts, generator)
    if bool((tau < 0).any()):
        raise BadValue(
            f"tau_out_ms goes down to {tau.min():g}. Give milliseconds, or 0 for a readout that does not leak."
        )
    if not bool(tau.any()):
        return None
    kappa = [decay(value, dt_ms, "tau_out_ms") if value else 0.0 for value in tau.tolist()]
    return torch.tensor(kappa)


def follow(trace: Tensor, drive: Tensor, kappa: Tensor) -> Tensor:
    """One step of the leak: y' = kappa y + (1 - kappa) drive, where drive [N, R] is W_out z."""
    return kappa * trace + (1 - kappa) * drive
