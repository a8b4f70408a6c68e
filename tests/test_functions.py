"""Worlds of functions: what is drawn, what is told, what is paid, and what is seen of it."""

import math
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.envs.canvas import GOAL
from lsnn_rl.envs.function_families import (
    GaussianProcess,
    Parabolas,
    Sines,
    TargetNetworks,
    gaussian,
    rbf_features,
    rbf_terms,
)
from lsnn_rl.envs.functions_view import _Page, height_at, place_at
from lsnn_rl.envs.task import Hand
from lsnn_rl.errors import BadValue, UnknownName

FAMILIES = [
    Sines(),
    Parabolas(),
    TargetNetworks(),
    TargetNetworks("tanh", 3.0),
    GaussianProcess(),
    GaussianProcess(0.1),
]
BANDITS = ["LSNNGPBandit-v0", "LSNNQuadraticBandit-v0", "LSNNSineBandit-v0", "LSNNTargetNetworkBandit-v0"]
REGRESSIONS = ["LSNNSineRegression-v0", "LSNNTargetNetworkRegression-v0"]
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)


def made(env_id, function=None, x=None, **kwargs):
    """A single environment whose function (and first x) are as given."""
    env = gym.make(env_id, **kwargs).unwrapped
    env.reset(seed=0)
    if function is not None:
        env.task.function[:] = function
        if hasattr(env.task, "best"):
            env.task.best_x[:], env.task.best[:] = env.task.family.peak(env.task.function)
    if x is not None:
        env.task.x[:] = x
    return env


# -- families ---------------------------------------------------------------------------------------------------------


@every_family
def test_no_place_of_a_grid_is_higher_than_the_peak_and_the_peak_is_reached(family):
    functions = family.sample(np.random.default_rng(0), 50)
    places = family.places(801 if family.inputs == 1 else 41)

    top_x, top = family.peak(functions)
    values = family.value(functions, np.broadcast_to(places, (50, *places.shape)))

    assert np.all(values <= top[:, None] + 1e-12)
    assert family.value(functions, top_x) == pytest.approx(top, abs=1e-12)
    assert np.all((top_x >= family.low) & (top_x <= family.high))


@every_family
def test_a_function_is_the_same_to_the_bit_in_any_company(family):
    luck = np.random.default_rng(1).random((7, family.luck))
    x = np.random.default_rng(2).uniform(family.low, family.high, (7, family.inputs))

    together, alone = family.draw(luck), family.draw(luck[3:4])

    assert np.array_equal(together[3:4], alone)
    assert family.value(together, x)[3] == family.value(alone, x[3:4])[0]


def test_a_target_network_is_what_a_sum_over_its_hidden_units_says():
    family = TargetNetworks()
    network = family.sample(np.random.default_rng(3), 1)
    first, second, bias, out = network[0, :40].reshape(4, 10).tolist()

    def raw(x, y):
        return sum(
            o / (1 + math.exp(-(a * x + b * y + c))) for a, b, c, o in zip(first, second, bias, out, strict=True)
        )

    on_grid = [raw(-1 + 0.1 * i, -1 + 0.1 * j) for i in range(21) for j in range(21)]
    expected = (raw(0.37, -0.81) - min(on_grid)) / (max(on_grid) - min(on_grid))

    assert max(map(abs, (first + second + bias + out))) <= 1.0
    assert family.value(network, np.array([[0.37, -0.81]]))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("hidden", "variance"), [("sigmoid", 0.061), ("tanh", 0.062)])
def test_target_networks_scaled_by_500_values_have_the_published_variance(hidden, variance):
    # An independent computation, 2000 networks x 500 examples, each network scaled by the extremes of its sample.
    family, luck = TargetNetworks(hidden), np.random.default_rng(4)
    networks = family.sample(luck, 600)

    values = family.value(networks, luck.uniform(-1, 1, (600, 500, 2)))
    scaled = (values - values.min(axis=1, keepdims=True)) / np.ptp(values, axis=1)[:, None]

    assert scaled.var(axis=1).mean() == pytest.approx(variance, abs=0.002)


