"""The two-step task, Harlow's pairs and random decision processes: hand-played traces and exact values."""

from itertools import product

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import Random, classical
from lsnn_rl.agents.decision_players import BayesFilter, ModelFree, stay_signature, two_step_trials
from lsnn_rl.agents.evaluate import live
from lsnn_rl.agents.mdp_players import PosteriorMean
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.envs.decisions import CHOICE, FIRST, TwoStep
from lsnn_rl.envs.mdp import TabularMDP, gaussian, plan, values
from lsnn_rl.envs.task import Hand
from lsnn_rl.errors import BadValue, ShapeMismatch


def score(env_id, agent, lifetimes=1000, **settings):
    env = gym.make_vec(env_id, num_envs=min(lifetimes, 500), split="test", **settings)
    return mean_interval(live(classical(agent, env_id, **settings), env, np.arange(lifetimes)).returns)


def around(interval, exact):
    """Does a 95 % interval, half as wide again, hold the exact value? (A true value is missed once in 300 times.)"""
    return abs(interval.mean - exact) <= 0.75 * (interval.high - interval.low)


def made(env_id, **settings):
    env = gym.make(env_id, **settings).unwrapped
    return env, env.reset(seed=0)[0]


# -- the two-step task -------------------------------------------------------------------------------------------------


def test_a_trial_is_a_pause_a_choice_and_a_state_that_pays_at_once():
    env, first = made("LSNNTwoStep-v0", common=1.0, high=1.0, low=0.0, switch=0.0)
    better = int(env.task.better[0])

    choosing, *_, info = env.step(1 - better)
    there, nothing, *_ = env.step(better)
    paid, reward, *_, paid_info = env.step(1 - better)
    pause_over, *_, next_info = env.step(0)

    assert first.tolist() == [1, 0, 0, 0, 0, 0, 0] and choosing.tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert there[2 + better] == there[4 + better] == 1 and there.sum() == 2
    assert (nothing, reward) == (0.0, 1.0)
    assert paid.tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert not info["success"] and paid_info["success"] and paid_info["trial"] == 0 and next_info["trial"] == 1
    assert pause_over.tolist() == choosing.tolist()


def test_a_hand_that_chooses_nothing_leaves_no_trace():
    shown = []
    for idle in (0, 1):
        env, _ = made("LSNNTwoStep-v0")
        shown.append([env.step(1 if env.task.stage[0] == CHOICE else idle)[0].tolist() for _ in range(60)])

    assert shown[0] == shown[1]


def test_transitions_rewards_and_changes_of_roles_come_as_often_as_the_rules_say():
    rules_of_chance = {"common": 0.8, "high": 0.9, "low": 0.1, "switch": 0.025}
    env = gym.make_vec("LSNNTwoStep-v0", num_envs=2000, **rules_of_chance)
    env.reset(seed=0)
    task, common, paid, changed = env.unwrapped.task, [], {True: [], False: []}, []

    for _ in range(30):
        before = task.better.copy()
        env.step(np.zeros(2000, int))
        changed.append(task.better != before)
        env.step(np.ones(2000, int))
        in_b = task.stage == FIRST + 1
        common.append(in_b)
        _, reward, *_ = env.step(np.zeros(2000, int))
        for good in (True, False):
            paid[good].extend(reward[(in_b == task.better) == good])

    assert np.mean(common) == pytest.approx(0.8, abs=0.007)  # 60 000 draws: five standard errors
    assert np.mean(paid[True]) == pytest.approx(0.9, abs=0.009) and np.mean(paid[False]) == pytest.approx(
        0.1, abs=0.009
    )
    assert np.mean(changed) == pytest.approx(0.025, abs=0.004)


def test_the_filter_believes_what_bayes_rule_says():
    agent, belief, beliefs = BayesFilter(TwoStep()), np.array([0.5]), []

    for in_a, paid in [(True, True), (True, True), (False, True), (False, False)]:
        belief = agent.weigh(belief, np.array([in_a]), np.array([paid]))
        beliefs.append(belief.item())

    # By hand: Bayes' rule with 0.9 and 0.1, then 0.95 b + 0.025 for a change of roles.
    by_hand = [0.9, 0.792 / 0.804, 0.0960821 / 0.1313432, 0.6479616 / 0.6759659]
    assert beliefs == pytest.approx([0.95 * b + 0.025 for b in by_hand], abs=1e-6)
    assert beliefs == pytest.approx([0.88, 0.960821, 0.719957, 0.935643], abs=2e-6)


