"""The arena's rules, played by hand."""

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.errors import BadValue, UnknownName


def arena(place=(0.0, 0.0), goal=(0.85, 0.0), **kwargs):
    """A single arena with agent and goal put where the test wants them."""
    env = gym.make("LSNNArena-v0", **kwargs).unwrapped
    env.reset(seed=0)
    env.task.place[:], env.task.goal[:] = place, goal
    return env


def test_an_action_moves_by_a_fiftieth_of_itself():
    env = arena()

    obs, reward, *_ = env.step([0.3, -0.4])

    assert obs[:2] == pytest.approx([0.006, -0.008])
    assert reward == 0.0 and type(reward) is float


@pytest.mark.parametrize("action", [[3.0, 4.0], [0.6, 0.8], [6e5, 8e5]])
def test_a_long_action_is_shortened_to_length_one_and_seen_as_it_was_done(action):
    obs, *_ = arena().step(action)

    assert obs[:2] == pytest.approx([0.012, 0.016])
    assert obs[2:4] == pytest.approx([0.6, 0.8])


def test_a_move_out_of_the_arena_ends_where_it_meets_the_border():
    # From (0, 0.99) along (0.6, 0.8): 0.36 s^2 + (0.99 + 0.8 s)^2 = 1, wanted is the positive root of
    # s^2 + 1.584 s - 0.0199 = 0, s = 0.0124648; the place is (0.6 s, 0.99 + 0.8 s).
    env = arena(place=(0.0, 0.99), goal=(-0.85, 0.0))

    obs, reward, *_ = env.step([0.6, 0.8])

    assert obs[:2] == pytest.approx([0.0074789, 0.9999718], abs=1e-6)
    assert np.hypot(*env.task.place[0]) == pytest.approx(1.0, abs=1e-12)
    assert reward == pytest.approx(-0.02) and obs[5] == 1.0


def test_standing_at_the_border_is_no_new_contact_and_walking_off_it_works():
    env = arena(place=(0.0, 0.99), goal=(-0.85, 0.0))
    env.step([0.6, 0.8])

    standing, reward, *_ = env.step([0.0, 0.0])
    pushing, punished, *_ = env.step([0.0, 1.0])
    leaving, free, *_ = env.step([0.0, -1.0])

    assert reward == 0.0 and standing[5] == 0.0
    assert punished == pytest.approx(-0.02) and pushing[:2] == pytest.approx(standing[:2])
    assert free == 0.0 and leaving[1] == pytest.approx(standing[1] - 0.02)


def test_the_step_that_reaches_the_goal_pays_and_shows_where():
    env = arena(place=(0.54, 0.0))  # the goal disc begins at 0.55

    obs, reward, terminated, truncated, info = env.step([1.0, 0.0])

    assert reward == 1.0 and obs[4] == 1.0
    assert obs[:2] == pytest.approx([0.56, 0.0])
    assert info["success"] and not terminated and not truncated


def test_by_default_the_teleport_comes_with_the_next_step_before_its_action():
    env = arena(place=(0.54, 0.0))
    env.step([1.0, 0.0])
    rest = env.get_state()
    landed = arena(place=(0.54, 0.0))
    landed.set_state(rest)
    landed.step([0.0, 0.0])
    new_place = landed.task.place[0].copy()

    env.step([0.0, 1.0])

    assert np.hypot(*(new_place - [0.56, 0.0])) > 0.02
    assert env.task.place[0] == pytest.approx(new_place + np.array([0.0, 0.02]))


def test_teleport_in_the_same_step_shows_the_new_place_with_the_reward():
    env = arena(place=(0.54, 0.0), teleport="same_step")

    obs, reward, *_ = env.step([1.0, 0.0])
    after, *_ = env.step([0.0, 0.1])

    assert reward == 1.0 and obs[4] == 1.0
    assert np.hypot(obs[0] - 0.56, obs[1]) > 0.02
    assert after[:2] == pytest.approx(obs[:2] + np.array([0.0, 0.002]), abs=1e-6)


def test_a_hit_is_counted_once():
    env = arena(place=(0.54, 0.0))
    env.step([1.0, 0.0])
    env.task.goal[:] = (-5.0, 0.0)  # wherever the teleport leads, it is not there

    _, reward, _, _, info = env.step([0.0, 0.0])

    assert reward == 0.0
    assert info == {"trial": 1, "trial_steps": 1, "success": False}


@pytest.mark.parametrize("teleport", ["next_step", "same_step"])
def test_being_put_into_the_goal_is_the_next_reward_and_not_the_end(teleport):
    env = arena(goal_radius=5.0, steps=4, teleport=teleport)  # everywhere is goal

    shown = [env.step([0.0, 0.0]) for _ in range(4)]

    assert [reward for _, reward, *_ in shown] == [1.0] * 4
    assert [(terminated, truncated) for _, _, terminated, truncated, _ in shown] == [(False, False)] * 3 + [
        (False, True)
    ]
    assert [info["trial"] for *_, info in shown] == [0, 1, 2, 3]
    assert [info["trial_steps"] for *_, info in shown] == [1] * 4
    assert shown[-1][-1]["goals"] == 4 and shown[-1][-1]["first_find"] == 1


