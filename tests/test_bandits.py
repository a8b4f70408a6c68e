"""The bandits' rules played by hand, and their players against exact optima and independent simulations."""

import math
from functools import cache

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.bandit_optima import LearnOrLeave, optimal_stopping
from lsnn_rl.agents.bandit_players import UCB1, BayesUCB
from lsnn_rl.agents.classical import classical, classical_names
from lsnn_rl.agents.evaluate import live
from lsnn_rl.agents.exact import BayesOptimal, optimal_plan, states
from lsnn_rl.agents.gittins import gittins_index
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.envs.bandits import BernoulliBandit, GaussianBandit
from lsnn_rl.envs.bandits_view import _CEILING, _GROUND, _columns
from lsnn_rl.envs.canvas import GOAL
from lsnn_rl.envs.task import Hand
from lsnn_rl.errors import BadValue, UnknownName

BERNOULLI, DEPENDENT = "LSNNBernoulliBandit-v0", "LSNNDependentBandit-v0"
INFORMATIVE, GAUSSIAN = "LSNNInformativeBandit-v0", "LSNNGaussianBandit-v0"
BANDITS = (BERNOULLI, DEPENDENT, INFORMATIVE, GAUSSIAN)


def single(env_id, means=None, **kwargs):
    """One bandit; its arms pay what the test wants."""
    env = gym.make(env_id, **kwargs).unwrapped
    env.reset(seed=0)
    if means is not None:
        env.task.means[:] = means
    return env


def many(env_id, lifetimes, **kwargs):
    env = gym.make_vec(env_id, num_envs=lifetimes, split="test", **kwargs)
    env.reset(options={"lifetimes": np.arange(lifetimes)})
    return env


def returns(player, env_id, lifetimes, **kwargs):
    """Returns [L] of the first test lifetimes; the player is a name, or is made of the rules."""
    env = gym.make_vec(env_id, num_envs=lifetimes, split="test", **kwargs)
    agent = classical(player, env_id, split="test", **kwargs) if isinstance(player, str) else player(env.unwrapped.task)
    return live(agent, env, np.arange(lifetimes)).returns


def agrees(values, known, its_interval=0.0):
    """The mean and a known one differ by no more than their 95 % intervals."""
    ours = mean_interval(values)
    return abs(ours.mean - known) <= (ours.high - ours.low) / 2 + its_interval


# -- the rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", BANDITS)
def test_nothing_is_seen_before_the_first_pull(env_id):
    obs, info = gym.make(env_id).reset(seed=0)

    assert not obs.any()
    assert info == {"trial": 0, "trial_steps": 0, "success": False}


def test_a_pull_pays_in_its_own_step_and_is_seen_as_arm_and_win():
    env = single(BERNOULLI, means=[1, 0, 0], arms=3)

    won, lost = env.step(0), env.step(2)

    assert won[0].tolist() == [1, 0, 0, 1] and won[1] == 1.0
    assert lost[0].tolist() == [0, 0, 1, 0] and lost[1] == 0.0
    assert won[4] == {"trial": 0, "trial_steps": 1, "success": True}
    assert lost[4] == {"trial": 1, "trial_steps": 1, "success": False}


def test_arms_win_as_often_as_their_chances_say():
    env = many(BERNOULLI, 20_000, arms=2)
    env.unwrapped.task.means[:] = [0.3, 0.8]

    wins = [env.step(np.full(20_000, arm))[1].mean() for arm in (0, 1)]

    assert wins == pytest.approx([0.3, 0.8], abs=3 * math.sqrt(0.25 / 20_000))


