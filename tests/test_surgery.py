"""Where an agent's memory is: transplants between few lifetimes here, the whole experiment in the slow wing."""

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from lsnn_rl.agents import figures
from lsnn_rl.agents.figures.memory import turned
from lsnn_rl.agents.surgery import OTHER, OWN, Operation, _memories, operate, table
from lsnn_rl.errors import BadValue

AGENT = "LSNNArena-v0/lsnn"
DOCS = Path(__file__).resolve().parent.parent / "docs"
FEW = [
    Operation("nothing", ()),
    Operation("thresholds (b)", ("b",)),
    Operation("voltages (v)", ("v",)),
    Operation("everything", ("v", "b", "z", "refractory", "readout")),
]


@pytest.fixture(scope="module")
def found():
    return operate(AGENT, pairs=24, operations=FEW, read_from=("v", "b"), training=8)


def share(found, label, whose):
    return float((found.outcomes[label].reached == whose).mean())


def test_left_alone_a_host_goes_to_its_own_goal_and_with_the_whole_state_to_the_donors(found):
    assert share(found, "nothing", OWN) > 0.7 and share(found, "nothing", OTHER) < 0.1
    assert share(found, "everything", OTHER) > 0.7 and share(found, "everything", OWN) < 0.1


def test_the_memory_of_the_shipped_agent_moves_with_its_voltages_and_not_with_its_thresholds(found):
    assert share(found, "voltages (v)", OTHER) > 0.7
    assert share(found, "thresholds (b)", OWN) > 0.7 and share(found, "thresholds (b)", OTHER) < 0.1
    assert found.card["carried_by"] == ["v"]


def test_the_goals_of_a_pair_lie_opposite_each_other(found):
    cosine = (found.own * found.other).sum(axis=1) / 0.85**2

    assert (cosine <= np.cos(np.deg2rad(150)) + 1e-9).all()


def test_a_reading_from_what_was_transplanted_points_to_the_donors_goal_at_once(found):
    moved, left = found.outcomes["thresholds (b)"].belief, found.outcomes["nothing"].belief

    assert moved["b"][0].mean() > 0.5 and abs(left["b"][0].mean()) < 0.5
    assert np.allclose(moved["v"][0], left["v"][0])  # the voltages were not touched


def test_ways_are_turned_so_that_the_own_goal_lies_left(found):
    ways = turned(found, found.outcomes["nothing"])

    assert np.allclose(np.linalg.norm(ways, axis=-1), np.linalg.norm(found.outcomes["nothing"].place, axis=-1))
    arrived = found.outcomes["nothing"].reached == OWN
    assert (ways[-1, arrived, 0] < 0).mean() > 0.8


def test_the_card_says_what_the_figure_and_the_table_show(found, tmp_path):
    found.card.save(tmp_path / "surgery.json")
    card = json.loads((tmp_path / "surgery.json").read_text())

    for label, outcome in found.outcomes.items():
        assert card["operations"][label]["other"]["mean"] == pytest.approx((outcome.reached == OTHER).mean())
    assert "The memory moves with: voltages (v)" in table(card)
    bars = figures.surgery(found).axes[3]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == list(found.outcomes)


def test_where_goals_move_a_memory_belongs_to_the_goal_it_was_made_with(monkeypatch):
    class Knows:
        """Its whole state is the goal as it is now."""

        def initial_state(self, n):
            return {"h": torch.zeros(n, 2, dtype=torch.float64)}

        def act(self, obs, state, starts, deterministic=True):
            return self.world.expert(), {"h": torch.as_tensor(self.world.goal.copy())}

    make_vec, agent, world = gym.make_vec, Knows(), {"steps": 400, "reversal": 0.3}

    def seen(*args, **kwargs):
        env = make_vec(*args, **kwargs)
        agent.world = env.unwrapped.task
        return env

    monkeypatch.setattr(gym, "make_vec", seen)
    kept, goals, _ = _memories(agent, "LSNNArenaReversal-v0", world, "test", 40, after_goals=3, delay=10)

    assert len(goals) > 20
    np.testing.assert_allclose(kept["h"].numpy(), goals)


def test_worlds_without_places_and_agents_without_neurons_are_refused():
    with pytest.raises(BadValue, match="is no arena"):
        operate(AGENT, "LSNNBernoulliBandit-v0", pairs=2)
    with pytest.raises(BadValue, match="no recurrent network"):
        operate("oracle", pairs=2)


def test_the_document_tells_what_the_stored_card_says():
    card = json.loads((DOCS / "surgery.json").read_text())
    text = (DOCS / "surgery.md").read_text(encoding="utf-8")

    assert card["pairs"] >= 100
    for row, label in (("nothing", "nothing"), ("thresholds `b`", "thresholds (b)"), ("voltages `v`", "voltages (v)")):
        entry = card["operations"][label]
        low, high = (100 * bound for bound in entry["other"]["ci95"])
        own, other = (100 * entry[whose]["mean"] for whose in ("own", "other"))
        expected = f"| {row} | {own:.0f} % | {other:.0f} % ({low:.0f} to {high:.0f}) |"
        assert expected in text


@pytest.mark.slow
def test_in_two_hundred_pairs_only_the_voltages_of_regular_cells_carry_the_memory():
    found = operate(AGENT, pairs=200)

    moved = {label: entry["other"] for label, entry in found.card["operations"].items()}
    carries = {label for label, share in moved.items() if share["ci95"][0] > 0.8}
    assert carries == {"voltages (v)", "voltages of regular cells", "all but thresholds", "everything"}
    assert all(share["ci95"][1] < 0.05 for label, share in moved.items() if label not in carries)
    assert found.card["readings"]["b"]["r2"] > 0.8  # readable all the same
