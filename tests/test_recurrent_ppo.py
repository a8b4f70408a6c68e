"""RecurrentPPO: acting and learning agree, nothing is lost between rollouts, and its surface is Stable-Baselines3's."""

import json
import math
import re
import time

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from lsnn_rl.agents.auxiliary import costs
from lsnn_rl.agents.callbacks import CheckpointCallback
from lsnn_rl.agents.checkpoint import load_agent, load_checkpoint, save_agent
from lsnn_rl.agents.recurrent_ppo import RecurrentPPO
from lsnn_rl.agents.rollout import Rollout
from lsnn_rl.agents.schedules import make_schedule
from lsnn_rl.agents.vec_bridge import make_env
from lsnn_rl.errors import BadValue, UnknownName, WrongAlgorithm
from lsnn_rl.rewiring import DeepR
from lsnn_rl.state import rows

CELLS = {"lsnn": {"regular": 6, "adaptive": 6}, "gru": {"size": 8}, "lstm": {"size": 8}, "none": {"size": 8}}


def make(cell="gru", env="LSNNArena-v0", **options):
    kwargs = {"cell": cell, "readouts": 6, **CELLS[cell], **options.pop("policy_kwargs", {})}
    if env == "LSNNArena-v0":
        options = {"n_envs": 4, "env_kwargs": {"steps": 24}, **options}
    return RecurrentPPO(
        "LSNNPolicy", env, **{"n_steps": 16, "n_epochs": 2, "seed": 0, "policy_kwargs": kwargs, **options}
    )