def test_chances_are_uniform_and_out_of_distribution_they_come_from_beta_two_five():
    uniform = many(BERNOULLI, 5000, arms=4).task_vector().ravel()
    poor = gym.make_vec(BERNOULLI, num_envs=5000, split="test-ood", arms=4)
    poor.reset(seed=0)
    poor = poor.task_vector().ravel()

    assert np.quantile(uniform, np.arange(1, 10) / 10) == pytest.approx(np.arange(1, 10) / 10, abs=0.015)
    assert poor.mean() == pytest.approx(2 / 7, abs=0.004)  # a / (a + b)
    assert poor.var() == pytest.approx(10 / 392, abs=0.001)  # a b / ((a + b)^2 (a + b + 1))


def test_in_the_manner_of_popgym_a_lifetime_earns_from_minus_one_to_one():
    env = single(BERNOULLI, means=[1, 0], arms=2, steps=4, pay="popgym")

    shown = [env.step(arm)[:2] for arm in (0, 0, 0, 1)]

    assert [reward for _, reward in shown] == [0.25, 0.25, 0.25, -0.25]
    assert [obs[-1] for obs, _ in shown] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("difficulty", "chances"), [("easy", [0.1, 0.9]), ("medium", [0.25, 0.75]), ("hard", [0.4, 0.6])]
)
def test_of_two_dependent_arms_one_wins_as_often_as_the_other_loses(difficulty, chances):
    means = many(DEPENDENT, 2000, difficulty=difficulty).unwrapped.task.means

    assert means.sum(axis=1) == pytest.approx(np.ones(2000))
    assert np.unique(means[:, 0]) == pytest.approx(chances)
    assert np.mean(means[:, 0] > 0.5) == pytest.approx(0.5, abs=0.035)


def test_the_last_arm_names_the_target_and_the_target_pays():
    env = single(INFORMATIVE)
    env.task.target[:] = 6
    env.task.means[:] = [1.1] * 6 + [5.0] + [1.1] * 3 + [0.7]

    assert not env.task_known()
    rewards, known = zip(*((env.step(arm)[1], env.task_known()) for arm in (0, 10, 6, 6, 9)), strict=True)

    assert rewards == pytest.approx([1.1, 0.7, 5.0, 5.0, 1.1])
    assert known == (False, True, True, True, True)
    assert env.task.summary()["regret"] == pytest.approx([3 * 5.0 - 1.1 - 0.7 - 1.1])


def test_each_ordinary_arm_is_the_target_equally_often_and_never_the_last():
    task = many(INFORMATIVE, 10_000).unwrapped.task

    counts = np.bincount(task.target, minlength=11)

    assert counts[:10] == pytest.approx(np.full(10, 1000), abs=3.5 * 30) and counts[10] == 0
    assert task.means[:, 10] == pytest.approx(0.1 * (task.target + 1))
    assert np.array_equal(task.expert(), task.target)


def test_the_known_arm_pays_nothing_and_the_other_its_mean_and_noise():
    env = many(GAUSSIAN, 20_000)
    mean = env.unwrapped.task.means[:, 1].copy()

    noise = env.step(np.ones(20_000, int))[1] - mean
    nothing = env.step(np.zeros(20_000, int))[1]

    assert (mean.mean(), mean.std()) == pytest.approx((-1, 1), abs=0.025)
    assert (noise.mean(), noise.std()) == pytest.approx((0, 0.1), abs=0.0025)
    assert np.mean(np.abs(noise) < 0.1) == pytest.approx(math.erf(math.sqrt(0.5)), abs=0.012)
    assert not nothing.any()


def test_agents_that_pull_different_arms_live_with_the_same_luck():
    env, other = single(BERNOULLI, means=[0.5, 0.5], arms=2), single(BERNOULLI, means=[0.5, 0.5], arms=2)

    wins, others = zip(*((env.step(0)[1], other.step(k % 2)[1]) for k in range(50)), strict=True)

    assert wins == others and 0 < sum(wins) < 50


def test_regret_is_what_the_best_arm_would_have_brought_more_and_is_told_at_the_end():
    env = single(BERNOULLI, means=[0.9, 0.5, 0.2], arms=3, steps=4)

    infos = [env.step(arm)[4] for arm in (0, 1, 2, 0)]

    assert all("regret" not in info for info in infos[:3])
    assert infos[3]["regret"] == pytest.approx(0.4 + 0.7)


