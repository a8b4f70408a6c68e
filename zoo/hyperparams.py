"""This package's recipes in rl_zoo3's words, so that every number stands in one place.

rl_zoo3                                   recipe
n_envs, n_timesteps, env_kwargs           env.n_envs, train.total_steps, env.kwargs
policy, policy_kwargs                     "LSNNPolicy", policy
learning_rate, n_steps, batch_size ...    ppo
auxiliary, rewiring                       auxiliary, rewiring
callback                                  warm_up
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from inspect import signature
from typing import Any

import sb3_contrib

from lsnn_rl.agents.recipe import Recipe, find_recipe, zoo_names

Settings = dict[str, Any]


def by_world(translate: Callable[[Recipe], Settings]) -> dict[str, Settings]:
    """Settings by the id of a world, as rl_zoo3 reads them from a module; "default" is for every other environment."""
    spiking = (name for name in zoo_names() if name.endswith("/lsnn"))
    table = {name.removesuffix("/lsnn"): translate(find_recipe(name)) for name in spiking}
    others = Recipe.from_dict({"env": {"n_envs": 8}, "train": {"total_steps": 1_000_000}})
    return {**table, "default": translate(others)}


def for_ours(recipe: Recipe) -> Settings:
    """What `lsnn_rl.RecurrentPPO` is given: the whole recipe."""
    settings = {**_world(recipe), "policy": "LSNNPolicy", **_ppo(recipe), "auxiliary": asdict(recipe.auxiliary)}
    if recipe.rewiring is not None:
        settings["rewiring"] = recipe.rewiring
    if recipe.warm_up.iterations:
        settings["callback"] = [{"lsnn_rl.zoo.callbacks.WarmUp": asdict(recipe.warm_up)}]
    return settings


def for_upstream(recipe: Recipe) -> Settings:
    """What `sb3_contrib.RecurrentPPO` is given: `lsnn_rl.LSNNPolicy`, and no help from the hidden task.

    Keywords that it does not have are left out, and of schedules it has the linear one. The cost on firing rates
    becomes the policy's own, see LSNNPolicy.
    """
    known = signature(sb3_contrib.RecurrentPPO).parameters
    ppo = {name: value for name, value in _ppo(recipe).items() if name in known}
    for name in ("learning_rate", "clip_range"):
        if isinstance(ppo[name], Mapping):
            ppo[name] = f"lin_{ppo[name]['start']}" if ppo[name]["schedule"] == "linear" else ppo[name]["start"]
    settings = {**_world(recipe), "policy": "lsnn_rl.LSNNPolicy", **ppo}
    settings["policy_kwargs"] |= {
        "rate_cost": recipe.auxiliary.firing_rate,
        "rate_target_hz": recipe.auxiliary.rate_target_hz,
    }
    if recipe.rewiring is not None:
        settings["policy_kwargs"]["rewiring"] = recipe.rewiring
    return settings


def _ppo(recipe: Recipe) -> Settings:
    # None is the default of all that can be None, and rl_zoo3 refuses it as a schedule.
    return {name: value for name, value in asdict(recipe.ppo).items() if value is not None}


def _world(recipe: Recipe) -> Settings:
    settings: Settings = {
        "n_envs": recipe.env.n_envs,
        "n_timesteps": recipe.train.total_steps,
        "policy_kwargs": dict(recipe.policy),
    }
    if recipe.env.kwargs:
        settings["env_kwargs"] = dict(recipe.env.kwargs)
    return settings
