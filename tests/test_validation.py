"""The agent that is kept is the one that did best on lifetimes set aside for choosing, which are no test lifetimes."""

import json

import numpy as np
import pytest
import torch

from lsnn_rl.agents import callbacks, training
from lsnn_rl.agents.callbacks import CheckpointCallback, ValidationCallback
from lsnn_rl.agents.checkpoint import BEST, checkpoints_in, load_agent, load_checkpoint
from lsnn_rl.agents.evaluate import evaluate
from lsnn_rl.agents.recipe import Recipe, find_recipe
from lsnn_rl.agents.recurrent_ppo import RecurrentPPO
from lsnn_rl.errors import UnknownName

WORLD = {"steps": 24, "goal_radius": 0.6}
TOTAL = 8 * 64
TOY = {
    "policy": {"cell": "gru", "size": 6, "readouts": 4},
    "ppo": {"n_steps": 16, "batch_size": 64, "n_epochs": 1, "learning_rate": 0.05},
    "train": {"total_steps": 512, "validate_every_steps": 128, "validation_lifetimes": 5},
    "test": {"lifetimes": 4},
}


def make():
    kwargs = {"cell": "gru", "size": 8, "readouts": 6}
    options = {"n_steps": 16, "n_epochs": 2, "seed": 3, "learning_rate": 0.05}
    return RecurrentPPO("LSNNPolicy", "LSNNArena-v0", n_envs=4, env_kwargs=WORLD, policy_kwargs=kwargs, **options)


def watched(folder, every_steps=128, **options):
    keeper = CheckpointCallback(folder, **{"every_s": 0, "keep": 100, **options})
    return [keeper, ValidationCallback(keeper, "LSNNArena-v0", every_steps, 5, WORLD)]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


def test_the_score_is_that_of_whole_numbered_lifetimes_of_the_training_split(tmp_path):
    model = make()

    model.learn(64, callback=watched(tmp_path))

    card = evaluate(model, "LSNNArena-v0", "train", 5, env_kwargs=WORLD, controls=[])
    assert model.validations == [[64, card["score"]["mean"]]]


def test_validating_does_not_change_what_is_learned(tmp_path):
    plain, validated = make().learn(TOTAL), make()

    validated.learn(TOTAL, callback=watched(tmp_path))

    assert torch.equal(weights(plain), weights(validated))
    assert [steps for steps, _ in validated.validations] == [128, 256, 384, 512]


def test_the_best_stays_beside_the_last(tmp_path, monkeypatch):
    scores = iter([1.0, 3.0, 3.0, 2.0])
    monkeypatch.setattr(ValidationCallback, "_score", lambda self: next(scores))
    seen = {}
    keep_best = CheckpointCallback.keep_best

    def note(self, validations):
        seen[self.model.num_timesteps] = weights(self.model)
        return keep_best(self, validations)

    monkeypatch.setattr(CheckpointCallback, "keep_best", note)
    make().learn(TOTAL, callback=watched(tmp_path, keep=2))

    best = load_checkpoint(tmp_path / BEST)
    assert list(seen) == [128, 256]
    assert best.num_timesteps == 256 and best.validations == [[128, 1.0], [256, 3.0]]
    assert torch.equal(weights(best), seen[256])
    assert [file.name[-8:-5] for file in checkpoints_in(tmp_path)] == ["512", "448"]


def test_a_resumed_training_finds_the_same_best(tmp_path):
    whole = make()
    whole.learn(TOTAL, callback=watched(tmp_path / "whole"))

    resumed = load_checkpoint(tmp_path / "whole" / "checkpoint-000000000256.ckpt")
    resumed.learn(TOTAL, callback=watched(tmp_path / "resumed"), resume=True)

    assert resumed.validations == whole.validations
    assert torch.equal(weights(resumed), weights(whole))


def test_a_best_that_is_newer_than_the_last_checkpoint_survives_a_crash(tmp_path, monkeypatch):
    scores = iter([10.0, 90.0, 30.0, 95.0])
    monkeypatch.setattr(ValidationCallback, "_score", lambda self: next(scores))
    crashed = make()
    crashed.learn(256, callback=watched(tmp_path))  # 10 after 128 steps and 90 after 256
    old = load_checkpoint(tmp_path / "checkpoint-000000000192.ckpt")  # as if killed before the next was written

    old.learn(256, callback=watched(tmp_path), resume=True)  # 30 this time, by the luck of other lifetimes
    assert load_checkpoint(tmp_path / BEST).validations[-1] == [256, 90.0]
    old.learn(384, callback=watched(tmp_path), resume=True)

    assert load_checkpoint(tmp_path / BEST).validations[-1][1] == 95.0


def test_a_new_training_does_not_measure_itself_against_what_lay_in_its_folder(tmp_path, monkeypatch):
    scores = iter([90.0, 10.0])
    monkeypatch.setattr(ValidationCallback, "_score", lambda self: next(scores))

    for _ in range(2):
        make().learn(128, callback=watched(tmp_path))

    assert load_checkpoint(tmp_path / BEST).validations == [[128, 10.0]]


