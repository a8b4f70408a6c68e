"""What a practitioner types in the first hours, in the order in which it is tried, and what must come of it."""

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import torch
from gymnasium.utils.env_checker import check_env as gymnasium_checks
from gymnasium.wrappers import (
    FlattenObservation,
    FrameStackObservation,
    NormalizeObservation,
    RecordEpisodeStatistics,
    TimeLimit,
)
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import (
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnMaxEpisodes,
)
from stable_baselines3.common.env_checker import check_env as sb3_checks
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack, VecMonitor, VecNormalize

import lsnn_rl
from lsnn_rl import LSNNPolicy, RecurrentPPO, SB3VecEnv

ARENA = "LSNNArena-v0"
SHORT = {"steps": 20}  # steps of a lifetime
ROOT = Path(__file__).parent.parent
TINY = {"regular": 8, "adaptive": 6, "readouts": 5}


def fresh(code):
    """What a new Python prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ours(env=ARENA, seed=0, **options):
    made_here = {"n_envs": 2, "env_kwargs": SHORT} if env == ARENA else {}
    settings = {"n_steps": 20, "batch_size": 20, "n_epochs": 1, "policy_kwargs": TINY}
    return RecurrentPPO("LSNNPolicy", env, seed=seed, **{**settings, **made_here, **options})


def upstream(policy=LSNNPolicy, env=None, seed=0, **options):
    settings = {"n_steps": 20, "batch_size": 20, "n_epochs": 1, "device": "cpu"}
    settings |= {"policy_kwargs": TINY} if policy is LSNNPolicy else {}
    return sb3_contrib.RecurrentPPO(policy, env or gym.make(ARENA, **SHORT), seed=seed, **{**settings, **options})


def walk(env, steps, seed=0):
    """Everything that a seeded vector environment tells about random actions."""
    env.seed(seed)
    env.action_space.seed(seed)
    told = [env.reset()]
    for _ in range(steps):
        obs, rewards, dones, _ = env.step(np.array([env.action_space.sample() for _ in range(env.num_envs)]))
        told += [obs, rewards.astype(np.float32), dones]
    env.close()
    return told


# ---- 1 to 5: the environment -----------------------------------------------------------------------------------------


def test_1_import_make_and_reset_in_a_fresh_python_without_torch_or_pygame():
    code = f"""
import gymnasium as gym, lsnn_rl, sys
obs, info = gym.make("{ARENA}").reset(seed=0)
print(obs.shape, "torch" in sys.modules, "pygame" in sys.modules)
"""
    assert fresh(code) == "(6,) False False"


def test_2_the_id_with_its_module_in_front_needs_no_import():
    code = f"""
import gymnasium as gym
try:
    gym.make("{ARENA}")
except gym.error.NameNotFound:
    print("not yet,", gym.make("lsnn_rl:{ARENA}").spec.id)