def test_the_expert_pulls_the_arm_that_pays_best():
    assert single(BERNOULLI, means=[0.2, 0.9, 0.5], arms=3).expert() == 1
    assert single(GAUSSIAN, means=[0.0, -0.1]).expert() == 0


def test_what_is_known_beforehand_is_no_part_of_the_hidden_task():
    shapes = {env_id: gym.make_vec(env_id, num_envs=2).unwrapped.task_vector().shape for env_id in BANDITS}

    assert shapes == {BERNOULLI: (2, 10), DEPENDENT: (2, 1), INFORMATIVE: (2, 11), GAUSSIAN: (2, 1)}


@pytest.mark.parametrize(
    ("env_id", "kwargs", "advice"),
    [
        (BERNOULLI, {"arms": 1}, "whole number, 2 or more"),
        (BERNOULLI, {"prior_wins": 0.5}, "whole number, 1 or more"),
        (BERNOULLI, {"pay": "popgim"}, "Did you mean 'popgym'"),
        (BERNOULLI, {"observe_action": False, "observe_reward": False}, "Leave observe_action or observe_reward on"),
        (DEPENDENT, {"difficulty": "heavy"}, "Known: easy, hard, medium, uniform"),
        (INFORMATIVE, {"target_reward": 1.0}, "Let the target pay more"),
        (GAUSSIAN, {"pull_sd": 0.0}, "Give a positive number"),
        (GAUSSIAN, {"prior_mean": math.nan}, "Give a finite number"),
    ],
)
def test_settings_that_make_no_bandit_are_refused(env_id, kwargs, advice):
    with pytest.raises((BadValue, UnknownName), match=advice):
        gym.make(env_id, **kwargs)


# -- exact optima ---------------------------------------------------------------------------------------------------


def best_by_history(arms, left, seen=()):
    """The most that can be won with `left` pulls to go, by going through every history; `seen` are (arm, won)."""
    if left == 0:
        return 0.0
    options = []
    for arm in range(arms):
        wins, pulls = sum(won for a, won in seen if a == arm), sum(a == arm for a, _ in seen)
        chance = (1 + wins) / (2 + pulls)
        after = [best_by_history(arms, left - 1, (*seen, (arm, won))) for won in (0, 1)]
        options.append(chance * (1 + after[1]) + (1 - chance) * after[0])
    return max(options)


@pytest.mark.parametrize(("arms", "pulls"), [(2, 1), (2, 5), (3, 4), (5, 2)])
def test_the_exact_plan_is_worth_what_going_through_every_history_finds(arms, pulls):
    assert optimal_plan(arms, pulls).value == pytest.approx(best_by_history(arms, pulls), abs=1e-12)


@pytest.mark.parametrize(("arms", "pulls", "value"), [(2, 10, 6.022), (5, 10, 6.660)])
def test_exact_optima_are_those_computed_independently(arms, pulls, value):
    assert optimal_plan(arms, pulls).value == pytest.approx(value, abs=5e-4)


def test_more_arms_than_pulls_are_of_no_use():
    assert optimal_plan(10, 10).value == pytest.approx(optimal_plan(30, 10).value, abs=1e-12)


def test_whoever_follows_the_exact_plan_earns_its_value():
    earned = returns(BayesOptimal, BERNOULLI, 2000, arms=3, steps=8)

    assert agrees(earned, optimal_plan(3, 8).value)


@pytest.mark.parametrize(("arms", "pulls"), [(2, 1), (2, 9), (3, 7), (6, 5)])
def test_what_can_be_known_is_counted_as_the_plan_finds_it(arms, pulls):
    assert states(arms, pulls) == len(optimal_plan(arms, pulls).best)


