"""What ships in the zoo is what its cards were made from: agents live again, networks answer again."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from lsnn_rl.agents.cards import env_hash
from lsnn_rl.agents.episodes import evaluate_episodes
from lsnn_rl.agents.evaluate import evaluate
from lsnn_rl.agents.pretrained import read_network
from lsnn_rl.agents.recipe import read_recipe
from lsnn_rl.agents.sharing import load_agent
from lsnn_rl.agents.zoo_places import ZOO
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.pretrain.loop import Training
from lsnn_rl.pretrain.recipe import read_recipe as read_pretrain_recipe
from lsnn_rl.pretrain.recipe import zoo

SHIPPED = sorted(str(file.parent.parent.relative_to(ZOO)) for file in ZOO.glob("*/*/agent/agent.json"))
NETWORKS = sorted(str(file.parent.relative_to(zoo())) for file in zoo().glob("*/*/network.safetensors"))
LIFETIMES = 30


def card_of(name):
    return json.loads((ZOO / name / "card.json").read_text(encoding="utf-8"))


def test_there_is_an_agent_to_look_at():
    assert "LSNNArena-v0/lsnn" in SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_agent_lives_as_its_card_says(name):
    card = card_of(name)
    of = card["score"]["of"]
    told = np.array(card["per_lifetime"]["goals" if of == "goals" else "returns"])
    agent = load_agent(name)  # refuses weights that are not those of its checksum

    if card["env"] in WORLDS:
        kwargs = card["env_kwargs"]
        again = evaluate(agent, card["env"], card["split"], LIFETIMES, card["deterministic"], (), kwargs)
    else:
        again = evaluate_episodes(agent, card["env"], LIFETIMES, card["deterministic"], card["env_kwargs"])

    # Other processors round differently and spikes flip; the mean of so few lifetimes stays within 4 standard errors
    # of the very same lifetimes on the card, and so it does of the card's interval.
    low, high = card["score"]["ci95"]
    tolerance = 4 * told.std() / np.sqrt(LIFETIMES) + 1e-3 * abs(told).max()
    assert again["score"]["mean"] == pytest.approx(told[:LIFETIMES].mean(), abs=tolerance)
    assert low - tolerance <= again["score"]["mean"] <= high + tolerance


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.split("/")[0] in WORLDS])
def test_the_world_of_a_card_is_the_world_of_today(name):
    card = card_of(name)

    assert card["env"] == name.split("/")[0]
    assert card["env_hash"] == env_hash(card["env"], card["env_kwargs"])


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recipe_beside_a_shipped_agent_is_the_one_it_was_made_by(name):
    recipe, agent = read_recipe(ZOO / name), json.loads((ZOO / name / "agent" / "agent.json").read_text("utf-8"))

    told = {key: value for key, value in agent["policy_kwargs"].items() if key in recipe.policy}
    plain = {key: value for key, value in recipe.policy.items() if not isinstance(value, dict)}
    assert {key: told.get(key) for key in plain} == plain
    assert agent["env"]["id"] == recipe.env.id and agent["env"]["kwargs"] == recipe.env.kwargs


def test_what_ships_is_small_enough_to_clone():
    weights = [file for file in ZOO.rglob("*") if file.suffix == ".safetensors"]

    assert weights and all(file.stat().st_size < 1_000_000 for file in weights)
    assert sum(file.stat().st_size for file in ZOO.rglob("*") if file.is_file()) < 20_000_000


@pytest.mark.parametrize("name", NETWORKS)
def test_a_shipped_network_is_of_the_size_that_its_recipe_says(name):
    recipe = read_pretrain_recipe(zoo() / name)

    network = read_network(name)

    assert network.size == recipe.network["regular"] + recipe.network["adaptive"]
    assert all(bool(weights.isfinite().all()) for weights in network.parameters())


@pytest.mark.parametrize("name", ["store_recall/quiet", "evidence/paper"])
def test_a_shipped_network_does_what_its_card_says(name):
    own = json.loads((zoo() / name / "card.json").read_text(encoding="utf-8"))
    training = Training(read_pretrain_recipe(zoo() / name))
    training.model.load_state_dict(load_file(zoo() / name / "network.safetensors"))

    scores, _ = training.judge("validation")

    # spikes flip on processors that round differently, so a few of the answers may differ
    assert float(scores.mean()) == pytest.approx(own["validation"]["best"], abs=0.02)
