"""Surgery on agents while they play, and the controls made of it."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from lsnn_rl import LSNNPolicy, evaluate, load_agent, probe
from lsnn_rl.agents.controls import ACTION, CONTROLS, REWARD, Misled, places_of, shuffled_between_lifetimes
from lsnn_rl.agents.operated import Operated, always, at_step, at_trial, edit, new_trial
from lsnn_rl.agents.sharing import PolicyAgent
from lsnn_rl.errors import BadValue, UnknownName

WORLD = "LSNNArena-v0"


@pytest.fixture(scope="module")
def agent():
    return load_agent(f"{WORLD}/lsnn")


def play(agent, steps, lifetimes=4):
    """The state [N, ...] after each step, and the rules of the world as they were before it."""
    env = gym.make_vec(WORLD, num_envs=lifetimes, split="test")
    obs, _ = env.reset(options={"lifetimes": np.arange(lifetimes)})
    if hasattr(agent, "watch"):
        agent.watch(env)
    state, starts = agent.initial_state(lifetimes), np.ones(lifetimes, bool)
    for _ in range(steps):
        actions, after = agent.act(obs, state, starts)
        yield env.unwrapped.task, state, after
        obs, *_ = env.step(actions)
        state, starts = after, np.zeros(lifetimes, bool)


def test_an_operation_happens_before_the_step_it_names_and_at_no_other(agent):
    seen = []

    def note(state, rows):
        seen.append(rows.tolist())
        return state

    list(play(Operated(agent, note, when=at_step(0, 3)), 6))

    assert seen == [[True] * 4, [True] * 4]


def test_a_population_is_wiped_and_the_others_go_on_as_they_were(agent):
    *_, (_, untouched, _) = play(agent, 50)
    last = None
    for _, state, _ in play(Operated(agent, "zero", "b", "adaptive", when=at_step(49)), 50):
        last = state
    wiped = {}

    def take(state, rows):
        wiped.update(probe.zero(state, "b", agent.policy.network.populations["adaptive"], rows))
        return wiped

    list(play(Operated(agent, take, when=at_step(49)), 50))

    assert torch.equal(last["b"], untouched["b"])  # the state handed in is not written to
    assert wiped["b"][:, 150:].abs().sum() == 0 and torch.equal(wiped["b"][:, :150], untouched["b"][:, :150])


def test_frozen_adaptation_stays_at_rest_through_a_lifetime(agent):
    for _, _, after in play(Operated(agent, "freeze", "b"), 30):
        assert after["b"].abs().sum() == 0

    assert after["v"].abs().sum() > 0


def test_a_new_trial_is_operated_on_when_the_end_of_the_last_was_acted_upon(agent):
    rows_by_step, successes = [], []
    watched = Operated(agent, lambda state, rows: rows_by_step.append(rows.numpy().copy()) or state, when=always)
    expected = []
    for task, _, _ in play(watched, 400):
        successes.append(task.success.copy())  # as the observation tells it
        moment = type("M", (), {"task": task, "starts": np.zeros(4), "obs": None})
        expected.append(new_trial(moment))

    assert np.sum(successes) >= 4
    assert np.array_equal(expected[1:], successes[:-1])  # one step after the reward was acted upon


def test_trials_are_counted_from_zero(agent):
    begun = []
    for task, _, _ in play(agent, 600):
        moment = type("M", (), {"task": task, "starts": np.zeros(4), "obs": None})
        begun.append([at_trial(k)(moment) for k in (0, 1, 2)])

    first, second, third = np.sum(begun, axis=(0, 2))
    assert first == 0 and second == 4 and 0 < third <= 4


def test_a_transplant_from_another_lifetime_makes_the_agent_go_on_as_that_one(agent):
    *_, (_, _, donor) = play(agent, 30)
    order = [1, 0, 3, 2]
    swapped = {name: value[order] for name, value in donor.items()}
    names = tuple(donor)

    *_, (_, _, after) = play(Operated(agent, "transplant", names, donor=swapped, when=at_step(30)), 31)

    env = gym.make_vec(WORLD, num_envs=4, split="test")
    obs, _ = env.reset(options={"lifetimes": np.arange(4)})
    state, starts = agent.initial_state(4), np.ones(4, bool)
    for _ in range(30):
        actions, state = agent.act(obs, state, starts)
        obs, *_ = env.step(actions)
        starts = np.zeros(4, bool)
    _, expected = agent.act(obs, swapped, starts)
    assert all(torch.equal(after[name], expected[name]) for name in names)


def test_an_operated_agent_can_be_evaluated_like_any_other(agent):
    wiped = evaluate(
        Operated(agent, "zero", ("v", "z"), when=new_trial), WORLD, lifetimes=8, controls=(), env_kwargs={"steps": 400}
    )
    control = evaluate(agent, WORLD, lifetimes=8, controls=("voltage_zeroed",), env_kwargs={"steps": 400})

    assert wiped["per_lifetime"]["goals"] != control["per_lifetime"]["goals"]
    assert wiped["score"]["mean"] == control["controls"]["voltage_zeroed"]["mean"]
    assert wiped["measures"]["spikes_per_goal"] is not None


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_changes_what_the_agent_does(name, agent):
    env = gym.make_vec(WORLD, num_envs=3, split="test")
    hampered, lives = CONTROLS[name](agent), []
    for actor in (agent, hampered):
        obs, _ = env.reset(options={"lifetimes": np.arange(3)})
        if actor is hampered:
            actor.watch(env)
        state, starts, actions = actor.initial_state(3), np.ones(3, bool), []
        for _ in range(400):
            done, state = actor.act(obs, state, starts)
            obs, *_ = env.step(done)
            actions.append(done)
            starts = np.zeros(3, bool)
        lives.append(np.array(actions))

    assert np.isfinite(lives[1]).all() and not np.array_equal(lives[0], lives[1])


def test_the_parts_of_an_observation_are_found_by_name_where_the_world_shows_them():
    shown = gym.make_vec(WORLD, num_envs=2)
    hidden = gym.make_vec(WORLD, num_envs=2, observe_action=False)

    assert places_of(shown, ACTION).tolist() == [2, 3] and places_of(shown, REWARD).tolist() == [4, 5]
    assert places_of(hidden, REWARD).tolist() == [2, 3]
    with pytest.raises(BadValue, match="it names place, success, wall. Leave this control out"):
        places_of(hidden, ACTION)


def test_a_lifetime_alone_has_no_neighbour_to_swap_rewards_with(agent):
    misled = Misled(agent, REWARD, shuffled_between_lifetimes)
    with pytest.raises(BadValue, match="at least 2"):
        list(play(misled, 1, lifetimes=1))
    with pytest.raises(BadValue, match=r"agent.watch\(env\)"):
        Misled(agent, REWARD, np.zeros_like).act(np.zeros((2, 6)), agent.initial_state(2), np.ones(2, bool))


def test_the_state_of_predict_is_edited_by_names():
    space = gym.spaces
    policy = LSNNPolicy(
        space.Box(-1, 1, (3,)), space.Discrete(2), lambda _: 1e-3, regular=3, adaptive=4, readouts=5, tau_out_ms=5
    )
    rng, agent = np.random.default_rng(0), PolicyAgent(policy)
    state, neutral, starts = None, agent.initial_state(2), np.ones(2, bool)
    for _ in range(30):
        obs = rng.uniform(-1, 1, (2, 3)).astype(np.float32)
        _, state = policy.predict(obs, state, starts, deterministic=True)
        _, neutral = agent.act(obs, neutral, starts)
        starts = np.zeros(2, bool)

    kept = [part.copy() for part in state]
    wiped = edit(policy, state, lambda s: probe.zero(s, "b"))
    _, after = policy.predict(obs, wiped, starts, deterministic=True)
    _, expected = agent.act(obs, probe.zero(neutral, "b"), starts)

    assert all(np.array_equal(part, old) for part, old in zip(state, kept, strict=True))
    names: dict = {}
    edit(policy, after, lambda s: names.update(s) or s)
    assert neutral["b"].abs().sum() > 0
    assert all(torch.allclose(names[name], expected[name], atol=1e-6) for name in expected)


@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        (("zeroo",), UnknownName, "Did you mean 'zero'"),
        (("transplant",), BadValue, "donor=STATE"),
        (("zero", "b", "adaptve"), UnknownName, "Did you mean 'adaptive'"),
    ],
)
def test_a_mistaken_operation_is_answered_when_it_is_made(arguments, error, remedy, agent):
    with pytest.raises(error, match=remedy):
        Operated(agent, *arguments)


def test_moments_need_a_world_to_look_at(agent):
    operated = Operated(agent, "zero", "b", when=new_trial)

    with pytest.raises(BadValue, match=r"agent.watch\(env\)"):
        operated.act(np.zeros((1, 6), np.float32), agent.initial_state(1), np.zeros(1, bool))


def test_agents_without_named_state_are_refused():
    operated = Operated(load_agent(f"{WORLD}/lsnn"), "zero", "b")

    with pytest.raises(BadValue, match="entries of a dict"):
        operated.act(np.zeros((1, 6), np.float32), None, np.zeros(1, bool))
