"""The worlds: one numpy step for all slots, against the same world stepped one Python object at a time.

    native   the native vector environment of the id
    single   one environment of the id, the face that `gymnasium.make` gives
    sync     gymnasium's SyncVectorEnv around single environments
    dummy    Stable-Baselines3's DummyVecEnv around the same
    gymnax   the same or a like task of gymnax, jitted and vmapped, where it is installed and has one
    network  not a rival: a spiking network of 200 cells acting for as many slots; no world should take longer
Times are of one step of all slots with random actions, CPU time of this process.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from lsnn_rl.benchmarks.settings import Settings
from lsnn_rl.benchmarks.timing import interleave, machine
from lsnn_rl.envs.registration import WORLDS

SLOTS = (1, 64, 1024)
STEPS = 100
RIVAL_STEPS = {1: 100, 64: 100, 1024: 5}  # a thousand Python objects need no hundred steps to show what they take
GYMNAX = {
    "LSNNPointRobotTeleport-v0": "PointRobot-misc",
    "LSNNMetaMaze-v0": "MetaMaze-misc",
    "LSNNBernoulliBandit-v0": "BernoulliBandit-misc",
}


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
    """One world at every number of slots, with its rivals."""
    shorter = 10 if settings.quick else 1
    slots = SLOTS[:2] if settings.quick else SLOTS
    steps = STEPS // shorter
    contenders: dict[str, tuple[Callable[[], None], int]] = {"single": (_single(env_id, steps), steps)}
    for n in slots:
        rival_steps = max(RIVAL_STEPS[n] // shorter, 1)
        contenders[f"native{n}"] = (_stepping(gym.make_vec(env_id, num_envs=n), steps), steps)
        contenders[f"network{n}"] = (_network(env_id, n, 10), 10)
        if n > 1:
            sync = gym.make_vec(env_id, num_envs=n, vectorization_mode="sync")
            contenders[f"sync{n}"] = (_stepping(sync, rival_steps), rival_steps)
        if n == 64:  # as slow as Gymnasium's loop, and slow to build: once is enough
            contenders[f"dummy{n}"] = (_dummy(env_id, n, rival_steps), rival_steps)
        if env_id in GYMNAX and importlib.util.find_spec("gymnax"):
            contenders[f"gymnax{n}"] = (_gymnax(GYMNAX[env_id], n, steps), steps)
    settings.say(f"{env_id}: {', '.join(contenders)}")
    times = interleave({name: go for name, (go, _) in contenders.items()}, settings.repeats, turn_s=0.05)
    took = {name: (t.min_ms / contenders[name][1], t.median_ms / contenders[name][1]) for name, t in times.items()}
    return {"rows": {str(n): _row(n, took) for n in slots}}


def _row(n: int, took: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """One number of slots: least and median time of a step of all slots, steps per second, rivals as multiples."""
    ours, median = took[f"native{n}"]
    peers = {name: took[f"{name}{n}"] for name in ("sync", "dummy", "gymnax", "network") if f"{name}{n}" in took}
    if n == 1:
        peers["single"] = took["single"]
    return {
        "ours_ms": ours,
        "ours_median_ms": median,
        "computed_by": "native vector environment",
        "sizes": {"slots": n},
        "steps_per_s": n * 1e3 / ours,
        "peers": {
            name: {"ms": ms, "ratio": ms / ours, "median_ms": middle, "steps_per_s": n * 1e3 / ms}
            for name, (ms, middle) in peers.items()
        },
    }


def _actions(space: gym.Space[Any], steps: int) -> list[Any]:
    space.seed(0)
    return [space.sample() for _ in range(steps)]


def _stepping(envs: gym.vector.VectorEnv, steps: int) -> Callable[[], None]:
    envs.reset(seed=0)
    actions = _actions(envs.action_space, steps)

    def run() -> None:
        for action in actions:
            envs.step(action)

    return run


def _single(env_id: str, steps: int) -> Callable[[], None]:
    env = gym.make(env_id).unwrapped  # without Gymnasium's checking wrappers, which every environment wears alike
    env.reset(seed=0)
    actions = _actions(env.action_space, steps)

    def run() -> None:
        for action in actions:
            if env.step(action)[3]:
                env.reset()

    return run


def _dummy(env_id: str, slots: int, steps: int) -> Callable[[], None]:
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env(env_id, n_envs=slots, seed=0)
    envs.reset()
    envs.action_space.seed(0)
    actions = [np.stack([envs.action_space.sample() for _ in range(slots)]) for _ in range(steps)]

    def run() -> None:
        for action in actions:
            envs.step(action)

    return run


def _network(env_id: str, slots: int, steps: int) -> Callable[[], None]:
    import torch

    from lsnn_rl.agents.policies import LSNNPolicy

    envs = gym.make_vec(env_id, num_envs=slots)
    space = envs.single_observation_space, envs.single_action_space
    policy = LSNNPolicy(*space, lambda _: 0.0, regular=100, adaptive=100)
    obs, _ = envs.reset(seed=0)
    starts = torch.zeros(slots)

    def run() -> None:
        state = policy.initial_state(slots)
        for _ in range(steps):
            *_, state = policy.act(obs, state, starts, deterministic=True)

    return run


def _gymnax(name: str, slots: int, steps: int) -> Callable[[], None]:
    import gymnax
    import jax

    env, params = gymnax.make(name)
    keys = jax.random.split(jax.random.key(0), slots)
    _, first = jax.vmap(env.reset, in_axes=(0, None))(keys, params)
    step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))
    action = jax.vmap(env.action_space(params).sample)(keys)

    def run() -> None:
        state = first
        for _ in range(steps):
            _, state, *_ = step(keys, state, action, params)
        jax.block_until_ready(state)

    return run
