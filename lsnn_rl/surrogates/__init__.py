"""Stand-ins for the derivative of a spike, one file each, found by name in `SURROGATES`."""

from lsnn_rl.registry import Registry
from lsnn_rl.surrogates.base import Surrogate

SURROGATES = Registry("surrogate")
SURROGATES.add("triangular", "lsnn_rl.surrogates.triangular:Triangular")
SURROGATES.add("fast_sigmoid", "lsnn_rl.surrogates.fast_sigmoid:FastSigmoid")
SURROGATES.add("gaussian", "lsnn_rl.surrogates.gaussian:Gaussian")
SURROGATES.add("arctan", "lsnn_rl.surrogates.arctan:Arctan")


def build_surrogate(surrogate: str | Surrogate, **options: float) -> Surrogate:
    """The surrogate of that name, or the given one as it stands.

    >>> build_surrogate("triangular", dampening=0.4)
    Triangular(dampening=0.4)
    """
    return surrogate if isinstance(surrogate, Surrogate) else SURROGATES.get(surrogate)(**options)


__all__ = ["SURROGATES", "Surrogate", "build_surrogate"]
