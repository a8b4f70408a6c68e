"""Look into a spiking agent while it lives: who fires, whose threshold is raised, when the goal is met."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.adapters import as_agent
from lsnn_rl.errors import BadValue


@dataclass(frozen=True)
class Inside:
    """One stretch of one lifetime, T environment steps.

    Attributes:
        spikes: of every cell in the last simulation step of each environment step, [T, H], 0 or 1.
        threshold: of the adaptive cells, [T, A], in units of the resting threshold.
        hits: did the step reach the goal? [T].
        regular: how many of the H cells do not adapt; they come first.
    """

    spikes: NDArray[np.float32]
    threshold: NDArray[np.float32]
    hits: NDArray[np.bool_]
    regular: int


def look_inside(
    agent: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetime: int = 0,
    steps: int = 600,
) -> Inside:
    """Let a spiking agent live the first `steps` steps of a numbered lifetime and note its spikes and thresholds.

    Raises: BadValue for an agent that does not spike.
    """
    actor = as_agent(agent, env_id, {**(env_kwargs or {}), "split": split})
    network = getattr(getattr(actor, "policy", None), "network", None)
    if network is None or not getattr(network, "spiking", False):
        raise BadValue(f"{agent} has no spikes to look at. Choose an agent with cell lsnn, alif or lif.")
    env = gym.make_vec(env_id, num_envs=1, split=split, **(env_kwargs or {}))
    obs, _ = env.reset(options={"lifetimes": np.array([lifetime])})
    state, starts = actor.initial_state(1), np.ones(1, bool)
    beta = getattr(network.cell, "beta", None)  # zero makes a cell regular
    regular = network.size if beta is None else int((beta.expand(network.size) == 0).sum())
    spikes, threshold, hits = [], [], []
    for _ in range(steps):
        actions, state = actor.act(obs, state, starts)
        spikes.append(state["z"][0].float().cpu().numpy())
        level = network.cell.threshold(state).expand(1, -1) / network.cell.thr
        threshold.append(level[0, regular:].float().cpu().numpy())
        obs, _, terminated, truncated, info = env.step(actions)
        hits.append(bool(np.asarray(info.get("success", [False]))[0]))
        starts = np.zeros(1, bool)
        if terminated[0] or truncated[0]:
            break
    env.close()
    return Inside(np.stack(spikes), np.stack(threshold), np.array(hits), regular)
