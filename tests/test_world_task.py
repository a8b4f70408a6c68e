"""Telling the hidden task of a world, as a supervised task: what is dealt out, and where the network goes then."""

import pytest
import torch

from lsnn_rl import RecurrentPPO
from lsnn_rl.agents.world_task import TaskInference
from lsnn_rl.cli import main
from lsnn_rl.errors import BadValue
from lsnn_rl.pretrain.recipe import find_recipe
from lsnn_rl.tasks.base import Batch

BIG = {"goal_radius": 0.6}  # goals that are met soon


def arena(**options):
    return TaskInference(env="LSNNArena-v0", **{"env_kwargs": BIG, "steps": 40, "lifetimes": 8, **options})


def test_the_same_arguments_give_the_same_lives_and_other_ones_others():
    task = arena()
    first, again, other = (task.batch("train", 3, index, seed=1) for index in (2, 2, 3))
    decks = [task.batch(split, 2, 0).target[0, :, :2] for split in ("train", "validation", "test")]

    assert torch.equal(first.x, again.x) and torch.equal(first.target, again.target)
    assert not torch.equal(first.x, other.x)
    assert not any(torch.equal(a, b) for a, b in zip(decks, [*decks[1:], decks[0]], strict=True))


def test_the_target_is_the_goal_on_its_ring_and_counts_from_when_it_was_met():
    goal, known = arena().batch("train", 16, 0).target.split([2, 1], dim=-1)

    assert goal.norm(dim=-1) == pytest.approx(torch.full((40, 16), 0.85).numpy(), abs=1e-5)  # the paper's ring
    assert torch.equal(known, known.cummax(0).values) and 0 < known.mean() < 1


def test_what_follows_the_end_of_a_lifetime_does_not_count():
    known = arena(env_kwargs={**BIG, "steps": 15}).batch("train", 16, 0).target[..., 2]

    assert known[:15].any() and not known[15:].any()


def test_the_score_of_a_lifetime_is_the_error_over_the_steps_at_which_the_task_was_known():
    task = arena(steps=3)
    target = torch.zeros(3, 2, 3)
    target[1:, 0] = torch.tensor([0.6, 0.2, 1.0])  # the first lifetime knows (0.6, 0.2) from the second step on

    scores = task.scores(torch.zeros(3, 2, 2), Batch(torch.empty(0), target))

    assert scores.tolist() == pytest.approx([(0.36 + 0.04) / 2])
    with pytest.raises(BadValue, match="steps=12"):
        task.scores(torch.zeros(3, 2, 2), Batch(torch.empty(0), torch.zeros(3, 2, 3)))


def test_a_world_that_reveals_nothing_is_refused():
    with pytest.raises(BadValue, match="LSNNArena-v0"):
        TaskInference(env="CartPole-v1")


def test_only_a_task_about_something_takes_a_colon():
    assert find_recipe("task_inference:LSNNTMaze-v0").task.kwargs["env"] == "LSNNTMaze-v0"
    with pytest.raises(BadValue, match="Leave it out"):
        find_recipe("store_recall:LSNNArena-v0")


def test_any_world_by_name_pretrains_a_network_that_a_policy_then_begins_with(tmp_path):
    small = (
        "network.regular=20",
        "network.adaptive=20",
        "train.iterations=3",
        "train.batch=8",
        "task.kwargs.lifetimes=8",
    )
    words = ["pretrain", "task_inference:LSNNTabularMDP-v0", "--folder", str(tmp_path / "run"), "--no-progress"]

    with pytest.raises(SystemExit, match="0"):
        main([*words, *(word for change in small for word in ("--set", change))])
    model = RecurrentPPO(
        "LSNNPolicy",
        "LSNNTabularMDP-v0",
        n_envs=2,
        n_steps=8,
        policy_kwargs={"regular": 20, "adaptive": 20, "pretrained": tmp_path / "run"},
    )

    taken = model.policy.pretrained.taken
    assert taken["w_in"] == "whole" and taken["w_rec"] == "whole"


def test_a_small_network_learns_to_tell_where_the_goal_was(tmp_path):
    from lsnn_rl.pretrain.loop import pretrain

    task = ["task.kwargs.steps=40", "task.kwargs.env_kwargs={goal_radius: 0.6}", "task.kwargs.lifetimes=64"]
    training = ["train.iterations=60", "optimizer.learning_rate=0.02", "cost.firing_rate=0"]
    recipe = find_recipe("task_inference:LSNNArena-v0").with_changes(
        [*task, *training, "network={cell: gru, size: 32}"]
    )

    card = pretrain(recipe, tmp_path, progress=False)

    assert card["test"]["mean"] < 0.7 * 0.85**2 / 2  # of answering the middle of the arena
