"""Sparse training: optimisers that rewire the network while it learns, at a connectivity that never rises.

Each wraps any torch optimiser and behaves as one. A new method is one file here and one line below.
"""

from lsnn_rl.registry import Registry
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

__all__ = ["REWIRINGS", "SET", "DeepR", "Rewiring", "RigL", "SoftDeepR"]
