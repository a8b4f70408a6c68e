"""The bridge tells Stable-Baselines3 what Gymnasium's vector environments say, slot by slot, word for word."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from lsnn_rl.agents.vec_bridge import SB3VecEnv, answers, ask, make_env, stagger
from lsnn_rl.errors import BadValue, UnknownName


class Countdown(gym.Env):
    """Shows how many steps it has made; terminates after 3 if the action was 1, is truncated after 4."""

    observation_space, action_space = spaces.Box(0, 9, (1,), np.float32), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._look(), {"fresh": True}

    def step(self, action):
        self.steps += 1
        info = {"success": self.steps == 2, "steps": self.steps}
        return self._look(), float(self.steps), self.steps == 3 and action == 1, self.steps == 4, info

    def _look(self):
        return np.array([self.steps], np.float32)


def countdowns(n=2, mode=AutoresetMode.SAME_STEP):
    return SB3VecEnv(SyncVectorEnv([Countdown] * n, autoreset_mode=mode))


def arena(n=4, **options):
    return make_env("LSNNArena-v0", n, **{"steps": 12, **options})


def test_a_lifetime_that_ends_shows_its_last_observation_and_the_first_of_the_next():
    env = countdowns()
    env.reset()
    for _ in range(2):
        env.step(np.array([0, 1]))

    obs, rewards, dones, infos = env.step(np.array([0, 1]))

    assert dones.tolist() == [False, True]
    assert obs[:, 0].tolist() == [3.0, 0.0]
    assert rewards.tolist() == [3.0, 3.0]
    assert infos[1]["terminal_observation"].tolist() == [3.0]
    assert infos[1]["steps"] == 3
    assert env.reset_infos[1] == {"fresh": True}


def test_a_lifetime_that_was_cut_off_is_told_from_one_that_ended():
    env = countdowns()
    env.reset()
    ends = [env.step(np.array([0, 1])) for _ in range(4)]

    assert ends[2][3][1]["TimeLimit.truncated"] is False
    assert ends[3][3][0]["TimeLimit.truncated"] is True


def test_return_length_and_successes_of_a_lifetime_are_counted():
    env = countdowns()
    env.reset()
    ends = [env.step(np.array([0, 1])) for _ in range(4)]

    assert (ends[2][3][1]["episode"]["r"], ends[2][3][1]["episode"]["l"]) == (6.0, 3)
    assert (ends[3][3][0]["episode"]["r"], ends[3][3][0]["episode"]["l"]) == (10.0, 4)
    assert ends[3][3][0]["goals"] == 1


def test_infos_are_separate_dicts_of_plain_numbers():
    env = countdowns()
    env.reset()

    _, _, _, infos = env.step(np.array([0, 0]))
    infos[0]["mine"] = 1

    assert "mine" not in infos[1]
    assert type(infos[0]["steps"]) is int and type(infos[0]["success"]) is bool


def test_an_environment_that_resets_one_step_later_is_refused_with_the_way_out():
    with pytest.raises(BadValue, match="NEXT_STEP.*SAME_STEP"):
        countdowns(mode=AutoresetMode.NEXT_STEP)


def test_the_native_arena_lives_the_same_lifetimes_as_a_list_of_single_ones():
    native, single = arena(3), make_vec_env("LSNNArena-v0", 3, env_kwargs={"steps": 12})
    luck = np.random.default_rng(0)
    for env in (native, single):
        env.seed(7)
    np.testing.assert_array_equal(native.reset(), single.reset())

    for _ in range(30):
        actions = luck.uniform(-1, 1, (3, 2)).astype(np.float32)
        ours, theirs = native.step(actions), single.step(actions)
        for a, b in zip(ours[:3], theirs[:3], strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(ours[3], theirs[3], strict=True):
            np.testing.assert_array_equal(a.get("terminal_observation", 0), b.get("terminal_observation", 0))
            assert a.get("TimeLimit.truncated", False) == b.get("TimeLimit.truncated", False)
            assert a.get("episode", {}).get("l") == b.get("episode", {}).get("l")
            assert a.get("episode", {}).get("r", 0) == pytest.approx(b.get("episode", {}).get("r", 0), abs=1e-5)


def test_seeds_are_used_by_the_next_reset_only():
    env = arena()
    env.seed(3)
    first, second = env.reset(), env.reset()
    env.seed(3)

    np.testing.assert_array_equal(env.reset(), first)
    assert not np.array_equal(first, second)


def test_the_hidden_task_is_reached_through_wrappers_and_lists_of_environments():
    wrapped = VecNormalize(arena(3))
    listed = make_vec_env("LSNNArena-v0", 3)
    for env in (wrapped, listed):
        env.seed(5)
        env.reset()

    np.testing.assert_array_equal(ask(wrapped, "task_vector"), ask(listed, "task_vector"))
    assert ask(wrapped, "task_known").tolist() == [False] * 3
    assert answers(listed, ["expert"]) and not answers(countdowns(), ["expert"])


@pytest.mark.parametrize("native", [True, False])
def test_staggered_lifetimes_end_one_after_the_other(native):
    env = arena(4) if native else make_vec_env("LSNNArena-v0", 4, env_kwargs={"steps": 12})
    stagger(env)
    env.reset()

    ends = np.stack([env.step(np.zeros((4, 2), np.float32))[2] for _ in range(12)])

    assert ends.argmax(axis=0).tolist() == [11, 8, 5, 2]


def test_different_options_for_each_slot_are_refused():
    with pytest.raises(BadValue, match="one options dict"):
        arena(2).set_options([{"ages": [0, 0]}, {"ages": [1, 1]}])


def test_saved_state_goes_on_with_the_same_steps():
    env, actions = arena(3), np.full((3, 2), 0.5, np.float32)
    env.seed(1)
    env.reset()
    env.step(actions)
    saved = env.get_state()
    expected = [env.step(actions) for _ in range(15)]

    other = arena(3)
    other.reset()
    other.set_state(saved)
    found = [other.step(actions) for _ in range(15)]

    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        assert [i.get("episode", {}).get("r") for i in a[3]] == [i.get("episode", {}).get("r") for i in b[3]]


def test_an_id_becomes_a_native_environment_where_there_is_one():
    assert isinstance(make_env("LSNNArena-v0", 2), SB3VecEnv)
    assert isinstance(make_env("lsnn_rl:LSNNArena-v0", 2), SB3VecEnv)
    assert isinstance(make_env("CartPole-v1", 2), DummyVecEnv)
    assert make_env(gym.make_vec("LSNNArena-v0", 5, autoreset_mode=AutoresetMode.SAME_STEP)).num_envs == 5


def test_an_id_is_no_vector_environment_yet_and_an_unknown_one_none_at_all():
    with pytest.raises(BadValue, match=r"'LSNNArena-v0' is none. From an id: SB3VecEnv\(gym.make_vec"):
        SB3VecEnv("LSNNArena-v0")
    with pytest.raises(UnknownName, match="Did you mean 'LSNNArena-v0'"):
        make_env("LSNNArenna-v0")
    with pytest.raises(BadValue, match="n_envs = 0 leaves nobody to act"):
        make_env("LSNNArena-v0", 0)


def test_asking_for_slots_of_an_environment_that_is_already_made_is_refused():
    with pytest.raises(BadValue, match="n_envs=8.*already made.*Pass its id"):
        make_env(arena(4), 8)


def test_plain_ppo_of_stable_baselines3_trains_on_the_bridge():
    model = PPO("MlpPolicy", arena(4), n_steps=16, batch_size=32, n_epochs=1).learn(64)

    mean, _ = evaluate_policy(model, arena(2), n_eval_episodes=2)

    assert model.num_timesteps == 64
    assert np.isfinite(mean)


def test_attributes_and_methods_of_single_environments_are_reached_by_slot():
    env = countdowns(3)
    env.reset()
    env.step(np.zeros(3, int))

    env.set_attr("steps", 7, indices=1)

    assert env.get_attr("steps") == [1, 7, 1]
    assert env.get_attr("steps", indices=[1]) == [7]
    assert [look.tolist() for look in env.env_method("_look", indices=[0, 1])] == [[1.0], [7.0]]
    assert not env.has_attr("wings")
