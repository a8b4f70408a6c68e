"""The native vector environment against Gymnasium's own vectorisation of the single one."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from lsnn_rl.envs.lifetime import LifetimeEnv
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.task import LifetimeTask
from lsnn_rl.envs.vector import LifetimeVectorEnv
from lsnn_rl.errors import BadValue, ShapeMismatch
from tests.playing import random_actions

every_world = pytest.mark.parametrize("env_id", WORLDS)
N, STEPS = 6, 40
# Settings under which much happens within a few steps.
LIVELY = {
    "lsnn_rl.envs.arena:Arena": [
        {"goal_radius": 0.5, "speed": 0.2, "teleport": way} for way in ("next_step", "same_step")
    ],
    "lsnn_rl.envs.arena_variants:ArenaReversal": [{"goal_radius": 0.5, "speed": 0.2}],
    "lsnn_rl.envs.arena_variants:ArenaDelay": [{"goal_radius": 0.5, "speed": 0.2, "delay": 4}],
    "lsnn_rl.envs.navigation:PointRobotSparse": [{"horizon": 7, "goal_radius": 0.95}],
    "lsnn_rl.envs.navigation:PointRobotTeleport": [{"goal_radius": 0.6}],
    "lsnn_rl.envs.mazes:MetaMaze": [{"size": 3}],
    "lsnn_rl.envs.mazes:TMaze": [{"length": 1}, {"length": 1, "active": True}],
    "lsnn_rl.envs.navigation:Navigation2D": [{"horizon": 7, "close": 0.2}],
}
EVERY_WAY = [(env_id, settings) for env_id, (task, _) in WORLDS.items() for settings in LIVELY.get(task, [{}])]


def pair(env_id, mode, **kwargs):
    """Our vector environment and Gymnasium's over the single face, with the same settings."""
    ours = gym.make_vec(env_id, num_envs=N, autoreset_mode=mode, steps=STEPS, **kwargs)
    makers = [lambda: gym.make(env_id, steps=STEPS, **kwargs).unwrapped] * N
    return ours, SyncVectorEnv(makers, autoreset_mode=mode)


def same(ours, theirs):
    """Equal, through nested infos; where a mask says that a value is absent, its filler does not matter."""
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        if isinstance(value, dict):
            same(value, theirs[name])
        elif name == "final_obs":
            assert all(
                (a is None and b is None) or np.array_equal(a, b) for a, b in zip(value, theirs[name], strict=True)
            )
        else:
            here = ours.get(f"_{name}", slice(None))
            assert np.array_equal(value[here], theirs[name][here]), name


@pytest.mark.parametrize(("env_id", "settings"), EVERY_WAY)
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_every_step_equals_that_of_single_environments_side_by_side(env_id, settings, mode):
    ours, theirs = pair(env_id, mode, privileged=True, **settings)
    ages = [0, 5, 39, 12, 0, 20]
    actions = random_actions(ours.single_action_space, 4 * STEPS, slots=N, seed=1)

    first, first_infos = ours.reset(seed=11, options={"ages": ages})
    their_obs, their_infos = zip(
        *(env.reset(seed=11 + i, options={"ages": ages[i]}) for i, env in enumerate(theirs.envs)), strict=True
    )

    assert np.array_equal(first, their_obs)
    assert first_infos["trial"].tolist() == [info["trial"] for info in their_infos]
    rewards, trials = set(), 0
    for action in actions:
        obs, reward, terminated, truncated, infos = ours.step(action)
        obs2, reward2, terminated2, truncated2, infos2 = theirs.step(action)
        assert np.array_equal(obs, obs2) and np.array_equal(reward, reward2)
        assert np.array_equal(terminated, terminated2) and np.array_equal(truncated, truncated2)
        same(infos, infos2)
        rewards, trials = rewards | set(reward), max(trials, infos["trial"].max())
    assert len(rewards) > 1 and trials > 0


@every_world
def test_slots_put_by_hand_to_a_new_lifetime_leave_their_neighbours_alone(env_id):
    ours, theirs = pair(env_id, AutoresetMode.DISABLED)
    mask = np.array([True, False, False, True, False, False])
    actions = random_actions(ours.single_action_space, 20, slots=N, seed=2)
    ours.reset(seed=0)
    theirs.reset(seed=0)
    for action in actions[:10]:
        ours.step(action)
        theirs.step(action)

    obs, infos = ours.reset(options={"reset_mask": mask})
    obs2, infos2 = theirs.reset(options={"reset_mask": mask.copy()})

    assert np.array_equal(obs, obs2)
    same(infos, infos2)
    for action in actions[10:]:
        assert np.array_equal(ours.step(action)[0], theirs.step(action)[0])
    assert ours.lifetime_age.tolist() == [10, 20, 20, 10, 20, 20]


def test_stepping_over_the_end_without_autoreset_is_refused():
    env = gym.make_vec("LSNNArena-v0", num_envs=2, max_episode_steps=3, autoreset_mode="Disabled")
    env.reset(seed=0)
    for _ in range(3):
        env.step(np.zeros((2, 2)))

    with pytest.raises(BadValue, match="reset_mask"):
        env.step(np.zeros((2, 2)))


def test_the_action_of_a_slot_that_begins_anew_is_ignored_even_if_it_is_no_number():
    env = gym.make_vec("LSNNArena-v0", num_envs=2, steps=3)
    env.reset(seed=0, options={"ages": [0, 2]})
    env.step(np.zeros((2, 2)))

    obs, reward, _, truncated, infos = env.step(np.array([[0.0, 0.0], [np.nan, np.nan]]))

    assert np.isfinite(obs).all()
    assert reward[1] == 0.0 and not truncated[1] and infos["trial_steps"].tolist() == [2, 0]


