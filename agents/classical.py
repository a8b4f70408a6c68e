"""Agents that nobody trained: the oracle, the best known strategies, the forgetful and the aimless.

They give every score its scale. `classical("oracle", "LSNNArena-v0")` makes one; the tables below say which worlds
have which, by the class of their rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.task import make_task
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.registry import Registry

_ARENA = Registry("classical agent of the arena")
_ARENA.add("oracle", "lsnn_rl.agents.classical:Oracle")
_ARENA.add("sweep_remember", "lsnn_rl.agents.searchers:SweepRemember")
_ARENA.add("sweep_amnesic", "lsnn_rl.agents.searchers:SweepAmnesic")
_ARENA.add("random_walk", "lsnn_rl.agents.searchers:RandomWalk")

CLASSICAL: dict[str, Registry] = {"lsnn_rl.envs.arena:Arena": _ARENA}

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
    return CLASSICAL[WORLDS[env_id][0]]


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
