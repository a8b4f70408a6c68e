"""Costs beside PPO's, each with a weight and a name: what they need, and what they come to on a minibatch."""

import math
from collections.abc import Mapping
from typing import Any

from sb3_contrib import RecurrentPPO as UpstreamPPO
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from lsnn_rl.agents.losses import firing_rate_loss, task_inference_loss
from lsnn_rl.agents.rollout import Batch
from lsnn_rl.agents.vec_bridge import answers, ask
from lsnn_rl.errors import BadValue, unknown_name

DEFAULTS = {"task_inference": 0.0, "firing_rate": 0.0, "rate_target_hz": 20.0}


def complete(weights: Mapping[str, float] | None) -> dict[str, float]:
    """The weights with their defaults (zero: off). Unknown names and weights that make no sense are refused.

    >>> complete({"task_inference": 0.3})
    {'task_inference': 0.3, 'firing_rate': 0.0, 'rate_target_hz': 20.0}
    """
    for name, weight in (weights or {}).items():
        if name not in DEFAULTS:
            raise unknown_name("auxiliary cost", name, DEFAULTS)
        if not math.isfinite(weight) or weight < 0:
            raise BadValue(f"auxiliary {name} = {weight} makes no sense. Give zero (off) or a positive number.")
    chosen = {**DEFAULTS, **(weights or {})}
    if chosen["rate_target_hz"] == 0:
        raise BadValue("rate_target_hz = 0 cannot be approached in units of itself. Give a positive rate in hertz.")
    return chosen


def task_size(weights: Mapping[str, float], env: VecEnv | None, policy: type, otherwise: int = 0) -> int:
    """Width of the hidden task if a cost asks for it, else 0; `otherwise` where there is no world to ask.

    Raises: BadValue if the world does not reveal its task, or the policy has no head to tell it.
    """
    weight = weights["task_inference"]
    if not weight:
        return 0
    if policy in UpstreamPPO.policy_aliases.values():
        raise BadValue(
            f"auxiliary task_inference = {weight} needs a policy with a task head; sb3_contrib's {policy.__name__} has "
            "none. Use LSTMPolicy, or leave task_inference out."
        )
    if env is None:
        return otherwise
    if not answers(env, ["task_vector", "task_known"]):
        raise BadValue(
            f"auxiliary task_inference = {weight} needs a world that reveals its hidden task in training (task_vector, "
            f"task_known); {env} does not. Use a world of lsnn_rl.envs, or leave task_inference out."
        )
    return int(ask(env, "task_vector").shape[-1])


def costs(weights: Mapping[str, float], batch: Batch, extras: Mapping[str, Any], network: Any) -> dict[str, Tensor]:
    """The costs that have a weight, by name, before weighting.

    Args:
        extras: what the policy's `evaluate_sequence` gave beside values and log-probabilities.
        network: the policy's, for its clock; only asked for if spikes were counted.
    """
    found = {}
    if weights["task_inference"] and batch.task is not None and batch.known is not None:
        found["task_inference"] = task_inference_loss(extras["task_guess"], batch.task, batch.known)
    if weights["firing_rate"] and extras.get("counts") is not None:
        steps = len(batch.starts) * network.substeps
        found["firing_rate"] = firing_rate_loss(extras["counts"], steps, network.dt_ms, weights["rate_target_hz"])
    return found