@pytest.mark.parametrize(("arms", "pulls"), [(2, 100), (10, 100), (50, 500)])
def test_a_bandit_too_large_for_the_exact_plan_is_refused_at_once_with_advice(arms, pulls):
    with pytest.raises(BadValue, match=r'Use classical\("gittins"'):
        optimal_plan(arms, pulls)


def worth(wins, losses, left, sure):
    """An arm that may be left for good for a sure reward per pull: the most that can be had, by plain recursion."""

    @cache
    def value(s, f, h):
        if h == 0:
            return 0.0
        chance = (1 + s) / (2 + s + f)
        pull = chance * (1 + value(s + 1, f, h - 1)) + (1 - chance) * value(s, f + 1, h - 1)
        return max(h * sure, pull)

    return value(wins, losses, left)


@pytest.mark.parametrize(
    ("wins", "losses", "left"), [(0, 0, 1), (0, 0, 2), (0, 0, 40), (3, 1, 10), (0, 4, 25), (9, 0, 5)]
)
def test_the_gittins_index_is_where_leaving_for_a_sure_reward_becomes_worth_it(wins, losses, left):
    low, high = 0.0, 1.0
    for _ in range(40):  # the arm is worth more than the sure reward exactly below its index
        middle = (low + high) / 2
        low, high = (middle, high) if worth(wins, losses, left, middle) > left * middle + 1e-12 else (low, middle)

    assert gittins_index(wins, losses, left) == pytest.approx(low, abs=1e-3)


def test_with_two_pulls_left_the_index_of_a_new_arm_is_five_ninths():
    # Pull, and leave after a loss: 1/2 + 1/2 * 2/3 + 1/2 x = 2 x, so x = 5/9.
    assert gittins_index(0, 0, left=2) == pytest.approx(5 / 9, abs=1e-4)


@pytest.mark.parametrize(
    ("difficulty", "regret"), [("uniform", 1.221), ("easy", 0.625), ("medium", 1.000), ("hard", 2.312)]
)
def test_the_majority_of_the_evidence_regrets_what_the_bayes_optimum_must(difficulty, regret):
    # Exact: the sum over pulls and evidence of what the likelier arm loses; the oracle had the same luck.
    best, ours = (returns(name, DEPENDENT, 2000, difficulty=difficulty) for name in ("oracle", "majority"))

    assert agrees(best - ours, regret)


def test_majority_decides_as_the_posterior_does():
    arms, wins = np.random.default_rng(0).integers(2, size=(2, 12, 50))
    agent, obs = classical("majority", DEPENDENT), np.zeros((50, 3), np.float32)
    state, starts, chances = agent.initial_state(50), np.ones(50, bool), np.array([0.25, 0.75])
    likely = np.ones((50, 2))  # of the two chances that arm 0 may have

    for arm, won in zip(arms, wins, strict=True):
        chosen, state = agent.act(obs, state, starts)
        posterior = (likely * chances).sum(axis=1) / likely.sum(axis=1)
        decided = np.abs(posterior - 0.5) > 1e-9
        assert np.array_equal(chosen[decided], (posterior < 0.5).astype(int)[decided])
        arm_wins = np.where(arm[:, None] == 0, chances, 1 - chances)
        likely = likely * np.where(won[:, None], arm_wins, 1 - arm_wins)
        obs, starts = np.stack([arm == 0, arm == 1, won], axis=1).astype(np.float32), np.zeros(50, bool)


@pytest.mark.parametrize(
    ("name", "earned"), [("ask_first", 20.55), ("try_all", 11.35), ("innate", 7.45), ("random", 7.0227)]
)
def test_the_informative_bandit_gives_what_arithmetic_says(name, earned):
    # 0.55 + 4 x 5; the target is met by try k with chance 1/10; 5 (5 + 9 x 1.1) / 10; and 5 (10 x 1.49 + 0.55) / 11.
    assert agrees(returns(name, INFORMATIVE, 4000), earned)


