"""What a training environment is made of, layer by layer: how to make it again, and its state in mid-lifetime."""

from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecMonitor, VecNormalize, VecTransposeImage

from lsnn_rl.agents.vec_bridge import SB3VecEnv, make_env
from lsnn_rl.errors import BadValue

NORMALIZE = ("training", "norm_obs", "norm_reward", "clip_obs", "clip_reward", "gamma", "epsilon", "norm_obs_keys")
KEPT = {  # the arrays that each wrapper carries from step to step
    VecNormalize: ("returns", "old_reward"),
    VecMonitor: ("episode_returns", "episode_lengths", "episode_count"),
    VecTransposeImage: (),
}


def layers(env: VecEnv) -> list[VecEnv]:
    """The wrappers from the outside in, then the environment itself."""
    found = [env]
    while isinstance(found[-1], VecEnvWrapper):
        found.append(found[-1].venv)
    return found


def env_recipe(env: VecEnv) -> dict[str, Any]:
    """How to make the environment again: id, keywords, slots and wrappers, as plain data."""
    *wrappers, inner = layers(env)
    return {
        "id": getattr(inner, "env_id", None),
        "kwargs": getattr(inner, "env_kwargs", {}),
        "n_envs": env.num_envs,
        "wrappers": [
            {"kind": type(layer).__name__, **{name: getattr(layer, name, None) for name in _settings(layer)}}
            for layer in wrappers
        ],
    }


def remake_env(recipe: dict[str, Any], env: Any, path: str | Path) -> VecEnv:
    """The environment of a checkpoint: the one given, or one made anew from its id; VecNormalize and VecMonitor on top.

    Raises: BadValue if it has no id and none was given, or another number of slots.
    """
    if env is None:
        if recipe["id"] is None:
            raise BadValue(
                f"{path} was trained in an environment that was handed over ready-made, so it cannot be made again. "
                "Pass the same one: load_checkpoint(path, env=...)."
            )
        env = make_env(recipe["id"], recipe["n_envs"], **recipe["kwargs"])
    env = make_env(env)
    if getattr(env, "num_envs", 1) != recipe["n_envs"]:
        raise BadValue(
            f"{path} was trained in {recipe['n_envs']} environments, {getattr(env, 'num_envs', 1)} were given. "
            f"Make it with n_envs={recipe['n_envs']}; to change the number, use save_agent and load_agent."
        )
    if isinstance(env, VecEnv) and len(layers(env)) == 1:
        for wrapper in reversed(recipe["wrappers"]):
            options = {name: value for name, value in wrapper.items() if name != "kind"}
            if wrapper["kind"] == "VecNormalize":
                env = VecNormalize(env, **options)
            elif wrapper["kind"] == "VecMonitor":
                env = VecMonitor(env, info_keywords=tuple(options["info_keywords"]))
    return env


def reason_against_state(env: VecEnv) -> str | None:
    """Which layer keeps its state to itself, so that training cannot go on in mid-lifetime; None if none does."""
    *wrappers, inner = layers(env)
    odd = next((layer for layer in wrappers if type(layer) not in KEPT), None)
    if odd is not None:
        return f"the wrapper {type(odd).__name__} keeps a state that is not known here"
    if not (isinstance(inner, SB3VecEnv) and hasattr(inner.venv, "get_state")):
        return f"{type(inner).__name__} cannot hand out its state (get_state)"
    return None


def get_env_state(env: VecEnv, exact: bool = True, alive: bool = True) -> list[dict[str, Any] | None]:
    """The state of every layer, from the outside in; None for those that cannot tell it, if `exact` is False.

    The last is None as soon as any is, and where no lifetime has begun yet (`alive` is False): then lifetimes begin
    anew, and only what normalisers have learned goes on.

    Raises: BadValue, saying which layer keeps its state to itself.
    """
    *wrappers, inner = layers(env)
    known = [_wrapper_state(layer) if type(layer) in KEPT else None for layer in wrappers]
    reason = reason_against_state(env)
    if not alive:
        return [*known, None]
    if reason is None:
        return [*known, inner.get_state()]  # type: ignore[attr-defined]
    if exact:
        raise BadValue(
            f"A checkpoint goes on in mid-lifetime, but {reason}. Train in a world of lsnn_rl.envs by its id, or pass "
            "exact=False: a resumed training then begins with new lifetimes."
        )
    return [*known, None]


def set_env_state(env: VecEnv, states: list[dict[str, Any] | None]) -> None:
    """Continue where `get_env_state` was taken, in an environment with the same layers."""
    stack = layers(env)
    if len(stack) != len(states):
        names = " on ".join(type(layer).__name__ for layer in stack)
        raise BadValue(
            f"The checkpoint holds the state of {len(states)} layers, the environment is {names}. "
            "Wrap it as it was in training."
        )
    for layer, state in zip(stack[:-1], states[:-1], strict=True):
        if state is None:
            continue
        for name in KEPT[type(layer)]:
            value = state[name]
            setattr(layer, name, value.copy() if isinstance(value, np.ndarray) else value)
        if isinstance(layer, VecNormalize):
            layer.old_obs = state["old_obs"]
            _set_moments(layer.ret_rms, state["ret_rms"])
            for key, moments in state["obs_rms"].items():
                rms: Any = layer.obs_rms
                _set_moments(rms[key] if key else rms, moments)
    if states[-1] is not None:
        stack[-1].set_state(states[-1])  # type: ignore[attr-defined]


def normalizer_of(env: VecEnv | None) -> dict[str, Any] | None:
    """How observations are normalised, as plain data; None if they are not, or without an environment.

    Returns: `moments` (mean and var, key "" for plain observations, else the Dict's keys), `clip_obs`, `epsilon`.
    """
    for layer in () if env is None else layers(env):
        if isinstance(layer, VecNormalize) and layer.norm_obs:
            moments = {
                key: {name: np.asarray(found[name]).tolist() for name in ("mean", "var")}
                for key, found in _obs_moments(layer).items()
            }
            return {"moments": moments, "clip_obs": float(layer.clip_obs), "epsilon": float(layer.epsilon)}
    return None


def _settings(layer: VecEnv) -> tuple[str, ...]:
    return NORMALIZE if isinstance(layer, VecNormalize) else ("info_keywords",) if isinstance(layer, VecMonitor) else ()


def _wrapper_state(layer: VecEnv) -> dict[str, Any]:
    state = {name: getattr(layer, name) for name in KEPT[type(layer)]}
    if isinstance(layer, VecNormalize):
        seen = getattr(layer, "old_obs", None)  # nothing before the first reset
        state.update(old_obs=seen, ret_rms=_moments(layer.ret_rms), obs_rms=_obs_moments(layer))
    return state


def _obs_moments(layer: VecNormalize) -> dict[str, dict[str, Any]]:
    if not layer.norm_obs:
        return {}
    table = layer.obs_rms if isinstance(layer.obs_rms, dict) else {"": layer.obs_rms}
    return {key: _moments(rms) for key, rms in table.items()}


def _moments(rms: RunningMeanStd) -> dict[str, Any]:
    return {"mean": rms.mean, "var": rms.var, "count": float(rms.count)}


def _set_moments(rms: RunningMeanStd, moments: dict[str, Any]) -> None:
    rms.mean, rms.var, rms.count = moments["mean"], moments["var"], moments["count"]
