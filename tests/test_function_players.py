"""Learners and climbers of functions against closed forms, exact optima and independent simulations."""

import math

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import classical, classical_names
from lsnn_rl.agents.contract import Agent, let_watch
from lsnn_rl.agents.evaluate import live
from lsnn_rl.agents.function_beliefs import of_family, polynomials, smooth
from lsnn_rl.agents.function_climbers import Probing
from lsnn_rl.agents.function_players import BackpropNet, Ridge
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.envs.function_bandits import QuadraticBandit
from lsnn_rl.envs.function_families import GaussianProcess, Sines
from lsnn_rl.envs.functions import SineRegression, TargetNetworkRegression
from lsnn_rl.errors import BadValue

SINES, NETWORKS = "LSNNSineRegression-v0", "LSNNTargetNetworkRegression-v0"
GP, QUADRATIC = "LSNNGPBandit-v0", "LSNNQuadraticBandit-v0"
WORLDS = [SINES, NETWORKS, GP, QUADRATIC, "LSNNSineBandit-v0", "LSNNTargetNetworkBandit-v0"]
EVERYONE = [(env_id, name) for env_id in WORLDS for name in classical_names(env_id)]


def played(agent, env_id, lifetimes, split="test", **kwargs):
    """Rewards [T, N] and the last info of fixed lifetimes."""
    env = gym.make_vec(env_id, num_envs=lifetimes, split=split, **kwargs)
    player = classical(agent, env_id, split=split, **kwargs) if isinstance(agent, str) else agent
    obs, _ = env.reset(options={"lifetimes": np.arange(lifetimes)})
    let_watch(player, env)
    state, starts, rewards, info = player.initial_state(lifetimes), np.ones(lifetimes, bool), [], {}
    for _ in range(env.unwrapped.task.steps):
        actions, state = player.act(obs, state, starts)
        obs, reward, _, _, info = env.step(actions)
        starts = np.zeros(lifetimes, bool)
        rewards.append(reward)
    return np.array(rewards), info


def examples(rules, steps, seed=0):
    """One lifetime's x [T, D] and values [T], and the observations that tell them, [T + 1, I]."""
    luck = np.random.default_rng(seed)
    family = rules.family
    function, x = family.sample(luck, 1), luck.uniform(family.low, family.high, (steps + 1, family.inputs))
    x = x.astype(np.float32).astype(np.float64)
    values = family.value(function, x[None])[0].astype(np.float32).astype(np.float64)
    told = np.concatenate([[0.0], values[:-1]])
    return x, values, np.column_stack([x, told, np.zeros(steps + 1)]).astype(np.float32)


def predictions(player, rules, observations):
    state, starts, found = player.initial_state(1), np.ones(1, bool), []
    for obs in observations:
        action, state = player.act(obs[None], state, starts)
        starts = np.zeros(1, bool)
        low, high = rules.family.lowest, rules.family.highest
        found.append(low + (action[0, 0] + 1) / 2 * (high - low))
    return np.array(found)


# -- what an agent is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("env_id", "name"), EVERYONE)
def test_a_player_hands_its_state_over_and_begins_every_lifetime_afresh(env_id, name):
    env = gym.make_vec(env_id, num_envs=3)
    env.reset(seed=0)
    obs, *_ = env.step(np.full((3, *env.single_action_space.shape), 0.3))
    agent, twin = (classical(name, env_id) for _ in range(2))
    for player in (agent, twin):
        let_watch(player, env)
    _, lived = agent.act(obs, agent.initial_state(3), np.zeros(3, bool))
    twin.act(obs, twin.initial_state(3), np.zeros(3, bool))
    before = {key: value.copy() for key, value in lived.items()}

    reborn, after = agent.act(obs, lived, np.ones(3, bool))
    fresh, _ = twin.act(obs, twin.initial_state(3), np.ones(3, bool))

    assert isinstance(agent, Agent)
    assert reborn.dtype == np.float32 and all(env.single_action_space.contains(action) for action in reborn)
    assert np.array_equal(reborn, fresh)
    assert all(np.array_equal(lived[key], before[key]) for key in before)
    assert all(len(value) == 3 for value in after.values())


