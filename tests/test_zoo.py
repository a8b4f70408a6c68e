"""The agents that ship with the package are the ones their cards were made from."""

import json

import numpy as np
import pytest

from lsnn_rl.agents.cards import env_hash
from lsnn_rl.agents.evaluate import evaluate
from lsnn_rl.agents.recipe import ZOO

SHIPPED = sorted(str(file.parent.parent.relative_to(ZOO)) for file in ZOO.glob("*/*/agent/agent.json"))
LIFETIMES = 30


def test_there_is_an_agent_to_look_at():
    assert "LSNNArena-v0/lsnn" in SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_agent_lives_as_its_card_says(name):
    card = json.loads((ZOO / name / "card.json").read_text(encoding="utf-8"))
    told = np.array(card["per_lifetime"]["goals"])

    again = evaluate(name, card["env"], card["split"], LIFETIMES, card["deterministic"], env_kwargs=card["env_kwargs"])

    # Other processors round differently and spikes flip; the mean of so few lifetimes stays within 4 standard errors.
    tolerance = 4 * told.std() / np.sqrt(LIFETIMES)
    assert again["score"]["mean"] == pytest.approx(told[:LIFETIMES].mean(), abs=tolerance)
    assert again["controls"]["state_reset"]["mean"] < card["references"]["amnesic"]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_world_of_a_card_is_the_world_of_today(name):
    card = json.loads((ZOO / name / "card.json").read_text(encoding="utf-8"))

    assert card["env_hash"] == env_hash(card["env"], card["env_kwargs"])


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_agent_is_small_enough_to_clone(name):
    assert sum(file.stat().st_size for file in (ZOO / name / "agent").iterdir()) < 1_000_000
