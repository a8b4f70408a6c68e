"""The arena's rules, played by hand."""

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import classical
from lsnn_rl.errors import BadValue, UnknownName


def arena(place=(0.0, 0.0), goal=(0.85, 0.0), env_id="LSNNArena-v0", **kwargs):
    """A single arena with agent and goal put where the test wants them."""
    env = gym.make(env_id, **kwargs).unwrapped
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


def reversal(second=(-0.85, 0.0), **kwargs):
    env = arena(env_id="LSNNArenaReversal-v0", **kwargs)
    env.task.old_goal[:], env.task.new_goal[:] = env.task.goal, second
    return env


def test_half_way_the_goal_moves_before_the_step_and_the_old_place_pays_no_more():
    env = reversal(place=(0.85, 0.0), steps=6)

    shown = []
    for _ in range(6):  # stands where the old goal was
        env.task.place[:] = (0.85, 0.0)
        env.task.success[:] = False  # as if never carried off
        shown.append((env.task.goal[0, 0], env.step([0.0, 0.0])[1]))

    # What the goal was before each step, and what the step paid.
    assert shown == [(0.85, 1.0), (0.85, 1.0), (0.85, 1.0), (0.85, 0.0), (-0.85, 0.0), (-0.85, 0.0)]


def test_the_end_of_a_reversal_tells_how_long_the_old_goal_was_clung_to():
    env = reversal(place=(0.56, 0.0), steps=20, reversal=0.25, speed=0.1, teleport="same_step")
    places = {5: (0.56, 0.0), 6: (0.56, 0.0), 9: (0.56, 0.0), 10: (0.0, 0.0), 13: (-0.54, 0.0), 15: (0.85, 0.0)}

    for t in range(20):
        env.task.place[:] = places.get(t, (0.0, 0.9))
        info = env.step([-0.2, 0.0] if t == 13 else [0.0, 0.0])[4]

    # After the move at age 5: at the old goal in steps 1, 2 and 5, at the new one in step 9; when it comes by the old
    # place later, that does not count any more.
    assert {name: info[name] for name in ("goals_before", "abandoned_after", "second_find", "goals")} == {
        "goals_before": 0,
        "abandoned_after": 5,
        "second_find": 9,
        "goals": 1,
    }


def test_a_goal_that_moves_moves_to_where_its_disc_does_not_overlap_the_old_one():
    envs = gym.make_vec("LSNNArenaReversal-v0", num_envs=5000)
    envs.reset(seed=0)

    apart = np.hypot(*(envs.task.new_goal - envs.task.old_goal).T)

    # On the ring, chords from twice the goal's radius to the ring's diameter; uniform in angle between them.
    assert apart.min() > 0.6 and apart.max() < 1.7 + 1e-9
    least = 2 * np.arcsin(0.6 / 1.7)
    angle = 2 * np.arcsin(np.minimum(apart / 1.7, 1.0))
    assert angle.mean() == pytest.approx((least + np.pi) / 2, abs=0.03)


def test_after_a_reversal_the_task_is_unknown_again_until_the_new_goal_is_met():
    env = reversal(place=(0.54, 0.0), steps=4)

    known = []
    for t in range(4):
        if t == 3:
            env.task.place[:] = (-0.85, 0.0)
        env.step([1.0, 0.0] if t == 0 else [0.0, 0.0])
        known.append(env.task_known())

    assert known == [True, True, False, True]
    assert env.task_vector() == pytest.approx([-0.85, 0.0])


def test_during_the_pause_after_the_first_hit_nothing_moves_pays_or_is_seen():
    env = arena(place=(0.54, 0.0), env_id="LSNNArenaDelay-v0", delay=3, goal_radius=0.3)

    hit = env.step([1.0, 0.0])
    first = env.step([1.0, 0.0])
    held_at = env.task.place[0].copy()
    env.task.place[:] = env.task.goal  # even in the goal, the pause pays nothing
    rest = [env.step([-1.0, 0.5]) for _ in range(2)]
    env.task.place[:] = held_at
    after = env.step([0.0, 0.5])

    assert hit[1] == 1.0 and hit[0].tolist() == pytest.approx([0.56, 0.0, 1.0, 0.0, 1.0, 0.0])
    assert [np.count_nonzero(out[0]) for out in (first, *rest)] == [0, 0, 0]
    assert [out[1] for out in (first, *rest)] == [0.0] * 3
    assert after[0][:4] == pytest.approx([*(held_at + np.array([0.0, 0.01])), 0.0, 0.5])


