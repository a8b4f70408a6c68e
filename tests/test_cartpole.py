"""CartPole without velocities: Gymnasium's rules, fewer numbers shown, and an agent that balances the pole."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import lsnn_rl  # noqa: F401  (registers the id)
from lsnn_rl.agents.recipe import find_recipe
from lsnn_rl.agents.training import build, train

ID = "LSNNCartPoleNoVel-v0"


def test_it_lives_as_gymnasiums_cartpole_and_shows_position_and_angle_only():
    whole, shown = gym.make("CartPole-v1"), gym.make(ID)
    luck = np.random.default_rng(0)
    everything, seen = whole.reset(seed=3)[0], shown.reset(seed=3)[0]

    ended = False
    while not ended:
        assert seen.tolist() == [everything[0], everything[2]] and seen in shown.observation_space
        action = int(luck.integers(2))
        everything, reward, ended, _, _ = whole.step(action)
        seen, *outcome = shown.step(action)
        assert outcome[:2] == [reward, ended]

    assert seen in shown.observation_space  # the last one lies beyond the end of the episode


def test_it_keeps_gymnasiums_contract_and_its_measure_of_solved():
    check_env(gym.make(ID).unwrapped, skip_render_check=True)

    assert (gym.spec(ID).max_episode_steps, gym.spec(ID).reward_threshold) == (500, 475.0)


@pytest.mark.parametrize("agent", ["gru", "lsnn"])
def test_the_recipes_build_a_learner_of_positions(agent):
    model = build(find_recipe(f"{ID}/{agent}").with_changes(["env.n_envs=2", "ppo.n_steps=4", "ppo.batch_size=8"]))

    model.learn(8)

    assert model.observation_space.shape == (2,) and model.num_timesteps == 8


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_gru_balances_the_pole_from_positions_alone_and_not_without_its_state(tmp_path, seed):
    recipe = find_recipe(f"{ID}/gru").with_changes([f"train.seed={seed}"])
    card = train(recipe, tmp_path / "run", progress=False)

    assert card["score"]["mean"] >= 475
    assert card["controls"]["no_state"]["mean"] < 100
