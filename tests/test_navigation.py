"""Point navigation, played by hand, and its players against what can be computed."""

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import classical
from lsnn_rl.agents.evaluate import live
from lsnn_rl.envs.navigation_view import _page
from lsnn_rl.envs.task import Hand
from lsnn_rl.errors import BadValue

SPARSE, TELEPORT, SQUARE = "LSNNPointRobotSparse-v0", "LSNNPointRobotTeleport-v0", "LSNNNavigation2D-v0"


def point(env_id, goal, place=(0.0, 0.0), **kwargs):
    env = gym.make(env_id, **kwargs).unwrapped
    env.reset(seed=0)
    env.task.goal[:], env.task.place[:] = goal, place
    return env


def lived(name, env_id, lifetimes=1000, **settings):
    env = gym.make_vec(env_id, num_envs=lifetimes, split="test", **settings)
    return live(classical(name, env_id, split="test", **settings), env, np.arange(lifetimes))


def by_episode(lives, horizon):
    """Mean return of each episode, and its standard error."""
    sums = lives.rewards.reshape(len(lives.rewards), -1, horizon).sum(axis=2)
    return sums.mean(axis=0), sums.std(axis=0) / np.sqrt(len(sums))


def test_a_step_into_reach_of_the_goal_pays_one_minus_the_distance_at_once():
    env = point(SPARSE, goal=(0.0, 1.0), place=(0.0, 0.75))

    obs, reward, *_ = env.step([0.0, 1.0])
    _, gone, *_ = env.step([0.5, -1.0])

    assert obs[:2] == pytest.approx([0.0, 0.85]) and obs[2:4].tolist() == [0.0, 1.0]
    assert reward == pytest.approx(0.85) and obs[4] == pytest.approx(0.85)
    assert gone == 0.0


def test_after_every_horizon_the_agent_is_back_at_the_origin_and_told_so():
    env = point(SPARSE, goal=(0.0, 1.0), horizon=3)
    first = env.task.observe()[0]

    shown = [env.step([1.0, 0.0]) for _ in range(4)]

    assert first[5] == 1.0
    assert [out[0][5] for out in shown] == [0.0, 0.0, 1.0, 0.0]
    assert [out[0][0] for out in shown] == pytest.approx([0.1, 0.2, 0.0, 0.1])
    assert [out[4]["trial"] for out in shown] == [0, 0, 0, 1]
    assert [out[4]["trial_steps"] for out in shown] == [1, 2, 3, 1]
    assert not any(out[2] or out[3] for out in shown)


def test_an_episode_succeeds_if_its_last_step_ends_in_the_goal():
    env = point(SPARSE, goal=(0.3, 0.0), horizon=2)

    shown = [env.step([1.0, 0.0]) for _ in range(2)] + [env.step([0.0, 1.0]) for _ in range(2)]

    assert [out[4]["success"] for out in shown] == [False, True, False, False]
    assert env.task_known()


def test_the_best_return_of_the_sparse_robot_is_that_of_an_integral():
    # From the origin, after t steps the axes are as near as they can be: max(|goal| - t / 10, 0) each.
    angle = (np.arange(20_000) + 0.5) * np.pi / 20_000
    goal = np.abs(np.stack([np.cos(angle), np.sin(angle)]))
    for horizon in (20, 100):
        off = [np.hypot(*np.maximum(goal - 0.1 * t, 0.0)) for t in range(1, horizon + 1)]
        exact = np.mean(np.sum([np.where(d <= 0.2, 1.0 - d, 0.0) for d in off], axis=0))

        mean, error = by_episode(lived("oracle", SPARSE, 500, horizon=horizon), horizon)

        assert np.abs(mean - exact).max() < 4 * error.max()


@pytest.mark.parametrize(
    ("name", "horizon", "known"),
    [
        ("arc_walk", 20, (2.72, 5.73, 5.73)),
        ("arc_walk_amnesic", 20, (2.72, 2.72, 2.72)),
        ("arc_walk", 100, (78.1, 93.2, 93.2)),
        ("arc_walk_amnesic", 100, (78.1, 78.1, 78.1)),
    ],
)
def test_walking_the_arc_brings_what_independent_simulation_found(name, horizon, known):
    lifetimes = 800 if horizon == 20 else 150
    mean, error = by_episode(lived(name, SPARSE, lifetimes, horizon=horizon), horizon)

    # The figures come from 4000 lifetimes of their own; a tenth is lost by telling the goal to a quarter degree only.
    assert np.all(np.abs(mean - known) < 3.5 * error * np.sqrt(1 + lifetimes / 4000) + 0.1)


def test_going_straight_to_the_known_goal_brings_thirteen_and_a_quarter():
    env = gym.make_vec(SPARSE, num_envs=1000, split="test", steps=20)
    env.reset(options={"lifetimes": np.arange(1000)})
    task, total = env.unwrapped.task, np.zeros(1000)

    for _ in range(20):
        way = (task.goal - task.place) / 0.1
        total += env.step(way / np.maximum(np.abs(way).max(axis=1), 1.0)[:, None] * (1 - 1e-9))[1]

    assert total.mean() == pytest.approx(13.23, abs=4 * total.std() / np.sqrt(1000))