def test_players_of_the_two_step_task_earn_what_can_be_computed_by_hand():
    # Knowing: 0.8 * 0.9 + 0.2 * 0.1. Last outcome: right with 0.9, roles kept with 0.975, so with 0.88; then alike.
    # Model-free, from the second trial on: kept if right and paid, 0.74 either way.
    last = 0.88 * 0.74 + 0.12 * 0.26
    free = 0.728 * 0.74 + 0.272 * 0.26
    exact = {"oracle": 74.0, "random": 50.0, "last_outcome": 0.5 + 99 * last, "model_free": 0.5 + 99 * free}

    found = {agent: score("LSNNTwoStep-v0", agent) for agent in [*exact, "bayes_filter"]}

    for agent, value in exact.items():
        assert around(found[agent], value), (agent, found[agent], value)
    assert around(found["bayes_filter"], 70.6)  # by simulation elsewhere
    assert found["last_outcome"].high < found["bayes_filter"].low and found["bayes_filter"].high < found["oracle"].low


def test_who_has_a_model_shows_the_interaction_and_who_has_none_the_effect_of_reward():
    planner = stay_signature(*two_step_trials(classical("last_outcome", "LSNNTwoStep-v0"), 200))
    habit = stay_signature(*two_step_trials(ModelFree(TwoStep()), 200))
    blind = stay_signature(*two_step_trials(Random(TwoStep()), 200))

    assert planner.stays.tolist() == [[1.0, 0.0], [0.0, 1.0]] and planner.interaction == 2.0
    assert habit.stays.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert (habit.reward_effect, habit.interaction) == (1.0, 0.0)
    assert abs(blind.interaction) < 0.1
    with pytest.raises(ShapeMismatch, match=r"Give three arrays \[trials, lifetimes\]"):
        stay_signature(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros(3))


def test_arrow_keys_choose_and_space_goes_on_where_there_is_nothing_to_choose():
    task = made("LSNNTwoStep-v0")[0].task

    assert task.hand(0, Hand(tapped=frozenset({"space"}))) == 0
    task.stage[:] = CHOICE
    assert task.hand(0, Hand(tapped=frozenset({"space"}))) is None
    assert task.hand(0, Hand(tapped=frozenset({"right"}))) == 1 and task.hand(0, Hand(tapped=frozenset({"1"}))) == 0


# -- Harlow's pairs ----------------------------------------------------------------------------------------------------


def walk(env, direction):
    """A whole trial in one direction: the observation after the pause, and what the end of the trial brought."""
    shown = env.step(0)[0]
    for _ in range(env.task.distance):
        obs, reward, *_ = env.step(direction)
    return shown, obs, reward


def test_the_right_object_stays_the_right_one_on_whichever_side_it_lies():
    env, _ = made("LSNNHarlow-v0", steps=18)
    good = env.task_vector()
    sides = set()

    for _ in range(6):
        env.step(0)
        side = int(env.task.on_right[0])
        seen = env.task.observe()[0]
        objects = {0: seen[2:5], 1: seen[5:8]}
        rewards = [env.step(side)[1] for _ in range(2)]
        sides.add(side)
        assert np.array_equal(objects[side], good) and not np.array_equal(objects[1 - side], good)
        assert rewards == [0.0, 1.0]

    assert sides == {0, 1} and env.task.rewarded[0] == 6


def test_a_pause_hides_the_objects_and_what_the_hand_does_in_it():
    env, first = made("LSNNHarlow-v0")

    shown, ended, _ = walk(env, 1)

    assert first.tolist() == [1.0] + [0.0] * 10
    assert shown[0] == 0 and np.all(shown[2:8] != 0) and shown[8:10].tolist() == [0, 0]
    assert ended[0] == 1 and ended[1] == 0 and np.all(ended[2:8] == 0) and ended[8:10].tolist() == [0, 1]


def test_walking_back_and_forth_ends_no_trial_and_place_is_seen_as_part_of_the_way():
    env, _ = made("LSNNHarlow-v0", distance=4)
    env.step(0)

    places = [env.step(direction)[0][1] for direction in (1, 1, 0, 0, 0, 1)]

    assert places == [0.25, 0.5, 0.25, 0.0, -0.25, 0.0]
    assert env.task.trial[0] == 0


