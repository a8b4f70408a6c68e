"""Evaluation is checked with agents whose every step is known, in worlds that can be counted by hand."""

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from lsnn_rl.agents.adapters import as_agent
from lsnn_rl.agents.evaluate import evaluate, live
from lsnn_rl.errors import BadValue, MissingFile, UnknownName


class Metronome(VectorEnv):
    """Lifetime number k lasts 12 steps and is rewarded in every step that is a multiple of k + 2."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space = spaces.Box(0, 1, (1,), np.float32)
        self.single_action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.age, self.period = 0, np.asarray(options["lifetimes"]) + 2
        nothing = np.zeros(self.num_envs, int)
        return np.zeros((self.num_envs, 1), np.float32), {"success": nothing > 0, "trial": nothing}

    def step(self, actions):
        self.age += 1
        hit = self.age % self.period == 0
        over = np.full(self.num_envs, self.age >= 12)
        infos = {"success": hit, "trial": (self.age - 1) // self.period}
        return hit[:, None].astype(np.float32), hit.astype(float), ~over & False, over, infos


class Diary:
    """Writes down when it is told to start afresh, and what it saw in that step and the one before."""

    def __init__(self) -> None:
        self.starts: list[list[bool]] = []
        self.seen: list[list[bool]] = []

    def initial_state(self, n):
        return None

    def act(self, obs, state, starts, deterministic=True):
        self.starts.append(starts.tolist())
        self.seen.append((obs[:, 0] > 0).tolist())
        return np.zeros(len(obs), int), None


def test_hits_returns_and_steps_are_those_of_the_metronome():
    lives = live(Diary(), Metronome(3), np.arange(3))

    assert lives.goals.tolist() == [6, 4, 3]
    assert lives.returns.tolist() == [6.0, 4.0, 3.0]
    assert lives.steps.tolist() == [12, 12, 12]
    assert lives.hit_step[lives.hit_row == 2].tolist() == [4, 8, 12]


def test_the_number_of_slots_changes_nothing():
    together, in_turn = live(Diary(), Metronome(5), np.arange(5)), live(Diary(), Metronome(2), np.arange(5))

    assert together.goals.tolist() == in_turn.goals.tolist()
    assert together.hit_row.tolist() == in_turn.hit_row.tolist()
    assert together.hit_step.tolist() == in_turn.hit_step.tolist()


def test_only_the_first_step_of_a_lifetime_starts_afresh():
    diary = Diary()
    live(diary, Metronome(1), np.array([1]))

    assert [row[0] for row in diary.starts] == [True] + [False] * 11


def test_the_control_wipes_the_state_one_step_after_the_reward_was_seen():
    diary = Diary()
    live(diary, Metronome(1), np.array([2]), wipe_after_trial=True)

    # Rewarded in steps 4 and 8: seen by the 5th and 9th action (index 4 and 8), wiped before the 6th and 10th.
    assert [t for t, row in enumerate(diary.seen) if row[0]] == [4, 8]
    assert [t for t, row in enumerate(diary.starts) if row[0]] == [0, 5, 9]


def test_the_card_of_a_searcher_that_remembers_says_that_it_uses_memory():
    card = evaluate("sweep_remember", "LSNNArena-v0", lifetimes=40)

    assert card["env"] == "LSNNArena-v0" and card["split"] == "test" and card["lifetimes"] == 40
    assert set(card["references"]) == {"random", "amnesic", "best_known", "oracle"}
    expected = (card["score"]["mean"] - card["references"]["amnesic"]) / (
        card["references"]["best_known"] - card["references"]["amnesic"]
    )
    assert card["normalized"]["mean"] == pytest.approx(expected)
    assert card["claims"]["uses_memory"] is True
    assert len(card["per_lifetime"]["goals"]) == 40


def test_a_searcher_whose_state_is_wiped_is_the_searcher_that_forgets():
    remembers = evaluate("sweep_remember", "LSNNArena-v0", lifetimes=30)
    forgets = evaluate("sweep_amnesic", "LSNNArena-v0", lifetimes=30, controls=())

    low, high = forgets["score"]["ci95"]
    assert low - 1 < remembers["controls"]["state_reset"]["mean"] < high + 1
    assert forgets["claims"]["uses_memory"] is None


def test_every_agent_meets_the_same_lifetimes_whatever_the_slots():
    one = evaluate("oracle", "LSNNArena-v0", lifetimes=12, slots=12, controls=())
    other = evaluate("oracle", "LSNNArena-v0", lifetimes=12, slots=5, controls=())

    assert one["per_lifetime"] == other["per_lifetime"]
    assert one["split_hash"] == other["split_hash"]


def test_splits_do_not_share_lifetimes():
    test = evaluate("oracle", "LSNNArena-v0", "test", 8, controls=())
    train = evaluate("oracle", "LSNNArena-v0", "train", 8, controls=())

    assert test["split_hash"] != train["split_hash"]
    assert test["per_lifetime"]["first_find"] != train["per_lifetime"]["first_find"]


def test_progress_is_reported_up_to_one():
    shares = []
    evaluate("random_walk", "LSNNArena-v0", lifetimes=6, slots=3, on_progress=shares.append)

    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_a_plain_function_and_an_sb3_model_are_agents():
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", "LSNNArena-v0", n_steps=8, batch_size=8)
    by_model = evaluate(model, "LSNNArena-v0", lifetimes=2, controls=(), env_kwargs={"steps": 20})
    by_function = evaluate(
        lambda obs, state, starts: model.predict(obs, deterministic=True), "LSNNArena-v0", lifetimes=2, controls=(),
        env_kwargs={"steps": 20},
    )  # fmt: skip

    assert by_model["agent"] == "PPO"
    assert by_model["per_lifetime"] == by_function["per_lifetime"]


@pytest.mark.parametrize("normalizer", [{}, {"epsilon": 1.0, "clip_obs": 1.5}])
@pytest.mark.parametrize("ours", [False, True])
def test_a_model_sees_observations_as_its_normaliser_showed_them_in_training(ours, normalizer, tmp_path):
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    from lsnn_rl import RecurrentPPO
    from lsnn_rl.agents.sharing import load_agent, save_agent
    from lsnn_rl.agents.vec_bridge import make_env

    env = VecNormalize(make_env("LSNNArena-v0", 4), **normalizer)
    make = (lambda: RecurrentPPO("GRUPolicy", env, n_steps=8)) if ours else (lambda: PPO("MlpPolicy", env, n_steps=8))
    model = make().learn(64)
    seen = np.linspace(-3, 3, 4 * env.observation_space.shape[0], dtype=np.float32).reshape(4, -1)
    starts = np.ones(4, bool)
    expected, _ = model.predict(env.normalize_obs(seen), None, starts, deterministic=True)

    agents = [as_agent(model, "LSNNArena-v0")]
    if ours:
        agents.append(load_agent(save_agent(model, tmp_path)))

    for agent in agents:
        actions, _ = agent.act(seen, agent.initial_state(4), starts)
        np.testing.assert_allclose(actions, expected, atol=1e-6)
        raw, _ = model.predict(seen, None, starts, deterministic=True)
        assert np.abs(actions - raw).max() > 1e-4  # the normaliser matters here


def test_our_own_learner_is_an_agent_and_its_spikes_are_counted():
    from lsnn_rl import RecurrentPPO

    model = RecurrentPPO("LSNNPolicy", "LSNNArena-v0", n_envs=4, n_steps=8, policy_kwargs={"regular": 8, "adaptive": 8})
    env_kwargs = {"steps": 30}

    lives = evaluate(model, "LSNNArena-v0", lifetimes=4, env_kwargs=env_kwargs, controls=("state_reset", "sampled"))
    again = evaluate(model, "LSNNArena-v0", lifetimes=4, env_kwargs=env_kwargs, controls=("state_reset", "sampled"))

    assert set(lives["controls"]) == {"state_reset", "sampled"}
    assert lives["per_lifetime"] == again["per_lifetime"]
    assert lives["controls"] == again["controls"]  # sampled actions are drawn from a seeded generator


@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        (("orcale", "LSNNArena-v0"), UnknownName, "Did you mean 'oracle'"),
        (("oracle", "LSNNArena-v9"), UnknownName, "Did you mean 'LSNNArena-v0'"),
        (("oracle", "LSNNArena-v0", "tset"), UnknownName, "Did you mean 'test'"),
        (("oracle", "LSNNArena-v0", "test", 0), BadValue, "Give at least 1"),
        (("oracle", "LSNNArena-v0", "test", 1, True, ("reset",)), UnknownName, "Did you mean 'state_reset'"),
        ((3, "LSNNArena-v0"), BadValue, "A int does not act"),
        ((print,), BadValue, "does not tell its world. Name it"),
        (("LSNNArena-v0", "LSNNArena-v0"), BadValue, "is a world, and an agent was asked for"),
        (("LSNNArena-v0/lsnn:demo",), MissingFile, "is a recipe of which no agent ships"),
        (("LSNNArena-v0/lsnn", "LSNNTMaze-v0"), BadValue, "was trained with observations.*LSNNTMaze-v0 has"),
        (("LSNNDependentBandit-v0/lsnn", "LSNNTwoStep-v0"), BadValue, "was trained with"),
        (("LSNNArena-v0/lsnn", "CartPole-v1"), BadValue, "was trained with observations"),
        (("oracle", "LSNNArena-v0", "test", 1, True, (), {"split": "train"}), BadValue, "Use the argument split"),
        (("oracle", "LSNNArena-v0", "test", 1, True, (), {"num_envs": 2}), BadValue, "Use slots"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_what_can(arguments, error, remedy):
    with pytest.raises(error, match=remedy):
        evaluate(*arguments)


def test_a_trained_agent_is_evaluated_in_its_own_world_unless_told():
    from lsnn_rl import RecurrentPPO

    model = RecurrentPPO("GRUPolicy", "LSNNTMaze-v0", n_envs=2, n_steps=8, env_kwargs={"steps": 22})

    assert evaluate(model, lifetimes=2)["env_kwargs"] == {"steps": 22}
    assert evaluate("LSNNTMaze-v0/lsnn", lifetimes=2)["env"] == "LSNNTMaze-v0"
    with pytest.raises(BadValue, match="is an environment; evaluate makes fresh ones"):
        evaluate(model, model.env)


def test_one_lifetime_has_no_interval_and_claims_nothing():
    assert evaluate("sweep_remember", "LSNNArena-v0", lifetimes=1)["claims"] == {"uses_memory": None}


def test_the_module_in_front_of_an_id_changes_no_score():
    bare, full = (evaluate("oracle", f"{module}LSNNTMaze-v0", lifetimes=3) for module in ("", "lsnn_rl:"))

    assert full["score"] == bare["score"] and full["normalized"] == bare["normalized"] is not None


def test_a_zoo_name_without_an_agent_is_answered_with_what_there_is():
    with pytest.raises(FileNotFoundError, match="no agent at LSNNArena-v0/none"):
        as_agent("LSNNArena-v0/none", "LSNNArena-v0")
