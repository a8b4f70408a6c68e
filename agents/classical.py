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

_ARENA = {
    "oracle": "lsnn_rl.agents.classical:Oracle",
    "sweep_remember": "lsnn_rl.agents.searchers:SweepRemember",
    "sweep_amnesic": "lsnn_rl.agents.searchers:SweepAmnesic",
    "random_walk": "lsnn_rl.agents.searchers:RandomWalk",
}
_ARENA_ROLES = {
    "random": "random_walk",
    "amnesic": "sweep_amnesic",
    "best_known": "sweep_remember",
    "oracle": "oracle",
}

_ANYWHERE = {"oracle": "lsnn_rl.agents.classical:Oracle", "random": "lsnn_rl.agents.classical:Random"}
_ANYWHERE_ROLES = {"random": "random", "amnesic": "random", "best_known": "oracle", "oracle": "oracle"}

# The agents that can play a world, by the "module:class" of its rules; each is made with the rules.
CLASSICAL: dict[str, dict[str, str]] = {
    "lsnn_rl.envs.arena:Arena": _ARENA,
    "lsnn_rl.envs.arena_variants:ArenaReversal": _ARENA,
    "lsnn_rl.envs.arena_variants:ArenaDelay": _ARENA,
    "lsnn_rl.envs.mazes:MetaMaze": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "search": "lsnn_rl.agents.maze_players:MazeSearch",
        "search_amnesic": "lsnn_rl.agents.maze_players:MazeSearchAmnesic",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.mazes:TMaze": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "remember_cue": "lsnn_rl.agents.maze_players:RememberCue",
        "guess_turn": "lsnn_rl.agents.maze_players:GuessTurn",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.navigation:PointRobotSparse": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "arc_search": "lsnn_rl.agents.navigation_players:ArcSearch",
        "arc_search_amnesic": "lsnn_rl.agents.navigation_players:ArcSearchAmnesic",
        "arc_walk": "lsnn_rl.agents.navigation_players:ArcWalk",
        "arc_walk_amnesic": "lsnn_rl.agents.navigation_players:ArcWalkAmnesic",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.navigation:PointRobotTeleport": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "arc_search": "lsnn_rl.agents.navigation_players:ArcSearch",
        "arc_search_amnesic": "lsnn_rl.agents.navigation_players:ArcSearchAmnesic",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.navigation:Navigation2D": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "trilaterate": "lsnn_rl.agents.navigation_players:Trilaterate",
        "trilaterate_amnesic": "lsnn_rl.agents.navigation_players:TrilaterateAmnesic",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.bandits:BernoulliBandit": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "gittins": "lsnn_rl.agents.gittins:Gittins",
        "bayes_ucb": "lsnn_rl.agents.bandit_players:BayesUCB",
        "ucb1": "lsnn_rl.agents.bandit_players:UCB1",
        "thompson": "lsnn_rl.agents.bandit_players:Thompson",
        "optimistic_thompson": "lsnn_rl.agents.bandit_players:OptimisticThompson",
        "greedy": "lsnn_rl.agents.bandit_players:Greedy",
        "win_stay": "lsnn_rl.agents.bandit_players:WinStay",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.bandits:DependentBandit": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "majority": "lsnn_rl.agents.bandit_optima:Majority",
        "win_stay": "lsnn_rl.agents.bandit_players:WinStay",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.bandits:InformativeBandit": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "ask_first": "lsnn_rl.agents.bandit_optima:AskFirst",
        "try_all": "lsnn_rl.agents.bandit_optima:TryAll",
        "innate": "lsnn_rl.agents.bandit_players:Innate",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.bandits:GaussianBandit": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "learn_or_leave": "lsnn_rl.agents.bandit_optima:LearnOrLeave",
        "look_once": "lsnn_rl.agents.bandit_optima:LookOnce",
        "innate": "lsnn_rl.agents.bandit_players:Innate",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.functions:TargetNetworkRegression": {
        "random": "lsnn_rl.agents.classical:Random",
        "amnesic": "lsnn_rl.agents.function_players:OneExample",
        "own_mean": "lsnn_rl.agents.function_players:OwnMean",
        "ridge": "lsnn_rl.agents.function_players:Ridge",
        "gaussian_process": "lsnn_rl.agents.function_players:SmoothLearner",
        "backprop_net": "lsnn_rl.agents.function_players:BackpropNet",
        "family_fit": "lsnn_rl.agents.function_players:FamilyFit",
        "oracle": "lsnn_rl.agents.classical:Oracle",
    },
    "lsnn_rl.envs.functions:SineRegression": {
        "random": "lsnn_rl.agents.classical:Random",
        "amnesic": "lsnn_rl.agents.function_players:OneExample",
        "own_mean": "lsnn_rl.agents.function_players:OwnMean",
        "ridge": "lsnn_rl.agents.function_players:Ridge",
        "gaussian_process": "lsnn_rl.agents.function_players:SmoothLearner",
        "backprop_net": "lsnn_rl.agents.function_players:BackpropNet",
        "family_fit": "lsnn_rl.agents.function_players:FamilyFit",
        "oracle": "lsnn_rl.agents.classical:Oracle",
    },
    "lsnn_rl.envs.function_bandits:GPBandit": {
        "random": "lsnn_rl.agents.classical:Random",
        "win_stay": "lsnn_rl.agents.function_climbers:WinStay",
        "greedy": "lsnn_rl.agents.function_climbers:Greedy",
        "gp_ts": "lsnn_rl.agents.function_climbers:Thompson",
        "gp_ucb": "lsnn_rl.agents.function_climbers:UCB",
        "oracle": "lsnn_rl.agents.classical:Oracle",
    },
    "lsnn_rl.envs.function_bandits:QuadraticBandit": {
        "random": "lsnn_rl.agents.classical:Random",
        "win_stay": "lsnn_rl.agents.function_climbers:WinStay",
        "thompson": "lsnn_rl.agents.function_climbers:Thompson",
        "form_aware": "lsnn_rl.agents.function_climbers:FormAware",
        "probing": "lsnn_rl.agents.function_climbers:Probing",
        "oracle": "lsnn_rl.agents.classical:Oracle",
    },
    "lsnn_rl.envs.function_bandits:SineBandit": {
        "random": "lsnn_rl.agents.classical:Random",
        "win_stay": "lsnn_rl.agents.function_climbers:WinStay",
        "greedy": "lsnn_rl.agents.function_climbers:Greedy",
        "thompson": "lsnn_rl.agents.function_climbers:Thompson",
        "ucb": "lsnn_rl.agents.function_climbers:UCB",
        "oracle": "lsnn_rl.agents.classical:Oracle",
    },
    "lsnn_rl.envs.function_bandits:TargetNetworkBandit": {
        "random": "lsnn_rl.agents.classical:Random",
        "win_stay": "lsnn_rl.agents.function_climbers:WinStay",
        "greedy": "lsnn_rl.agents.function_climbers:Greedy",
        "thompson": "lsnn_rl.agents.function_climbers:Thompson",
        "ucb": "lsnn_rl.agents.function_climbers:UCB",
        "oracle": "lsnn_rl.agents.classical:Oracle",
    },
    "lsnn_rl.envs.decisions:TwoStep": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "bayes_filter": "lsnn_rl.agents.decision_players:BayesFilter",
        "last_outcome": "lsnn_rl.agents.decision_players:LastOutcome",
        "model_free": "lsnn_rl.agents.decision_players:ModelFree",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.decisions:Harlow": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "one_look": "lsnn_rl.agents.decision_players:OneLook",
        "straight_on": "lsnn_rl.agents.decision_players:StraightOn",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.mdp:TabularMDP": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "optimist": "lsnn_rl.agents.mdp_players:Optimist",
        "psrl": "lsnn_rl.agents.mdp_players:PosteriorSampling",
        "greedy": "lsnn_rl.agents.mdp_players:PosteriorMean",
        "forgetful": "lsnn_rl.agents.mdp_players:Forgetful",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.memory:StoreRecall": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "keeps_stored": "lsnn_rl.agents.memory_players:KeepsStored",
        "memoryless": "lsnn_rl.agents.memory_players:Memoryless",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.memory:Evidence": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "counts_cues": "lsnn_rl.agents.memory_players:CountsCues",
        "last_cue": "lsnn_rl.agents.memory_players:LastCue",
        "memoryless": "lsnn_rl.agents.memory_players:Memoryless",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.memory:DelayedMatch": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "keeps_sample": "lsnn_rl.agents.memory_players:KeepsSample",
        "memoryless": "lsnn_rl.agents.memory_players:Memoryless",
        "random": "lsnn_rl.agents.classical:Random",
    },
    "lsnn_rl.envs.memory:RepeatPrevious": {
        "oracle": "lsnn_rl.agents.classical:Oracle",
        "keeps_last": "lsnn_rl.agents.memory_players:KeepsLast",
        "memoryless": "lsnn_rl.agents.memory_players:Memoryless",
        "random": "lsnn_rl.agents.classical:Random",
    },
}