@pytest.mark.parametrize(("weight_range", "explained"), [(1.0, 0.98), (2.0, 0.93), (3.0, 0.86)])
def test_a_plane_explains_as_much_of_target_networks_as_published(weight_range, explained):
    family, luck = TargetNetworks(weight_range=weight_range), np.random.default_rng(5)
    networks, x = family.sample(luck, 300), luck.uniform(-1, 1, (300, 500, 2))
    values = family.value(networks, x)

    residuals = []
    for points, told in zip(x, values, strict=True):
        columns = np.column_stack([np.ones(500), points])
        weights = np.linalg.lstsq(columns[:450], told[:450], rcond=None)[0]
        residuals.append(np.mean((told[450:] - columns[450:] @ weights) ** 2))

    assert 1 - np.mean(residuals) / values.var(axis=1).mean() == pytest.approx(explained, abs=0.015)


@pytest.mark.parametrize("length_scale", [0.1, 0.2, 1.0])
def test_draws_of_a_gaussian_process_have_its_mean_and_kernel(length_scale):
    draws = GaussianProcess(length_scale).sample(np.random.default_rng(6), 20_000)[:, ::20]
    x = np.linspace(0, 1, 11)

    kernel = np.exp(-0.5 * ((x[:, None] - x) / length_scale) ** 2)

    assert np.abs(draws.mean(axis=0)).max() < 5 / math.sqrt(20_000)
    assert np.abs(draws.T @ draws / 20_000 - kernel).max() < 5 * math.sqrt(2 / 20_000)


@pytest.mark.parametrize("reach", [0.5, 2.5, 5.0])
def test_the_terms_of_the_kernel_sum_to_it_as_closely_as_asked(reach):
    x = np.linspace(-reach, reach, 41)

    features = np.stack(rbf_features(x, rbf_terms(reach, 1e-6)))

    assert np.abs(features.T @ features - np.exp(-0.5 * (x[:, None] - x) ** 2)).max() < 1.01e-6


def test_uniform_luck_becomes_standard_normal_numbers():
    normal = gaussian(np.random.default_rng(7).random((1000, 200))).ravel()

    assert normal.mean() == pytest.approx(0, abs=0.015) and normal.std() == pytest.approx(1, abs=0.01)
    assert np.mean(normal < 1.0) == pytest.approx(0.8413, abs=0.005)
    assert np.mean(np.abs(normal) > 1.96) == pytest.approx(0.05, abs=0.003)


# -- learning from a teacher ------------------------------------------------------------------------------------------


def test_the_target_of_an_x_is_told_a_step_later_and_the_reward_belongs_to_the_prediction():
    env = made("LSNNSineRegression-v0", function=[2.0, 0.0], x=[np.pi / 2])
    before = env.task.observe()[0]

    obs, reward, *_ = env.step([0.2])  # predicts 1.0, and sin(pi/2) * 2 is 2

    assert before == pytest.approx([np.pi / 2, 0, 0])
    assert obs[1:] == pytest.approx([2.0, 1.0])
    assert reward == pytest.approx(-1.0)
    assert obs[0] != before[0]


def test_target_networks_are_predicted_from_zero_to_one():
    env = made("LSNNTargetNetworkRegression-v0")
    top, _ = env.task.family.peak(env.task.function)
    env.task.x[:] = top

    obs, reward, _, _, info = env.step([0.92])

    assert obs[2:] == pytest.approx([1.0, 0.96])
    assert reward == pytest.approx(-0.0016) and info["success"]


def test_a_prediction_beyond_the_range_is_cut():
    env = made("LSNNSineRegression-v0", function=[3.0, 0.0], x=[np.pi / 2])

    obs, reward, *_ = env.step([7.0])

    assert obs[2] == 5.0 and reward == pytest.approx(-4.0)


def test_every_example_is_a_trial_and_the_mean_squared_error_is_told_at_the_end():
    env = made("LSNNSineRegression-v0", steps=3)

    shown = [env.step([0.1]) for _ in range(3)]

    assert [info["trial"] for *_, info in shown] == [0, 1, 2]
    assert [info["trial_steps"] for *_, info in shown] == [1, 1, 1]
    assert shown[2][4]["mean_squared_error"] == pytest.approx(-sum(reward for _, reward, *_ in shown) / 3)


