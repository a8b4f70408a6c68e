"""Playing any world at random, whatever its actions are."""

import numpy as np
from gymnasium import spaces

from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.task import load_task


def random_actions(space, count, slots=None, seed=0):
    """`count` random actions of a single space, [count, ...] or [count, slots, ...]."""
    luck = np.random.default_rng(seed)
    rows = (count,) if slots is None else (count, slots)
    if isinstance(space, spaces.Discrete):
        return luck.integers(space.start, space.start + space.n, rows)
    return luck.uniform(space.low, space.high, (*rows, *space.shape)).astype(np.float32)


def rules_class(env_id):
    """The class of rules behind an id."""
    return load_task(WORLDS[env_id][0])


def chooses(env_id):
    """Are the actions of this world choices, not numbers?"""
    return isinstance(rules_class(env_id)(1).action_space, spaces.Discrete)