def test_asking_first_always_finds_the_target_with_the_second_pull():
    earned = returns("ask_first", INFORMATIVE, 500)

    assert np.unique(np.round(earned, 6)) == pytest.approx(20 + np.arange(1, 11) / 10)


@pytest.mark.parametrize(("other_reward", "steps"), [(4.9, 5), (3.0, 2), (1.1, 1), (1.1, 5)])
def test_asking_is_left_where_trying_earns_more(other_reward, steps):
    rules = {"other_reward": other_reward, "steps": steps}
    best, asked, tried = returns("ask_first", INFORMATIVE, 500, **rules), 0.55 + 5 * (steps - 1), []
    for k in range(10):  # the target is met by try k + 1
        tried.append(min(k, steps) * other_reward + max(steps - k, 0) * 5)

    assert np.mean(best) == pytest.approx(max(asked if steps > 1 else 0, np.mean(tried)), rel=0.03)


@pytest.mark.parametrize(("prior_mean", "pull_sd"), [(-0.03, 100.0), (-0.3, 10.0), (-1.0, 3.0)])
def test_the_plan_is_right_where_one_pull_hardly_tells_anything(prior_mean, pull_sd):
    # The same recursion on one fine grid over all that can be believed.
    width = 1 / (1 + np.arange(101) * pull_sd**-2)
    reach = 6 * math.sqrt(width[0] - width[-1])
    here, value = np.linspace(prior_mean - reach, max(prior_mean, 0) + reach, 4001), np.zeros(4001)
    z = np.linspace(-5, 5, 81)
    chance = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    for t in range(99, -1, -1):
        there = here[:, None] + math.sqrt(width[t] - width[t + 1]) * z
        above = (99 - t) * np.maximum(there - here[-1], 0)
        value = np.maximum(0, here + (np.interp(there, here, value) + above) @ chance)

    _, planned = optimal_stopping(100, prior_mean, 1.0, pull_sd)

    assert planned == pytest.approx(np.interp(prior_mean, here, value), rel=0.003)


def normal_density(z):
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def normal_below(z):
    return (1 + math.erf(z / math.sqrt(2))) / 2


def test_one_look_that_tells_all_is_worth_its_price_only_in_a_long_lifetime():
    # With hardly any noise: one pull costs 1 on average and then pays max(0, mean) a pull, 0.08332 on average.
    gain = normal_density(1) - normal_below(-1)

    long, short = (optimal_stopping(steps, -1.0, 1.0, 1e-3)[1] for steps in (100, 10))

    assert long == pytest.approx(-1 + 99 * gain, abs=0.01)
    assert short == 0.0 and -1 + 9 * gain < 0


def test_the_last_pulls_are_given_to_an_arm_that_costs_only_as_far_as_knowledge_pays():
    bounds, _ = optimal_stopping(2, -1.0, 1.0, 0.5)
    spread = math.sqrt(1.0 - 1.0 / (1.0 + 4.0))  # of the mean as it will be believed after one pull
    z = bounds[0] / spread

    assert bounds[1] == pytest.approx(0.0, abs=1e-9)
    assert bounds[0] + bounds[0] * normal_below(z) + spread * normal_density(z) == pytest.approx(0.0, abs=2e-3)


def test_learn_or_leave_earns_the_value_of_its_plan_and_no_other_bounds_do_better():
    class Shifted(LearnOrLeave):
        def __init__(self, rules, shift):
            super().__init__(rules)
            self.bounds = self.bounds + shift

    noisy = {"pull_sd": 1.0, "prior_mean": -0.3, "steps": 40}
    value = LearnOrLeave(GaussianBandit(**noisy)).value

    best, bolder, shyer = (returns(lambda r, s=s: Shifted(r, s), GAUSSIAN, 3000, **noisy) for s in (0.0, -0.25, 0.25))

    assert agrees(best, value)
    assert mean_interval(best - bolder).low > 0 and mean_interval(best - shyer).low > 0


