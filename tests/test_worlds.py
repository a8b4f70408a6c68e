"""What every registered world promises, whatever its rules."""

import copy
import pickle
import random
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from lsnn_rl.envs.luck import Luck
from lsnn_rl.envs.references import reference_scores
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.splits import SPLITS, split_hash
from lsnn_rl.errors import BadValue, ShapeMismatch, UnknownName
from tests.playing import chooses, random_actions, rules_class

every_world = pytest.mark.parametrize("env_id", WORLDS)


def play(env, steps, seed=0):
    """Everything a single environment shows in `steps` random steps, resetting where a lifetime ends."""
    shown = []
    for action in random_actions(env.action_space, steps, seed=seed):
        obs, reward, terminated, truncated, info = env.step(action)
        shown.append((obs.tolist(), reward, terminated, truncated, info))
        if truncated:
            shown.append(env.reset()[0].tolist())
    return shown


def made(env_id, seed=0, **kwargs):
    env = gym.make(env_id, **kwargs).unwrapped
    env.reset(seed=seed)
    return env


@every_world
def test_both_checkers_of_the_field_are_silent(env_id):
    env = gym.make(env_id, render_mode="rgb_array")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*not a valid render mode.*")
        gymnasium_check(env.unwrapped)
        sb3_check(env)

    assert env.spec.max_episode_steps is None


