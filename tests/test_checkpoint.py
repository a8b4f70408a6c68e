"""A training that was interrupted goes on bit for bit, and no file from outside is trusted."""

import json
import os
import pickle
import resource
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from lsnn_rl.agents import checkpoint as module
from lsnn_rl.agents.callbacks import CheckpointCallback
from lsnn_rl.agents.checkpoint import checkpoints_in, load_agent, load_checkpoint, save_agent, save_checkpoint
from lsnn_rl.agents.plain import from_plain, space_from_plain, space_to_plain, to_plain, trusted_class
from lsnn_rl.agents.policies import GRUPolicy
from lsnn_rl.agents.recurrent_ppo import RecurrentPPO
from lsnn_rl.agents.vec_bridge import make_env
from lsnn_rl.errors import BadValue, BrokenFile, MissingFile

ROOT = Path(__file__).resolve().parent.parent
TOTAL = 8 * 64
POLICIES = {
    "lsnn": {
        "policy_kwargs": {"regular": 5, "adaptive": 5, "readouts": 6, "input_gain": 4.0},
        "bptt_steps": 8,
        "burn_in_steps": 5,
        "auxiliary": {"task_inference": 0.3, "spike_budget_hz": 1.0, "spike_budget_step": 0.1},
    },
    "noisy": {"policy_kwargs": {"cell": "gru", "size": 8, "readouts": 6}, "use_sde": True, "sde_sample_freq": 5},
    "lstm": {"policy_kwargs": {"cell": "lstm", "size": 8, "readouts": 6}},
    "gru": {"policy_kwargs": {"cell": "gru", "size": 8, "readouts": 6}},
    "rewired": {
        "policy_kwargs": {"regular": 5, "adaptive": 5, "readouts": 6},
        "rewiring": {"connectivity": 0.3, "l1": 1.0, "temperature": 1e-4},
    },
}
SETTINGS = {
    "n_steps": 16,
    "n_epochs": 2,
    "seed": 3,
    "learning_rate": {"schedule": "linear", "start": 0.01},
    "ent_coef": {"schedule": "cosine", "start": 0.02},
    "auxiliary": {"task_inference": 0.3},
}


def make(kind="lsnn", normalized=False):
    env = make_env("LSNNArena-v0", 4, steps=24)
    options = {**SETTINGS, **POLICIES[kind]}
    if normalized:
        env, options["policy_kwargs"] = VecNormalize(env), {**options["policy_kwargs"], "normalized": True}
    return RecurrentPPO("LSNNPolicy", env, **options)


def weights(model):
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


class Box:
    """Stands for a setting that is no data."""


class Ambush:
    """A pickle that leaves a trace when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


RESUME = """
import sys, torch
torch.set_num_threads(1)
import lsnn_rl
from lsnn_rl.agents.checkpoint import load_checkpoint, save_checkpoint
for path in sys.argv[2:]:
    model = load_checkpoint(path)
    model.learn(int(sys.argv[1]), resume=True)
    save_checkpoint(model, path + ".resumed")
