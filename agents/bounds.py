"""From what a policy wants to do to what its action space allows."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray


def within(actions: NDArray, policy: Any) -> NDArray:
    """Actions [N, ...] that the world accepts.

    A squashed action is stretched to the space. Any other is cut number by number, as in SB3, or, if the policy keeps
    directions, drawn back towards the middle of the box as a whole: cut, (3, 1) would become (1, 1), a turn by 27
    degrees, and a policy that wants to go far could hardly say where to.
    """
    space = policy.action_space
    if not isinstance(space, spaces.Box):
        return actions
    if policy.squash_output:
        return policy.unscale_action(actions)
    if not getattr(policy, "keep_direction", False):
        return np.clip(actions, space.low, space.high)
    middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2
    offset = (actions - middle) / half
    longest = np.abs(offset).max(axis=tuple(range(1, actions.ndim)), keepdims=True)
    return np.clip(middle + half * (offset / np.maximum(longest, 1)), space.low, space.high)
