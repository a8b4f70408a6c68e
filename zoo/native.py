"""One vector environment instead of a list of Python objects, in the place where rl_zoo3 takes a VecEnv class."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

from lsnn_rl.agents.vec_bridge import make_env, resets_in_the_same_step

HARMLESS = (Monitor, OrderEnforcing, PassiveEnvChecker)  # wrappers whose work the vector environment does itself


def native_vec_env(env_fns: Sequence[Callable[[], gym.Env]], **options: Any) -> VecEnv:
    """The environments that these functions make, as their id's own vector environment if it has one.

    VecMonitor writes the file that rl_zoo3's Monitor of slot 0 would, with the lifetimes of all slots in it.
    Environments that are drawn, or wrapped by the user, stay single ones in a DummyVecEnv.

    Args: options: of DummyVecEnv.
    """
    first = env_fns[0]()
    spec, monitor_file = first.spec, _monitor_file(first)
    if spec is None or first.render_mode is not None or not _native(first):
        first.close()
        return DummyVecEnv(list(env_fns), **options)
    first.close()
    registered = gym.spec(spec.id).kwargs
    own = {key: value for key, value in spec.kwargs.items() if key not in registered or registered[key] != value}
    own.pop("render_mode", None)
    env: VecEnv = make_env(spec.id, len(env_fns), **own)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "The environment is already wrapped"
        )  # its statistics agree with VecMonitor's
        return VecMonitor(env, monitor_file)


def _native(env: gym.Env) -> bool:
    assert env.spec is not None
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, HARMLESS):
            return False
        env = env.env
    return env.spec is not None and resets_in_the_same_step(env.spec.vector_entry_point)


def _monitor_file(env: gym.Env) -> str | None:
    """Where the outermost Monitor writes, without its ending."""
    if isinstance(env, Monitor) and env.results_writer is not None:
        return str(Path(env.results_writer.file_handler.name)).removesuffix("." + Monitor.EXT)
    return None
