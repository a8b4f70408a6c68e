"""Meta-World's protocol in our worlds, with a learner made by hand whose score follows from the rules."""

import numpy as np
import pytest

from lsnn_rl.agents.evaluate import evaluate
from lsnn_rl.agents.metalearner import MetaLearner
from lsnn_rl.errors import BadValue

BANDIT = "LSNNDependentBandit-v0"


class TriesEachArmThenTakesTheBetter:
    """Explores by turns, adapts by taking the arm that paid more, and writes down how it was called."""

    def __init__(self):
        self.calls = []

    def init(self):
        self.calls.append("init")
        self.turn, self.paid = 0, 0.0

    def adapt_action(self, observations):
        self.turn += 1
        n = len(observations)
        return np.full(n, self.turn % 2), {"turn": np.full(n, self.turn)}

    def step(self, timestep):
        self.calls.append("step")
        assert timestep.aux_policy_outputs["turn"][0] == self.turn and not timestep.terminated.any()
        self.paid = self.paid + np.where(timestep.action == 1, timestep.reward, -timestep.reward)

    def adapt(self):
        self.calls.append("adapt")
        self.better = (np.asarray(self.paid) > 0).astype(int)

    def eval_action(self, observations):
        return np.resize(self.better, len(observations))

    def reset(self, env_mask):
        self.calls.append(f"reset {int(env_mask.sum())}")


def live(learner, lifetimes=200, **options):
    return evaluate(learner, BANDIT, lifetimes=lifetimes, controls=(), slots=lifetimes, **options)["return"]["mean"]


def test_the_calls_come_in_the_protocols_order():
    learner = TriesEachArmThenTakesTheBetter()

    evaluate(learner, BANDIT, lifetimes=3, controls=(), env_kwargs={"steps": 20})

    assert learner.calls == ["init", *["step"] * 5, "adapt", "reset 3"]  # a quarter of 20 steps


def test_adapting_pays_and_never_exploiting_earns_what_turns_earn():
    adapted, turns = live(TriesEachArmThenTakesTheBetter()), live(MetaLearner(TriesEachArmThenTakesTheBetter(), 1.0))

    # Arms pay with p and 1 - p: by turns half the pulls do. Afterwards the better arm, 0.75 on average, has 75 pulls.
    assert turns == pytest.approx(50, abs=1.5)
    assert adapted == pytest.approx(12.5 + 75 * 0.75, abs=3)


def test_a_wiped_row_is_reset_through_the_mask():
    learner = TriesEachArmThenTakesTheBetter()
    agent = MetaLearner(learner, adaptation=1.0)
    obs = np.zeros((3, 2))

    agent.act(obs, agent.initial_state(3), np.ones(3, bool))
    agent.act(obs, None, np.array([False, True, False]))
    agent.act(obs, None, np.ones(3, bool))  # all at once is no new lifetime yet
    agent.act(obs, agent.initial_state(3), np.ones(3, bool))

    assert learner.calls == ["init", "reset 1", "reset 3", "init"]


def test_without_a_share_for_adaptation_it_adapts_to_nothing_and_exploits_at_once():
    learner = TriesEachArmThenTakesTheBetter()

    evaluate(MetaLearner(learner, 0.0), BANDIT, lifetimes=2, controls=(), env_kwargs={"steps": 5})

    assert learner.calls == ["init", "adapt", "reset 2"]


def test_what_is_missing_or_makes_no_sense_is_said():
    class Half:
        def init(self): ...
        def adapt_action(self, observations): ...

    with pytest.raises(BadValue, match="Half lacks step, adapt, eval_action, reset"):
        MetaLearner(Half())
    with pytest.raises(BadValue, match="adaptation = 2 is no share"):
        MetaLearner(TriesEachArmThenTakesTheBetter(), 2)