def test_players_that_are_told_nothing_say_what_to_switch_on():
    with pytest.raises(BadValue, match="Leave it on"):
        classical("ridge", SINES, observe_target=False)
    with pytest.raises(BadValue, match="observe_reward = False was set"):
        classical("gp_ucb", GP, observe_reward=False)


# -- learners against closed forms ------------------------------------------------------------------------------------


def test_the_own_mean_is_the_mean_of_the_targets():
    rules = SineRegression()
    _, values, observations = examples(rules, 50)

    found = predictions(classical("own_mean", SINES), rules, observations)

    assert found[0] == pytest.approx(0.0, abs=1e-6)
    assert found[50] == pytest.approx(values[:50].mean(), abs=1e-3)


@pytest.mark.parametrize("rules", [SineRegression(), TargetNetworkRegression()])
def test_ridge_is_the_closed_form_of_ridge_regression(rules):
    pull = 0.7
    x, values, observations = examples(rules, 40)
    columns, middle = np.column_stack([np.ones(41), x]), (rules.family.lowest + rules.family.highest) / 2
    center = np.array([middle, *[0.0] * x.shape[1]])

    found = predictions(Ridge(rules, pull=pull), rules, observations)

    told = values[:40] - columns[:40] @ center
    weights = np.linalg.solve(columns[:40].T @ columns[:40] + pull * np.eye(len(center)), columns[:40].T @ told)
    assert found[40] == pytest.approx(columns[40] @ (center + weights), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "rules", "length_scale", "height", "offset", "noise"),
    [(SINES, SineRegression(), 1.5, 10.0, 0.0, 0.003), (NETWORKS, TargetNetworkRegression(), 1.5, 1.5, 0.5, 0.001)],
)
def test_the_gaussian_process_is_the_posterior_of_the_dense_formula(name, rules, length_scale, height, offset, noise):
    x, values, observations = examples(rules, 12)

    found = predictions(classical("gaussian_process", name), rules, observations)

    kernel = height**2 * np.exp(-0.5 * ((x[:, None] - x) ** 2).sum(axis=2) / length_scale**2)
    dense = np.linalg.solve(kernel[:12, :12] + noise**2 * np.eye(12), values[:12] - offset)
    expected = np.clip(offset + kernel[12, :12] @ dense, rules.family.lowest, rules.family.highest)
    assert found[12] == pytest.approx(expected, abs=1e-5)


def test_mean_and_deviation_of_the_true_kernel_are_those_of_the_dense_formula():
    belief, luck = of_family(GaussianProcess(0.2), noise=0.1), np.random.default_rng(0)
    pulled, paid, places = luck.random((8, 1)), luck.normal(size=8), np.linspace(0, 1, 21)[:, None]
    state = belief.begin(1)
    for x, y in zip(pulled, paid, strict=True):
        state = belief.after(state, x[None], np.array([y]), np.zeros(1, bool))

    mean, deviation = belief.over(state, belief.basis(places))

    def kernel(a, b):
        return np.exp(-0.5 * ((a - b.T) / 0.2) ** 2)

    gain = np.linalg.solve(kernel(pulled, pulled) + 0.01 * np.eye(8), kernel(pulled, places)).T
    assert mean[0] == pytest.approx(gain @ paid, abs=1e-4)
    variance = 1 - (gain * kernel(places, pulled)).sum(axis=1)
    assert deviation[0] == pytest.approx(np.sqrt(variance), abs=1e-4)


def test_functions_drawn_from_a_belief_have_its_mean_and_covariance():
    belief = smooth(Sines(), 2.0, 1.5, 0.5, 0.1)
    state = belief.begin(20_000)
    places = np.array([[-1.0], [0.0], [2.0]])

    draws = belief.draw(state, belief.basis(places), np.random.default_rng(0))

    expected = 2.25 * np.exp(-0.5 * ((places - places.T) / 2.0) ** 2)
    assert draws.mean(axis=0) == pytest.approx(0.5, abs=0.06)
    assert np.cov(draws.T) == pytest.approx(expected, abs=0.12)


