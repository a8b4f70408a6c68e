"""Evaluation in worlds that are not of this package: episodes numbered by their seeds, and a card without references.

Episode number k begins with the environment's seed 1,000,000 + k for tests and 2,000,000 + k for validation, far from
the small seeds of training. Whether memory helped is told by a control that begins every step with the state at rest.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lsnn_rl.agents.adapters import as_agent, check_fits, name_of
from lsnn_rl.agents.cards import SCHEMA, Card, versions
from lsnn_rl.agents.contract import Agent
from lsnn_rl.agents.evaluate import luck, results
from lsnn_rl.agents.measures import Lifetimes
from lsnn_rl.agents.vec_bridge import make_env

FIRST_SEED = {"test": 1_000_000, "validation": 2_000_000}
SLOTS = 32


def evaluate_episodes(
    agent: Any,
    env_id: str,
    episodes: int = 100,
    deterministic: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    name: str | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Card:
    """The card of an agent in any Gymnasium environment: mean return with its interval, and without its state.

    Args: as for `lsnn_rl.agents.evaluate.evaluate`.
    """
    began = time.perf_counter()
    kwargs = dict(env_kwargs or {})
    actor = as_agent(agent, env_id, kwargs)
    main = live_episodes(actor, env_id, episodes, deterministic, kwargs, seed=seed)
    if on_progress is not None:
        on_progress(0.5)
    wiped = live_episodes(actor, env_id, episodes, deterministic, kwargs, seed=seed, wipe_every_step=True)
    if on_progress is not None:
        on_progress(1.0)
    card = Card(
        schema=SCHEMA,
        env=env_id,
        env_kwargs=kwargs,
        env_hash=None,
        split="test",
        split_hash=None,
        agent=name or name_of(agent),
        lifetimes=episodes,
        deterministic=deterministic,
        seed=seed,
    )
    card.update(results(main, {"no_state": wiped}, None, "return"))
    card.update(versions=versions(), wall_s=round(time.perf_counter() - began, 1))
    return card


def live_episodes(
    agent: Agent,
    env_id: str,
    episodes: int,
    deterministic: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
    *,
    split: str = "test",
    seed: int = 0,
    wipe_every_step: bool = False,
) -> Lifetimes:
    """Live the numbered episodes of a split ("test" or "validation"), a few at a time.

    Args: seed: of sampled actions.
    """
    slots = min(SLOTS, episodes)
    env = make_env(env_id, slots, **(env_kwargs or {}))
    returns, steps = np.zeros(episodes), np.zeros(episodes, dtype=np.int64)
    try:
        check_fits(agent, env_id, env.observation_space, env.action_space)
        for first in range(0, episodes, slots):
            wanted = min(slots, episodes - first)  # surplus slots are lived, and not counted
            env.seed(FIRST_SEED[split] + first)
            obs, state = env.reset(), agent.initial_state(slots)
            starts, alive = np.ones(slots, bool), np.ones(slots, bool)
            with luck(seed + first):
                while alive[:wanted].any():
                    actions, state = agent.act(obs, state, starts, deterministic)
                    obs, rewards, starts, _ = env.step(actions)
                    counted = np.flatnonzero(alive[:wanted])
                    returns[first + counted] += rewards[counted]
                    steps[first + counted] += 1
                    alive &= ~starts
                    starts = starts | wipe_every_step
    finally:
        env.close()
    nothing = np.zeros(0, dtype=np.int64)
    return Lifetimes(np.arange(episodes), steps, returns, nothing, nothing)