def test_no_player_beats_the_exact_optimum_by_more_than_chance():
    small, optimum = {"arms": 5, "steps": 10}, optimal_plan(5, 10).value
    players = [name for name in classical_names(BERNOULLI) if name != "oracle"]

    earned = {name: mean_interval(returns(name, BERNOULLI, 2000, **small)) for name in players}

    assert len(earned) == 8
    assert {name: e for name, e in earned.items() if e.low > optimum} == {}


# -- what independent simulations gave ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arms", "steps", "player", "earned", "its_interval"),
    [
        # Independent simulations in plain numpy: 20,000 lifetimes of 10 pulls, 4,000 of 100, with their intervals.
        (5, 10, "gittins", 6.666, 0.014),
        (10, 10, "greedy", 6.70, 0.014),
        (50, 10, "thompson", 5.15, 0.014),
        (10, 100, "gittins", 83.9, 0.4),
        (10, 100, "thompson", 77.1, 0.4),
        (10, 100, "optimistic_thompson", 78.3, 0.4),
        (10, 100, "greedy", 79.2, 0.4),
        (10, 100, lambda rules: UCB1(rules, c=0.2), 81.0, 0.4),
        (10, 100, lambda rules: BayesUCB(rules, width=1.0), 83.2, 0.4),
        (50, 100, "gittins", 85.5, 0.3),
    ],
)
def test_players_of_independent_arms_earn_what_independent_simulations_gave(arms, steps, player, earned, its_interval):
    assert agrees(returns(player, BERNOULLI, 1000, arms=arms, steps=steps), earned, its_interval)


def test_bayes_ucb_earns_on_popgyms_easy_level_what_an_independent_simulation_gave():
    earned = returns(lambda rules: BayesUCB(rules, width=1.5), BERNOULLI, 600, arms=10, steps=200, pay="popgym")

    assert agrees(earned, 0.721, its_interval=0.005)


def test_skill_pays_in_the_very_same_lifetimes():
    oracle, gittins, stay, aimless = (returns(p, BERNOULLI, 500) for p in ("oracle", "gittins", "win_stay", "random"))

    assert [mean_interval(gap).low > 0 for gap in (oracle - gittins, gittins - stay, stay - aimless)] == [True] * 3


# -- how players keep what they know --------------------------------------------------------------------------------


@pytest.mark.parametrize(("env_id", "name"), [(env_id, name) for env_id in BANDITS for name in classical_names(env_id)])
def test_every_player_leaves_the_state_it_was_handed_alone_and_begins_anew_where_told(env_id, name):
    env, agent = many(env_id, 6, steps=5), classical(name, env_id, steps=5)
    if name == "oracle":
        agent.watch(env)
    state, starts = agent.initial_state(6), np.zeros(6, bool)
    obs = env.unwrapped.task.observe()
    for _ in range(3):
        kept = {key: value.copy() for key, value in state.items()}
        actions, later = agent.act(obs, state, starts)
        assert actions.shape == (6,) and actions.dtype == np.int64
        assert all(np.array_equal(state[key], kept[key]) for key in kept)
        state, obs = later, env.step(actions)[0]

    _, wiped = agent.act(obs, state, np.ones(6, bool))
    _, fresh = agent.act(obs, agent.initial_state(6), np.zeros(6, bool))

    assert all(np.array_equal(wiped[key], fresh[key]) for key in fresh)


def test_a_player_that_cannot_see_its_pulls_says_so():
    with pytest.raises(BadValue, match="Leave it on"):
        classical("gittins", BERNOULLI, observe_reward=False)


def test_win_stay_stays_and_lose_shift_goes_round():
    agent = classical("win_stay", BERNOULLI, arms=3)
    obs = np.array([[0, 0, 0, 0], [1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]], np.float32)

    assert agent.act(obs, {}, np.zeros(5, bool))[0].tolist() == [0, 0, 1, 0, 2]


# -- to see and to play ---------------------------------------------------------------------------------------------


