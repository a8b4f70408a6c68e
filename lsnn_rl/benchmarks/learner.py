"""The learner: one iteration of PPO, collecting and learning, on the same world with the same numbers of everything.

    ours_lsnn            RecurrentPPO with an LSNN of 100 regular and 100 adaptive cells
    ours_lsnn_300        the same with 150 and 150
    ours_lstm, ours_gru  RecurrentPPO with 128 units
    contrib_lstm         sb3_contrib.RecurrentPPO as it is set up unless told: LSTMs of 128 for actor and critic
    contrib_lstm_shared  the same with one LSTM for both, whose critic does not train it
    contrib_lsnn         sb3_contrib.RecurrentPPO with our LSNNPolicy, 100 and 100 cells
    ppo_mlp              stable_baselines3.PPO without memory, two layers of 64

Rivals run on DummyVecEnv, as their users run them. Workloads: `ppo`, lifetimes of 2,000 steps, hardly any of which ends
in an iteration, and `ppo_short`, lifetimes of 100 steps. `fps` counts environment steps per second of `ppo`, collecting
and learning together, by CPU time on one thread; `two_threads` does by the clock on the wall, which other processes
disturb. `share_learning` is the part of an iteration that our learners spend on epochs rather than on the rollout.
"""

import time
from collections.abc import Callable
from typing import Any

import torch

from lsnn_rl.benchmarks.settings import Settings
from lsnn_rl.benchmarks.timing import Times, interleave, machine

WORLD, SLOTS, STEPS, EPOCHS, MINIBATCHES = "LSNNArena-v0", 64, 128, 4, 4
LIFETIMES = {"ppo": {}, "ppo_short": {"steps": 100}}
RATIOS = {
    "ours_lsnn_vs_contrib_lstm": ("ours_lsnn", "contrib_lstm"),
    "ours_lstm_vs_contrib_lstm": ("ours_lstm", "contrib_lstm"),
    "ours_gru_vs_contrib_lstm": ("ours_gru", "contrib_lstm"),
    "ours_lstm_vs_contrib_lstm_shared": ("ours_lstm", "contrib_lstm_shared"),
    "ours_lsnn_vs_contrib_lsnn": ("ours_lsnn", "contrib_lsnn"),
    "ours_lsnn_vs_ppo_mlp": ("ours_lsnn", "ppo_mlp"),
}


def run(settings: Settings) -> dict[str, Any]:
    """Measure one iteration of every learner."""
    threads = torch.get_num_threads()
    result: dict[str, Any] = {
        "suite": "learner",
        "quick": settings.quick,
        "repeats": settings.repeats,
        "machine": machine(),
        "workloads": {},
    }
    try:
        for name in settings.chosen(list(LIFETIMES)):
            torch.set_num_threads(1)
            settings.say(f"{name}, one thread")
            models = learners(settings, LIFETIMES[name])
            times = _measure(models, settings, time.process_time)
            result["workloads"][name] = _workload(models, times, settings)
            if name == "ppo":
                result |= _speeds(times, settings)
            if name == "ppo" and not settings.quick:
                torch.set_num_threads(2)
                settings.say(f"{name}, two threads")
                result["two_threads"] = _speeds(_measure(models, settings, time.perf_counter), settings)
    finally:
        torch.set_num_threads(threads)
    return result


def learners(settings: Settings, world: dict[str, Any]) -> dict[str, Any]:
    """Every contender, ready to learn; `world`: keywords of the arena."""
    steps = _steps(settings)
    lsnn = {"regular": 100, "adaptive": 100}
    return {
        "ours_lsnn": _ours(steps, world, **lsnn),
        "ours_lsnn_300": _ours(steps, world, regular=150, adaptive=150),
        "ours_lstm": _ours(steps, world, cell="lstm", size=128),
        "ours_gru": _ours(steps, world, cell="gru", size=128),
        "contrib_lstm": _contrib(steps, world, "MlpLstmPolicy", lstm_hidden_size=128),
        "contrib_lstm_shared": _contrib(
            steps, world, "MlpLstmPolicy", lstm_hidden_size=128, shared_lstm=True, enable_critic_lstm=False
        ),
        "contrib_lsnn": _contrib(steps, world, "LSNNPolicy", **lsnn),
        "ppo_mlp": _memoryless(steps, world),
    }


