"""The mazes, played by hand, and their players against what must come out."""

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import classical
from lsnn_rl.agents.evaluate import live
from lsnn_rl.envs.canvas import GOAL
from lsnn_rl.envs.mazes import DOWN, LEFT, RIGHT, UP, Maze
from lsnn_rl.envs.mazes_view import _middle
from lsnn_rl.envs.task import Hand
from lsnn_rl.errors import BadValue


def maze(cell=(0, 0), goal=(2, 0), **kwargs):
    env = gym.make("LSNNMetaMaze-v0", **kwargs).unwrapped
    env.reset(seed=0)
    put(env, cell)
    env.task.goal[:] = env.task.maze.number[goal]
    return env


def put(env, cell):
    env.task.cell[:] = env.task.maze.number[cell]


def where(env):
    return tuple(env.task.maze.cells[env.task.cell[0]].tolist())


def t_maze(cue=UP, **kwargs):
    env = gym.make("LSNNTMaze-v0", **kwargs).unwrapped
    env.reset(seed=0)
    env.task.cue[:] = cue
    return env


def lived(name, env_id, lifetimes, split="test", **settings):
    env = gym.make_vec(env_id, num_envs=lifetimes, split=split, **settings)
    return live(classical(name, env_id, split=split, **settings), env, np.arange(lifetimes))


def test_walls_stand_where_row_and_column_are_odd_and_stop_the_agent():
    env = maze(cell=(0, 1), goal=(6, 6))

    walk = [(env.step(move), where(env))[1] for move in (DOWN, UP, RIGHT, DOWN, DOWN, LEFT, LEFT, LEFT)]

    # Below (0, 1) is the wall (1, 1), above is the edge; the way down leads through (0, 2).
    assert walk == [(0, 1), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (2, 0)]


def test_the_cells_around_are_seen_with_the_last_action_and_the_time():
    env = maze(cell=(0, 0), goal=(6, 6))

    obs = env.step(RIGHT)[0]

    # Around (0, 1): the edge above, free to both sides; below, the wall (1, 1) between two free cells.
    assert obs[:9].tolist() == [1, 1, 1, 0, 0, 0, 0, 1, 0]
    assert obs[9:13].tolist() == [0, 1, 0, 0]
    assert obs[13:].tolist() == pytest.approx([0.0, 1 / 200])


def test_entering_the_goal_pays_in_that_step_and_carries_the_agent_off_without_ending_anything():
    env = maze(cell=(0, 0), goal=(2, 0))

    _, nothing, *_ = env.step(DOWN)
    obs, reward, terminated, truncated, info = env.step(DOWN)
    after = env.step(UP)[4]

    assert (nothing, reward) == (0.0, 10.0)
    assert obs[13] == 10.0 and info["success"] and not terminated and not truncated
    assert (info["trial"], info["trial_steps"]) == (0, 2)
    assert (after["trial"], after["trial_steps"]) == (1, 1)


def test_being_put_into_the_goal_pays_nothing_and_ends_nothing():
    env = maze(cell=(0, 0), goal=(0, 0))

    bumped = env.step(UP)
    expert = env.expert()
    left, back = env.step(RIGHT), env.step(LEFT)

    assert [out[1] for out in (bumped, left, back)] == [0.0, 0.0, 10.0]
    assert not any(out[2] or out[3] for out in (bumped, left, back))
    assert expert in (RIGHT, DOWN)  # it leaves, to come back


@pytest.mark.parametrize("seed", range(3))
def test_a_teleport_may_land_in_the_goal_and_the_lifetime_goes_on(seed):
    # In the smallest maze one teleport in eight lands in the goal.
    env = maze(size=3, cell=(0, 0), goal=(0, 1))
    env.reset(seed=seed)
    landed, ended = 0, []
    for _ in range(199):
        _, reward, terminated, truncated, _ = env.step(env.expert())
        landed += reward > 0 and env.task.cell[0] == env.task.goal[0]
        ended.append(terminated or truncated)

    assert landed > 0
    assert not any(ended)


