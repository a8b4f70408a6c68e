"""Agents that nobody trained: the oracle, the best known strategies, the forgetful and the aimless.

They give every score its scale. `classical("oracle", "LSNNArena-v0")` makes one; the tables below say which worlds
have which, by the class of their rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.task import LifetimeTask, make_task
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.registry import Registry

# The agents that can play a world, by the "module:class" of its rules; each is made with the rules.
CLASSICAL: dict[str, dict[str, str]] = {
    "lsnn_rl.envs.arena:Arena": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "sweep_remember": "lsnn_rl.agents.searchers:SweepRemember",
        "sweep_amnesic": "lsnn_rl.agents.searchers:SweepAmnesic",
        "random_walk": "lsnn_rl.agents.searchers:RandomWalk",
    },
}

# Which agent gives which row of the reference table.
REFERENCE_AGENTS: dict[str, dict[str, str]] = {
    "lsnn_rl.envs.arena:Arena": {
        "random": "random_walk",
        "amnesic": "sweep_amnesic",
        "best_known": "sweep_remember",
        "oracle": "oracle",
    },
}


def classical_names(env_id: str) -> list[str]:
    """The classical agents that can play this world.

    >>> classical_names("LSNNArena-v0")
    ['oracle', 'random_walk', 'sweep_amnesic', 'sweep_remember']
    """
    return _table(env_id).names()


def classical(name: str, env_id: str, **env_kwargs: Any) -> Any:
    """A classical agent for a world made with the same `env_kwargs`.

    Args:
        name: one of `classical_names(env_id)`.
        env_kwargs: what `gymnasium.make` is given besides the id; agents know the rules, never the hidden task
            (the oracle excepted).
    Raises: UnknownName for an unknown id, agent or setting.
    """
    maker = _table(env_id).get(name)
    target, own = WORLDS[env_id]
    settings = {key: value for key, value in {**own, **env_kwargs}.items() if key not in ("render_mode", "privileged")}
    split = settings.pop("split", "train")
    return maker(make_task(target, 1, split, settings))


def _table(env_id: str) -> Registry:
    if env_id not in WORLDS:
        raise unknown_name("world", env_id, WORLDS)
    table = Registry(f"classical agent of {env_id}")
    for name, target in CLASSICAL[WORLDS[env_id][0]].items():
        table.add(name, target)
    return table


class Random:
    """Draws every action uniformly from the action space, and learns nothing. Plays any world."""

    def __init__(self, rules: LifetimeTask, seed: int = 0) -> None:
        self._space = rules.action_space
        self._luck = np.random.default_rng(seed)

    def initial_state(self, n: int) -> dict[str, NDArray]:
        return {}

    def act(
        self, obs: NDArray, state: dict[str, NDArray], starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, dict[str, NDArray]]:
        space = self._space
        if isinstance(space, spaces.Discrete):
            return space.start + self._luck.integers(int(space.n), size=len(obs)), state
        low, high = np.asarray(space.low), np.asarray(space.high)  # type: ignore[attr-defined]
        return self._luck.uniform(low, high, (len(obs), *low.shape)).astype(np.float32), state


class Oracle:
    """Knows the hidden task and does what the world's own expert would do. Plays any world."""

    def __init__(self, rules: Any = None) -> None:
        self._venv: Any = None

    def watch(self, venv: Any) -> None:
        """See the environment, which must be the native vector environment that will be played."""
        self._venv = venv.unwrapped

    def initial_state(self, n: int) -> dict[str, NDArray]:
        return {}

    def act(
        self, obs: NDArray, state: dict[str, NDArray], starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, dict[str, NDArray]]:
        if self._venv is None:
            raise BadValue("The oracle was asked to act before it saw a world. Call agent.watch(venv) first.")
        actions = self._venv.expert()
        if len(actions) != len(obs):
            raise BadValue(
                f"The oracle watches {len(actions)} lifetimes and was shown {len(obs)} observations. "
                "Call agent.watch(venv) with the environment it plays in."
            )
        return actions, state
