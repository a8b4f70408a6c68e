"""The table of worlds, and their entry into Gymnasium's registry. A new world is one line here.

Only strings are entered, so registering imports no world, no torch and no pygame.
"""

from typing import Any

import gymnasium as gym

# id: (the task's "module:class", the settings that make this id)
WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    "LSNNArena-v0": ("lsnn_rl.envs.arena:Arena", {}),
    "LSNNArenaDisc-v0": ("lsnn_rl.envs.arena:Arena", {"ring": None}),
    "LSNNArenaReversal-v0": ("lsnn_rl.envs.arena_variants:ArenaReversal", {}),
    "LSNNArenaDelay-v0": ("lsnn_rl.envs.arena_variants:ArenaDelay", {}),
    "LSNNPointRobotSparse-v0": ("lsnn_rl.envs.navigation:PointRobotSparse", {}),
    "LSNNPointRobotTeleport-v0": ("lsnn_rl.envs.navigation:PointRobotTeleport", {}),
    "LSNNNavigation2D-v0": ("lsnn_rl.envs.navigation:Navigation2D", {}),
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
    """Make every id known to `gymnasium.make` and `gymnasium.make_vec`; ids that are known already stay as they are.

    `max_episode_steps` stays None: how long a lifetime is belongs to the rules of the world (keyword `steps`).
    """
    for env_id, (task, settings) in WORLDS.items():
        if env_id not in gym.registry:
            gym.register(
                id=env_id,
                entry_point="lsnn_rl.envs.lifetime:LifetimeEnv",
                vector_entry_point="lsnn_rl.envs.vector:LifetimeVectorEnv",
                kwargs={"task": task, **settings},
            )