@pytest.mark.parametrize("size", [7, 9, 11])
def test_distances_are_those_of_a_search_by_hand(size):
    tabulated = Maze(size, 3)
    free = {tuple(cell) for cell in tabulated.cells.tolist()}
    assert len(free) == size**2 - (size // 2) ** 2

    for goal in list(free)[:: size * 2]:
        steps, edge = {goal: 0}, [goal]
        for r, c in edge:
            for beside in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                if beside in free and beside not in steps:
                    steps[beside] = steps[r, c] + 1
                    edge.append(beside)
        table = tabulated.distance[:, tabulated.number[goal]]
        assert {tuple(cell): d for cell, d in zip(tabulated.cells.tolist(), table.tolist(), strict=True)} == steps


@pytest.mark.parametrize(("size", "known"), [(7, 414.0), (9, 335.0), (11, 270.0)])
def test_knowing_the_goal_brings_what_independent_simulation_found(size, known):
    returns = lived("oracle", "LSNNMetaMaze-v0", 600, size=size).returns

    # The figures come from 400 lifetimes of their own, with the same spread.
    error = returns.std() * np.sqrt(1 / 600 + 1 / 400)
    assert abs(returns.mean() - known) < 3 * error


def test_the_searcher_of_the_maze_remembers_and_the_amnesic_one_does_not():
    oracle, search, amnesic, aimless = (
        lived(name, "LSNNMetaMaze-v0", 100).returns.mean() for name in ("oracle", "search", "search_amnesic", "random")
    )

    assert aimless < 30 < amnesic < 0.5 * search < 0.5 * oracle


def test_the_searcher_of_the_maze_never_rules_out_the_truth():
    env = gym.make_vec("LSNNMetaMaze-v0", num_envs=40)
    agent = classical("search", "LSNNMetaMaze-v0")
    obs, _ = env.reset(seed=0)
    state, starts, task, rows = agent.initial_state(40), np.ones(40, bool), env.unwrapped.task, np.arange(40)

    for _ in range(120):
        actions, state = agent.act(obs, state, starts)
        assert state["pairs"][rows, task.cell, task.goal].all()
        obs, *_ = env.step(actions)
        starts = np.zeros(40, bool)


def test_a_run_of_the_t_maze_shows_its_cue_at_the_beginning_only_and_pays_the_right_arm():
    env = t_maze(cue=DOWN, length=2)

    first = env.step(UP)[0]  # a wall: nothing moves
    on_the_way, at_junction = env.step(RIGHT)[0], env.step(RIGHT)[0]
    turned, reward, _, _, info = env.step(DOWN)

    assert first[:4].tolist() == [0, 1, 0, 0]
    assert on_the_way[:4].tolist() == [0, 0, 0, 0]
    assert at_junction[:4].tolist() == [0, 0, 1, 0]
    assert reward == 1.0 and info["success"] and info["trial_steps"] == 4
    assert turned[:2].sum() == 1 and turned[3] == 1.0 and turned[8] == 1.0  # the next run, the reward of the last


def test_the_wrong_arm_ends_the_run_without_pay():
    env = t_maze(cue=UP, length=1, steps=4)

    env.step(RIGHT)
    _, reward, _, _, wrong = env.step(DOWN)
    after = env.step(RIGHT)[4]
    env.task.cue[:] = UP
    end = env.step(UP)[4]

    assert reward == 0.0 and not wrong["success"] and wrong["trial"] == 0
    assert after["trial"] == 1 and after["trial_steps"] == 1
    assert end["runs"] == 2


def test_in_the_active_t_maze_the_cue_must_be_looked_for():
    env = t_maze(cue=UP, active=True, length=3)
    known = [env.task_known()]

    start = env.task.observe()[0]
    looked = env.step(LEFT)[0]
    known.append(env.task_known())

    assert start[:4].tolist() == [0, 0, 0, 1]
    assert looked[:4].tolist() == [1, 0, 0, 0]
    assert known == [False, True]


@pytest.mark.parametrize(("active", "steps"), [(False, 11), (True, 12)])
def test_one_run_is_won_by_who_remembers_and_half_of_the_time_by_who_does_not(active, steps):
    remembers, guesses = (
        lived(name, "LSNNTMaze-v0", 1000, active=active, steps=steps).goals.mean()
        for name in ("remember_cue", "guess_turn")
    )

    assert remembers == 1.0
    assert guesses == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("name", "active", "goals"),
    [("oracle", False, 18), ("remember_cue", False, 18), ("oracle", True, 20), ("remember_cue", True, 16)],
)
def test_lifetimes_of_many_runs_bring_as_many_as_fit(name, active, goals):
    # 200 steps; a run takes 11 of them, and if the cue must be looked for 12, or 10 for who knows it anyway.
    assert (lived(name, "LSNNTMaze-v0", 20, active=active).goals == goals).all()


@pytest.mark.parametrize(
    ("env_id", "kwargs", "advice"),
    [
        ("LSNNMetaMaze-v0", {"size": 8}, "7, 9 or 11"),
        ("LSNNMetaMaze-v0", {"view": 2}, "3 or 5"),
        ("LSNNMetaMaze-v0", {"reward": -1.0}, "such as 10"),
        ("LSNNTMaze-v0", {"length": 0}, "Give the steps"),
    ],
)
def test_a_maze_that_cannot_be_is_refused(env_id, kwargs, advice):
    with pytest.raises(BadValue, match=advice):
        gym.make(env_id, **kwargs)


@pytest.mark.parametrize("env_id", ["LSNNMetaMaze-v0", "LSNNTMaze-v0"])
def test_a_person_moves_by_a_cell_for_every_arrow_and_is_waited_for(env_id):
    task = gym.make(env_id).unwrapped.task

    pressed = [task.hand(0, Hand(tapped=frozenset([key]))) for key in ("up", "d", "down", "left", "space")]

    assert pressed == [UP, RIGHT, DOWN, LEFT, None]
    assert task.hand(0, Hand(held=frozenset(["up"]))) is None


def test_a_person_who_plays_sees_the_goal_only_when_entering_it():
    env = maze(cell=(2, 2), goal=(6, 6), render_mode="rgb_array")
    x, y = (round(part) + 25 for part in _middle(env.task, 6, 6))  # beside the path that leads into it

    def greenness():
        pixel = env.render()[y, x].astype(int)
        return pixel[1] - pixel[0] > 0.3 * (GOAL[1] - GOAL[0])

    shown = greenness()
    env.task.secret = True
    hidden = greenness()
    put(env, (6, 5))
    env.step(RIGHT)

    assert (shown, hidden) == (True, False)
    assert env.task.success[0] and greenness()