def test_random_and_constant_guesses_at_sines_cost_what_theory_says():
    env = gym.make_vec("LSNNSineRegression-v0", num_envs=4000, steps=20)
    env.reset(seed=0)
    luck = np.random.default_rng(0)

    zero = np.mean([env.step(np.zeros((4000, 1)))[1] for _ in range(10)])
    guess = np.mean([env.step(luck.uniform(-1, 1, (4000, 1)))[1] for _ in range(9)])

    # E[A^2] / 2 with A uniform in [0.1, 5], and 25 / 3 more for the guess.
    squares = (5**3 - 0.1**3) / (3 * 4.9) / 2
    assert zero == pytest.approx(-squares, abs=0.2) and guess == pytest.approx(-squares - 25 / 3, abs=0.3)


@pytest.mark.parametrize("env_id", REGRESSIONS)
def test_who_is_told_the_function_predicts_without_error(env_id):
    env = gym.make_vec(env_id, num_envs=50, steps=20)
    env.reset(seed=0)

    rewards = [env.step(env.expert())[1] for _ in range(20)]

    assert np.min(rewards) > -1e-10


def test_what_is_seen_can_be_chosen_but_x_stays():
    full = gym.make("LSNNTargetNetworkRegression-v0", observe_reward=True)
    bare = gym.make("LSNNTargetNetworkRegression-v0", observe_target=False, observe_action=False)

    assert full.observation_space.shape == (5,) and full.observation_space.low[4] == -1.0
    assert bare.observation_space.shape == (2,)


# -- climbing ---------------------------------------------------------------------------------------------------------


def test_a_pull_pays_the_value_where_it_was_made_and_the_next_observation_says_both():
    env = made("LSNNQuadraticBandit-v0", function=[0.5])

    obs, reward, _, _, info = env.step([0.0])
    obs2, reward2, _, _, info2 = env.step([0.45])

    assert reward == pytest.approx(-0.25) and obs == pytest.approx([0.0, -0.25])
    assert reward2 == pytest.approx(-0.0025) and obs2 == pytest.approx([0.45, -0.0025])
    assert (info["success"], info2["success"]) == (False, True)
    assert (info["trial"], info2["trial"]) == (0, 1)


@pytest.mark.parametrize("env_id", BANDITS)
def test_before_the_first_pull_zeros_are_seen(env_id):
    env = gym.make(env_id)

    assert not env.reset(seed=0)[0].any()
    env.step(env.action_space.high)
    assert not env.reset()[0].any()


@pytest.mark.parametrize("env_id", BANDITS)
def test_pulling_the_top_leaves_no_regret_and_elsewhere_the_difference(env_id):
    env = gym.make_vec(env_id, num_envs=200, steps=2, noise=0.0)
    env.reset(seed=0)
    top = env.unwrapped.task.best.copy()

    first = env.step(env.expert())[1]
    *_, info = env.step(-np.ones((200, *env.single_action_space.shape)))

    assert first == pytest.approx(top, abs=1e-5)
    assert info["regret"] == pytest.approx(top - env.unwrapped.task.value, abs=1e-5)
    assert info["regret"].mean() > 0.1


def test_noise_has_the_size_that_was_asked_for_and_is_not_counted_as_regret():
    env = gym.make_vec("LSNNGPBandit-v0", num_envs=20_000, steps=1, noise=0.3)
    env.reset(seed=0)

    _, reward, *_, info = env.step(env.expert())
    noise = reward - env.unwrapped.task.value

    assert noise.mean() == pytest.approx(0, abs=0.01) and noise.std() == pytest.approx(0.3, rel=0.02)
    assert np.abs(info["regret"]).max() < 1e-5


def test_a_place_beyond_the_range_is_cut_number_by_number():
    env = made("LSNNTargetNetworkBandit-v0")

    obs, *_ = env.step([3.0, -0.5])

    assert obs[:2] == pytest.approx([1.0, -0.5])


@pytest.mark.parametrize("env_id", BANDITS + REGRESSIONS)
def test_out_of_distribution_functions_differ_and_the_spaces_stay(env_id):
    iid, ood = gym.make(env_id, split="test"), gym.make(env_id, split="test-ood")

    assert (iid.observation_space, iid.action_space) == (ood.observation_space, ood.action_space)
    assert vars(iid.unwrapped.task.family) != vars(ood.unwrapped.task.family) or (
        iid.unwrapped.task.noise != ood.unwrapped.task.noise
    )