"""


# ---- exact resume ----------------------------------------------------------------------------------------------------


def name_of(kind, normalized):
    return f"{kind}-normalized" if normalized else kind


@pytest.fixture(scope="module")
def restarted(tmp_path_factory):
    """By name: a model trained in one go, and one that a fresh process trained on from the middle."""
    folder, whole = tmp_path_factory.mktemp("runs"), {}
    for kind in POLICIES:
        for normalized in (False, True):
            name = name_of(kind, normalized)
            whole[name] = make(kind, normalized)
            whole[name].learn(TOTAL, callback=CheckpointCallback(folder / name, every_s=0, keep=100))
    halfway = {name: folder / name / f"checkpoint-{TOTAL // 2:012d}.ckpt" for name in whole}
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", RESUME, str(TOTAL), *halfway.values()], check=True, env=env, cwd=folder)
    return {name: (model, load_checkpoint(f"{halfway[name]}.resumed")) for name, model in whole.items()}


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("kind", POLICIES)
def test_training_on_after_a_restart_gives_the_same_weights_bit_for_bit(kind, normalized, restarted):
    whole, resumed = restarted[name_of(kind, normalized)]

    assert resumed.num_timesteps == whole.num_timesteps == TOTAL
    for name, value in weights(whole).items():
        assert torch.equal(resumed.policy.state_dict()[name], value), name
    np.testing.assert_array_equal(resumed._last_obs, whole._last_obs)
    for name, value in whole._last_state.items():
        assert torch.equal(resumed._last_state[name], value)
    assert list(resumed.lifetime_goals) == list(whole.lifetime_goals)
    assert resumed.spike_multiplier == whole.spike_multiplier
    assert (whole.spike_multiplier > 0) == (kind == "lsnn")


def test_taking_checkpoints_does_not_change_what_is_learned(tmp_path):
    plain = make().learn(TOTAL // 2)
    kept = make()

    kept.learn(TOTAL // 2, callback=CheckpointCallback(tmp_path, every_s=0, keep=2))

    assert all(torch.equal(value, weights(kept)[name]) for name, value in weights(plain).items())
    assert len(checkpoints_in(tmp_path)) == 2


def test_an_interrupt_in_mid_rollout_loses_at_most_that_rollout(tmp_path):
    whole, interrupted = make().learn(TOTAL), make()
    keeper = CheckpointCallback(tmp_path, every_s=1e6)

    def press_ctrl_c(locals_, _):
        if interrupted.num_timesteps == 4 * 64 + 20:
            raise KeyboardInterrupt
        return True

    from stable_baselines3.common.callbacks import ConvertCallback

    with pytest.raises(KeyboardInterrupt):
        interrupted.learn(TOTAL, callback=[keeper, ConvertCallback(press_ctrl_c)])
    path = keeper.on_interrupt()
    resumed = load_checkpoint(path)

    assert resumed.num_timesteps == 4 * 64
    resumed.learn(TOTAL, resume=True)
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in weights(whole).items())


@pytest.mark.parametrize("broken", ["observation", "reward"])
def test_what_is_not_finite_in_the_world_leaves_the_last_good_checkpoint(broken, tmp_path):
    class Breaks(gym.Wrapper):
        def step(self, action):
            obs, reward, *rest = self.env.step(action)
            gone = np.nan if model.num_timesteps >= 40 else 1.0
            return (obs * gone, reward, *rest) if broken == "observation" else (obs, reward * gone, *rest)

    model = RecurrentPPO("GRUPolicy", Breaks(gym.make("CartPole-v1")), n_steps=16, policy_kwargs={"size": 8})
    keeper = CheckpointCallback(tmp_path, every_s=1e6, exact=False)

    with pytest.raises(BadValue, match="last good checkpoint is .*checkpoint-000000000032.ckpt"):
        model.learn(160, callback=keeper)

    assert load_checkpoint(tmp_path, gym.make("CartPole-v1")).num_timesteps == 32
    assert json.loads((tmp_path / "stopped.json").read_text())["go_on_from"] == "checkpoint-000000000032.ckpt"


def test_a_checkpoint_does_not_change_when_training_goes_on(tmp_path):
    model = make().learn(64)
    before = weights(model)
    snapshot = module.capture(model)
    model.learn(64, reset_num_timesteps=False)

    loaded = load_checkpoint(module.write_checkpoint(snapshot, tmp_path / "checkpoint-1.ckpt"))

    assert all(torch.equal(value, weights(loaded)[name]) for name, value in before.items())


def test_a_world_that_keeps_its_state_to_itself_is_refused_or_begun_anew(tmp_path):
    model = RecurrentPPO("GRUPolicy", "CartPole-v1", n_envs=2, n_steps=8, policy_kwargs={"size": 8}).learn(16)

    with pytest.raises(BadValue, match="DummyVecEnv cannot hand out its state.*exact=False"):
        save_checkpoint(model, tmp_path / "a.ckpt")
    loaded = load_checkpoint(save_checkpoint(model, tmp_path / "a.ckpt", exact=False))

    assert loaded._last_obs is None and loaded.num_timesteps == 16
    assert loaded.learn(48, resume=True).num_timesteps == 48


def test_what_a_normaliser_has_learned_goes_on_even_where_lifetimes_begin_anew(tmp_path):
    env = VecNormalize(make_env("CartPole-v1", 2))
    kwargs = {"size": 8, "normalized": True}
    model = RecurrentPPO("GRUPolicy", env, n_steps=8, policy_kwargs=kwargs, seed=5).learn(16)
    first = make_env("CartPole-v1", 2, seed=5).reset()

    loaded = load_checkpoint(save_checkpoint(model, tmp_path / "a.ckpt", exact=False))
    loaded.learn(32, resume=True)

    np.testing.assert_array_equal(loaded.env.obs_rms.count > env.obs_rms.count, True)
    again = load_checkpoint(tmp_path / "a.ckpt")
    np.testing.assert_array_equal(again.env.obs_rms.mean, env.obs_rms.mean)
    once_more = load_checkpoint(save_checkpoint(again, tmp_path / "b.ckpt", exact=False))  # before its first step
    np.testing.assert_array_equal(once_more.env.obs_rms.mean, env.obs_rms.mean)
    assert not np.array_equal(again.env.venv.reset(), first)  # not the lifetimes of the beginning once more


def test_settings_that_are_no_data_are_refused_with_their_name(tmp_path):
    model = make()
    model.learning_rate = lambda left: 0.1

    with pytest.raises(BadValue, match="learning_rate is .*function of your own.*named schedules"):
        save_checkpoint(model, tmp_path / "a.ckpt")


def test_a_checkpoint_asks_for_the_world_it_was_trained_in(tmp_path):
    path = save_checkpoint(make().learn(64), tmp_path / "a.ckpt")

    with pytest.raises(BadValue, match="trained in 4 environments, 2 were given"):
        load_checkpoint(path, env=make_env("LSNNArena-v0", 2))
    with pytest.raises(BadValue, match="Pass the world it was trained in"):
        load_checkpoint(path, env=make_env("LSNNArena-v0", 4, observe_wall=False))


KILLED = """
import sys, torch
torch.set_num_threads(1)
import lsnn_rl
from lsnn_rl.agents.callbacks import CheckpointCallback
from lsnn_rl.agents.checkpoint import load_checkpoint
model = load_checkpoint(sys.argv[1])
print("going on", flush=True)
model.learn(int(sys.argv[2]), callback=CheckpointCallback(sys.argv[1], every_s=0.05, keep=2), resume=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "normalized"), [("gru", False), ("lsnn", True), ("rewired", False)])
def test_a_training_killed_at_twenty_moments_ends_with_the_same_weights(kind, normalized, tmp_path):
    total = 400 * 64
    whole, luck = make(kind, normalized), np.random.default_rng(0)
    whole._setup_learn(total)  # resets the world, so that both go on from the same first observation
    save_checkpoint(whole, tmp_path / "run" / "checkpoint-000000000000.ckpt")
    whole.learn(total, resume=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, tmp_path / "run", str(total)]

    for _ in range(20):
        child = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(luck.uniform(0, 0.6))
        child.kill()
        child.wait()
    subprocess.run(command, env=env, cwd=tmp_path, check=True)
    resumed = load_checkpoint(tmp_path / "run")

    assert resumed.num_timesteps == total
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in weights(whole).items())


