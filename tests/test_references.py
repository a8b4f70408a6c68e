"""The table of known scores: what it says is what its agents do."""

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import classical, players_of, roles_of
from lsnn_rl.agents.evaluate import live
from lsnn_rl.envs.references import NAMES, reference_row, reference_table
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.splits import split_hash
from tests.playing import rules_class

LIFETIMES = 40  # of the thousand that were measured, the first ones


@pytest.mark.parametrize("env_id", WORLDS)
def test_every_reference_is_what_its_agent_scores_on_the_first_of_the_measured_lifetimes(env_id):
    row = reference_row(env_id, "test")
    env = gym.make_vec(env_id, num_envs=LIFETIMES, split="test")
    scale = row["scores"]["oracle"]["mean"] - row["scores"]["random"]["mean"]

    for role in NAMES:
        lives = live(classical(roles_of(env_id)[role], env_id, split="test"), env, np.arange(LIFETIMES))
        scores = lives.goals if rules_class(env_id).score == "goals" else lives.returns
        noise = scores.std(ddof=1) / np.sqrt(LIFETIMES)

        # Four standard errors, and a thousandth of the scale for scores that hardly ever differ.
        assert abs(scores.mean() - row["scores"][role]["mean"]) <= 4 * noise + scale / 1000, role


@pytest.mark.parametrize("env_id", WORLDS)
def test_the_table_says_who_was_measured_on_what_and_how_surely(env_id):
    rows = reference_table()[env_id]

    for row in rows:
        assert row["split_hash"] == split_hash(row["split"], row["lifetimes"]) and row["lifetimes"] >= 1000
        assert {row["scores"][role]["agent"] for role in NAMES} | set(row["others"]) == set(players_of(env_id))
        for entry in [*row["scores"].values(), *row["others"].values()]:
            low, high = entry["ci95"]
            assert low <= entry["mean"] <= high