def test_importing_the_package_loads_neither_torch_nor_pygame():
    code = (
        "import sys, lsnn_rl, lsnn_rl.envs.lifetime, lsnn_rl.envs.arena; print({'torch', 'pygame'} & set(sys.modules))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "set()"


@every_world
def test_a_spawned_process_plays_the_same_lifetime(env_id):
    here = gym.make_vec(env_id, num_envs=1, autoreset_mode="SameStep")
    there = gym.vector.AsyncVectorEnv(
        [lambda: gym.make(f"lsnn_rl:{env_id}")], context="spawn", autoreset_mode=gym.vector.AutoresetMode.SAME_STEP
    )
    actions = random_actions(here.single_action_space, 30, slots=1)

    first, far = here.reset(seed=3)[0], there.reset(seed=3)[0]
    near, away = [here.step(a)[0] for a in actions], [there.step(a)[0] for a in actions]
    there.close()

    assert np.array_equal(first, far) and np.array_equal(near, away)


@every_world
def test_the_same_seed_gives_the_same_lifetimes_and_another_seed_others(env_id):
    envs = [made(env_id, seed, steps=40) for seed in (5, 5, 6)]

    # What is seen, and the hidden task, which random actions need not find.
    one, two, other = ((env.task_vector().tolist(), play(env, 100)) for env in envs)

    assert one == two
    assert one != other


@every_world
def test_two_environments_played_in_turns_show_what_each_shows_alone(env_id):
    alone = play(made(env_id, 1, steps=20), 60)

    env, neighbour, together = made(env_id, 1, steps=20), made(env_id, 2, steps=20), []
    others = random_actions(env.action_space, 60, seed=1)
    for action, other in zip(random_actions(env.action_space, 60), others, strict=True):
        together.extend(play_one(env, action))
        play_one(neighbour, other)

    assert together == alone


def play_one(env, action):
    obs, reward, terminated, truncated, info = env.step(action)
    shown = [(obs.tolist(), reward, terminated, truncated, info)]
    return [*shown, env.reset()[0].tolist()] if truncated else shown


@every_world
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_lives_on_exactly_as_the_original(env_id, clone):
    env = made(env_id, steps=50)
    play(env, 30)

    double = clone(env)

    assert play(double, 100, seed=1) == play(env, 100, seed=1)


@every_world
def test_a_saved_state_is_resumed_exactly_by_a_fresh_environment(env_id):
    env = gym.make_vec(env_id, num_envs=5, max_episode_steps=40)
    env.reset(seed=0)
    actions = random_actions(env.single_action_space, 130, slots=5)
    for action in actions[:65]:
        env.step(action)
    saved = pickle.loads(pickle.dumps(env.get_state()))
    rest = [env.step(action)[:4] for action in actions[65:]]

    fresh = gym.make_vec(env_id, num_envs=5, max_episode_steps=40)
    fresh.set_state(saved)
    again = [fresh.step(action)[:4] for action in actions[65:]]

    assert all(
        np.array_equal(x, y) for old, new in zip(rest, again, strict=True) for x, y in zip(old, new, strict=True)
    )


@every_world
def test_the_global_random_generators_are_left_alone(env_id):
    def peek():
        return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = peek()

    play(made(env_id, None, steps=20), 50)

    assert peek() == before


@every_world
def test_what_was_returned_can_be_overwritten_without_harm(env_id):
    clean = play(made(env_id, steps=25), 60)

    env, shown = made(env_id, steps=25), []
    for action in random_actions(env.action_space, 60):
        action = np.array(action)
        obs, reward, terminated, truncated, info = env.step(action)
        shown.append((obs.tolist(), reward, terminated, truncated, dict(info)))
        obs[:], action[...] = 9.0, 9.0
        info.clear()
        env.task_vector()[:] = 9.0
        if truncated:
            shown.append(env.reset()[0].tolist())

    assert shown == clean


@pytest.mark.parametrize("env_id", [env_id for env_id in WORLDS if not chooses(env_id)])
def test_actions_that_are_no_numbers_are_refused_with_advice(env_id):
    env, envs = made(env_id), gym.make_vec(env_id, num_envs=3)
    envs.reset(seed=0)
    good = random_actions(envs.single_action_space, 1, slots=3)[0]
    bad = good.copy()
    bad[2] = np.nan

    with pytest.raises(BadValue, match="Look for NaN in the agent"):
        env.step(bad[2])
    with pytest.raises(BadValue, match=r"slot 2 is \[nan.*Look for NaN"):
        envs.step(bad)
    with pytest.raises(ShapeMismatch, match="Give one action of shape"):
        env.step(good)
    with pytest.raises(ShapeMismatch, match="plays 3 lifetime"):
        envs.step(good[:2])


@pytest.mark.parametrize(
    "env_id", [env_id for env_id in WORLDS if not chooses(env_id) and not rules_class(env_id).clips]
)
def test_numbers_outside_the_action_space_are_refused_where_no_rule_deals_with_them(env_id):
    env = made(env_id)

    with pytest.raises(BadValue, match="Clip it"):
        env.step(env.action_space.high + 1.0)


@pytest.mark.parametrize("env_id", [env_id for env_id in WORLDS if chooses(env_id)])
def test_choices_that_are_not_offered_are_refused_with_advice(env_id):
    env, envs = made(env_id), gym.make_vec(env_id, num_envs=3)
    envs.reset(seed=0)

    with pytest.raises(BadValue, match="Give whole numbers from 0"):
        env.step(env.action_space.n)
    with pytest.raises(BadValue, match="Give whole numbers from 0"):
        envs.step(np.array([0, -1, 0]))
    with pytest.raises(BadValue, match="Give whole numbers from 0"):
        envs.step(np.array([0.0, np.nan, 0.0]))
    with pytest.raises(ShapeMismatch, match="plays 3 lifetime"):
        envs.step(np.array([0, 0]))


@every_world
def test_a_lifetime_ends_by_truncation_and_then_wants_a_reset(env_id):
    env = made(env_id, steps=7)
    actions = random_actions(env.action_space, 8)

    shown = [env.step(action)[2:4] for action in actions[:7]]

    assert shown == [(False, False)] * 6 + [(False, True)]
    with pytest.raises(BadValue, match=r"Call reset\(\) first"):
        env.step(actions[7])


@pytest.mark.parametrize("env_id", [env_id for env_id in WORLDS if not rules_class(env_id).restless])
def test_the_task_stays_for_a_lifetime(env_id):
    env = made(env_id, steps=50)
    born_with = env.task_vector()

    play(env, 49)

    assert np.array_equal(env.task_vector(), born_with)


@every_world
def test_the_task_changes_with_the_lifetime(env_id):
    envs = gym.make_vec(env_id, num_envs=40)
    envs.reset(seed=0)

    assert len({task.tobytes() for task in envs.task_vector()}) > 1


@every_world
def test_the_expert_acts_within_the_action_space_at_any_age(env_id):
    envs = gym.make_vec(env_id, num_envs=4, steps=30, autoreset_mode="SameStep")
    envs.reset(seed=0)

    for action in random_actions(envs.single_action_space, 65, slots=4):
        wishes = envs.expert()
        assert all(envs.single_action_space.contains(wish) for wish in wishes)
        envs.step(np.where(np.arange(4).reshape(-1, *[1] * (action.ndim - 1)) < 2, wishes, action))


@every_world
def test_the_answer_is_in_the_info_only_when_asked_for(env_id):
    plain, privileged = made(env_id), made(env_id, privileged=True)
    action = random_actions(plain.action_space, 1)[0]

    assert set(plain.step(action)[4]) == {"trial", "trial_steps", "success"}
    assert set(privileged.step(action)[4]) == {"trial", "trial_steps", "success", "privileged"}


@every_world
def test_train_test_and_ood_lifetimes_never_meet(env_id):
    met = {}
    for split in SPLITS:
        envs = gym.make_vec(env_id, num_envs=5000, split=split)
        met[split] = set()
        for dealt in ({"seed": 0}, {"options": {"lifetimes": np.arange(5000)}}):
            envs.reset(**dealt)
            # Few worlds have endlessly many tasks, but no two lifetimes share task and luck.
            luck = envs.task.luck.take(np.arange(5000), 2)
            met[split] |= {a.tobytes() + b.tobytes() for a, b in zip(envs.task_vector(), luck, strict=True)}

    assert all(len(lifetimes) == 10_000 for lifetimes in met.values())
    assert not met["train"] & met["test"]
    assert not met["train"] & met["test-ood"]
    assert not met["test"] & met["test-ood"]
    assert len({split_hash(split) for split in SPLITS}) == 3


@every_world
def test_a_numbered_lifetime_is_the_same_in_any_slot_of_any_environment(env_id):
    many = gym.make_vec(env_id, num_envs=40, split="test")
    many.reset(seed=1)
    first = many.reset(options={"lifetimes": np.arange(40)})[0]
    one = gym.make(env_id, split="test")

    obs, _ = one.reset(seed=9, options={"lifetimes": 17})

    assert np.array_equal(obs, first[17])
    assert np.array_equal(one.unwrapped.task_vector(), many.task_vector()[17])


@every_world
def test_known_scores_lie_in_their_natural_order_and_only_where_they_were_measured(env_id):
    scores = reference_scores(env_id)
    noise = 0.05 * (scores["oracle"] - scores["random"])  # agents of equal skill, drawing differently

    assert scores["random"] < scores["oracle"] and scores["amnesic"] < scores["best_known"]
    assert scores["random"] <= scores["amnesic"] + noise and scores["best_known"] <= scores["oracle"] + noise
    assert reference_scores(env_id, render_mode="human") == scores
    assert reference_scores(env_id, steps=17) is None


@every_world
@pytest.mark.parametrize(
    ("kwargs", "advice"),
    [
        ({"split": "tset"}, "Did you mean 'test'"),
        ({"stepps": 3}, "Did you mean 'steps'"),
        ({"steps": 0}, "whole number of steps above zero"),
    ],
)
def test_settings_that_make_no_sense_are_answered_with_what_to_write(env_id, kwargs, advice):
    with pytest.raises((UnknownName, BadValue), match=advice):
        gym.make(env_id, **kwargs)


@every_world
def test_reset_options_are_checked(env_id):
    envs = gym.make_vec(env_id, num_envs=4)

    with pytest.raises(UnknownName, match="Did you mean 'lifetimes'"):
        envs.reset(options={"lifetime": np.arange(4)})
    with pytest.raises(ShapeMismatch, match="Give one whole number per slot"):
        envs.reset(options={"lifetimes": np.arange(3)})
    with pytest.raises(BadValue, match="Give whole numbers, 0 to "):
        envs.reset(options={"ages": np.full(4, envs.task.steps)})
    with pytest.raises(ShapeMismatch, match="Give one seed each"):
        envs.reset(seed=[1, 2])


@every_world
def test_its_specification_can_be_written_down_as_json(env_id):
    spec = gym.make(env_id, steps=30).spec

    env = gym.make(type(spec).from_json(spec.to_json()))

    assert env.unwrapped.task.steps == 30


def test_luck_is_one_stream_per_slot_however_it_is_taken():
    stream = np.random.default_rng(4).random(1000)
    luck = Luck(3, block=16)
    for slot in range(3):
        luck.deal(slot, np.random.default_rng(4 if slot == 1 else slot))

    taken = [luck.take(np.array([1]), count).ravel() for count in (1, 7, 16, 3, 40, 2, 100)]
    luck.take(np.array([0, 2]), 9)
    taken.append(luck.take(np.array([2, 1]), 30)[1])

    assert np.array_equal(np.concatenate(taken), stream[:199])


def test_held_luck_may_be_looked_at_but_is_not_used_up():
    luck = Luck(2)
    for slot in range(2):
        luck.deal(slot, np.random.default_rng(slot))
    both = np.array([0, 1])

    luck.held = np.array([True, False])
    peeked = luck.take(both, 300)
    luck.held = None
    taken = luck.take(both, 300)

    assert np.array_equal(peeked[0], taken[0])
    assert not np.array_equal(peeked[1], taken[1])


@pytest.mark.parametrize("steps", [0, 2.5, "a"])
def test_the_length_of_a_lifetime_is_a_whole_number(steps):
    with pytest.raises(BadValue, match="Give a whole number of steps above zero"):
        gym.make("LSNNArena-v0", steps=steps)