"""
    assert fresh(code) == f"not yet, {ARENA}"


def test_3_random_actions_end_after_the_documented_number_of_steps_with_a_python_float_for_reward():
    env = gym.make(ARENA)
    env.reset(seed=0)

    steps, over = 0, False
    while not over:
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        steps, over = steps + 1, terminated or truncated

    assert steps == 2000 and truncated and not terminated
    assert type(reward) is float and {"trial", "trial_steps", "success"} <= set(info)


def test_4_both_checkers_of_environments_are_silent(recwarn):
    gymnasium_checks(gym.make(ARENA).unwrapped, skip_render_check=True)
    sb3_checks(gym.make(ARENA))

    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("mode", ["rgb_array", "human"])
def test_5_rendering_shows_a_frame_and_changes_nothing(mode):
    plain, shown = gym.make(ARENA), gym.make(ARENA, render_mode=mode)

    for env in (plain, shown):
        env.reset(seed=3)
    for _ in range(3):
        frame = shown.render()
        a, b = (env.step(np.array([0.5, 0.2], np.float32)) for env in (plain, shown))
        assert np.array_equal(a[0], b[0]) and a[1:4] == b[1:4]

    assert shown.metadata["render_fps"] > 0
    assert mode == "human" or (frame.dtype == np.uint8 and frame.shape[2] == 3)
    shown.close()


# ---- 6 to 10: algorithms ---------------------------------------------------------------------------------------------


def test_6_plain_ppo_trains_without_memory():
    model = PPO("MlpPolicy", ARENA, n_steps=64, batch_size=64, n_epochs=1, device="cpu").learn(64)

    assert model.num_timesteps == 64


def test_7_upstreams_lstm_trains():
    assert upstream("MlpLstmPolicy").learn(20).num_timesteps == 20


def test_8_upstream_trains_our_policy_unchanged():
    assert upstream().learn(20).num_timesteps == 20


def test_9_our_algorithm_has_the_same_surface_and_prints_sb3s_tables(capsys):
    ours(verbose=1).learn(80)

    table = capsys.readouterr().out
    assert all(key in table for key in ("total_timesteps", "approx_kl", "explained_variance", "learning_rate"))


def test_10_ppo_with_a_recurrent_policy_is_told_what_to_use_before_it_steps():
    with pytest.raises(TypeError, match=r"Use lsnn_rl.RecurrentPPO or sb3_contrib.RecurrentPPO"):
        PPO(LSNNPolicy, ARENA)


# ---- 11 to 13: predict, evaluate, save and load ----------------------------------------------------------------------


@pytest.mark.parametrize("make", [ours, upstream])
def test_11_predict_carries_the_state_for_one_and_for_many(make):
    model = make()
    one, many = np.zeros(6, np.float32), np.zeros((5, 6), np.float32)

    action, state = model.predict(one, deterministic=True)
    actions, states = model.predict(many, episode_start=np.ones(5, bool), deterministic=True)
    again, _ = model.predict(many, state=states, episode_start=np.ones(5, bool), deterministic=True)
    later, _ = model.predict(many, state=states, episode_start=np.zeros(5, bool), deterministic=True)

    assert action.shape == (2,) and actions.shape == (5, 2)
    assert state[0].shape[:2] == (1, 1) and states[0].shape[:2] == (1, 5)
    assert np.array_equal(again, actions) and not np.array_equal(later, actions)


@pytest.mark.parametrize("make", [ours, upstream])
def test_12_evaluate_policy_tells_the_same_twice_for_the_same_seed(make):
    model = make()

    def score():
        env = make_vec_env(ARENA, n_envs=2, seed=7, env_kwargs=SHORT)
        return evaluate_policy(model, env, 4, return_episode_rewards=True)

    (rewards, lengths), again = score(), score()

    assert lengths == [20] * 4 and again == (rewards, lengths)


@pytest.mark.parametrize("make", [ours, upstream])
def test_13_a_saved_model_predicts_the_same_with_other_environments(make, tmp_path):
    model, obs = make().learn(40), np.linspace(-0.5, 0.5, 24, dtype=np.float32).reshape(4, 6)
    model.save(tmp_path / "model")

    twin = type(model).load(tmp_path / "model", env=make_vec_env(ARENA, n_envs=3, env_kwargs=SHORT), device="cpu")

    expected = model.predict(obs, deterministic=True)[0]
    assert np.array_equal(twin.predict(obs, deterministic=True)[0], expected)
    assert twin.learn(60, reset_num_timesteps=False).n_envs == 3


def test_13_a_fresh_python_loads_the_model_without_importing_us_first(tmp_path):
    model, obs = upstream(), np.full((2, 6), 0.25, np.float32)
    model.save(tmp_path / "model")
    code = f"""