def logged(model):
    """The last value of every log key, whatever was dumped already."""

    class Keep(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_start(self):
            table.update(self.logger.name_to_value)

        def _on_training_end(self):
            table.update(self.logger.name_to_value)

    table = {}
    return table, Keep()


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


def rollout_of(model):
    """One rollout of a fresh model, ready to be trained on."""
    _, callback = model._setup_learn(10**6)
    model._began, model._minutes = 0.0, None
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
    return model.rollout_buffer


class Counter(gym.Env):
    """Observation: steps so far. Cut off after `length` steps; reward 1 each."""

    def __init__(self, actions, length=5, observations=None):
        self.action_space, self.length = actions, length
        self.observation_space = observations or spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._look(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.steps += 1
        return self._look(), 1.0, False, self.steps >= self.length, {}

    def _look(self):
        if isinstance(self.observation_space, spaces.Dict):
            return {"a": np.float32([self.steps / 10]), "b": self.steps % 3}
        return np.full(2, self.steps / 10, np.float32)


# ---- acting and learning agree -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bptt_steps", [16, 4])
def test_before_the_first_update_the_ratio_is_one(cell, bptt_steps):
    model = make(cell, learning_rate=0.0, bptt_steps=bptt_steps, n_epochs=1)
    table, keep = logged(model)

    model.learn(3 * 64, callback=keep)

    assert table["train/clip_fraction"] == 0.0
    assert abs(table["train/approx_kl"]) < 1e-9


def test_chunks_run_from_their_stored_states_give_the_values_seen_in_acting():
    model = make("gru", bptt_steps=4)
    rollout = rollout_of(model)

    found = torch.full((16, 4), math.nan)
    for epoch in rollout.minibatches(None, 1, True):
        for batch in epoch:
            values = model.policy.evaluate_sequence(batch.observations, batch.actions, batch.state, batch.starts)[0]
            np.testing.assert_allclose(values.detach(), batch.values, atol=1e-6)
            for column in range(values.shape[1]):
                where = (rollout.values.unfold(0, 4, 4) == batch.values[:, column]).all(-1).nonzero()
                assert len(where) == 1
                chunk, slot = where[0].tolist()
                found[4 * chunk : 4 * chunk + 4, slot] = values[:, column].detach()

    assert torch.isfinite(found).all()  # every chunk of every environment, once


def test_minibatches_are_whole_columns_of_the_size_asked_for():
    rollout = rollout_of(make("gru", bptt_steps=8))

    sizes = [tuple(batch.actions.shape[:2]) for epoch in rollout.minibatches(24, 1, True) for batch in epoch]

    assert sizes == [(8, 3), (8, 3), (8, 2)]


def test_advantages_are_normalised_over_the_rollout():
    rollout = rollout_of(make("gru"))

    parts = [batch.advantages for epoch in rollout.minibatches(16, 1, True) for batch in epoch]
    together = torch.cat(parts, 1)

    assert together.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert together.std().item() == pytest.approx(1.0, abs=1e-5)


def test_chunks_that_do_not_fill_the_rollout_are_refused_with_a_length_that_works():
    with pytest.raises(BadValue, match="500 steps cannot be cut into chunks of 64.*n_steps=512"):
        make("gru", n_steps=500, bptt_steps=64)


# ---- burn-in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lsnn", "lstm"])
def test_a_burn_in_with_the_weights_that_acted_changes_nothing(cell):
    model = make(cell, bptt_steps=4, burn_in_steps=6, learning_rate=0.0, n_epochs=1)
    table, keep = logged(model)

    model.learn(3 * 64, callback=keep)

    assert table["train/clip_fraction"] == 0.0
    assert abs(table["train/approx_kl"]) < 1e-9


def test_a_burn_in_computes_first_states_with_the_weights_as_they_are_now():
    model = make("gru", bptt_steps=4, burn_in_steps=6, learning_rate=0.0)
    model.learn(2 * 64)  # so that the first chunk, too, has something before it
    rollout = model.rollout_buffer
    with torch.no_grad():
        model.policy.network.w_rec.mul_(0.5)
    obs = torch.cat([rollout._seen[:6], rollout.observations])  # six steps before, sixteen of the rollout

    batches = [batch for epoch in rollout.minibatches(16, 1, True) for batch in epoch]
    assert len(batches) == 4
    for batch in batches:
        assert batch.before.known.all()
        refreshed = model._refreshed(batch)
        for column in range(4):
            state = {name: value[column : column + 1] for name, value in batch.before.state.items()}
            for seen, start in zip(
                batch.before.observations[:, column : column + 1],
                batch.before.starts[:, column : column + 1],
                strict=True,
            ):
                *_, state = model.policy.act(seen, state, start, deterministic=True)
            assert torch.allclose(refreshed["h"][column], state["h"][0], atol=1e-6)
            joined = torch.cat([batch.before.observations[:, column], batch.observations[:, column]])
            assert any(
                torch.equal(joined, obs[row : row + 10, slot]) for row in (0, 4, 8, 12) for slot in range(4)
            )  # what came before a chunk is what was seen just before it
        assert not torch.allclose(refreshed["h"], batch.state["h"], atol=1e-3)


def test_where_nothing_came_before_a_chunk_its_state_stays_as_it_was():
    model = make("gru", bptt_steps=8, burn_in_steps=4)
    rollout = rollout_of(model)
    with torch.no_grad():
        model.policy.network.w_rec.mul_(0.5)

    (batch,) = next(iter([list(epoch) for epoch in rollout.minibatches(1000, 1, True)]))
    refreshed = model._refreshed(batch)

    assert batch.before.known.sum() == 4  # the second chunk of each of the four environments
    kept = torch.isclose(refreshed["h"], batch.state["h"]).all(1)
    assert torch.equal(kept, ~batch.before.known)


def test_a_burn_in_longer_than_the_rollout_is_refused():
    with pytest.raises(BadValue, match="burn_in_steps = 16 does not fit a rollout of 16 steps.*to 15"):
        make("gru", burn_in_steps=16)


# ---- values behind the end of a lifetime -----------------------------------------------------------------------------


def test_a_lifetime_that_was_cut_off_is_worth_what_would_have_come():
    env = DummyVecEnv([lambda: Counter(spaces.Discrete(2), length=5)] * 2)
    model = make("gru", env, n_steps=8, gamma=0.5)
    told = []
    act = model.policy.act

    def listen(obs, state, starts, deterministic=False):
        result = act(obs, state, starts, deterministic)
        told.append((obs, result[1]) if deterministic else None)
        return result

    model.policy.act = listen
    rollout = rollout_of(model)
    (final, value), (last, _) = [entry for entry in told if entry is not None]

    np.testing.assert_allclose(final, np.full((2, 2), 0.5))  # both lifetimes' last observations, in one call
    np.testing.assert_allclose(last, np.full((2, 2), 0.3))  # the observation after the rollout
    np.testing.assert_allclose(rollout.rewards[4], 1 + 0.5 * value)
    np.testing.assert_allclose(rollout.rewards[[0, 1, 2, 3, 5, 6, 7]], 1)


def test_without_bootstrap_the_targets_are_the_returns_of_whole_lifetimes():
    env = DummyVecEnv([lambda: Counter(spaces.Discrete(2), length=4)] * 2)
    rollout = rollout_of(make("gru", env, n_steps=8, gamma=0.5, gae_lambda=1.0, bootstrap=False))

    np.testing.assert_allclose(rollout.returns[:, 0], [1.875, 1.75, 1.5, 1.0] * 2, rtol=1e-6)  # 1 + 1/2 + 1/4 + 1/8


def test_rewards_are_scaled_for_the_learner_alone():
    env = DummyVecEnv([lambda: Counter(spaces.Discrete(2), length=4)] * 2)
    model = make("gru", env, n_steps=8, gamma=0.5, gae_lambda=1.0, bootstrap=False, reward_scale=0.1)
    rollout = rollout_of(model)

    np.testing.assert_allclose(rollout.returns[:, 0], [0.1875, 0.175, 0.15, 0.1] * 2, rtol=1e-6)
    with pytest.raises(BadValue, match="positive"):
        make("gru", reward_scale=0.0)


# ---- state -----------------------------------------------------------------------------------------------------------


def test_state_is_carried_across_rollouts():
    model = make("gru", learning_rate=0.0)
    seen = []

    class Watch(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_end(self):
            seen.append((self.model.rollout_buffer._states[0], self.model._last_state))

    model.learn(2 * 64, callback=Watch())

    assert rows(seen[0][0]) == 4 and not any(value.any() for value in seen[0][0].values())
    for name, value in seen[0][1].items():
        assert torch.equal(seen[1][0][name], value)


def test_state_goes_on_after_save_and_load(tmp_path):
    model = make("lsnn").learn(64)
    model.save(tmp_path / "model")

    loaded = RecurrentPPO.load(tmp_path / "model", env=model.env, force_reset=False)

    assert any(value.any() for value in model._last_state.values())
    for name, value in model._last_state.items():
        assert torch.equal(loaded._last_state[name], value)
    np.testing.assert_array_equal(loaded._last_obs, model._last_obs)


def test_a_loaded_model_acts_like_the_saved_one_and_trains_on(tmp_path):
    model = make("lsnn", auxiliary={"task_inference": 0.3}, learning_rate={"schedule": "cosine", "start": 1e-3}).learn(
        64
    )
    model.save(tmp_path / "model")
    obs = model.env.reset()

    loaded = RecurrentPPO.load(tmp_path / "model", env=make_env("LSNNArena-v0", 2))
    expected, _ = model.predict(obs, deterministic=True)
    found, state = loaded.predict(obs, deterministic=True)
    again, _ = loaded.predict(obs, state=state, episode_start=np.ones(4, bool), deterministic=True)

    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(again, expected)
    assert loaded.learn(32).num_timesteps == 32


def test_stopping_in_mid_rollout_keeps_the_last_observation():
    model, steps = make("gru"), []

    def five(locals_, _):
        steps.append(locals_["new_obs"])
        return len(steps) < 5

    model.learn(64, callback=five)

    assert model.num_timesteps == 5 * 4
    np.testing.assert_array_equal(model._last_obs, steps[-1])


# ---- Stable-Baselines3's surface -------------------------------------------------------------------------------------


def test_the_keywords_come_in_the_order_of_stable_baselines3():
    import inspect

    theirs = [name for name in inspect.signature(PPO).parameters if not name.startswith("rollout_buffer")]
    ours = list(inspect.signature(RecurrentPPO).parameters)

    assert ours[: len(theirs)] == theirs


def test_logs_carry_the_names_of_stable_baselines3_and_our_own():
    model = make("lsnn", auxiliary={"task_inference": 0.3, "firing_rate": 0.1}, target_kl=10.0)
    table, keep = logged(model)

    model.learn(4 * 64, callback=keep, log_interval=None)

    names = "loss value_loss policy_gradient_loss entropy_loss approx_kl clip_fraction explained_variance learning_rate"
    assert {f"train/{name}" for name in names.split()} <= set(table)
    assert {"spikes/rate_hz", "spikes/dead_fraction", "train/task_inference_loss", "train/firing_rate_loss"} <= set(
        table
    )
    assert table["train/epochs_done"] == 2
    assert 0 <= table["spikes/dead_fraction"] <= 1


def test_goals_of_a_lifetime_reach_the_log():
    model = make("none", env_kwargs={"steps": 24, "goal_radius": 0.9})  # impossible to miss for long

    model.learn(4 * 64)

    assert len(model.lifetime_goals) == 10 - 3  # of four slots three began in mid-lifetime
    assert np.mean(model.lifetime_goals) > 0.5
    assert all(1 <= first <= 24 for first in model.lifetime_first_find)


def test_callbacks_find_the_locals_they_expect():
    model, seen = make("gru"), {}

    def look(locals_, _):
        seen.update(locals_)
        return True

    model.learn(64, callback=look)

    assert {"self", "infos", "dones", "rewards", "new_obs", "actions", "values", "log_probs"} <= set(seen)
    assert seen["self"] is model


@pytest.mark.parametrize(
    "actions",
    [spaces.Box(-2, 2, (3,)), spaces.Discrete(3), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(2)],
    ids=lambda space: type(space).__name__,
)
def test_every_action_space_trains(actions):
    env = DummyVecEnv([lambda: Counter(actions)] * 3)

    model = make("gru", env).learn(2 * 48)

    assert torch.isfinite(weights(model)).all()


def test_dict_observations_train():
    observations = spaces.Dict(a=spaces.Box(-1, 1, (1,), np.float32), b=spaces.Discrete(3))
    env = DummyVecEnv([lambda: Counter(spaces.Discrete(2), observations=observations)] * 2)

    model = make("lsnn", env).learn(2 * 32)

    assert model.num_timesteps == 64


def test_squashed_actions_with_state_dependent_noise_train():
    env = DummyVecEnv([lambda: Counter(spaces.Box(-2, 2, (1,)))] * 2)

    model = make("gru", env, use_sde=True, sde_sample_freq=4, policy_kwargs={"squash_output": True}).learn(64)

    assert torch.isfinite(weights(model)).all()


@pytest.mark.filterwarnings("ignore:The environment is already wrapped")  # VecMonitor, by design of this test
def test_normaliser_monitor_evaluation_and_progress_bar_work_together(tmp_path):
    env = VecNormalize(VecMonitor(make_env("LSNNArena-v0", 3, steps=8)))
    evaluation = VecNormalize(VecMonitor(make_env("LSNNArena-v0", 2, steps=8)), training=False)
    model = make("gru", env, stagger=False, policy_kwargs={"normalized": True})

    model.learn(96, callback=EvalCallback(evaluation, eval_freq=8, n_eval_episodes=2, verbose=0), progress_bar=True)
    mean, _ = evaluate_policy(model, evaluation, 2)

    assert np.isfinite(mean)
    assert model.ep_info_buffer[0]["l"] == 8


def test_evaluation_in_mid_rollout_does_not_disturb_training():
    plain = make("lsnn").learn(2 * 64)
    watched = make("lsnn")
    evaluation = make_env("LSNNArena-v0", 2, seed=9, steps=8)

    watched.learn(2 * 64, callback=EvalCallback(evaluation, eval_freq=5, n_eval_episodes=2, verbose=0))

    assert torch.equal(weights(plain), weights(watched))


# ---- schedules, limits, stops ----------------------------------------------------------------------------------------


def test_rates_follow_named_schedules_and_those_of_stable_baselines3():
    for rate in (
        {"schedule": "linear", "start": 0.4, "end": 0.0},
        LinearSchedule(0.4, 0.0, 1.0),
        lambda left: 0.4 * left,
    ):
        model = make("none", learning_rate=rate, clip_range={"schedule": "halve", "start": 0.2, "every": 0.5})
        table, keep = logged(model)

        model.learn(4 * 64, callback=keep)

        assert table["train/learning_rate"] == pytest.approx(0.0, abs=1e-12)
        assert table["train/clip_range"] == pytest.approx(0.05)


def test_the_entropy_bonus_follows_a_schedule():
    model = make("none", ent_coef={"schedule": "linear", "start": 3.0, "end": 0.5}, vf_coef=0.25)
    table, keep = logged(model)

    model.learn(4 * 64, callback=keep)  # the last update comes when no steps remain

    assert table["train/ent_coef"] == 0.5
    parts = (table[f"train/{name}_loss"] for name in ("policy_gradient", "value", "entropy"))
    assert table["train/loss"] == pytest.approx(sum(w * part for w, part in zip((1, 0.25, 0.5), parts, strict=True)))


@pytest.mark.parametrize(
    ("rate", "answer"),
    [({"schedule": "linaer", "start": 1}, "Did you mean 'linear'"), (-1.0, "positive"), ("0.001", "takes a number")],
)
def test_rates_that_make_no_sense_are_refused(rate, answer):
    with pytest.raises((BadValue, UnknownName), match=answer):
        make_schedule(rate)


def test_time_runs_out_before_steps_do():
    model = make("none")

    began = time.monotonic()
    model.learn(10**9, minutes=1 / 300)

    assert model.num_timesteps < 10**9
    assert time.monotonic() - began >= 0.2
    assert model._current_progress_remaining < 0.5


def test_the_update_stops_when_the_policy_has_moved_too_far():
    model = make("none", learning_rate=0.5, target_kl=1e-4, n_epochs=50)
    table, keep = logged(model)

    model.learn(64, callback=keep)

    assert table["train/epochs_done"] < 50
    assert re.fullmatch(r"approx_kl \d+\.\d+ exceeds 1\.5 x target_kl 0\.0001", table["train/stopped_because"])


def test_a_nan_stops_training_keeps_the_weights_and_writes_the_last_good_checkpoint(tmp_path):
    model = make("gru")
    keeper = CheckpointCallback(tmp_path, every_s=1000)

    class Poison(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_end(self):
            if self.num_timesteps == 128:
                self.model.rollout_buffer.returns[3, 1] = math.nan

    with pytest.raises(BadValue, match=r"value_loss is nan.*checkpoint-000000000064.ckpt.*learning_rate"):
        model.learn(10 * 64, callback=[keeper, Poison()])

    assert torch.isfinite(weights(model)).all()
    assert load_checkpoint(tmp_path).num_timesteps == 64
    report = json.loads((tmp_path / "stopped.json").read_text())
    assert report["at_env_steps"] == 128 and "value_loss is nan" in report["because"]
    assert report["go_on_from"] == "checkpoint-000000000064.ckpt"


def overflowing(model, monkeypatch, when):
    """Let backpropagation of the minibatches that `when` picks end in an infinite gradient."""
    clip, calls = torch.nn.utils.clip_grad_norm_, []

    def blown_up(parameters, *args):
        calls.append(None)
        if when(len(calls)):
            parameters[0].grad.fill_(math.inf)
        return clip(parameters, *args)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", blown_up)
    return model


def test_a_minibatch_whose_gradient_overflows_is_left_out(monkeypatch):
    model = overflowing(make("gru", n_epochs=2, batch_size=32), monkeypatch, lambda call: call == 1)
    table, keep = logged(model)

    model.learn(64, callback=keep)

    assert table["train/overflows"] == 1 / 4  # of two epochs with two minibatches each
    assert math.isfinite(table["train/grad_norm"]) and torch.isfinite(weights(model)).all()


def test_an_update_whose_every_gradient_overflows_stops_training(tmp_path, monkeypatch):
    model = overflowing(make("gru"), monkeypatch, lambda call: True)
    before = weights(model).clone()

    with pytest.raises(BadValue, match=r"grad_norm is inf.*checkpoint-000000000000.ckpt.*max_grad_norm"):
        model.learn(64, callback=CheckpointCallback(tmp_path, every_s=1000))

    assert torch.equal(weights(model), before)


def test_a_reward_that_is_not_finite_is_named_with_its_place(tmp_path):
    class Broken(Counter):
        def step(self, action):
            obs, _, *rest = super().step(action)
            return obs, math.inf if self.steps == 3 else 1.0, *rest

    env = DummyVecEnv([lambda: Broken(spaces.Discrete(2))] * 2)

    with pytest.raises(BadValue, match="reward of environment 0 at step 2 of the rollout is inf.*checkpoint-0"):
        make("gru", env).learn(32, callback=CheckpointCallback(tmp_path, exact=False))
    assert "is inf" in json.loads((tmp_path / "stopped.json").read_text())["because"]


# ---- auxiliary costs and rewiring ------------------------------------------------------------------------------------


def test_the_task_is_read_before_the_step_that_follows_the_observation():
    model = make("gru", auxiliary={"task_inference": 1.0}, env_kwargs={"steps": 6, "goal_radius": 0.9})
    rollout = rollout_of(model)

    changes = (rollout.task[1:] != rollout.task[:-1]).any(-1)

    assert torch.equal(changes, rollout.starts[1:])  # a new task exactly where a new lifetime begins
    assert not rollout.known[rollout.starts].any()
    hit = rollout.observations[..., 4] > 0
    assert rollout.known[hit].all()  # the observation that carries the reward lets the goal be known


def test_the_task_can_be_learned_by_the_auxiliary_cost_alone():
    model = make(
        "gru",
        auxiliary={"task_inference": 1.0},
        learning_rate=0.01,
        vf_coef=0.0,
        max_grad_norm=10.0,
        env_kwargs={"steps": 16, "goal_radius": 0.9},
        n_envs=16,
    )
    errors = []

    class Watch(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_start(self):
            errors.append(self.logger.name_to_value.get("train/task_inference_loss"))

    model.learn(12 * 16 * 16, callback=Watch(), log_interval=None)

    assert errors[-1] < 0.9 * errors[1]


def test_a_rate_cost_quiets_the_network():
    rates = {}
    for weight in (0.0, 10.0):
        model = make("lsnn", auxiliary={"firing_rate": weight, "rate_target_hz": 5.0}, learning_rate=0.02)
        table, keep = logged(model)
        model.learn(8 * 64, callback=keep, log_interval=None)
        rates[weight] = table["spikes/rate_hz"]

    assert rates[10.0] < rates[0.0]


def test_the_voltage_cost_is_the_excess_over_the_threshold_at_the_ends_of_chunks():
    model = make("lsnn", auxiliary={"voltage": 1.0}, policy_kwargs={"input_gain": 20.0})
    (batch,) = (batch for epoch in rollout_of(model).minibatches(1000, 1, True) for batch in epoch)
    extras = model.policy.evaluate_sequence(batch.observations, batch.actions, batch.state, batch.starts)[3]
    weight, cost = costs(model.auxiliary, batch, extras, model.policy.network)["voltage"]
    cost.backward()

    state, cell = extras["state"], model.policy.network.cell
    relative = (state["v"] / (cell.thr + cell.beta * state["b"])).detach().numpy()
    by_hand = np.where(relative > 1, relative - 1, np.where(relative < -1, -relative - 1, 0.0)) ** 2
    assert by_hand.any()
    assert (weight, cost.item()) == (1.0, pytest.approx(by_hand.mean(), rel=1e-5))
    assert model.policy.network.w_in.grad.abs().sum() > 0


def test_a_voltage_cost_draws_membranes_back_to_where_the_surrogate_sees_them():
    excess = {}
    for weight in (0.0, 0.1):
        options = {"policy_kwargs": {"input_gain": 20.0}, "learning_rate": 0.02}
        model = make("lsnn", auxiliary={"voltage": weight}, **options).learn(12 * 64)
        v = model._last_state["v"].abs() / model.policy.network.cell.threshold(model._last_state)
        excess[weight] = torch.relu(v - 1).square().mean().item()

    assert excess[0.1] < 0.5 * excess[0.0]


def test_a_spike_budget_is_enforced_by_a_multiplier_that_grows_while_it_is_exceeded():
    budget, seen = 30.0, []
    auxiliary = {"spike_budget_hz": budget, "spike_budget_step": 0.04}
    model = make("lsnn", policy_kwargs={"input_gain": 4.0}, learning_rate=0.01, auxiliary=auxiliary)

    class Watch(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_start(self):
            seen.append((self.logger.name_to_value.get("spikes/rate_hz"), self.model.spike_multiplier))

    model.learn(40 * 64, callback=Watch(), log_interval=None)

    rates, multipliers = np.array(seen[1:]).T
    assert rates[0] > 2 * budget and rates[-5:].mean() < 1.1 * budget
    grown = np.diff(multipliers, prepend=0.0)
    np.testing.assert_allclose(grown[rates > budget], 0.04 * (rates[rates > budget] / budget - 1), rtol=1e-4)


def test_a_budget_that_is_kept_costs_nothing():
    model = make("lsnn", auxiliary={"spike_budget_hz": 1000.0}).learn(2 * 64)
    plain = make("lsnn").learn(2 * 64)

    assert model.spike_multiplier == 0.0
    assert torch.equal(weights(model), weights(plain))


def test_connectivity_in_the_policys_keywords_means_deep_rewiring():
    model = make("lsnn", policy_kwargs={"connectivity": 0.2}, learning_rate=0.01)
    before, counts = model.policy.network.w_rec.detach() != 0, []

    class Count(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_start(self):
            counts.append(self.model.policy.optimizer.active_count())

    model.learn(10 * 64, callback=Count())

    optimizer = model.policy.optimizer
    assert isinstance(optimizer, DeepR)
    assert max(counts) <= optimizer.budget == pytest.approx(0.2 * sum(optimizer.possible.values()), abs=2)
    assert not torch.equal(before, model.policy.network.w_rec.detach() != 0)


def test_a_fixed_random_mask_can_be_had_and_two_fractions_cannot():
    fixed = make("lsnn", policy_kwargs={"connectivity": 0.2, "rewiring": False})

    assert fixed.policy.network.mask_rec is not None
    assert isinstance(fixed.policy.optimizer, torch.optim.Adam)
    with pytest.raises(BadValue, match="two fractions. Leave one out"):
        make("lsnn", policy_kwargs={"connectivity": 0.2, "rewiring": {"connectivity": 0.3}})


def test_rewiring_holds_the_connectivity_while_learning(tmp_path):
    model = make("lsnn", rewiring={"connectivity": 0.25, "l1": 1.0}, learning_rate=0.01)
    before = model.policy.network.w_rec.detach() != 0

    model.learn(4 * 64)
    optimizer = model.policy.optimizer
    after = model.policy.network.w_rec.detach() != 0
    model.save(tmp_path / "rewired")
    loaded = RecurrentPPO.load(tmp_path / "rewired")

    assert optimizer.active_count() <= optimizer.budget
    assert not torch.equal(before, after)
    assert loaded.policy.optimizer.active_count() == optimizer.active_count()


# ---- upstream's policies ----


@pytest.mark.parametrize("options", [{}, {"shared_lstm": True, "enable_critic_lstm": False}, {"n_lstm_layers": 2}])
def test_policies_of_sb3_contrib_train_as_they_are(options, tmp_path):
    model = RecurrentPPO(
        "MlpLstmPolicy",
        "LSNNArena-v0",
        n_envs=4,
        n_steps=16,
        n_epochs=1,
        seed=0,
        env_kwargs={"steps": 24},
        policy_kwargs={"lstm_hidden_size": 8, **options},
        learning_rate=0.0,
    )
    table, keep = logged(model)

    model.learn(2 * 64, callback=keep)
    model.save(tmp_path / "model")

    obs, starts = np.zeros((3, 6), np.float32), np.ones(3, bool)
    expected, _ = model.predict(obs, episode_start=starts, deterministic=True)
    loaded, _ = RecurrentPPO.load(tmp_path / "model").predict(obs, episode_start=starts, deterministic=True)
    agent = load_agent(save_agent(model, tmp_path / "agent"))
    shared, _ = agent.act(obs, agent.initial_state(3), starts)

    assert abs(table["train/approx_kl"]) < 1e-9
    np.testing.assert_array_equal(loaded, expected)
    np.testing.assert_array_equal(shared, expected)


# ---- what cannot be trained ------------------------------------------------------------------------------------------


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'LSNNPolicy'"):
        RecurrentPPO("LSNPolicy", "LSNNArena-v0", n_envs=2)
    with pytest.raises(UnknownName, match="Did you mean 'task_inference'"):
        make("gru", auxiliary={"task_inferense": 0.3})


def test_task_inference_in_a_world_without_hidden_task_is_refused():
    with pytest.raises(BadValue, match="task_inference = 0.3 needs a world that reveals"):
        make("gru", "CartPole-v1", n_envs=2, auxiliary={"task_inference": 0.3})


def test_a_memoryless_policy_class_is_refused():
    from stable_baselines3.common.policies import ActorCriticPolicy

    with pytest.raises(WrongAlgorithm, match="no evaluate_sequence.*Use LSNNPolicy"):
        RecurrentPPO(ActorCriticPolicy, "LSNNArena-v0", n_envs=2)


@pytest.mark.parametrize(("name", "value"), [("n_steps", 0), ("n_epochs", 0), ("gamma", 1.5), ("gae_lambda", -0.1)])
def test_settings_that_train_nothing_are_refused(name, value):
    with pytest.raises(BadValue, match=name):
        make("gru", **{name: value})


def test_a_rollout_of_images_is_kept_as_bytes():
    rollout = Rollout(2, 3, spaces.Box(0, 255, (1, 4, 4), np.uint8))

    assert rollout.observations.dtype == torch.uint8
    assert rollout.observations.shape == (2, 3, 1, 4, 4)
