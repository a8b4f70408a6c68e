"""Watching an agent where there are episodes, not lifetimes: as the environment draws itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.adapters import as_agent
from lsnn_rl.agents.episodes import FIRST_SEED
from lsnn_rl.agents.vec_bridge import make_env
from lsnn_rl.errors import BadValue

Image = NDArray[np.uint8]


def episode_images(
    agent: Any, env_id: str, env_kwargs: Mapping[str, Any] | None = None, episode: int = 0, deterministic: bool = True
) -> Iterator[Image]:
    """A picture [height, width, 3] of every step of the numbered test episode, as `episodes` numbers them.

    Raises: BadValue where the environment draws none.
    """
    kwargs = dict(env_kwargs or {})
    actor = as_agent(agent, env_id, kwargs)
    if "rgb_array" not in _render_modes(env_id, kwargs):
        raise BadValue(
            f"A picture of {env_id} was asked for, and it draws none. Score the agent there: lsnn-rl evaluate RUN"
        )
    env = make_env(env_id, 1, render_mode="rgb_array", **kwargs)
    try:
        env.seed(FIRST_SEED["test"] + episode)
        obs, state, starts = env.reset(), actor.initial_state(1), np.ones(1, bool)
        yield env.get_images()[0]
        while True:
            actions, state = actor.act(obs, state, starts, deterministic)
            obs, _, starts, _ = env.step(actions)
            if starts[0]:  # the next picture is of another episode
                return
            yield env.get_images()[0]
    finally:
        env.close()


def most_steps(env_id: str) -> int:
    """How long an episode may last, as far as its registration says; else 1,000 steps."""
    return gym.spec(env_id).max_episode_steps or 1000


def _render_modes(env_id: str, kwargs: Mapping[str, Any]) -> list[str]:
    env = gym.make(env_id, **kwargs)
    try:
        return list(env.metadata.get("render_modes", []))
    finally:
        env.close()