def test_after_six_trials_there_is_a_new_pair():
    env, _ = made("LSNNHarlow-v0", steps=60)
    pairs = []

    for _ in range(14):
        walk(env, 0)
        pairs.append(env.task_vector().tolist())

    assert pairs[0] == pairs[5] != pairs[6] == pairs[11] != pairs[12]


def test_one_look_is_worth_five_and_a_half_of_six():
    # Random: a walk between two ends has left after 2, 4, ... steps with probability 1/2 each time; 18 steps.
    exact = {"oracle": 6.0, "one_look": 5.5, "straight_on": 3.0, "random": expected_trials(18) / 2}

    for agent, value in exact.items():
        assert around(score("LSNNHarlow-v0", agent, 2000), value), agent
    assert score("LSNNHarlow-v0", "one_look", 500, steps=90).mean == pytest.approx(27.5, abs=0.25)


def expected_trials(steps):
    """Trials that a random walk ends within `steps`: a pause, then pairs of steps, each the last by chance 1/2."""
    by = [0.0] * (steps + 1)
    for left in range(steps + 1):
        by[left] = sum(0.5 ** (k + 1) * (1 + by[left - 3 - 2 * k]) for k in range((left - 1) // 2) if left >= 3 + 2 * k)
    return by[steps]


# -- random decision processes -----------------------------------------------------------------------------------------


def test_a_plan_is_the_best_of_all_plans():
    luck = np.random.default_rng(0)
    transitions, rewards = luck.dirichlet(np.ones(3), (1, 3, 2)), luck.normal(size=(1, 3, 2))

    found = values(transitions, rewards, 3)[0, 0].max(axis=-1)

    best = np.full(3, -np.inf)
    for policy in product((0, 1), repeat=9):  # every way to act at 3 times in 3 states
        worth = np.zeros(3)
        for time in (2, 1, 0):
            chosen = np.array(policy[3 * time : 3 * time + 3])
            worth = rewards[0, range(3), chosen] + transitions[0, range(3), chosen] @ worth
        best = np.maximum(best, worth)
    assert found == pytest.approx(best, abs=1e-12)
    assert plan(transitions, rewards, 1)[0, 0].tolist() == rewards[0].argmax(axis=-1).tolist()


def test_a_state_without_uncertainty_is_left_as_its_row_of_the_table_says():
    env, first = made("LSNNTabularMDP-v0", noise=0.0)
    env.task.odds[0, 0, 3] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    env.task.means[0, 0, 3] = 2.5

    obs, reward, *_ = env.step(3)

    assert first.tolist() == [1.0] + [0.0] * 9 + [1.0] + [0.0] * 6
    assert np.flatnonzero(obs).tolist() == [6, 14, 16] and obs[16] == reward == 2.5


def test_an_episode_is_ten_steps_and_the_next_begins_in_state_zero():
    env, _ = made("LSNNTabularMDP-v0")

    starts, trials = zip(*((out[0][10], out[4]["trial"]) for out in (env.step(0) for _ in range(21))), strict=True)

    assert [k + 1 for k, start in enumerate(starts) if start] == [10, 20]
    assert trials == (0,) * 10 + (1,) * 10 + (2,)
    assert env.task.state.shape == (1,) and env.task.clock[0] == 1


def test_processes_are_drawn_from_the_prior_of_the_paper():
    task = gym.make_vec("LSNNTabularMDP-v0", num_envs=400).unwrapped.task
    for slot in range(400):
        task.luck.deal(slot, np.random.default_rng(slot))
    task.begin(np.arange(400))
    chances = task.transitions()

    assert chances.min() >= 0 and chances.sum(axis=-1) == pytest.approx(1.0, abs=1e-12)
    assert chances.mean() == pytest.approx(0.1) and chances.var() == pytest.approx(0.09 / 11, rel=0.02)  # Beta(1, 9)
    assert task.means.mean() == pytest.approx(1.0, abs=0.04) and task.means.std() == pytest.approx(1.0, rel=0.03)


def test_two_uniform_numbers_make_a_gaussian_one():
    luck = np.random.default_rng(0).random((2, 200_000))

    numbers = gaussian(*luck)

    assert (numbers.mean(), numbers.std()) == pytest.approx((0.0, 1.0), abs=0.01)
    assert np.mean(np.abs(numbers) > 1.96) == pytest.approx(0.05, abs=0.003)


def test_players_of_random_processes_stand_in_the_order_of_what_they_know():
    found = {
        agent: score("LSNNTabularMDP-v0", agent, 200)
        for agent in ("random", "forgetful", "psrl", "greedy", "optimist", "oracle")
    }
    means = [found[agent].mean for agent in found]

    assert around(found["random"], 100.0)
    assert means == sorted(means)
    assert found["psrl"].low > found["random"].high and found["optimist"].mean > 150.2  # BEB as published


def test_what_is_learned_of_a_process_is_what_happened_in_it():
    rules = TabularMDP(2, states=3, actions=2, horizon=3, steps=9, noise=1.0)
    env = gym.make_vec("LSNNTabularMDP-v0", num_envs=2, states=3, actions=2, horizon=3, steps=9)
    agent = PosteriorMean(rules)
    obs, _ = env.reset(seed=0)
    state, starts = agent.initial_state(2), np.ones(2, bool)
    counts, sums = np.zeros((2, 3, 2, 3)), np.zeros((2, 3, 2))

    for step in range(8):
        at = env.unwrapped.task.state.copy()
        actions, state = agent.act(obs, state, starts)
        starts[:] = False
        obs, rewards, *_ = env.step(actions)
        for slot in range(2):
            sums[slot, at[slot], actions[slot]] += rewards[slot]
            if step % 3 < 2:  # what the last action of an episode led to is not shown
                counts[slot, at[slot], actions[slot], env.unwrapped.task.state[slot]] += 1
    _, state = agent.act(obs, state, starts)

    assert np.array_equal(state["counts"], counts)
    assert state["sums"] == pytest.approx(sums, abs=1e-5)
    mean, deviation = agent.rewards({"visits": np.array([[[3.0]]]), "sums": np.array([[[9.0]]])})
    assert (mean.item(), deviation.item()) == pytest.approx(((1 + 9) / 4, 0.5))  # prior N(1, 1), three draws of sd 1


@pytest.mark.parametrize(
    ("env_id", "best", "amnesic"),
    [
        ("LSNNTwoStep-v0", "bayes_filter", "random"),
        ("LSNNHarlow-v0", "one_look", "straight_on"),
        ("LSNNTabularMDP-v0", "optimist", "forgetful"),
    ],
)
def test_whose_memory_is_wiped_after_every_trial_is_left_with_what_no_memory_brings(env_id, best, amnesic):
    def lived(agent, wipe):
        env = gym.make_vec(env_id, num_envs=200, split="test")
        return live(classical(agent, env_id), env, np.arange(200), wipe_after_trial=wipe).returns.mean()

    kept, wiped, without = lived(best, False), lived(best, True), lived(amnesic, False)

    assert (wiped - without) / (kept - without) <= 0.1


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "settings", "advice"),
    [
        ("LSNNTwoStep-v0", {"switch": 1.5}, "Give a number from 0 to 1"),
        ("LSNNTwoStep-v0", {"common": 0.3}, "Give common from 0.5 to 1"),
        ("LSNNTwoStep-v0", {"high": 0.1, "low": 0.9}, "high at least as large as low"),
        ("LSNNHarlow-v0", {"distance": 0}, "Give a whole number, 1 or more"),
        ("LSNNHarlow-v0", {"spread": 2.0}, "Give a number above 0, up to 1"),
        ("LSNNTabularMDP-v0", {"states": 0}, "Give a whole number, 1 or more"),
        ("LSNNTabularMDP-v0", {"noise": -1.0}, "Give a number, zero or above"),
    ],
)
def test_settings_that_make_no_task_are_refused(env_id, settings, advice):
    with pytest.raises(BadValue, match=advice):
        gym.make(env_id, **settings)


def test_an_agent_that_misses_a_part_of_the_observation_says_which_keyword_brings_it():
    env = gym.make_vec("LSNNTwoStep-v0", num_envs=2, observe_reward=False)
    agent = classical("bayes_filter", "LSNNTwoStep-v0", observe_reward=False)

    with pytest.raises(BadValue, match=r"observe_reward = False.*Leave it on"):
        agent.act(env.reset(seed=0)[0], agent.initial_state(2), np.ones(2, bool))
