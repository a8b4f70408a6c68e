"""The worlds: one numpy step for all slots, against the same world stepped one Python object at a time.

    ours   the native vector environment of the id
    sync   gymnasium's SyncVectorEnv around single environments of the same id
    dummy  Stable-Baselines3's DummyVecEnv around the same
Times are of one step of all slots with random actions, CPU time on one thread.
"""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from lsnn_rl.benchmarks.settings import Settings
from lsnn_rl.benchmarks.timing import interleave, machine
from lsnn_rl.envs.registration import WORLDS

SLOTS = (64, 1024)
RIVAL_SLOTS = 64  # more of the same loop tells nothing new
STEPS = 100


def run(settings: Settings) -> dict[str, Any]:
    """Measure the chosen worlds."""
    workloads = {env_id: world(env_id, settings) for env_id in settings.chosen(list(WORLDS))}
    return {
        "suite": "envs",
        "quick": settings.quick,
        "repeats": settings.repeats,
        "machine": machine(),
        "workloads": workloads,
    }


def world(env_id: str, settings: Settings) -> dict[str, Any]:
    """One world with few and with many slots; rivals with few."""
    steps = STEPS // (10 if settings.quick else 1)
    contenders = {f"native{slots}": _native(env_id, slots, steps) for slots in SLOTS}
    contenders |= {"sync": _sync(env_id, steps), "dummy": _dummy(env_id, steps)}
    settings.say(f"{env_id}: {', '.join(contenders)}")
    times = interleave(contenders, settings.repeats)
    ms = {name: taken.min_ms / steps for name, taken in times.items()}
    medians = {name: taken.median_ms / steps for name, taken in times.items()}
    ours = f"native{RIVAL_SLOTS}"
    return {
        "ours_ms": ms[ours],
        "ours_median_ms": medians[ours],
        "computed_by": "native vector environment",
        "sizes": {"slots": RIVAL_SLOTS},
        "steps_per_s": RIVAL_SLOTS * 1e3 / ms[ours],
        "steps_per_s_by_slots": {str(slots): slots * 1e3 / ms[f"native{slots}"] for slots in SLOTS},
        "peers": {
            name: {
                "ms": ms[name],
                "ratio": ms[name] / ms[ours],
                "median_ms": medians[name],
                "steps_per_s": RIVAL_SLOTS * 1e3 / ms[name],
            }
            for name in ("sync", "dummy")
        },
    }


def _native(env_id: str, slots: int, steps: int) -> Callable[[], None]:
    return _stepping(gym.make_vec(env_id, num_envs=slots), steps)


def _sync(env_id: str, steps: int) -> Callable[[], None]:
    return _stepping(gym.make_vec(env_id, num_envs=RIVAL_SLOTS, vectorization_mode="sync"), steps)


def _stepping(envs: gym.vector.VectorEnv, steps: int) -> Callable[[], None]:
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(steps)]

    def run() -> None:
        for action in actions:
            envs.step(action)

    return run


def _dummy(env_id: str, steps: int) -> Callable[[], None]:
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env(env_id, n_envs=RIVAL_SLOTS, seed=0)
    envs.reset()
    envs.action_space.seed(0)
    actions = [np.stack([envs.action_space.sample() for _ in range(RIVAL_SLOTS)]) for _ in range(steps)]

    def run() -> None:
        for action in actions:
            envs.step(action)

    return run