import json, numpy as np
from sb3_contrib import RecurrentPPO
model = RecurrentPPO.load({str(tmp_path / "model")!r}, device="cpu", custom_objects={{"learning_rate": 0.0}})
actions, _ = model.predict(np.full((2, 6), 0.25, np.float32), deterministic=True)
print(json.dumps([actions.tolist(), model.learning_rate]))
"""
    actions, learning_rate = json.loads(fresh(code).splitlines()[-1])

    assert np.allclose(actions, model.predict(obs, deterministic=True)[0], atol=1e-6) and learning_rate == 0.0


# ---- 14 to 18: vector environments, callbacks, logs ------------------------------------------------------------------


def test_14_worker_processes_and_one_process_walk_the_same_way():
    in_one = make_vec_env(f"lsnn_rl:{ARENA}", n_envs=2, env_kwargs=SHORT)
    apart = make_vec_env(
        f"lsnn_rl:{ARENA}", 2, env_kwargs=SHORT, vec_env_cls=SubprocVecEnv, vec_env_kwargs={"start_method": "spawn"}
    )

    assert all(np.array_equal(a, b) for a, b in zip(walk(in_one, 25), walk(apart, 25), strict=True))


def test_15_a_native_vector_environment_serves_plain_ppo_through_one_line():
    native = gym.make_vec(ARENA, num_envs=64, autoreset_mode="SameStep")

    model = PPO("MlpPolicy", SB3VecEnv(native), n_steps=2, batch_size=64, n_epochs=1, device="cpu").learn(128)

    assert model.n_envs == 64 and model.num_timesteps == 128


def test_15_the_native_environment_walks_like_single_ones():
    one_by_one = DummyVecEnv([lambda: gym.make(ARENA, **SHORT)] * 3)

    native = SB3VecEnv(gym.make_vec(ARENA, num_envs=3, autoreset_mode="SameStep", **SHORT))

    assert all(np.array_equal(a, b) for a, b in zip(walk(one_by_one, 45), walk(native, 45), strict=True))


@pytest.mark.filterwarnings("ignore:The environment is already wrapped")
@pytest.mark.parametrize("make", [ours, upstream])
def test_16_sb3s_wrappers_of_vector_environments_work_and_their_statistics_are_saved(make, tmp_path):
    def wrapped():
        native = gym.make_vec(ARENA, num_envs=2, autoreset_mode="SameStep", **SHORT)
        return VecNormalize(VecFrameStack(VecMonitor(SB3VecEnv(native)), 2))

    env = wrapped()

    options = {} if make is ours else {"policy_kwargs": {**TINY, "normalized": True}}
    model = make(env=env, **options).learn(80)
    env.save(tmp_path / "normaliser.pkl")

    loaded = VecNormalize.load(tmp_path / "normaliser.pkl", wrapped().venv)
    assert model.policy.normalized  # ours finds out, upstream must be told
    assert env.obs_rms.count > 80 and np.array_equal(loaded.obs_rms.mean, env.obs_rms.mean)
    assert model.ep_info_buffer[-1]["l"] == 20


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")
@pytest.mark.parametrize("make", [ours, upstream])
def test_17_callbacks_run_and_a_deterministic_evaluation_does_not_disturb_training(make, tmp_path):
    seen = []
    callbacks = [
        EvalCallback(gym.make(ARENA, **SHORT), eval_freq=10, n_eval_episodes=1, verbose=0, warn=False),
        CheckpointCallback(save_freq=20, save_path=tmp_path, name_prefix="at"),
        StopTrainingOnMaxEpisodes(max_episodes=50),
    ]

    quiet = make().learn(80)
    watched = make().learn(80, callback=callbacks)
    with_function = make().learn(40, callback=lambda local, _: seen.append(local["self"].num_timesteps) or True)

    assert np.array_equal(quiet.policy.parameters_to_vector(), watched.policy.parameters_to_vector())
    assert list(tmp_path.glob("at_*_steps.zip")) and len(seen) == 40 // with_function.n_envs


def test_17_a_progress_bar_can_be_asked_for(capsys):
    assert ours().learn(40, progress_bar=True).num_timesteps == 40


def test_18_tensorboard_runs_are_numbered_and_spikes_are_among_the_scalars(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        ours(tensorboard_log=str(tmp_path)).learn(80, tb_log_name="first")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["first_1", "first_2"]
    scalars = EventAccumulator(str(tmp_path / "first_1")).Reload().Tags()["scalars"]
    assert {"train/value_loss", "train/approx_kl", "spikes/rate_hz", "time/fps"} <= set(scalars)


def test_18_a_logger_of_the_users_own_is_used(tmp_path):
    model = ours()
    model.set_logger(configure(str(tmp_path), ["csv"]))

    model.learn(80)

    assert "train/loss" in (tmp_path / "progress.csv").read_text().splitlines()[0]


@pytest.mark.parametrize(
    "wrap",
    [
        RecordEpisodeStatistics,
        FlattenObservation,
        NormalizeObservation,
        lambda env: TimeLimit(env, 10),
        lambda env: FrameStackObservation(env, 2),
    ],
    ids=["statistics", "flatten", "normalize", "time_limit", "frame_stack"],
)
def test_19_gymnasiums_wrappers_work_and_what_they_give_can_be_learned(wrap):
    env = wrap(gym.make(ARENA, **SHORT))

    obs, _ = env.reset(seed=0)
    model = upstream(env=env).learn(20)

    assert obs.shape == env.observation_space.shape and model.num_timesteps == 20


# ---- 22 and 25: the rest that needs no other package -----------------------------------------------------------------


@pytest.mark.parametrize("make", [ours, upstream])
def test_22_schedules_target_kl_and_state_dependent_noise_are_taken(make):
    options = {"learning_rate": lambda left: 1e-3 * left, "clip_range": lambda left: 0.2 * left, "target_kl": 0.1}

    model = make(use_sde=True, sde_sample_freq=4, **options).learn(40)

    assert model.num_timesteps == 40


def test_25_an_environment_can_be_described_copied_and_pickled():
    env = gym.make(ARENA, **SHORT)
    env.reset(seed=5)
    env.step(np.array([1.0, 0.0], np.float32))

    twins = copy.deepcopy(env), pickle.loads(pickle.dumps(env.unwrapped))

    spec = json.loads(env.spec.to_json())
    assert spec["id"] == ARENA and spec["kwargs"].items() >= SHORT.items()
    expected = env.step(np.array([0.0, 1.0], np.float32))[0]
    assert all(np.array_equal(twin.step(np.array([0.0, 1.0], np.float32))[0], expected) for twin in twins)


def test_25_a_policy_can_be_saved_alone_and_written_as_one_vector(tmp_path):
    policy, obs = ours().policy, np.zeros(6, np.float32)
    policy.save(tmp_path / "policy.pt")
    vector = policy.parameters_to_vector()

    twin = LSNNPolicy.load(tmp_path / "policy.pt", device="cpu")
    blank = LSNNPolicy(policy.observation_space, policy.action_space, lambda _: 1e-3, **TINY)
    blank.load_from_vector(vector)

    expected = policy.predict(obs, deterministic=True)[0]
    assert np.array_equal(twin.predict(obs, deterministic=True)[0], expected)
    assert np.allclose(blank.predict(obs, deterministic=True)[0], expected, atol=1e-7)
    assert torch.equal(torch.nn.utils.parameters_to_vector(blank.parameters()), torch.as_tensor(vector))


def test_25_the_package_names_what_it_offers():
    assert {"RecurrentPPO", "LSNNPolicy", "LSNN", "DeepR", "SB3VecEnv", "evaluate", "load_agent"} <= set(dir(lsnn_rl))