# Which agent gives which row of the reference table.
REFERENCE_AGENTS: dict[str, dict[str, str]] = {
    "lsnn_rl.envs.arena:Arena": _ARENA_ROLES,
    "lsnn_rl.envs.arena_variants:ArenaReversal": _ARENA_ROLES,
    "lsnn_rl.envs.arena_variants:ArenaDelay": _ARENA_ROLES,
    "lsnn_rl.envs.mazes:MetaMaze": {
        "random": "random",
        "amnesic": "search_amnesic",
        "best_known": "search",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.mazes:TMaze": {
        "random": "random",
        "amnesic": "guess_turn",
        "best_known": "remember_cue",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.navigation:PointRobotSparse": {
        "random": "random",
        "amnesic": "arc_search_amnesic",
        "best_known": "arc_search",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.navigation:PointRobotTeleport": {
        "random": "random",
        "amnesic": "arc_search_amnesic",
        "best_known": "arc_search",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.navigation:Navigation2D": {
        "random": "random",
        "amnesic": "trilaterate_amnesic",
        "best_known": "trilaterate",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.bandits:BernoulliBandit": {
        "random": "random",
        "amnesic": "win_stay",
        "best_known": "gittins",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.bandits:DependentBandit": {
        "random": "random",
        "amnesic": "win_stay",
        "best_known": "majority",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.bandits:InformativeBandit": {
        "random": "random",
        "amnesic": "innate",
        "best_known": "ask_first",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.bandits:GaussianBandit": {
        "random": "random",
        "amnesic": "innate",
        "best_known": "learn_or_leave",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.functions:TargetNetworkRegression": {
        "random": "random",
        "amnesic": "amnesic",
        "best_known": "family_fit",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.functions:SineRegression": {
        "random": "random",
        "amnesic": "amnesic",
        "best_known": "family_fit",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.function_bandits:GPBandit": {
        "random": "random",
        "amnesic": "win_stay",
        "best_known": "gp_ucb",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.function_bandits:QuadraticBandit": {
        "random": "random",
        "amnesic": "win_stay",
        "best_known": "probing",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.function_bandits:SineBandit": {
        "random": "random",
        "amnesic": "win_stay",
        "best_known": "ucb",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.function_bandits:TargetNetworkBandit": {
        "random": "random",
        "amnesic": "win_stay",
        "best_known": "ucb",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.decisions:TwoStep": {
        "random": "random",
        "amnesic": "random",
        "best_known": "bayes_filter",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.decisions:Harlow": {
        "random": "random",
        "amnesic": "straight_on",
        "best_known": "one_look",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.mdp:TabularMDP": {
        "random": "random",
        "amnesic": "forgetful",
        "best_known": "optimist",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.memory:StoreRecall": {
        "random": "random",
        "amnesic": "memoryless",
        "best_known": "keeps_stored",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.memory:Evidence": {
        "random": "random",
        "amnesic": "memoryless",
        "best_known": "counts_cues",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.memory:DelayedMatch": {
        "random": "random",
        "amnesic": "memoryless",
        "best_known": "keeps_sample",
        "oracle": "oracle",
    },
    "lsnn_rl.envs.memory:RepeatPrevious": {
        "random": "random",
        "amnesic": "memoryless",
        "best_known": "keeps_last",
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
    split, steps = settings.pop("split", "train"), settings.pop("max_episode_steps", None)
    if steps is not None:  # Gymnasium's word
        settings["steps"] = steps
    return maker(make_task(target, 1, split, settings))


def _table(env_id: str) -> Registry:
    if env_id not in WORLDS:
        raise unknown_name("world", env_id, WORLDS)
    table = Registry(f"classical agent of {env_id}")
    for name, target in players_of(env_id).items():
        table.add(name, target)
    return table


def players_of(env_id: str) -> dict[str, str]:
    """Name and "module:class" of every agent that can play a world; a world of your own has the oracle and chance."""
    return CLASSICAL.get(key_of(env_id), _ANYWHERE)


def roles_of(env_id: str) -> dict[str, str]:
    """Which agent gives which reference score of a world: random, amnesic, best_known, oracle."""
    return REFERENCE_AGENTS.get(key_of(env_id), _ANYWHERE_ROLES)


def key_of(env_id: str) -> str:
    """What stands for the rules of a world in the tables above."""
    rules = WORLDS[env_id][0]
    return rules if isinstance(rules, str) else f"{rules.__module__}:{rules.__qualname__}"


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
