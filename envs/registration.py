"""The table of worlds, and their entry into Gymnasium's registry. A new world is one line here.

Only strings are entered, so registering imports no world, no torch and no pygame.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from lsnn_rl.envs.popgym_bridge import register_popgym
from lsnn_rl.errors import BadValue, unknown_name

if TYPE_CHECKING:
    from lsnn_rl.envs.task import LifetimeTask

LIFETIME_ENV = "lsnn_rl.envs.lifetime:LifetimeEnv"
CARTPOLE = "LSNNCartPoleNoVel-v0"  # episodes that end early, one task only: Gymnasium's own rules, no lifetimes

# id: (the task's "module:class", the settings that make this id)
WORLDS: dict[str, tuple[str | type[LifetimeTask], dict[str, Any]]] = {
    "LSNNArena-v0": ("lsnn_rl.envs.arena:Arena", {}),
    "LSNNArenaDisc-v0": ("lsnn_rl.envs.arena:Arena", {"ring": None}),
    "LSNNArenaReversal-v0": ("lsnn_rl.envs.arena_variants:ArenaReversal", {}),
    "LSNNArenaDelay-v0": ("lsnn_rl.envs.arena_variants:ArenaDelay", {}),
    "LSNNPointRobotSparse-v0": ("lsnn_rl.envs.navigation:PointRobotSparse", {}),
    "LSNNPointRobotTeleport-v0": ("lsnn_rl.envs.navigation:PointRobotTeleport", {}),
    "LSNNNavigation2D-v0": ("lsnn_rl.envs.navigation:Navigation2D", {}),
    "LSNNMetaMaze-v0": ("lsnn_rl.envs.mazes:MetaMaze", {}),
    "LSNNTMaze-v0": ("lsnn_rl.envs.mazes:TMaze", {}),
    "LSNNBernoulliBandit-v0": ("lsnn_rl.envs.bandits:BernoulliBandit", {}),
    "LSNNDependentBandit-v0": ("lsnn_rl.envs.bandits:DependentBandit", {}),
    "LSNNInformativeBandit-v0": ("lsnn_rl.envs.bandits:InformativeBandit", {}),
    "LSNNGaussianBandit-v0": ("lsnn_rl.envs.bandits:GaussianBandit", {}),
    "LSNNTargetNetworkRegression-v0": ("lsnn_rl.envs.functions:TargetNetworkRegression", {}),
    "LSNNSineRegression-v0": ("lsnn_rl.envs.functions:SineRegression", {}),
    "LSNNGPBandit-v0": ("lsnn_rl.envs.function_bandits:GPBandit", {}),
    "LSNNQuadraticBandit-v0": ("lsnn_rl.envs.function_bandits:QuadraticBandit", {}),
    "LSNNSineBandit-v0": ("lsnn_rl.envs.function_bandits:SineBandit", {}),
    "LSNNTargetNetworkBandit-v0": ("lsnn_rl.envs.function_bandits:TargetNetworkBandit", {}),
    "LSNNTwoStep-v0": ("lsnn_rl.envs.decisions:TwoStep", {}),
    "LSNNHarlow-v0": ("lsnn_rl.envs.decisions:Harlow", {}),
    "LSNNTabularMDP-v0": ("lsnn_rl.envs.mdp:TabularMDP", {}),
    "LSNNStoreRecall-v0": ("lsnn_rl.envs.memory:StoreRecall", {}),
    "LSNNEvidence-v0": ("lsnn_rl.envs.memory:Evidence", {}),
    "LSNNDelayedMatch-v0": ("lsnn_rl.envs.memory:DelayedMatch", {}),
    "LSNNRepeatPrevious-v0": ("lsnn_rl.envs.memory:RepeatPrevious", {}),
}


def register_worlds() -> None:
    """Make every id of the table known to Gymnasium; ids that are known already stay as they are."""
    for env_id, (task, settings) in WORLDS.items():
        if env_id not in gym.registry:
            _enter(env_id, task, settings)
    if CARTPOLE not in gym.registry:
        gym.register(CARTPOLE, "lsnn_rl.envs.cartpole:CartPoleNoVel", reward_threshold=475.0, max_episode_steps=500)
    register_popgym()


def register_world(env_id: str, task: str | type[LifetimeTask], **settings: Any) -> None:
    """Make a world of your own known to `gymnasium.make`, `gymnasium.make_vec` and everything in this package.

    Args:
        env_id: for example "Switches-v0".
        task: the class of its rules, or "module:class", which other processes and machines can find too.
        settings: of the rules, for example steps=100.
    Raises: BadValue if the id is taken.
    """
    if env_id in gym.registry:
        raise BadValue(f"A world called {env_id!r} is known already. Choose another name, or count its version up.")
    WORLDS[env_id] = (task, settings)
    _enter(env_id, task, settings)


def bare_id(env_id: str) -> str:
    """The id itself of "module:id", whose module is imported: it says where the id is registered."""
    module, _, name = env_id.rpartition(":")
    if module:
        import_module(module)  # gym.spec alone does not look there
    return name


def has_lifetimes(env_id: str) -> bool:
    """Whether its `reset` takes the numbers of lifetimes; in other environments of Gymnasium there are episodes.

    Args: env_id: also "module:id", for an id that a module of yours registers.
    Raises: UnknownName.

    >>> has_lifetimes("LSNNArena-v0"), has_lifetimes("CartPole-v1")
    (True, False)
    """
    return spec_of(env_id).entry_point == LIFETIME_ENV


def spec_of(env_id: str) -> EnvSpec:
    """What Gymnasium knows of an id, or of "module:id". Raises UnknownName with the nearest of ours."""
    name = bare_id(env_id)
    if name not in gym.registry:
        raise unknown_name("world", env_id, WORLDS)
    return gym.spec(name)


def _enter(env_id: str, task: str | type[LifetimeTask], settings: dict[str, Any]) -> None:
    """`max_episode_steps` stays None: how long a lifetime is belongs to the rules of the world (keyword `steps`)."""
    gym.register(
        id=env_id,
        entry_point=LIFETIME_ENV,
        vector_entry_point="lsnn_rl.envs.vector:LifetimeVectorEnv",
        kwargs={"task": task, **settings},
    )