def test_lifetimes_begun_at_an_age_are_shorter_by_it_and_the_next_are_whole():
    env = gym.make_vec("LSNNArena-v0", num_envs=3, steps=10, autoreset_mode="SameStep")
    env.reset(seed=0, options={"ages": [0, 4, 9]})

    ends = [np.flatnonzero(env.step(np.zeros((3, 2)))[3]).tolist() for _ in range(20)]

    assert [t + 1 for t, slots in enumerate(ends) if 0 in slots] == [10, 20]
    assert [t + 1 for t, slots in enumerate(ends) if 1 in slots] == [6, 16]
    assert [t + 1 for t, slots in enumerate(ends) if 2 in slots] == [1, 11]


def test_gymnasium_hands_over_the_number_of_slots_the_length_and_the_mode():
    env = gym.make_vec("LSNNArenaDisc-v0", num_envs=7, max_episode_steps=12, autoreset_mode="SameStep")

    assert env.num_envs == 7 and env.task.steps == 12
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert env.observation_space.shape == (7, 6) and env.action_space.shape == (7, 2)


def test_one_seed_per_slot_may_be_given():
    env = gym.make_vec("LSNNArena-v0", num_envs=3)

    by_list, by_number = env.reset(seed=[8, 9, 10])[0], env.reset(seed=8)[0]

    assert np.array_equal(by_list, by_number)


def test_arrays_returned_by_two_steps_share_no_memory():
    env = gym.make_vec("LSNNArena-v0", num_envs=4, privileged=True)
    env.reset(seed=0)

    first, second = (env.step(np.zeros((4, 2))) for _ in range(2))

    arrays, later = ([*out[:4], *out[4].values(), out[4]["privileged"]["goal"]] for out in (first, second))
    kept = list(vars(env.task).values())
    for x in (a for a in arrays if isinstance(a, np.ndarray)):
        assert not any(np.shares_memory(x, y) for y in later + kept if isinstance(y, np.ndarray))


def test_stepping_before_the_first_reset_is_answered_with_advice():
    env = gym.make_vec("LSNNArena-v0", num_envs=2)

    with pytest.raises(BadValue, match=r"Call reset\(\) first"):
        env.step(np.zeros((2, 2)))


def test_a_mask_of_the_wrong_kind_and_a_window_for_many_are_refused():
    env = gym.make_vec("LSNNArena-v0", num_envs=2)

    with pytest.raises(ShapeMismatch, match="array of 2 booleans"):
        env.reset(options={"reset_mask": [1, 0]})
    with pytest.raises(BadValue, match="False everywhere"):
        env.reset(options={"reset_mask": np.zeros(2, bool)})
    with pytest.raises(BadValue, match=r'render_mode="rgb_array" here'):
        gym.make_vec("LSNNArena-v0", num_envs=2, render_mode="human")


class Coin(LifetimeTask):
    """The smallest world: a coin with a hidden bias is tossed; call it right and be paid."""

    memory = (*LifetimeTask.memory, "bias", "toss")
    observation_space = gym.spaces.Box(0.0, 1.0, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, slots=1, *, steps=10):
        super().__init__(slots, steps)
        self.bias, self.toss = np.zeros(slots), np.zeros(slots, np.int64)

    def begin(self, rows):
        super().begin(rows)
        self.bias[rows] = self.luck.take(rows, 1)[:, 0]
        self.toss[rows] = 0

    def step(self, actions):
        if self.age.any():
            self.next_trial(self.every)
        self.toss = (self.luck.take(self.every, 1)[:, 0] < self.bias).astype(np.int64)
        self.success = self.toss == actions
        return self.success.astype(np.float64)

    def observe(self):
        return np.stack([self.toss, self.success], axis=1).astype(np.float32)

    def task_vector(self):
        return self.bias[:, None].astype(np.float32)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_new_world_is_one_class_and_has_both_faces(mode):
    ours = LifetimeVectorEnv(Coin, num_envs=N, autoreset_mode=mode, privileged=True)
    theirs = SyncVectorEnv([lambda: LifetimeEnv(Coin, privileged=True)] * N, autoreset_mode=mode)
    actions = np.random.default_rng(0).integers(2, size=(60, N))

    first, first2 = ours.reset(seed=4), theirs.reset(seed=4)

    assert np.array_equal(first[0], first2[0])
    for action in actions:
        out, out2 = ours.step(action), theirs.step(action)
        assert all(np.array_equal(a, b) for a, b in zip(out[:4], out2[:4], strict=True))
        same(out[4], out2[4])


@pytest.mark.parametrize("actions", [[0, 2], [0, -1], [0.0, 1.0]])
def test_choices_that_are_not_offered_are_refused(actions):
    env = LifetimeVectorEnv(Coin, num_envs=2)
    env.reset(seed=0)

    with pytest.raises(BadValue, match="Give whole numbers from 0 to 1"):
        env.step(np.array(actions))


def test_a_world_whose_expert_nobody_wrote_is_evaluated_all_the_same():
    from lsnn_rl import evaluate, register_world
    from lsnn_rl.envs.registration import WORLDS

    register_world("Coin-v0", Coin)
    try:
        card = evaluate("random", "Coin-v0", lifetimes=200)
    finally:
        WORLDS.pop("Coin-v0")
        gym.registry.pop("Coin-v0")

    assert card["env_hash"] and card["references"] is None
    assert card["score"]["mean"] == pytest.approx(5, abs=0.4)  # ten tosses of a coin, called at random


def test_nothing_is_drawn_before_the_first_reset():
    with pytest.raises(BadValue, match=r"Call reset\(\) first"):
        gym.make_vec("LSNNArena-v0", 2, render_mode="rgb_array").render()