def test_after_two_examples_one_who_knows_sines_knows_this_one():
    rewards, _ = played("family_fit", SINES, 200, steps=12)

    errors = np.sqrt(-rewards)

    assert np.median(errors[2:]) < 1e-3 and np.median(errors[0]) > 0.5


def test_before_any_example_the_best_guess_at_a_sine_is_the_mean_of_all_sines():
    env = gym.make_vec(SINES, num_envs=500)
    obs, _ = env.reset(seed=0)
    agent = classical("amnesic", SINES)

    actions, _ = agent.act(obs, agent.initial_state(500), np.ones(500, bool))

    # E[A sin(phi + x)] = E[A] (2 / pi) (sin x + cos x)
    expected = 2.55 * 2 / np.pi * (np.sin(obs[:, 0]) + np.cos(obs[:, 0]))
    assert 5 * actions[:, 0] == pytest.approx(expected, abs=0.15)


def test_one_told_value_makes_a_better_guess_and_no_memory_of_x_can_do_more():
    rewards, _ = played("amnesic", SINES, 400, steps=60)

    # The family's mean at x costs E[A^2] / 2 - E[A]^2 (2 / pi)^2 = 1.616, which one target must improve.
    assert 0.9 < -rewards[1:].mean() < 1.35
    assert -rewards[0].mean() == pytest.approx(1.616, abs=0.35)


def test_the_network_descends_the_gradient_of_its_squared_error():
    rules = TargetNetworkRegression()
    net = BackpropNet(rules, rate=1e-3)
    _, values, observations = examples(rules, 1)
    _, before = net.act(observations[:1], net.initial_state(1), np.ones(1, bool))
    _, after = net.act(observations[1:2], before, np.zeros(1, bool))

    def loss(into):
        hidden = np.tanh((into * before["x"][0]).sum(axis=1) + before["bias"][0])
        return 0.5 * (hidden @ before["out"][0] + before["offset"][0] - (2 * values[0] - 1)) ** 2

    step = np.zeros((10, 2))
    for unit in range(10):
        for number in range(2):
            nudge = np.zeros((10, 2))
            nudge[unit, number] = 1e-5
            step[unit, number] = (loss(before["into"][0] + nudge) - loss(before["into"][0] - nudge)) / 2e-5
    assert (after["into"] - before["into"])[0] == pytest.approx(-1e-3 * step, rel=1e-4, abs=1e-9)


def test_polynomials_are_all_products_up_to_the_degree():
    x = np.array([[2.0, 3.0]])

    assert sorted(polynomials(x, 2)[0].tolist()) == [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]


# -- scores against independent simulations ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "length_scale", "regret", "its_interval"),
    [
        # An independent simulation on 64 places, 400 functions each, quoted in GPBandit's docstring.
        ("random", 0.2, 33.7, 1.5),
        ("greedy", 0.2, 14.1, 1.3),
        ("gp_ts", 0.2, 5.37, 0.2),
        ("gp_ucb", 0.2, 4.72, 0.14),
        ("random", 0.1, 44.3, 1.5),
        ("greedy", 0.1, 22.7, 1.5),
        ("gp_ts", 0.1, 10.1, 0.35),
        ("gp_ucb", 0.1, 9.13, 0.3),
    ],
)
def test_gaussian_process_bandits_give_what_an_independent_simulation_gave(agent, length_scale, regret, its_interval):
    _, info = played(agent, GP, 250, length_scale=length_scale)

    ours = mean_interval(info["regret"])

    assert abs(ours.mean - regret) <= (ours.high - ours.low) / 2 + its_interval