def _measure(models: dict[str, Any], settings: Settings, clock: Callable[[], float]) -> dict[str, Times]:
    steps = SLOTS * _steps(settings)
    return interleave({name: _learn(model, steps) for name, model in models.items()}, settings.repeats, clock=clock)


def _speeds(times: dict[str, Times], settings: Settings) -> dict[str, Any]:
    steps = SLOTS * _steps(settings)
    fps = {name: 1e3 * steps / taken.min_ms for name, taken in times.items()}
    return {"fps": fps, "ratio": {name: fps[ours] / fps[theirs] for name, (ours, theirs) in RATIOS.items()}}


def _workload(models: dict[str, Any], times: dict[str, Times], settings: Settings) -> dict[str, Any]:
    mine, fps = times["ours_lsnn"], _speeds(times, settings)["fps"]
    return {
        "ours_ms": mine.min_ms,
        "ours_median_ms": mine.median_ms,
        "computed_by": models["ours_lsnn"].policy.network.backend_in_use(),
        "sizes": {"slots": SLOTS, "steps": _steps(settings), "epochs": EPOCHS, "minibatches": MINIBATCHES},
        "steps_per_s": fps["ours_lsnn"],
        "share_learning": {name: _share(model) for name, model in models.items() if name.startswith("ours")},
        "peers": {
            name: {
                "ms": taken.min_ms,
                "ratio": taken.min_ms / mine.min_ms,
                "median_ms": taken.median_ms,
                "steps_per_s": fps[name],
            }
            for name, taken in times.items()
            if name != "ours_lsnn"
        },
    }


def _share(model: Any) -> float:
    """Part of one more iteration that is spent in `train`."""
    train, spent = model.train, []

    def timed() -> None:
        began = time.process_time()
        train()
        spent.append(time.process_time() - began)

    model.train = timed
    began = time.process_time()
    try:
        model.learn(SLOTS * model.n_steps, reset_num_timesteps=False)
    finally:
        del model.train
    return sum(spent) / (time.process_time() - began)


def _steps(settings: Settings) -> int:
    return STEPS // (8 if settings.quick else 1)


def _learn(model: Any, steps: int) -> Callable[[], None]:
    return lambda: model.learn(steps, reset_num_timesteps=False)


def _sizes(steps: int) -> dict[str, Any]:
    return {"n_steps": steps, "batch_size": SLOTS * steps // MINIBATCHES, "n_epochs": EPOCHS, "seed": 0}


def _ours(steps: int, world: dict[str, Any], **policy: Any) -> Any:
    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO

    return RecurrentPPO("LSNNPolicy", WORLD, n_envs=SLOTS, env_kwargs=world, policy_kwargs=policy, **_sizes(steps))


def _contrib(steps: int, world: dict[str, Any], policy: str, **options: Any) -> Any:
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.env_util import make_vec_env

    from lsnn_rl.agents.policies import LSNNPolicy

    envs = make_vec_env(WORLD, n_envs=SLOTS, seed=0, env_kwargs=world)
    kind: Any = LSNNPolicy if policy == "LSNNPolicy" else policy
    return RecurrentPPO(kind, envs, policy_kwargs=options, device="cpu", **_sizes(steps))


def _memoryless(steps: int, world: dict[str, Any]) -> Any:
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env(WORLD, n_envs=SLOTS, seed=0, env_kwargs=world)
    return PPO("MlpPolicy", envs, device="cpu", **_sizes(steps))