def test_a_person_pulls_arms_with_digits_or_by_clicking_their_columns():
    task = BernoulliBandit(arms=12)
    left, width = _columns(task)
    on_arm = (left + 10.5 * width, (_CEILING + _GROUND) / 2)

    assert task.hand(0, Hand(tapped=frozenset({"3"}))) == 2
    assert task.hand(0, Hand(tapped=frozenset({"0"}))) == 9
    assert task.hand(0, Hand(point=on_arm, clicked=True)) == 10
    assert task.hand(0, Hand(point=on_arm)) is None
    assert task.hand(0, Hand(point=(5.0, 300.0), clicked=True)) is None
    assert BernoulliBandit(arms=2).hand(0, Hand(tapped=frozenset({"3", "a"}))) is None


@pytest.mark.parametrize("arms", [2, 10, 50])
def test_the_truth_is_drawn_as_a_mark_and_kept_from_a_person_until_the_lifetime_is_over(arms):
    env = single(BERNOULLI, means=np.linspace(0.1, 0.7, arms), arms=arms, steps=2, render_mode="rgb_array")
    left, width = _columns(env.task)
    x, y = left + (arms - 0.7) * width, _GROUND - 0.7 * (_GROUND - _CEILING)  # of the last arm, right of its middle

    def marked():
        patch = env.render()[int(y) - 5 : int(y) + 6, int(x)].astype(int)
        return bool((np.abs(patch - GOAL).max(axis=-1) < 25).any())

    open_ = marked()
    env.task.secret = True
    hidden = marked()
    env.step(0)
    still_hidden = marked()
    env.step(0)

    assert (open_, hidden, still_hidden, marked()) == (True, False, False, True)


def test_beliefs_follow_bayes():
    at = np.linspace(0.0, 1.0, 1001)
    pulls, wins = np.array([0.0, 4.0]), np.array([0.0, 3.0])

    beta = BernoulliBandit(arms=2).belief(pulls, wins, at)
    means = (beta * at).sum(axis=1) / beta.sum(axis=1)
    normal = GaussianBandit(prior_mean=-1.0, prior_sd=1.0, pull_sd=0.5).belief(pulls, wins, at)[1]

    assert means == pytest.approx([1 / 2, 4 / 6], abs=1e-3)
    assert at[normal.argmax()] == pytest.approx((-1.0 + 4 * 3.0) / (1 + 4 * 4.0), abs=1e-3)


def test_controls_find_the_last_pull_and_its_reward_in_what_is_seen():
    from lsnn_rl.agents.controls import ACTION, REWARD, places_of

    envs = gym.make_vec("LSNNBernoulliBandit-v0", num_envs=2, arms=3)

    assert places_of(envs, ACTION).tolist() == [0, 1, 2] and places_of(envs, REWARD).tolist() == [3]
    assert places_of(gym.make_vec("LSNNTwoStep-v0", num_envs=2), REWARD).tolist() == [6]


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_gittins_may_be_asked_once_more_after_its_last_pull(steps):
    """Gymnasium's default for vectors shows the last observation of a lifetime before it begins the next one."""
    env = gym.make_vec("LSNNBernoulliBandit-v0", 40, steps=steps)
    agent = classical("gittins", "LSNNBernoulliBandit-v0", steps=steps)
    obs, _ = env.reset(seed=1)
    state, starts, over = agent.initial_state(40), np.ones(40, bool), np.zeros(40, bool)

    for _ in range(2 * steps + 3):
        actions, state = agent.act(obs, state, starts)
        assert env.action_space.contains(actions)
        obs, _, _, truncated, _ = env.step(actions)
        starts, over = over, truncated


def test_a_long_dependent_bandit_is_drawn():
    env = gym.make("LSNNDependentBandit-v0", difficulty="easy", steps=400, render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(390):
        env.step(env.unwrapped.expert())

    assert env.render().std() > 0  # 9 to the number of pulls is more than a float holds
