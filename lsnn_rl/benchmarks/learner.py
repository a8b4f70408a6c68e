"""The learner: one iteration of PPO, collecting and learning, on the same world with the same numbers of everything.

    ours          RecurrentPPO with an LSNN of 64 regular and 64 adaptive cells
    gru           RecurrentPPO with a GRU of 128 units
    contrib_lstm  sb3_contrib.RecurrentPPO with an LSTM of 128 units, on DummyVecEnv, as its users run it
    ppo_mlp       stable_baselines3.PPO without memory, two layers of 64, on DummyVecEnv
CPU time on one thread. `ms` is of one iteration; `steps_per_s` counts environment steps.
"""

from collections.abc import Callable
from typing import Any

import torch

from lsnn_rl.benchmarks.settings import Settings
from lsnn_rl.benchmarks.timing import interleave, machine

WORLD, SLOTS, STEPS, EPOCHS, MINIBATCHES = "LSNNArena-v0", 64, 128, 2, 4


def run(settings: Settings) -> dict[str, Any]:
    """Measure one iteration of every learner."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        workloads = {name: iteration(settings) for name in settings.chosen(["ppo"])}
    finally:
        torch.set_num_threads(threads)
    return {
        "suite": "learner",
        "quick": settings.quick,
        "repeats": settings.repeats,
        "machine": machine(),
        "workloads": workloads,
    }


def iteration(settings: Settings) -> dict[str, Any]:
    """Rollout of SLOTS x STEPS and EPOCHS passes over it in MINIBATCHES."""
    steps = STEPS // (4 if settings.quick else 1)
    ours, gru = _ours(steps, cell="lsnn", regular=64, adaptive=64), _ours(steps, cell="gru", size=128)
    models = {"ours": ours, "gru": gru, "contrib_lstm": _contrib(steps), "ppo_mlp": _memoryless(steps)}
    settings.say(f"ppo: {', '.join(models)}")
    times = interleave({name: _learn(model, SLOTS * steps) for name, model in models.items()}, settings.repeats)
    mine = times["ours"]
    per_s = {name: SLOTS * steps * 1e3 / taken.min_ms for name, taken in times.items()}
    return {
        "ours_ms": mine.min_ms,
        "ours_median_ms": mine.median_ms,
        "computed_by": ours.policy.network.backend_in_use(),
        "sizes": {"slots": SLOTS, "steps": steps, "epochs": EPOCHS, "minibatches": MINIBATCHES},
        "steps_per_s": per_s["ours"],
        "peers": {
            name: {
                "ms": taken.min_ms,
                "ratio": taken.min_ms / mine.min_ms,
                "median_ms": taken.median_ms,
                "steps_per_s": per_s[name],
            }
            for name, taken in times.items()
            if name != "ours"
        },
    }


def _learn(model: Any, steps: int) -> Callable[[], None]:
    return lambda: model.learn(steps, reset_num_timesteps=False)


def _sizes(steps: int) -> dict[str, Any]:
    return {"n_steps": steps, "batch_size": SLOTS * steps // MINIBATCHES, "n_epochs": EPOCHS, "seed": 0}


def _ours(steps: int, **policy: Any) -> Any:
    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO

    return RecurrentPPO("LSNNPolicy", WORLD, n_envs=SLOTS, policy_kwargs=policy, **_sizes(steps))


def _contrib(steps: int) -> Any:
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.env_util import make_vec_env

    policy = {"lstm_hidden_size": 128, "shared_lstm": True, "enable_critic_lstm": False}
    envs = make_vec_env(WORLD, n_envs=SLOTS, seed=0)
    return RecurrentPPO("MlpLstmPolicy", envs, policy_kwargs=policy, device="cpu", **_sizes(steps))


def _memoryless(steps: int) -> Any:
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    return PPO("MlpPolicy", make_vec_env(WORLD, n_envs=SLOTS, seed=0), device="cpu", **_sizes(steps))
