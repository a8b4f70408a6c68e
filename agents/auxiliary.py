"""Costs beside PPO's, each with a weight and a name: what they need, and what they come to on a minibatch."""

import math
from collections.abc import Mapping
from typing import Any

from sb3_contrib import RecurrentPPO as UpstreamPPO
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from lsnn_rl.agents.losses import firing_rate_loss, spike_budget_loss, task_inference_loss
from lsnn_rl.agents.rollout import Batch
from lsnn_rl.agents.vec_bridge import answers, ask
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.regularizers import voltage

DEFAULTS = {
    "task_inference": 0.0,
    "firing_rate": 0.0,
    "rate_target_hz": 20.0,
    "voltage": 0.0,
    "spike_budget_hz": 0.0,
    "spike_budget_step": 0.001,
}


def complete(weights: Mapping[str, float] | None) -> dict[str, float]:
    """The weights with their defaults (zero: off). Unknown names and weights that make no sense are refused.

    >>> complete({"task_inference": 0.3})["task_inference"], complete(None)["task_inference"]
    (0.3, 0.0)
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


def task_size(asked: str, env: VecEnv | None, policy: type, otherwise: int = 0) -> int:
    """Width of the hidden task that `asked` needs in training; `otherwise` where there is no world to ask.

    Args: asked: the keyword with its value, as an error is to name it.
    Raises: BadValue if the world does not reveal its task, or the policy has no place for it.
    """
    if policy in UpstreamPPO.policy_aliases.values():
        raise BadValue(
            f"{asked} needs a policy with a head for the hidden task; sb3_contrib's {policy.__name__} has none. Use "
            "LSTMPolicy, or leave it out."
        )
    if env is None:
        return otherwise
    if not answers(env, ["task_vector", "task_known"]):
        raise BadValue(
            f"{asked} needs a world that reveals its hidden task in training (task_vector, task_known); {env} does "
            "not. Use a world of lsnn_rl.envs that has lifetimes, or leave it out."
        )
    return int(ask(env, "task_vector").shape[-1])


def costs(
    weights: Mapping[str, float], batch: Batch, extras: Mapping[str, Any], network: Any, multiplier: float = 0.0
) -> dict[str, tuple[float, Tensor]]:
    """The costs that are wanted, by name: weight and cost.

    Chunks are whole columns without padding, so every step of a batch counts; `task_inference` alone masks (`known`).
    Costs on spikes and voltages are nothing to cells that have neither.

    Args:
        extras: what the policy's `evaluate_sequence` gave beside values and log-probabilities.
        network: the policy's, for its clock and thresholds; only asked for if spikes were counted.
        multiplier: weight of the spike budget, see `lsnn_rl.agents.losses.ascend`.
    """
    found: dict[str, tuple[float, Tensor]] = {}
    if weights["task_inference"] and batch.task is not None and batch.known is not None:
        error = task_inference_loss(extras["task_guess"], batch.task, batch.known)
        found["task_inference"] = weights["task_inference"], error
    counts = extras.get("counts")
    if counts is None:
        return found
    steps, dt_ms = len(batch.starts) * network.substeps, network.dt_ms
    if weights["firing_rate"]:
        cost = firing_rate_loss(counts, steps, dt_ms, weights["rate_target_hz"])
        found["firing_rate"] = weights["firing_rate"], cost
    if weights["voltage"]:
        # The fused kernel hands out voltages at the end of a chunk only. That is a sample of the chunk, one for each of
        # its rows, and its gradient reaches as far back as a membrane remembers.
        state = extras["state"]
        found["voltage"] = weights["voltage"], voltage(state["v"], network.cell.threshold(state))
    if weights["spike_budget_hz"]:
        found["spike_budget"] = multiplier, spike_budget_loss(counts, steps, dt_ms, weights["spike_budget_hz"])
    return found
