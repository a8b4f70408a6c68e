"""The memory worlds: hand-played tapes, and scores that counting all cases gives."""

from itertools import product
from math import comb

import gymnasium as gym
import numpy as np
import pytest

from lsnn_rl.agents.classical import classical
from lsnn_rl.agents.evaluate import live
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.envs.task import Hand
from lsnn_rl.errors import BadValue

EXACT = {
    "LSNNStoreRecall-v0": "keeps_stored",
    "LSNNEvidence-v0": "counts_cues",
    "LSNNDelayedMatch-v0": "keeps_sample",
    "LSNNRepeatPrevious-v0": "keeps_last",
}
every_memory_world = pytest.mark.parametrize("env_id", EXACT)


def lived(env_id, agent, lifetimes=1000, wipe=False, **settings):
    env = gym.make_vec(env_id, num_envs=min(lifetimes, 500), split="test", **settings)
    return live(classical(agent, env_id, **settings), env, np.arange(lifetimes), wipe_after_trial=wipe).returns


def around(returns, exact):
    """Does a 95 % interval, half as wide again, hold the exact value? (A true value is missed once in 300 times.)"""
    interval = mean_interval(returns)
    return abs(interval.mean - exact) <= 0.75 * (interval.high - interval.low) + 1e-9


def run(env_id, steps, seed=0, **settings):
    """What a single environment shows while its expert answers: observations (one more than steps) and rewards."""
    env = gym.make(env_id, **settings).unwrapped
    shown, rewards, asked = [env.reset(seed=seed)[0]], [], [bool(env.task.asked[0])]
    for _ in range(steps):
        obs, reward, *_ = env.step(env.expert())
        shown.append(obs)
        rewards.append(reward)
        asked.append(bool(env.task.asked[0]))
    return np.array(shown), np.array(rewards), np.array(asked)


@every_memory_world
def test_who_remembers_exactly_never_errs(env_id):
    assert np.array_equal(lived(env_id, EXACT[env_id], 200), lived(env_id, "oracle", 200))


@every_memory_world
def test_whose_memory_is_wiped_when_a_question_opens_is_left_to_guess(env_id):
    wiped, kept = lived(env_id, EXACT[env_id], wipe=True), lived(env_id, EXACT[env_id])
    blind = lived(env_id, "memoryless")

    assert np.mean(kept) > np.mean(blind)
    assert np.mean(wiped - blind) <= 0.1 * np.mean(kept - blind)


@every_memory_world
def test_actions_that_answer_nothing_leave_no_trace(env_id):
    shown = []
    for idle in (0, 1):
        env = gym.make(env_id).unwrapped
        env.reset(seed=3)
        shown.append([env.step(env.expert() if env.task.asked[0] else idle)[0].tolist() for _ in range(env.task.steps)])

    assert shown[0] == shown[1]


@every_memory_world
def test_the_previous_answer_and_its_reward_are_seen_only_after_a_question(env_id):
    env = gym.make(env_id, observe_action=True).unwrapped
    obs, _ = env.reset(seed=1)
    parts, before, answers = env.task.parts, False, 0
    for step in range(env.task.steps):
        answer = step % env.action_space.n
        wanted = int(env.task.right[0])
        obs, reward, *_, info = env.step(answer)

        given, earned = int(parts.which(obs[None], "action")[0]), float(parts.read(obs[None], "reward")[0, 0])
        assert given == (answer if before or env.task.given[0] >= 0 else -1)
        assert info["success"] == (env.task.given[0] >= 0 and answer == wanted)
        assert (earned > 0) == info["success"] and np.sign(reward) == np.sign(earned)
        answers, before = answers + (given >= 0), False

    assert answers > 3


@every_memory_world
def test_every_question_opens_a_trial(env_id):
    env = gym.make(env_id).unwrapped
    env.reset(seed=2)
    questions = 0

    for _ in range(env.task.steps):
        *_, info = env.step(0)
        questions += bool(env.task.asked[0])
        assert info["trial"] == questions
        assert not env.task.asked[0] or info["trial_steps"] == 0