def test_a_full_disk_does_not_end_training_and_the_best_is_tried_again(tmp_path, monkeypatch):
    scores, write = iter([90.0, 80.0]), callbacks.write_checkpoint
    monkeypatch.setattr(ValidationCallback, "_score", lambda self: next(scores))

    def full_at_first(snapshot, path):
        if path.name == BEST and snapshot["counters"]["num_timesteps"] == 128:
            raise OSError(28, "No space left on device")
        return write(snapshot, path)

    monkeypatch.setattr(callbacks, "write_checkpoint", full_at_first)
    with pytest.warns(UserWarning, match="No space left on device.*goes on"):
        make().learn(256, callback=watched(tmp_path))

    assert load_checkpoint(tmp_path / BEST).validations[-1] == [256, 80.0]


def test_a_run_ends_with_the_best_agent_and_its_card_says_so(tmp_path, monkeypatch):
    scores = iter([1.0, 3.0, 0.0, 2.0])
    monkeypatch.setattr(ValidationCallback, "_score", lambda self: next(scores))
    recipe = Recipe.from_dict({**TOY, "env": {"n_envs": 4, "kwargs": WORLD}})

    card = training.train(recipe, tmp_path, progress=False)

    best = load_checkpoint(tmp_path / "checkpoints" / BEST)
    shared = load_agent(tmp_path).policy.state_dict()
    assert all(torch.equal(value, shared[name]) for name, value in best.policy.state_dict().items())
    assert card["training"] | {"minutes": 0} == {
        "env_steps": 512,
        "minutes": 0,
        "seed": 0,
        "agent": "the best by validation",
        "agent_env_steps": 256,
        "validation": {
            "lifetimes": 5,
            "best": 3.0,
            "curve": {"env_steps": [128, 256, 384, 512], "score": [1.0, 3.0, 0.0, 2.0]},
        },
    }


def test_a_run_folder_may_be_called_as_a_classical_agent_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = Recipe.from_dict({**TOY, "env": {"n_envs": 4, "kwargs": WORLD}})

    one, other = (training.train(recipe, name, progress=False) for name in ("oracle", "run"))

    assert one["per_lifetime"] == other["per_lifetime"]


def test_without_validation_the_last_agent_is_the_agent(tmp_path):
    recipe = Recipe.from_dict({**TOY, "env": {"n_envs": 4, "kwargs": WORLD}})

    card = training.train(recipe.with_changes(["train.validate_every_steps=null"]), tmp_path, progress=False)

    assert card["training"]["agent"] == "the last one" and card["training"]["agent_env_steps"] == 512
    assert not (tmp_path / "checkpoints" / BEST).exists()


# ---- worlds of others ------------------------------------------------------------------------------------------------


def test_any_registered_world_can_be_trained_in_by_its_id_stopped_and_resumed(tmp_path, monkeypatch):
    changes = ["env.n_envs=4", "ppo.n_steps=16", "ppo.batch_size=64", "ppo.n_epochs=1", "policy={cell: gru, size: 6}"]
    limits = ["train.total_steps=384", "train.validate_every_steps=128", "train.validation_lifetimes=4"]
    recipe = find_recipe("CartPole-v1").with_changes([*changes, *limits, "test.lifetimes=6"])
    said, updates, learn_from_rollout = [], [], RecurrentPPO.train

    def interrupted_third(self):
        updates.append(1)
        if len(updates) == 3:
            raise KeyboardInterrupt
        learn_from_rollout(self)

    monkeypatch.setattr(RecurrentPPO, "train", interrupted_third)
    with pytest.raises(training.Interrupted, match="--resume"):
        training.train(recipe, tmp_path, said.append, progress=False)
    card = training.resume(tmp_path, said.append, progress=False)

    assert said[0].startswith(f"Training in {tmp_path}")
    assert "DummyVecEnv cannot hand out its state (get_state): a resumed training begins with new episodes" in said[1]
    assert card["training"]["env_steps"] == 384 and card["score"]["of"] == "return"
    assert len(card["per_lifetime"]["returns"]) == 6 and min(card["per_lifetime"]["returns"]) >= 8
    assert card["controls"].keys() == {"no_state"}
    json.dumps(card)


def test_episodes_of_other_worlds_are_the_same_ones_for_every_agent():
    from lsnn_rl.agents.episodes import evaluate_episodes, live_episodes

    def push(obs, state, starts):
        return (obs[:, 2] > 0).astype(int), state  # towards where the pole falls

    class Counting:
        """Pushes right every other step: it needs its state."""

        def initial_state(self, n):
            return np.zeros(n, int)

        def act(self, obs, state, starts, deterministic=True):
            state = np.where(starts, 0, state)
            return state % 2, state + 1

    card, again = (evaluate_episodes(push, "CartPole-v1", n) for n in (40, 7))
    counting = live_episodes(Counting(), "CartPole-v1", 8)
    wiped = live_episodes(Counting(), "CartPole-v1", 8, wipe_every_step=True)

    assert card["per_lifetime"]["returns"][:7] == again["per_lifetime"]["returns"]
    assert 30 < card["score"]["mean"] < 60  # the bang-bang controller holds the pole for about 42 steps
    assert counting.returns.mean() > 20 and wiped.returns.max() <= 11  # always left: it falls within ten steps or so


def test_a_misspelt_world_is_answered_with_known_ones():
    with pytest.raises(UnknownName, match="LSNNArena-v0"):
        find_recipe("LSNNArena-v1")
