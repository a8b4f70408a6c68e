"""Sparse training: optimisers that rewire the network while it learns, at a connectivity that never rises.

Each wraps any torch optimiser and behaves as one. A new method is one file here and one line below.
"""

from collections.abc import Mapping
from typing import Any

from lsnn_rl.registry import Registry, check_keywords
from lsnn_rl.rewiring.base import Rewiring
from lsnn_rl.rewiring.deep_r import DeepR
from lsnn_rl.rewiring.rigl import RigL
from lsnn_rl.rewiring.set import SET
from lsnn_rl.rewiring.soft_deep_r import SoftDeepR

REWIRINGS = Registry("rewiring method")
REWIRINGS.add("deep_r", DeepR)
REWIRINGS.add("soft_deep_r", SoftDeepR)
REWIRINGS.add("set", SET)
REWIRINGS.add("rigl", RigL)


def choose(options: Mapping[str, Any]) -> tuple[type[Rewiring], dict[str, Any]]:
    """The method that options such as {"method": "set", "connectivity": 0.2} name, DEEP R without a name, and the rest.

    Raises: UnknownName for a method, or for an option that it does not take.
    """
    rest = dict(options)
    method: type[Rewiring] = REWIRINGS.get(rest.pop("method", "deep_r"))
    check_keywords(method.__name__, method, rest, apart=("optimizer", "parameters", "generator"))
    return method, rest


__all__ = ["REWIRINGS", "SET", "DeepR", "Rewiring", "RigL", "SoftDeepR", "choose"]