def test_the_end_of_a_delay_tells_how_straight_the_way_back_was():
    env = arena(place=(0.54, 0.0), env_id="LSNNArenaDelay-v0", delay=2, steps=30)
    env.step([1.0, 0.0])
    env.step([0.0, 0.0])
    env.task.place[:] = (0.451, 0.0)  # 0.099 from the goal disc: 5 steps of 0.02
    env.step([0.0, 0.0])

    for _ in range(3):
        env.step([0.0, 0.0])  # three steps lost
    for _ in range(24):
        info = env.step([1.0, 0.0])[4]

    assert info["retention_shortest"] == 5
    assert info["retention_steps"] == 8


def test_an_arena_with_a_delay_of_zero_is_the_plain_arena_bit_for_bit():
    settings = {"goal_radius": 0.5, "speed": 0.1, "steps": 50}
    plain, delayed = (
        gym.make_vec(env_id, num_envs=8, **extra, **settings)
        for env_id, extra in (("LSNNArena-v0", {}), ("LSNNArenaDelay-v0", {"delay": 0}))
    )
    actions = np.random.default_rng(0).uniform(-1, 1, (120, 8, 2))

    assert np.array_equal(plain.reset(seed=0)[0], delayed.reset(seed=0)[0])
    for action in actions:
        assert all(np.array_equal(a, b) for a, b in zip(plain.step(action)[:4], delayed.step(action)[:4], strict=True))


def lived(env_id, name, lifetimes=60, **settings):
    """The summaries of test lifetimes lived by a classical agent, arrays [lifetimes]."""
    env = gym.make_vec(env_id, num_envs=lifetimes, split="test", **settings)
    agent = classical(name, env_id, split="test", **settings)
    obs, _ = env.reset(options={"lifetimes": np.arange(lifetimes)})
    state, starts = agent.initial_state(lifetimes), np.ones(lifetimes, bool)
    for _ in range(env.unwrapped.task.steps):
        actions, state = agent.act(obs, state, starts)
        starts = np.zeros(lifetimes, bool)
        obs, *_, infos = env.step(actions)
    return infos


def test_a_searcher_that_remembers_gives_up_a_goal_that_has_moved_and_finds_the_new_one():
    infos = lived("LSNNArenaReversal-v0", "sweep_remember", steps=1000)

    assert (infos["second_find"] > 0).mean() > 0.9
    assert np.median(infos["abandoned_after"]) < 60
    # Within a lap (2 pi 0.58 / 0.02 = 182 steps) and the way to it.
    assert np.median(infos["second_find"]) < 182 + 60


def test_a_searcher_that_remembers_goes_straight_back_after_the_pause():
    infos = lived("LSNNArenaDelay-v0", "sweep_remember", steps=1000, delay=200)
    asked = infos["retention_steps"] > 0

    # Its first step is blind, and what it remembers is a patch, not a point.
    assert asked.mean() > 0.9
    assert np.median((infos["retention_steps"] - infos["retention_shortest"])[asked]) <= 3


def test_variants_of_the_arena_refuse_what_cannot_be_and_know_their_parents_settings():
    with pytest.raises(BadValue, match="above 0, up to 1"):
        arena(env_id="LSNNArenaReversal-v0", reversal=1.5)
    with pytest.raises(BadValue, match="0 for none"):
        arena(env_id="LSNNArenaDelay-v0", delay=-1)
    with pytest.raises(UnknownName, match="Did you mean 'goal_radius'"):
        arena(env_id="LSNNArenaDelay-v0", goalradius=0.1)
    assert arena(env_id="LSNNArenaDelay-v0", ring=None).task.ring is None
