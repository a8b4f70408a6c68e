"""Actions that a policy wants and a space does not allow."""

from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import lsnn_rl
from lsnn_rl.agents.bounds import within


def policy(keep_direction: bool, low=-1.0, high=1.0):
    return SimpleNamespace(action_space=spaces.Box(low, high, (2,)), squash_output=False, keep_direction=keep_direction)


def test_by_default_actions_are_cut_number_by_number_as_in_sb3():
    assert within(np.array([[3.0, 0.5]]), policy(False)).tolist() == [[1.0, 0.5]]


def test_a_kept_direction_is_the_same_after_the_action_was_drawn_back_to_the_border():
    actions = within(np.array([[3.0, 1.0], [0.3, -0.4]]), policy(True))

    assert actions[0] == pytest.approx([1.0, 1.0 / 3.0])
    assert actions[1] == pytest.approx([0.3, -0.4])


def test_a_direction_is_kept_as_seen_from_the_middle_of_the_box():
    assert within(np.array([[8.0, 3.0]]), policy(True, low=0.0, high=4.0))[0] == pytest.approx([4.0, 2.0 + 1.0 / 3.0])


def test_the_arena_moves_the_same_whether_an_action_was_drawn_back_or_not():
    wanted = np.array([3.0, 1.0], dtype=np.float32)
    places = []
    for action in (wanted, within(wanted[None], policy(True))[0]):
        env = gym.make("LSNNArena-v0").unwrapped
        env.reset(seed=0)
        places.append(env.step(action)[0][:2])

    assert places[0] == pytest.approx(places[1], abs=1e-6)


def test_the_learner_keeps_directions_in_the_arena_and_nowhere_else():
    small = {"n_steps": 4, "n_envs": 2, "policy_kwargs": {"regular": 4, "adaptive": 4, "readouts": 4}}
    arena = lsnn_rl.RecurrentPPO("LSNNPolicy", "LSNNArena-v0", **small)
    pendulum = lsnn_rl.RecurrentPPO("LSNNPolicy", "Pendulum-v1", **small)

    assert arena.policy.keep_direction
    assert not pendulum.policy.keep_direction
