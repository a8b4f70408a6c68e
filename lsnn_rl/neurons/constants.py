"""Constants of single neurons: one number for all, one each, drawn from a named distribution, or trained."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lsnn_rl import units
from lsnn_rl.errors import BadValue, ShapeMismatch, unknown_name

Constant = float | Sequence[float] | Tensor | tuple[str, float, float]

DISTRIBUTIONS: dict[str, Callable[[Tensor, float, float], Tensor]] = {  # from uniform numbers u in (0, 1)
    "uniform": lambda u, low, high: low + (high - low) * u,
    "log_uniform": lambda u, low, high: torch.exp(math.log(low) + math.log(high / low) * u),
    "normal": lambda u, mean, std: mean + std * math.sqrt(2) * torch.erfinv(2 * u - 1),
}


def draw(name: str, value: Constant, size: int, generator: torch.Generator | None = None) -> Tensor:
    """One number per neuron, [size], float64.

    Args:
        name: what it is, for messages.
        value: a number, `size` numbers, or ("uniform" | "log_uniform", low, high) or ("normal", mean, std).

    >>> draw("thr", 0.01, 3).tolist()
    [0.01, 0.01, 0.01]
    >>> tau = draw("tau_adapt_ms", ("uniform", 1, 1000), 500)
    >>> bool((tau > 1).all() and (tau < 1000).all())
    True
    """
    if isinstance(value, (tuple, list)) and len(value) and isinstance(value[0], str):
        drawn = _draw_from(name, *value, size=size, generator=generator)
    elif isinstance(value, str):
        raise BadValue(f"{name} = {value!r} is not a number. Give one, or as many as there are neurons.")
    else:
        drawn = torch.as_tensor(value, dtype=torch.float64).cpu()
    if drawn.dim() > 1 or drawn.numel() not in (1, size):
        raise ShapeMismatch(f"{name} holds {list(drawn.shape)} numbers for {size} neurons. Give one number, or {size}.")
    if not torch.isfinite(drawn).all():
        raise BadValue(f"{name} = {value} is not finite. Give finite numbers.")
    return drawn.expand(size).clone()


def _draw_from(name: str, kind: str, *bounds: float, size: int, generator: torch.Generator | None) -> Tensor:
    if kind not in DISTRIBUTIONS:
        raise unknown_name("distribution", kind, DISTRIBUTIONS)
    if len(bounds) != 2 or not all(math.isfinite(bound) for bound in bounds):
        raise BadValue(
            f"{name} = {(kind, *bounds)} needs two finite numbers after its name, as in ('uniform', 1, 1000)."
        )
    low, high = bounds
    if (high < 0) if kind == "normal" else (low > high or (kind == "log_uniform" and low <= 0)):
        raise BadValue(
            f"{name} = {(kind, low, high)} is an empty range. Give (low, high), or (mean, std) for a normal."
        )
    u = torch.rand(size, dtype=torch.float64, generator=generator).clamp(min=1e-12)
    return DISTRIBUTIONS[kind](u, float(low), float(high))


def positive(
    name: str, value: Constant, size: int, generator: torch.Generator | None = None, zero: bool = False
) -> Tensor:
    """As `draw`, and every number above zero (or at least zero)."""
    drawn = draw(name, value, size, generator)
    if bool((drawn < 0).any()) or (not zero and bool((drawn == 0).any())):
        wanted = "zero or positive" if zero else "positive"
        raise BadValue(
            f"{name} goes down to {drawn.min():g}, where only {wanted} numbers make sense. Give {wanted} numbers."
        )
    return drawn


def decays(name: str, tau_ms: Constant, size: int, dt_ms: float, generator: torch.Generator | None = None) -> Tensor:
    """Time constants in milliseconds as factors per simulation step, exp(-dt/tau), [size]."""
    if isinstance(tau_ms, (int, float)):
        return torch.full((size,), units.decay(tau_ms, dt_ms, name), dtype=torch.float64)
    return torch.exp(-dt_ms / positive(name, tau_ms, size, generator))  # a sampled range may well begin at one step


class _Scaled(nn.Module):
    """start * exp(log_gain): stays positive, stays zero where it began as zero (a regular cell stays regular)."""

    start: Tensor

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.register_buffer("start", start)

    def forward(self, log_gain: Tensor) -> Tensor:
        return self.start * torch.exp(log_gain)


class _Stretched(_Scaled):
    """The decay whose time constant is exp(log_gain) times as long as the first one."""

    def forward(self, log_gain: Tensor) -> Tensor:
        return self.start ** torch.exp(-log_gain)


TRAINABLE = {"thr": "thr", "beta": "beta", "tau_mem": "decay_mem", "tau_adapt": "decay_adapt"}


def make_trainable(cell: nn.Module, names: Sequence[str]) -> None:
    """Turn constants into trained ones: what the optimiser moves is the logarithm of their gain, 0 at first.

    The attribute (`cell.thr`, `cell.decay_adapt`) keeps its name and its meaning, whatever the optimiser does.
    """
    known = {name: attribute for name, attribute in TRAINABLE.items() if hasattr(cell, attribute)}
    for name in (names,) if isinstance(names, str) else names:
        if name not in known:
            raise unknown_name("trainable constant", name, known)
        attribute = known[name]
        start = getattr(cell, attribute)
        delattr(cell, attribute)
        cell.register_parameter(attribute, nn.Parameter(torch.zeros_like(start)))
        law = _Stretched if name.startswith("tau") else _Scaled
        parametrize.register_parametrization(cell, attribute, law(start))