@pytest.mark.parametrize(
    ("agent", "env_id", "cost", "its_interval"),
    [
        # Independent computations and what is known of the paper's table.
        ("own_mean", SINES, 4.1, 0.2),
        ("ridge", SINES, 4.1, 0.2),
        ("random", SINES, 12.585, 0.0),
        ("ridge", NETWORKS, 0.0010, 0.0001),
    ],
)
def test_learners_cost_per_example_what_was_computed_elsewhere(agent, env_id, cost, its_interval):
    rewards, _ = played(agent, env_id, 150)

    ours = mean_interval(-rewards[-50:].mean(axis=0))

    assert abs(ours.mean - cost) <= (ours.high - ours.low) / 2 + its_interval


def test_who_tries_a_side_of_the_parabola_pays_one_look_or_five():
    rewards, _ = played("form_aware", QUADRATIC, 300)
    c = played_tops(300)

    # The look at 0 costs c^2; then the right side costs nothing more, the wrong one (2 c)^2. On average 3 E[c^2] = 1.
    factor = -rewards.sum(axis=0) / c**2
    apart = np.abs(c) > 0.05
    assert np.minimum(np.abs(factor - 1), np.abs(factor - 5))[apart].max() < 0.05
    assert 0.35 < np.mean(factor[apart] > 3) < 0.65


def test_probing_pays_what_no_strategy_can_expect_to_undercut():
    rewards, _ = played("probing", QUADRATIC, 300)
    c, s = played_tops(300), 2 - math.sqrt(3)

    # (c - s)^2 for the first look, and once more where c may lie on either side; the mean over c is 4 - 2 sqrt(3).
    grid = np.linspace(-1, 1, 200_001)
    bound = np.mean((grid - s) ** 2 * np.where(grid > 2 * s - 1, 2, 1))
    expected = (c - s) ** 2 * np.where(c > 2 * s - 1, 2, 1)
    assert bound == pytest.approx(4 - 2 * math.sqrt(3), abs=1e-4)
    assert -rewards.sum(axis=0).mean() == pytest.approx(expected.mean(), abs=0.015)


def played_tops(lifetimes):
    env = gym.make_vec(QUADRATIC, num_envs=lifetimes, split="test", privileged=True)
    return env.reset(options={"lifetimes": np.arange(lifetimes)})[1]["privileged"]["best_x"][:, 0]


@pytest.mark.parametrize("split", ["test", "test-ood"])
@pytest.mark.parametrize("env_id", WORLDS)
def test_memory_helps_and_knowing_the_family_helps_in_the_very_same_lifetimes(env_id, split):
    best = {GP: "gp_ucb", QUADRATIC: "probing", SINES: "family_fit", NETWORKS: "family_fit"}.get(env_id, "ucb")
    steps = {} if "Bandit" in env_id else {"steps": 60}
    names = ("random", "win_stay" if "Bandit" in env_id else "amnesic", best, "oracle")

    scores = [played(name, env_id, 60, split, **steps)[0].sum(axis=0).mean() for name in names]

    assert scores == sorted(scores)
    assert scores[2] - scores[1] > 0.05 * (scores[3] - scores[1])


def test_wiping_a_climber_after_every_pull_takes_its_skill():
    env = gym.make_vec(GP, num_envs=100, split="test")

    whole, wiped = (
        live(classical("gp_ucb", GP), env, np.arange(100), wipe_after_trial=wipe).returns for wipe in (False, True)
    )

    assert whole.mean() > wiped.mean() + 15


def test_a_noisy_parabola_is_climbed_by_probing_better_than_by_drawing():
    by = {name: -played(name, QUADRATIC, 200, noise=0.1)[0].sum(axis=0).mean() for name in ("probing", "thompson")}

    assert by["probing"] < by["thompson"]
    assert Probing(QuadraticBandit(noise=0.1)).first == pytest.approx(0.268, abs=1e-3)


def test_the_only_look_at_a_parabola_is_taken_in_the_middle():
    agent = classical("probing", "LSNNQuadraticBandit-v0", steps=1)

    actions, _ = agent.act(np.zeros((1, 2), np.float32), agent.initial_state(1), np.ones(1, bool))

    assert actions.item() == pytest.approx(0.0, abs=1e-6)