# ---- files that cannot be trusted ------------------------------------------------------------------------------------


@pytest.fixture
def two_checkpoints(tmp_path):
    model = make().learn(64)
    older = save_checkpoint(model, tmp_path / "checkpoint-000000000064.ckpt")
    newer = save_checkpoint(model, tmp_path / "checkpoint-000000000128.ckpt")
    return older, newer


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_offered(damage, two_checkpoints, tmp_path):
    older, newer = two_checkpoints
    raw = bytearray(newer.read_bytes())
    if damage == "cut":
        raw = raw[: len(raw) // 2]
    else:
        raw[-100] ^= 1
    newer.write_bytes(raw)

    with pytest.raises(BrokenFile, match=f"128.ckpt was cut short or altered.*Go on from .*{older.name}"):
        load_checkpoint(tmp_path)


def test_a_missing_checkpoint_is_answered_with_those_beside_it(two_checkpoints, tmp_path):
    with pytest.raises(MissingFile, match="no checkpoint at .*checkpoint-000000000128.ckpt"):
        load_checkpoint(tmp_path / "checkpoint-7.ckpt")
    with pytest.raises(MissingFile, match="no checkpoint in"):
        load_checkpoint(tmp_path.parent)


def test_another_kind_of_file_is_no_checkpoint(tmp_path):
    trap, trace = tmp_path / "checkpoint-1.ckpt", tmp_path / "trace"
    trap.write_bytes(pickle.dumps(Ambush(str(trace))))

    with pytest.raises(BrokenFile, match="not a checkpoint"):
        load_checkpoint(trap)
    assert not trace.exists()


def test_a_write_that_fails_leaves_the_old_checkpoint_whole(two_checkpoints, monkeypatch):
    path = two_checkpoints[1]
    before = path.read_bytes()

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(load_checkpoint(path), path)

    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_a_disk_that_fills_up_while_writing_leaves_the_old_checkpoint_whole(two_checkpoints):
    path = two_checkpoints[1]
    before, model = path.read_bytes(), load_checkpoint(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            save_checkpoint(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [file.name for file in two_checkpoints]


def test_training_goes_on_over_a_full_disk_and_writes_when_there_is_room(tmp_path, monkeypatch):
    model, flushes, flush = make("gru"), [], os.fsync

    def full_at_first(file):
        flushes.append(file)
        if len(flushes) < 3:
            raise OSError(28, "No space left on device")
        flush(file)

    monkeypatch.setattr(os, "fsync", full_at_first)
    with pytest.warns(UserWarning, match="No space left on device.*goes on.*Make room"):
        model.learn(6 * 64, callback=CheckpointCallback(tmp_path, every_s=0, keep=10))

    assert [file.name[-8:-5] for file in checkpoints_in(tmp_path)] == ["384", "320", "256", "192", "128"]


def test_what_a_killed_process_left_half_written_is_swept_away(tmp_path):
    half = tmp_path / ".checkpoint-000000000064.ckpt.4711"
    half.write_bytes(b"half")

    make("gru").learn(64, callback=CheckpointCallback(tmp_path))

    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint-000000000064.ckpt"]


# ---- agents ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", POLICIES)
def test_a_shared_agent_acts_like_the_model_it_was_made_from(kind, tmp_path):
    model = make(kind, normalized=True).learn(64)
    save_agent(model, tmp_path / "agent")
    agent = load_agent(tmp_path)  # a run folder: the agent lies in it
    raw = np.random.default_rng(0).uniform(-1, 1, (5, 4, 6)).astype(np.float32)
    state, theirs = agent.initial_state(4), None

    for t, obs in enumerate(raw):
        starts = np.full(4, t == 0)
        actions, state = agent.act(obs, state, starts, deterministic=True)
        expected, theirs = model.predict(model.env.normalize_obs(obs), theirs, starts, deterministic=True)
        np.testing.assert_allclose(actions, expected, atol=1e-6)
    assert (agent.env_id, agent.env_kwargs) == ("LSNNArena-v0", {"steps": 24})


def test_an_agent_is_readable_json_beside_safetensors(tmp_path):
    save_agent(make("gru"), tmp_path, recipe={"ppo": {"gamma": 0.9}})

    card = json.loads((tmp_path / "agent.json").read_text())

    assert sorted(file.name for file in tmp_path.iterdir()) == ["agent.json", "agent.safetensors"]
    assert card["policy_kwargs"].items() >= {"cell": "gru", "readouts": 6, "size": 8, "task_size": 2}.items()
    assert card["action_space"] == {"kind": "Box", "low": -1.0, "high": 1.0, "shape": [2], "dtype": "float32"}
    assert card["notes"] == {"recipe": {"ppo": {"gamma": 0.9}}}
    assert card["versions"]["torch"] == torch.__version__


def test_an_agent_with_torch_classes_in_its_keywords_comes_back(tmp_path):
    kwargs = {"size": 8, "net_arch": {"pi": [4], "vf": [4]}, "activation_fn": nn.ReLU}
    save_agent(RecurrentPPO("GRUPolicy", "LSNNArena-v0", n_envs=2, policy_kwargs=kwargs), tmp_path)

    policy = load_agent(tmp_path).policy

    assert isinstance(policy, GRUPolicy)
    assert isinstance(policy.mlp_extractor.policy_net[1], nn.ReLU)


@pytest.mark.parametrize(
    "name", ["os:system", "torch.hub:load", "torch.utils.cpp_extension:load", "subprocess:Popen", ""]
)
def test_a_file_cannot_name_a_function_to_be_called(name, tmp_path):
    save_agent(make("gru"), tmp_path)
    card = json.loads((tmp_path / "agent.json").read_text())
    card["policy_kwargs"]["features_extractor_class"] = {"~": "class", "name": name}
    (tmp_path / "agent.json").write_text(json.dumps(card))

    with pytest.raises(BrokenFile, match="not imported"):
        load_agent(tmp_path)
    with pytest.raises(BrokenFile, match="policy_class=YourPolicy"):
        trusted_class(name)


def test_a_pickle_in_the_place_of_weights_is_refused_not_executed(tmp_path):
    save_agent(make("gru"), tmp_path)
    trace = tmp_path / "trace"
    for file in ("agent.safetensors", "agent.json"):
        whole = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(pickle.dumps(Ambush(str(trace))))

        with pytest.raises(BrokenFile, match="looks like a pickle.*not opened"):
            load_agent(tmp_path)
        (tmp_path / file).write_bytes(whole)

    assert not trace.exists()
    assert load_agent(tmp_path).env_id == "LSNNArena-v0"


def test_a_missing_or_damaged_agent_is_explained(tmp_path):
    save_agent(make("gru"), tmp_path / "a")
    file = tmp_path / "a" / "agent.safetensors"

    with pytest.raises(MissingFile, match=r"no agent at .*nowhere.*agent.json"):
        load_agent(tmp_path / "nowhere")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(MissingFile, match="not finished.*--resume"):
        load_agent(tmp_path / "run")
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(BrokenFile, match="cut short or altered"):
        load_agent(tmp_path / "a")
    file.unlink()
    with pytest.raises(MissingFile, match="no agent.safetensors"):
        load_agent(tmp_path / "a")


def test_an_agent_of_the_zoo_is_found_by_name(tmp_path, monkeypatch):
    for user in ("sharing", "zoo_places"):
        monkeypatch.setattr(f"lsnn_rl.agents.{user}.ZOO", tmp_path)
    save_agent(make("gru"), tmp_path / "LSNNArena-v0" / "gru" / "agent")

    agent = load_agent("LSNNArena-v0/gru")

    assert agent.name == "gru"
    with pytest.raises(MissingFile, match="Did you mean 'LSNNArena-v0/gru'"):
        load_agent("LSNNArena-v0/grue")


# ---- plain data ------------------------------------------------------------------------------------------------------


def test_plain_data_comes_back_exactly_as_it_was():
    value = {
        "numbers": [1, 2.5, None, True, 1 << 127, float("inf")],
        "pair": (1, (2, "x")),
        "array": np.arange(6, dtype=np.uint32).reshape(2, 3),
        "tensor": torch.tensor([[True, False]]),
        "scalar": np.float32(0.1),
        "queue": deque([1, 2], maxlen=5),
        3: {"~": "a key of ours"},
        "class": nn.ReLU,
    }
    arrays = {}

    back = from_plain(json.loads(json.dumps(to_plain(value, arrays))), arrays)

    assert back["numbers"] == value["numbers"] and back["pair"] == value["pair"] and back[3] == value[3]
    np.testing.assert_array_equal(back["array"], value["array"])
    assert back["array"].dtype == np.uint32
    assert torch.equal(back["tensor"], value["tensor"])
    assert back["scalar"] == value["scalar"] and type(back["scalar"]) is np.float32
    assert back["queue"] == value["queue"] and back["queue"].maxlen == 5
    assert back["class"] is nn.ReLU


def test_what_is_no_data_is_refused_with_the_way_to_it():
    with pytest.raises(BadValue, match="policy/2/extra is a Box"):
        to_plain({"policy": [0, 1, {"extra": Box()}]}, {})


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-np.inf, np.inf, (2, 3), np.float32),
        spaces.Box(np.array([0, -1], np.float32), np.array([2, 5], np.float32)),
        spaces.Box(0, 255, (4, 4, 3), np.uint8),
        spaces.Discrete(4, start=2),
        spaces.MultiDiscrete([2, 5]),
        spaces.MultiBinary(3),
        spaces.Dict(z=spaces.Discrete(2), a=spaces.Box(-1, 1, (1,))),
    ],
    ids=str,
)
def test_spaces_come_back_equal(space):
    back = space_from_plain(json.loads(json.dumps(space_to_plain(space))))

    assert back == space
    if isinstance(space, gym.spaces.Dict):
        assert list(back.keys()) == list(space.keys())