def test_the_infos_count_trials_and_steps_as_a_person_would():
    env = arena(place=(0.50, 0.0), steps=6)

    before, on_the_way, hit = (env.step([1.0, 0.0])[4] for _ in range(3))
    env.task.goal[:] = (-5.0, 0.0)
    after, later, end = (env.step([0.0, 0.0])[4] for _ in range(3))

    assert before == {"trial": 0, "trial_steps": 1, "success": False}
    assert on_the_way == {"trial": 0, "trial_steps": 2, "success": False}
    assert hit == {"trial": 0, "trial_steps": 3, "success": True}
    assert after == {"trial": 1, "trial_steps": 1, "success": False}
    assert later["trial_steps"] == 2
    assert end == {"trial": 1, "trial_steps": 3, "success": False, "goals": 1, "first_find": 3}


def test_a_lifetime_without_a_hit_says_so():
    env = arena(steps=1)

    info = env.step([0.0, 0.0])[4]

    assert info["goals"] == 0 and info["first_find"] == -1


def test_goal_and_wall_met_in_one_step_are_both_paid():
    env = arena(place=(0.99, 0.0))

    obs, reward, *_ = env.step([1.0, 0.0])

    assert reward == pytest.approx(0.98)
    assert obs[4:].tolist() == [1.0, 1.0]


def test_goals_lie_on_the_ring_and_starts_are_uniform_over_the_disc():
    env = gym.make_vec("LSNNArena-v0", num_envs=20_000, privileged=True)

    obs, infos = env.reset(seed=0)

    goal, squared_radius = infos["privileged"]["goal"], (obs[:, :2] ** 2).sum(axis=1)
    assert np.hypot(*goal.T) == pytest.approx(np.full(20_000, 0.85))
    assert np.abs(goal.mean(axis=0)).max() < 0.03
    # Uniform over the disc means that the squared radius is uniform over [0, 1]: quantiles lie on the diagonal.
    assert np.sort(squared_radius)[np.arange(1, 10) * 2000] == pytest.approx(np.arange(1, 10) / 10, abs=0.015)


def test_in_the_disc_world_goals_lie_anywhere():
    env = gym.make_vec("LSNNArenaDisc-v0", num_envs=20_000, privileged=True)

    goal = env.reset(seed=0)[1]["privileged"]["goal"]

    assert np.sort((goal**2).sum(axis=1))[np.arange(1, 10) * 2000] == pytest.approx(np.arange(1, 10) / 10, abs=0.015)


def test_each_part_of_the_observation_can_be_switched_off():
    full, blind = arena(), arena(observe_position=False, observe_wall=False)

    seen, left = full.step([0.6, 0.0])[0], blind.step([0.6, 0.0])[0]

    assert full.observation_space.shape == (6,) and blind.observation_space.shape == (3,)
    assert left.tolist() == seen[2:5].tolist()
    with pytest.raises(BadValue, match="Leave at least one"):
        arena(observe_position=False, observe_wall=False, observe_reward=False, observe_action=False)


def test_the_expert_goes_straight_to_the_goal_and_stops_on_it():
    env = arena(place=(0.0, 0.425), goal=(0.85, 0.425))

    assert env.expert() == pytest.approx([1.0, 0.0])
    env.task.place[:] = (0.85, 0.435)
    assert env.expert() == pytest.approx([0.0, -0.5])


def test_before_a_teleport_the_expert_aims_from_the_middle():
    env = arena(place=(0.54, 0.05))
    env.step([1.0, 0.0])

    assert env.task.success[0]
    assert env.expert() == pytest.approx([1.0, 0.0])


def test_the_task_is_known_from_the_first_hit_on():
    env = arena(place=(0.52, 0.0))

    known = [env.task_known(), *(env.step([1.0, 0.0]) and env.task_known() for _ in range(2))]
    env.step([0.0, 0.0])

    assert known == [False, False, True]
    assert env.task_known()
    assert env.task_vector() == pytest.approx([0.85, 0.0])


def test_goals_out_of_distribution_are_two_thirds_as_large_unless_told_otherwise():
    ood = gym.make("LSNNArena-v0", split="test-ood").unwrapped
    told = gym.make("LSNNArena-v0", split="test-ood", goal_radius=0.1).unwrapped

    assert (ood.task.goal_radius, told.task.goal_radius) == (0.2, 0.1)
    assert ood.observation_space == arena().observation_space


@pytest.mark.parametrize(
    ("kwargs", "advice"),
    [
        ({"teleport": "samestep"}, "Did you mean 'same_step'"),
        ({"radius": -1.0}, "Give a positive number, in arena radii"),
        ({"goal_radius": float("nan")}, "goal_radius = nan is not a length"),
        ({"ring": 2.0}, "Give 0 to 1.0, or None"),
    ],
)
def test_a_geometry_that_cannot_be_is_refused(kwargs, advice):
    with pytest.raises((BadValue, UnknownName), match=advice):
        arena(**kwargs)