def test_the_value_that_came_with_store_is_asked_for_at_recall():
    shown, rewards, asked = run("LSNNStoreRecall-v0", 119, seed=5)
    value, store, recall = shown[:, :2], shown[:, 2] > 0, shown[:, 3] > 0

    assert np.array_equal(recall, asked) and recall.sum() >= 3
    assert np.all(value[recall] == 0) and np.all(value[~recall].sum(axis=1) == 1)
    signs = [("store" if store[k] else "recall") for k in range(120) if store[k] or recall[k]]
    assert signs == (["store", "recall"] * 60)[: len(signs)]
    stored = None
    for k in range(119):
        stored = int(value[k].argmax()) if store[k] else stored
        assert rewards[k] == float(recall[k])
        if recall[k]:
            assert shown[k + 1, 4 + stored] == 1 and shown[k + 1, 6] == 1  # the answer given, and that it was right


def test_store_recall_scores_what_coins_say():
    p, steps = 1 / 7, 120
    possible = sum(comb(steps, k) * p**k * (1 - p) ** (steps - k) * (k // 2) for k in range(steps + 1))

    assert possible == pytest.approx(8.32, abs=0.005)
    assert around(lived("LSNNStoreRecall-v0", "keeps_stored", 3000), possible)
    assert around(lived("LSNNStoreRecall-v0", "memoryless"), possible / 2)
    assert around(lived("LSNNStoreRecall-v0", "random", values=5), possible / 5)


def test_a_run_of_evidence_is_seven_cues_seven_blanks_and_the_question():
    shown, rewards, asked = run("LSNNEvidence-v0", 45)
    cues = shown[:, 1] - shown[:, 0]

    assert np.flatnonzero(asked).tolist() == [14, 29, 44]
    assert np.array_equal(cues != 0, np.tile([1] * 7 + [0] * 8, 4)[:46] > 0)
    assert np.flatnonzero(rewards).tolist() == [14, 29, 44]
    for run_start in (0, 15, 30):
        more_on_the_right = cues[run_start : run_start + 7].sum() > 0
        assert shown[run_start + 15, 3 + int(more_on_the_right)] == 1  # the expert's answer


def test_counting_cues_pays_what_counting_all_runs_says():
    one_cue = 0.0
    for cues in product((0, 1), repeat=7):
        rich = sum(cues)
        chance = 0.5 * (0.7**rich * 0.3 ** (7 - rich) + 0.3**rich * 0.7 ** (7 - rich))
        one_cue += chance * (cues[-1] == (rich > 3))

    assert one_cue == pytest.approx(0.7274, abs=1e-4)
    assert np.all(lived("LSNNEvidence-v0", "counts_cues", 100) == 10.0)
    assert around(lived("LSNNEvidence-v0", "last_cue"), 10 * one_cue)
    assert around(lived("LSNNEvidence-v0", "memoryless"), 5.0)


def test_a_sample_is_compared_with_a_symbol_that_is_the_same_half_of_the_time():
    env = gym.make_vec("LSNNDelayedMatch-v0", num_envs=2000)
    obs, _ = env.reset(seed=0)
    sample = obs[:, :4].argmax(axis=1)

    blank = [env.step(np.zeros(2000, int))[0][:, :4].sum() for _ in range(8)]
    obs, *_ = env.step(np.zeros(2000, int))
    shown, same = obs[:, :4].argmax(axis=1), obs[:, :4].argmax(axis=1) == sample
    _, reward, *_ = env.step(same.astype(int))

    assert blank == [0.0] * 8 and np.all(obs[:, 5] == 1)
    assert np.mean(same) == pytest.approx(0.5, abs=0.05)  # 2000 draws
    others = np.bincount((shown - sample)[~same] % 4, minlength=4)[1:] / np.sum(~same)
    assert others == pytest.approx(1 / 3, abs=0.06)
    assert np.all(reward == 1.0)


def test_symbols_that_go_by_can_be_told_from_the_sample_by_its_sign():
    shown, _, _ = run("LSNNDelayedMatch-v0", 50, distractors=True)

    assert np.all(shown[:, :4].sum(axis=1) == 1)
    assert np.flatnonzero(shown[:, 4]).tolist() == [0, 10, 20, 30, 40, 50]
    assert np.all(lived("LSNNDelayedMatch-v0", "keeps_sample", 50, distractors=True) == 10.0)


def test_the_symbol_of_three_steps_ago_is_right_from_the_fourth_on():
    shown, rewards, asked = run("LSNNRepeatPrevious-v0", 50, observe_action=True)
    symbols, answers = shown[:, :4].argmax(axis=1), shown[:, 5:9]

    assert np.flatnonzero(asked).tolist() == list(range(3, 51))
    assert np.all(answers[:4] == 0) and np.array_equal(answers[4:].argmax(axis=1), symbols[:47])
    assert np.all(rewards[:3] == 0) and rewards[3:] == pytest.approx(1 / 48)


@pytest.mark.parametrize(("back", "steps"), [(3, 51), (31, 103), (63, 155)])  # POPGym's easy, medium and hard
def test_repeating_brings_from_minus_one_to_one_at_every_level(back, steps):
    settings = {"back": back, "steps": steps}
    right, blind = (lived("LSNNRepeatPrevious-v0", agent, 500, **settings) for agent in ("keeps_last", "memoryless"))

    assert right == pytest.approx(1.0)
    assert around(blind, -0.5)


def test_a_person_answers_with_digits_or_arrows_and_goes_on_with_space():
    evidence, repeat = gym.make("LSNNEvidence-v0").unwrapped.task, gym.make("LSNNRepeatPrevious-v0").unwrapped.task

    def tap(task, key):
        return task.hand(0, Hand(tapped=frozenset({key})))

    assert tap(evidence, "space") == 0 and tap(evidence, "x") is None
    evidence.asked[:] = repeat.asked[:] = True
    assert tap(evidence, "space") is None and tap(evidence, "left") == 0 and tap(evidence, "right") == 1
    assert tap(repeat, "3") == 2 and tap(repeat, "5") is None


def test_what_a_person_must_remember_is_not_drawn():
    env = gym.make("LSNNStoreRecall-v0", render_mode="rgb_array").unwrapped
    pictures = []
    for secret in (False, True):
        env.reset(seed=0)
        env.task.secret = secret
        for _ in range(6):
            env.step(0)
        pictures.append(env.render())

    past = (slice(196, 240), slice(0, 440))
    assert len(np.unique(pictures[1][past].reshape(-1, 3), axis=0)) < len(
        np.unique(pictures[0][past].reshape(-1, 3), axis=0)
    )
    assert np.array_equal(pictures[0][190:246, 470:526], pictures[1][190:246, 470:526])  # the present


@pytest.mark.parametrize(
    ("env_id", "settings", "advice"),
    [
        ("LSNNStoreRecall-v0", {"values": 1}, "2 or more"),
        ("LSNNStoreRecall-v0", {"delay": -1.0}, "zero or above"),
        ("LSNNEvidence-v0", {"cues": 4}, "Give an odd number"),
        ("LSNNEvidence-v0", {"clarity": 0.2}, "from 0.5 to 1"),
        ("LSNNEvidence-v0", {"wait": -1}, "zero or above"),
        ("LSNNDelayedMatch-v0", {"symbols": 1}, "2 or more"),
        ("LSNNRepeatPrevious-v0", {"back": 0}, "1 or more"),
    ],
)
def test_settings_that_leave_nothing_to_remember_are_refused(env_id, settings, advice):
    with pytest.raises(BadValue, match=advice):
        gym.make(env_id, **settings)
