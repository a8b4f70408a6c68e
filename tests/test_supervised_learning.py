"""The learning wing of the supervised tasks: does an LSNN still learn what its papers say, and for the right reason?"""

import pytest

from lsnn_rl.pretrain.loop import pretrain
from lsnn_rl.pretrain.recipe import find_recipe


@pytest.mark.slow
def test_an_lsnn_learns_to_store_and_recall_in_two_hundred_iterations(tmp_path):
    card = pretrain(find_recipe("store_recall", "paper"), tmp_path / "run", progress=False)

    assert card["iterations"] <= 200
    assert card["test"]["mean"] < 0.05


@pytest.mark.slow
def test_where_spikes_are_dear_only_adaptation_keeps_the_bit(tmp_path):
    recipe = find_recipe("store_recall", "quiet")

    adapting = pretrain(recipe, tmp_path / "lsnn", progress=False)
    regular = pretrain(recipe.with_cell("lif"), tmp_path / "lif", progress=False)

    assert adapting["test"]["ci95"][1] < 0.05
    assert regular["test"]["ci95"][0] > 0.25


@pytest.mark.slow
def test_an_lsnn_counts_cues_and_waits_for_the_turn(tmp_path):
    card = pretrain(find_recipe("evidence", "paper"), tmp_path / "run", progress=False)

    assert card["ended"] == "goal"
    assert card["test"]["ci95"][1] < 0.07
