"""The classical agents reach what independent simulations of the arena reached."""

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import Oracle, classical, classical_names
from lsnn_rl.agents.contract import Agent, let_watch
from lsnn_rl.agents.evaluate import live
from lsnn_rl.agents.searchers import RandomWalk
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.envs.arena import Arena
from lsnn_rl.errors import BadValue, UnknownName


def lives_of(agent, env_id, lifetimes, **kwargs):
    env = gym.make_vec(env_id, num_envs=lifetimes, split="test", **kwargs)
    player = classical(agent, env_id, **kwargs) if isinstance(agent, str) else agent
    return live(player, env, np.arange(lifetimes))


def agrees(goals, published, its_interval=0.4):
    """Our mean and the published one differ by no more than both their 95 % intervals."""
    ours = mean_interval(goals)
    return abs(ours.mean - published) <= (ours.high - ours.low) / 2 + its_interval


@pytest.mark.parametrize(
    ("env_id", "teleport", "agent", "goals", "lifetimes"),
    [
        # Independent simulations, 1,000 to 2,000 lifetimes each.
        ("LSNNArena-v0", "same_step", "oracle", 54.8, 400),
        ("LSNNArena-v0", "same_step", "sweep_remember", 53.1, 300),
        ("LSNNArena-v0", "same_step", "sweep_amnesic", 22.3, 300),
        ("LSNNArena-v0", "same_step", "random_walk", 5.7, 400),
        ("LSNNArena-v0", "next_step", "oracle", 53.8, 400),
        ("LSNNArena-v0", "next_step", "sweep_remember", 52.5, 300),
        ("LSNNArenaDisc-v0", "same_step", "oracle", 66.7, 400),
    ],
)
def test_the_arena_gives_what_independent_simulations_gave(env_id, teleport, agent, goals, lifetimes):
    lives = lives_of(agent, env_id, lifetimes, teleport=teleport)

    assert agrees(lives.goals, goals)


def test_a_walk_that_turns_more_gets_the_published_score_in_the_disc():
    walk = RandomWalk(Arena(ring=None), drift=0.3)

    lives = lives_of(walk, "LSNNArenaDisc-v0", 400, teleport="same_step")

    assert agrees(lives.goals, 5.8)


def test_the_sweep_of_the_disc_finds_goals_almost_as_fast_as_any_searcher_could():
    # No searcher uncovers more than 2 g v of new area per step, so the mean first find is at least
    # (pi R^2 - pi g^2) / (4 g v) * (1 - g^2 / R^2) = 108.4 steps.
    floor = np.pi * (1 - 0.3**2) / (4 * 0.3 * 0.02) * (1 - 0.3**2)

    first_find = lives_of("sweep_remember", "LSNNArenaDisc-v0", 200).first_find

    assert 0.9 * floor < first_find.mean() < 1.2 * floor


def test_the_oracle_beats_memory_and_memory_beats_forgetting_in_the_very_same_lifetimes():
    remember, forget, oracle = (
        lives_of(agent, "LSNNArena-v0", 60).goals for agent in ("sweep_remember", "sweep_amnesic", "oracle")
    )

    assert np.mean(oracle >= remember) > 0.95
    assert np.mean(remember > forget) > 0.95


def test_wiping_the_searchers_memory_makes_it_amnesic():
    env = gym.make_vec("LSNNArena-v0", num_envs=100, split="test")
    agent = classical("sweep_remember", "LSNNArena-v0")

    wiped = live(agent, env, np.arange(100), wipe_after_trial=True).goals
    forgetful = lives_of("sweep_amnesic", "LSNNArena-v0", 100).goals

    assert abs(wiped.mean() - forgetful.mean()) < 1.5


@pytest.mark.parametrize("name", classical_names("LSNNArena-v0"))
def test_every_classical_agent_keeps_the_contract(name):
    env = gym.make_vec("LSNNArena-v0", num_envs=5)
    agent = classical(name, "LSNNArena-v0")
    obs, _ = env.reset(seed=0)
    let_watch(agent, env)
    state = agent.initial_state(5)
    before = {key: value.copy() for key, value in state.items()}

    actions, after = agent.act(obs, state, np.ones(5, bool))

    assert isinstance(agent, Agent)
    assert actions.shape == (5, 2) and actions.dtype == np.float32
    assert all(np.array_equal(state[key], before[key]) for key in before)
    assert all(len(value) == 5 for value in after.values())


def test_a_lifetime_begins_with_nothing_remembered_whatever_was_before():
    agent = classical("sweep_remember", "LSNNArena-v0")
    obs = np.array([[0.5, 0.0, 0.0, 0.0, 1.0, 0.0], [0.2, 0.3, 0.0, 0.0, 0.0, 0.0]], np.float32)
    _, experienced = agent.act(obs, agent.initial_state(2), np.array([False, False]))

    fresh = agent.act(obs, agent.initial_state(2), np.array([True, True]))
    reborn = agent.act(obs, experienced, np.array([True, True]))

    assert experienced["met"].tolist() == [True, False]
    assert np.array_equal(fresh[0], reborn[0])
    assert all(np.array_equal(fresh[1][key], reborn[1][key]) for key in fresh[1])


def test_mistakes_are_answered_with_what_to_write():
    with pytest.raises(UnknownName, match="Did you mean 'oracle'"):
        classical("oracel", "LSNNArena-v0")
    with pytest.raises(UnknownName, match="Did you mean 'LSNNArena-v0'"):
        classical("oracle", "LSNNArena-v1")
    with pytest.raises(BadValue, match="Leave it on"):
        classical("sweep_remember", "LSNNArena-v0", observe_position=False)
    with pytest.raises(BadValue, match=r"Call agent\.watch\(venv\)"):
        Oracle().act(np.zeros((1, 6)), {}, np.ones(1, bool))


def test_gymnasiums_word_for_the_length_of_a_lifetime_is_understood():
    assert classical("oracle", "LSNNTwoStep-v0", max_episode_steps=30) is not None
