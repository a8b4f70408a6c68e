"""Where there are episodes, not lifetimes, an agent is scored and watched as well."""

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from lsnn_rl import evaluate
from lsnn_rl.agents.elsewhere import episode_images
from lsnn_rl.agents.enjoy import record, watch
from lsnn_rl.agents.episodes import FIRST_SEED
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.errors import BadValue, UnknownName

POLE = "LSNNCartPoleNoVel-v0"


def push_right(obs, state, starts):
    return np.ones(len(obs), dtype=np.int64), state


def steps_until_the_pole_falls(episode):
    """Gymnasium's own CartPole, pushed to the right."""
    env = gym.make("CartPole-v1")
    env.reset(seed=FIRST_SEED["test"] + episode)
    steps, over = 0, False
    while not over:
        _, _, terminated, truncated, _ = env.step(1)
        steps, over = steps + 1, terminated or truncated
    return steps


def test_episodes_are_scored_as_gymnasium_plays_them():
    card = evaluate(push_right, POLE, lifetimes=3)

    assert card["per_lifetime"]["returns"] == [steps_until_the_pole_falls(k) for k in range(3)]
    assert card["references"] is None and list(card["controls"]) == ["no_state"]


@pytest.fixture
def entered_by_hand():
    env_id = "ByHand-v0"
    gym.register(
        env_id,
        "lsnn_rl.envs.lifetime:LifetimeEnv",
        vector_entry_point="lsnn_rl.envs.vector:LifetimeVectorEnv",
        kwargs={"task": "lsnn_rl.envs.bandits:BernoulliBandit"},
    )
    yield env_id
    del gym.registry[env_id]


def test_a_world_that_was_entered_into_gymnasium_by_hand_has_lifetimes(entered_by_hand):
    def first_arm(obs, state, starts):
        return np.zeros(len(obs), dtype=np.int64), state

    same = evaluate(first_arm, "LSNNBernoulliBandit-v0", lifetimes=20)
    card = evaluate(first_arm, entered_by_hand, lifetimes=20)

    assert list(card["controls"]) == ["state_reset"] and card["references"] is None
    assert card["per_lifetime"] == same["per_lifetime"]


def test_an_unknown_world_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownName, match="Did you mean 'LSNNArena-v0'"):
        has_lifetimes("LSNNArenna-v0")


def test_every_step_of_an_episode_is_a_picture_that_gymnasium_draws():
    images = list(episode_images(push_right, POLE, episode=2))
    env = gym.make("CartPole-v1", render_mode="rgb_array")
    env.reset(seed=FIRST_SEED["test"] + 2)

    assert len(images) == steps_until_the_pole_falls(2)
    assert np.array_equal(images[0], env.render()) and not np.array_equal(images[0], images[-1])


def test_an_episode_becomes_a_film(tmp_path):
    film = record(push_right, POLE, tmp_path / "pole.gif", lifetime=2, seconds=25.0, fps=20)

    with Image.open(film) as pictures:
        assert pictures.n_frames == steps_until_the_pole_falls(2)


def test_an_episode_is_shown_in_a_window(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    shown = []
    monkeypatch.setattr("lsnn_rl.agents.window.Window.show", lambda self, picture: shown.append(picture) or True)

    watch(push_right, POLE, lifetime=2, lifetimes=2, fps=1000)

    assert len(shown) == steps_until_the_pole_falls(2) + steps_until_the_pole_falls(3)
    assert shown[0].get_size() == (600, 400)


def test_what_episodes_do_not_have_is_refused():
    with pytest.raises(BadValue, match="Leave both out"):
        evaluate(push_right, POLE, "train", 3)
    with pytest.raises(BadValue, match="Leave both out"):
        evaluate(push_right, POLE, lifetimes=3, controls=["reward_shuffled"])
    with pytest.raises(BadValue, match="Leave --beside out"):
        record([push_right, push_right], POLE, "pole.gif")


def test_drawn_actions_come_from_the_seed_and_leave_the_luck_of_others_alone():
    import torch

    from lsnn_rl import RecurrentPPO

    model = RecurrentPPO("LSNNPolicy", POLE, n_envs=2, n_steps=8, policy_kwargs={"regular": 4, "adaptive": 4})
    before = torch.get_rng_state()

    one, same, other = (
        evaluate(model, POLE, lifetimes=5, deterministic=False, seed=seed)["per_lifetime"]["returns"]
        for seed in (5, 5, 6)
    )

    assert one == same != other
    assert torch.equal(torch.get_rng_state(), before)


def test_an_environment_that_draws_nothing_says_so():
    gym.register("Blind-v0", lambda **kwargs: _Blind())
    try:
        with pytest.raises(BadValue, match="lsnn-rl evaluate"):
            next(episode_images(push_right, "Blind-v0"))
    finally:
        del gym.registry["Blind-v0"]


class _Blind(gym.Env):
    observation_space = gym.spaces.Box(-1, 1, (1,))
    action_space = gym.spaces.Discrete(2)