def test_searching_where_one_has_not_been_beats_walking_the_same_way_again():
    search, walk, amnesic = (
        lived(name, SPARSE, 300).returns for name in ("arc_search", "arc_walk", "arc_search_amnesic")
    )

    assert search.mean() > walk.mean() + 5 > amnesic.mean() + 5


def test_reaching_the_goal_pays_in_that_step_and_the_next_one_carries_the_agent_off():
    env = point(TELEPORT, goal=(0.0, 1.0), place=(0.0, 0.75))

    obs, reward, terminated, truncated, info = env.step([0.0, 1.0])
    carried = env.step([1.0, 1.0])

    assert reward == 1.0 and obs[:2] == pytest.approx([0.0, 0.85]) and info["success"]
    assert not terminated and not truncated
    assert carried[0][2:4].tolist() == [0.0, 0.0]  # its action was not done
    assert np.hypot(*(carried[0][:2] - [0.0, 0.85])) > 1e-3
    assert carried[4]["trial"] == 1 and carried[4]["trial_steps"] == 1


def test_being_carried_into_the_goal_pays_again_and_the_lifetime_goes_on():
    env = point(TELEPORT, goal=(0.0, 0.5), goal_radius=5.0, steps=5)

    shown = [env.step([0.0, 0.0]) for _ in range(5)]

    assert [out[1] for out in shown] == [1.0] * 5
    assert [out[3] for out in shown] == [False] * 4 + [True]
    assert shown[-1][4]["goals"] == 5


def test_with_teleports_going_straight_brings_what_independent_simulation_found():
    # There the reward comes a step late, so that 99 of our steps are 100 of theirs.
    env = gym.make_vec(TELEPORT, num_envs=2000, split="test", steps=100)
    env.reset(options={"lifetimes": np.arange(2000)})
    task, goals = env.unwrapped.task, np.zeros(2000)

    for _ in range(99):
        way = (task.goal - task.place) / 0.1
        goals += env.step(way / np.maximum(np.abs(way).max(axis=1), 1.0)[:, None] * (1 - 1e-9))[1]

    assert goals.mean() == pytest.approx(12.5, abs=0.2)


def test_in_the_square_every_step_costs_its_distance_until_the_agent_has_arrived():
    env = point(SQUARE, goal=(0.2, 0.0), horizon=4)

    rewards = [env.step(action)[1] for action in ([1.0, 0.0], [0.95, 0.0], [-1.0, -1.0], [1.0, 1.0])]
    again = env.step([0.0, 1.0])

    # The second step ends 0.005 away, which is arrival: the rest of the episode is free and does not move.
    assert rewards == pytest.approx([-0.1, -0.005, 0.0, 0.0])
    assert again[1] == pytest.approx(-np.hypot(0.2, 0.1)) and again[4]["trial"] == 1


def test_the_least_cost_in_the_square_is_that_of_an_integral():
    axis = (np.arange(400) + 0.5) / 800
    left = [np.maximum(axis - 0.1 * t, 0.0) for t in range(1, 6)]
    exact = -sum(np.hypot(along[:, None], along).mean() for along in left)

    mean, error = by_episode(lived("oracle", SQUARE, 1000, horizon=10), 10)

    assert exact == pytest.approx(-0.50, abs=0.01)
    assert np.abs(mean - exact).max() < 4 * error.max()


def test_three_distances_fix_the_goal_and_later_episodes_cost_no_more_than_knowing_it():
    (first, *later), _ = by_episode(lived("trilaterate", SQUARE, 500), 100)
    (known, *_), _ = by_episode(lived("oracle", SQUARE, 500), 100)
    amnesic, _ = by_episode(lived("trilaterate_amnesic", SQUARE, 500), 100)

    assert later == pytest.approx([known, known], abs=0.01)
    assert first < known - 0.5
    assert amnesic == pytest.approx([first] * 3, abs=0.01)


def test_a_person_goes_where_arrows_or_the_mouse_point():
    env = point(SPARSE, goal=(0.0, 1.0))
    aim = _page(env.task, 0.5, 0.02)

    assert env.task.hand(0, Hand(held=frozenset(["left", "up"]))).tolist() == [-1.0, 1.0]
    assert env.task.hand(0, Hand(point=aim, pressed=True)).tolist() == pytest.approx([1.0, 0.2], abs=1e-6)
    assert env.task.hand(0, Hand(point=aim)).tolist() == [0.0, 0.0]


def test_nobody_leaves_the_room():
    env = point(SPARSE, goal=(0.0, 1.0), place=(1.95, 0.0))

    assert env.step([1.0, 0.0])[0][0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "advice"),
    [
        (SPARSE, {"horizon": 0}, "whole number of steps"),
        (SPARSE, {"goal_radius": -0.2}, "such as 0.2"),
        (TELEPORT, {"speed": 0.0}, "positive number"),
        (SQUARE, {"extent": 3.0}, "such as 0.5"),
    ],
)
def test_a_plane_that_cannot_be_is_refused(env_id, kwargs, advice):
    with pytest.raises(BadValue, match=advice):
        gym.make(env_id, **kwargs)


def test_a_room_without_room_for_the_first_places_is_refused():
    with pytest.raises(BadValue, match="Give 1 or more"):
        gym.make("LSNNPointRobotTeleport-v0", room=0.5)
