"""The learning wing: does a spiking network still learn to learn? Takes about ten minutes on one core."""

import pytest

from lsnn_rl.agents.recipe import find_recipe
from lsnn_rl.agents.training import train
from tests.test_documents import ROOT, blocks


@pytest.mark.slow
def test_the_example_of_the_readme_keeps_its_promise(monkeypatch, tmp_path):
    (code,) = blocks(ROOT / "README.md", "python")
    names: dict = {}
    monkeypatch.chdir(tmp_path)

    exec(code, names)

    assert names["card"]["score"]["mean"] > 17.5 and names["card"]["claims"]["uses_memory"]


@pytest.mark.slow
def test_a_spiking_agent_remembers_the_goal_and_forgets_it_with_its_state(tmp_path):
    limits = ["train.minutes=null", "train.total_steps=14000000", "train.seed=7", "test.lifetimes=250"]
    recipe = find_recipe("LSNNArena-v0/lsnn").with_changes(limits)

    card = train(recipe, tmp_path / "run", progress=False)

    amnesic = card["references"]["amnesic"]
    assert card["score"]["ci95"][0] > amnesic
    assert card["controls"]["state_reset"]["ci95"][1] < amnesic
    assert card["claims"]["uses_memory"]
