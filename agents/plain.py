"""What an agent's files are written with: `lsnn_rl.plain`, and the libraries a result depends on."""

import sys

import numpy as np
import torch

from lsnn_rl.plain import from_plain, space_from_plain, space_to_plain, to_plain, trusted_class

__all__ = ["from_plain", "space_from_plain", "space_to_plain", "to_plain", "trusted_class", "versions"]


def versions() -> dict[str, str]:
    """The libraries a result depends on."""
    import gymnasium
    import stable_baselines3

    import lsnn_rl

    return {
        "lsnn_rl": lsnn_rl.__version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
        "gymnasium": gymnasium.__version__,
        "stable_baselines3": stable_baselines3.__version__,
    }
