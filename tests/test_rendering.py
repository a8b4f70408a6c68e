"""Pictures: they show what is so, and change nothing."""

import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pygame
import pytest

from lsnn_rl.envs.arena_view import _page
from lsnn_rl.envs.canvas import FLOOR, GOAL, HEIGHT, HUES, INK, WARN, WIDTH, Canvas, mix
from lsnn_rl.envs.registration import WORLDS
from tests.playing import random_actions

every_world = pytest.mark.parametrize("env_id", WORLDS)


def near(image, x, y, color, reach=3):
    """Is a pixel of about this colour within `reach` pixels of x, y?"""
    patch = image[int(y) - reach : int(y) + reach + 1, int(x) - reach : int(x) + reach + 1].astype(int)
    return bool((np.abs(patch - color).max(axis=-1) < 12).any())


def arena(**kwargs):
    env = gym.make("LSNNArena-v0", render_mode="rgb_array", **kwargs).unwrapped
    env.reset(seed=0)
    env.task.place[:], env.task.goal[:] = (-0.5, 0.2), (0.0, -0.85)
    return env


@every_world
def test_an_image_is_made_without_a_display_and_is_not_empty(env_id):
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=0)

    image = env.render()

    assert image.shape == (HEIGHT, WIDTH, 3) and image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100
    assert image.flags.writeable


@every_world
def test_drawing_changes_neither_what_happens_nor_the_luck(env_id):
    plain = gym.make_vec(env_id, num_envs=2, max_episode_steps=15)
    drawn = gym.make_vec(env_id, num_envs=2, max_episode_steps=15, render_mode="rgb_array")
    actions = random_actions(plain.single_action_space, 40, slots=2)
    obs, seen = plain.reset(seed=0)[0], drawn.reset(seed=0)[0]

    for action in actions:
        drawn.render()
        assert np.array_equal(obs, seen)
        obs, seen = plain.step(action)[0], drawn.step(action)[0]

    assert all(np.array_equal(a, b) for a, b in zip(drawn.render(), drawn.render(), strict=True))


@every_world
def test_each_slot_draws_the_picture_of_a_single_environment(env_id):
    envs = gym.make_vec(env_id, num_envs=2, render_mode="rgb_array", steps=30)
    env = gym.make(env_id, render_mode="rgb_array", steps=30)
    actions = random_actions(envs.single_action_space, 20, slots=2)
    envs.reset(seed=0)
    env.reset(seed=1)
    for action in actions:
        envs.step(action)
        env.step(action[1])

    pictures = envs.render()

    assert len(pictures) == 2
    assert np.array_equal(pictures[1], env.render())
    envs.close()


def test_agent_and_goal_are_drawn_where_they_are():
    env = arena()

    image = env.render()

    assert near(image, *_page(env.task, -0.5, 0.2), HUES[0])
    assert near(image, *_page(env.task, 0.0, -0.85), mix(FLOOR, GOAL, 0.10), reach=0)
    assert near(image, *_page(env.task, 0.0, -0.55), GOAL, reach=6)


def test_a_secret_goal_is_drawn_only_in_the_step_that_meets_it():
    env = arena()
    env.task.secret = True
    rim = _page(env.task, 0.0, -0.55)

    before = env.render()
    env.task.place[:] = (0.2, -0.85)
    env.step(np.zeros(2, np.float32))
    met = env.render()

    assert not near(before, *rim, GOAL, reach=6)
    assert near(met, *rim, GOAL, reach=6)


def test_the_trail_has_the_colour_of_its_trial_and_no_line_joins_a_teleport():
    env = arena()
    env.task.place[:], env.task.goal[:] = (-0.5, 0.2), (0.1, 0.2)
    while not env.step([1.0, 0.0])[4]["success"]:
        pass
    env.step([0.0, 0.0])
    after = env.task.place[0]
    middle = [(after[0] - 0.2) / 2, (after[1] + 0.2) / 2]

    image = env.render()

    assert near(image, *_page(env.task, -0.35, 0.2), mix(FLOOR, HUES[0], 0.9), reach=5)
    assert near(image, *_page(env.task, *after), HUES[1])
    assert not near(image, *_page(env.task, *middle), HUES[0], reach=4)


def test_meeting_the_wall_is_seen():
    env = arena()
    env.task.place[:] = (-0.999, 0.0)

    env.step([-1.0, 0.0])

    assert near(env.render(), *_page(env.task, -1.0, 0.0), WARN, reach=16)


def test_a_lifetime_of_unmeasured_rules_is_drawn_without_references():
    env = arena(goal_radius=0.17, steps=30)
    for _ in range(30):
        env.step([0.1, 0.4])

    assert env.render().shape == (HEIGHT, WIDTH, 3)


def test_asking_for_a_picture_without_a_mode_warns_and_says_how():
    env = gym.make("LSNNArena-v0").unwrapped
    env.reset(seed=0)

    with pytest.warns(UserWarning, match='render_mode="rgb_array"'):
        assert env.render() is None


def test_the_window_shows_every_step_follows_its_size_and_closes_when_told():
    env = gym.make("LSNNArena-v0", render_mode="human").unwrapped
    env.metadata = {**env.metadata, "render_fps": 0}
    env.reset(seed=0)
    first = pygame.surfarray.array3d(pygame.display.get_surface())

    pygame.display.set_mode((600, 300), pygame.RESIZABLE)
    env.step([1.0, 0.0])
    small = pygame.surfarray.array3d(pygame.display.get_surface())
    env.close()
    env.close()

    assert first.shape == (WIDTH, HEIGHT, 3) and first.std() > 5
    assert small.shape == (600, 300, 3) and small.std() > 5
    assert not pygame.display.get_init()


def test_a_person_may_close_the_window_and_life_goes_on():
    env = gym.make("LSNNArena-v0", render_mode="human").unwrapped
    env.reset(seed=0)
    pygame.event.post(pygame.event.Event(pygame.QUIT))

    env.step([1.0, 0.0])
    obs, *_ = env.step([1.0, 0.0])

    assert env.window_closed
    assert np.isfinite(obs).all()
    env.close()


def test_a_machine_without_a_screen_is_told_what_to_do_instead():
    code = 'import gymnasium, lsnn_rl; gymnasium.make("LSNNArena-v0", render_mode="human").reset()'

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "SDL_VIDEODRIVER": "nowhere"}
    )

    assert done.returncode != 0
    assert 'Use render_mode="rgb_array"' in done.stderr


def test_shapes_are_smooth_and_keep_their_place_at_any_scale():
    for scale in (0.5, 1.0, 2.0):
        canvas = Canvas(scale)
        canvas.clear((0, 0, 0))
        canvas.disc((100, 80), 40, INK)

        image = pygame.surfarray.array3d(canvas.finish())[:, :, 0].astype(float) / INK[0]
        x, y = np.meshgrid(*map(np.arange, image.shape), indexing="ij")

        assert image.sum() / scale**2 == pytest.approx(np.pi * 40**2, rel=0.03)  # its area
        assert ((x * image).sum() / image.sum() + 0.5) / scale == pytest.approx(100, abs=0.6)
        assert ((y * image).sum() / image.sum() + 0.5) / scale == pytest.approx(80, abs=0.6)
        assert ((image > 0.1) & (image < 0.9)).any()