@pytest.mark.parametrize(
    ("env_id", "kwargs", "advice"),
    [
        ("LSNNSineRegression-v0", {"most_amplitude": 6.0}, "most_amplitude <= 5"),
        ("LSNNSineBandit-v0", {"least_phase": 2.0}, "the lesser first"),
        ("LSNNTargetNetworkRegression-v0", {"hidden": "sigmoyd"}, "Did you mean 'sigmoid'"),
        ("LSNNTargetNetworkBandit-v0", {"weight_range": 0.0}, "Give a positive number"),
        ("LSNNGPBandit-v0", {"length_scale": 0.001}, "Give 0.02 or more"),
        ("LSNNGPBandit-v0", {"noise": -1.0}, "Give zero or a positive number"),
        ("LSNNQuadraticBandit-v0", {"observe_action": False, "observe_reward": False}, "Leave at least one"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_advice(env_id, kwargs, advice):
    with pytest.raises((BadValue, UnknownName), match=advice):
        gym.make(env_id, **kwargs)


# -- to see and to play -----------------------------------------------------------------------------------------------


def near(image, x, y, color, reach=4):
    patch = image[int(y) - reach : int(y) + reach + 1, int(x) - reach : int(x) + reach + 1].astype(int)
    return bool((np.abs(patch - color).max(axis=-1) < 12).any())


def test_the_curve_is_drawn_through_its_values_but_hidden_from_a_person_until_the_last_step():
    env = made("LSNNSineBandit-v0", function=[4.0, 0.5], steps=2, render_mode="rgb_array")
    open_page = _Page(env.task, 0).at([-1.0], 4 * math.sin(-0.5))
    seen = near(env.render(), *open_page, GOAL)

    env.task.secret = True
    page = _Page(env.task, 0).at([-1.0], 4 * math.sin(-0.5))
    shown = [seen, near(env.render(), *page, GOAL)]
    for _ in range(2):
        env.step([0.9])
        shown.append(near(env.render(), *page, GOAL))

    assert shown == [True, False, False, True]


def test_the_page_of_a_person_tells_nothing_of_the_function():
    small, large = (made("LSNNSineRegression-v0", function=[a, 0.0]).task for a in (0.5, 5.0))
    small.secret = large.secret = True

    assert height_at(small, 0, (300, 300)) == height_at(large, 0, (300, 300))


@pytest.mark.parametrize("env_id", BANDITS)
def test_a_click_pulls_the_place_under_the_pointer(env_id):
    env = made(env_id, render_mode="rgb_array")
    env.task.secret = True

    action = env.task.hand(0, Hand(point=(200.0, 250.0), clicked=True))
    env.step(action)

    assert env.task.hand(0, Hand(point=(200.0, 250.0))) is None
    assert env.task.x[0] == pytest.approx(place_at(env.task, (200.0, 250.0)), abs=1e-5)
    assert _Page(env.task, 0).at(env.task.x[0])[0] == pytest.approx(200.0, abs=1e-3)


@pytest.mark.parametrize("env_id", REGRESSIONS)
def test_a_click_predicts_the_height_of_the_pointer(env_id):
    env = made(env_id)
    env.task.secret = True

    env.step(env.task.hand(0, Hand(point=(300.0, 250.0), clicked=True)))

    assert env.task.hand(0, Hand()) is None
    assert env.task.prediction[0, 0] == pytest.approx(height_at(env.task, 0, (300.0, 250.0)), abs=1e-5)


@pytest.mark.parametrize("secret", [False, True])
@pytest.mark.parametrize("env_id", BANDITS + REGRESSIONS)
def test_a_whole_lifetime_can_be_drawn(env_id, secret):
    env = made(env_id, steps=4, render_mode="rgb_array")
    env.task.secret = secret
    env.action_space.seed(0)
    pictures = [env.render()]

    for _ in range(4):
        env.step(env.action_space.sample())
        pictures.append(env.render())

    assert all(not np.array_equal(a, b) for a, b in pairwise(pictures))
