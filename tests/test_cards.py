"""A card is one JSON object that can be trusted or is refused."""

import json

import pytest

from lsnn_rl.agents.cards import SCHEMA, Card, env_hash, uses_memory, versions
from lsnn_rl.errors import BrokenFile, MissingFile


def interval(low: float, mean: float, high: float) -> dict:
    return {"mean": mean, "ci95": [low, high]}


def test_what_is_saved_is_loaded_again_and_long_lists_stay_on_one_line(tmp_path):
    card = Card(schema=SCHEMA, agent="a", per_lifetime={"goals": list(range(100)), "returns": [-0.5, 1e-7]})

    card.save(tmp_path / "card.json")

    assert Card.load(tmp_path) == card
    assert len((tmp_path / "card.json").read_text().splitlines()) < 10


def test_a_word_that_looks_like_a_list_of_numbers_survives():
    card = Card(schema=SCHEMA, agent="[ 1,\n 2 ]", list=["1", "2"])

    assert json.loads(card.to_json()) == card


def test_a_number_that_json_does_not_have_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        Card(schema=SCHEMA, score=float("nan")).save(tmp_path / "card.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_a_cut_and_a_foreign_card_are_told_apart(tmp_path):
    (tmp_path / "cut.json").write_text('{"schema": 1, "ag')
    (tmp_path / "foreign.json").write_text('{"score": 3}')

    with pytest.raises(MissingFile, match="lsnn-rl evaluate AGENT"):
        Card.load(tmp_path / "none.json")
    with pytest.raises(BrokenFile, match="is not JSON"):
        Card.load(tmp_path / "cut.json")
    with pytest.raises(BrokenFile, match="has schema None"):
        Card.load(tmp_path / "foreign.json")


@pytest.mark.parametrize(
    ("score", "control", "claim"),
    [
        (interval(0.5, 0.6, 0.7), interval(-0.3, -0.2, -0.1), True),
        (interval(0.5, 0.6, 0.7), interval(0.0, 0.09, 0.2), True),
        (interval(0.5, 0.6, 0.7), interval(0.2, 0.3, 0.4), False),  # it does as well without its state: no memory
        (interval(-0.1, 0.1, 0.3), interval(-0.3, -0.2, -0.1), False),  # zero is inside the interval
        (None, interval(-0.3, -0.2, -0.1), None),
    ],
)
def test_memory_is_claimed_only_when_score_and_control_both_say_so(score, control, claim):
    assert uses_memory({"normalized": score, "controls": {"state_reset": {"normalized": control}}}) is claim


def test_without_the_control_nothing_is_claimed():
    assert uses_memory({"normalized": interval(0.5, 0.6, 0.7), "controls": {}}) is None


@pytest.mark.parametrize(
    "change", [{"teleport": "same_step"}, {"goal_radius": 0.29}, {"wall_reward": -0.03}, {"steps": 150}]
)
def test_the_hash_of_a_world_tells_another_rule(change):
    assert env_hash("LSNNArena-v0", change) != env_hash("LSNNArena-v0", {})


def test_the_hash_of_a_world_is_the_same_whenever_its_default_is_spelt_out():
    assert env_hash("LSNNArena-v0", {}) == env_hash("LSNNArena-v0", {"teleport": "next_step", "steps": 2000})
    assert env_hash("LSNNArena-v0", {}) != env_hash("LSNNArenaDisc-v0", {})


def test_versions_name_what_the_numbers_depend_on():
    assert {"python", "lsnn-rl", "numpy", "torch", "gymnasium"} <= set(versions())
