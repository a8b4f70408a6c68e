"""A critic that is told the hidden task: it knows the right lifetime's, the actor knows none, and both are kept."""

import numpy as np
import pytest
import torch

from lsnn_rl import RecurrentPPO
from lsnn_rl.agents.checkpoint import load_agent, load_checkpoint, save_agent, save_checkpoint
from lsnn_rl.agents.performance import Performance
from lsnn_rl.errors import BadValue

SMALL = {"regular": 6, "adaptive": 6, "readouts": 6}


def make(env="LSNNArena-v0", policy="LSNNPolicy", **options):
    kwargs = {"env_kwargs": {"steps": 24, "goal_radius": 1e-6, "wall_reward": 0.0}, "n_envs": 4, "policy_kwargs": SMALL}
    options = {**kwargs, **options} if env == "LSNNArena-v0" else options
    return RecurrentPPO(policy, env, n_steps=40, n_epochs=2, seed=0, privileged_critic=True, **options)


def rollout_of(model):
    _, callback = model._setup_learn(10**6)
    model._began, model._minutes = 0.0, None
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
    return model.rollout_buffer


def test_every_step_is_valued_with_the_task_of_its_own_lifetime():
    model = make(gamma=0.9, gae_lambda=0.0)
    model.policy.told_critic.forward = lambda features, readout, task: task[..., 0]

    rollout = rollout_of(model)

    # A world that never rewards, a value that is the goal's first coordinate all lifetime long: r + gamma V' = gamma V,
    # also where a lifetime was cut off (its own goal, not the next one's) and at the end of the rollout.
    assert rollout.starts[1:].any()
    np.testing.assert_array_equal(rollout.values, rollout.task[..., 0])
    np.testing.assert_allclose(rollout.returns, 0.9 * rollout.task[..., 0], rtol=1e-5, atol=1e-7)


def test_acting_and_learning_value_alike():
    model = make(batch_size=160)
    rollout = rollout_of(model)
    (batch,) = next(rollout.minibatches(160, 1, False))

    values, log_probs, _, _ = model.policy.evaluate_sequence(
        batch.observations, batch.actions, batch.state, batch.starts, batch.task
    )

    torch.testing.assert_close(values, batch.values, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(log_probs, batch.log_probs, rtol=1e-4, atol=1e-5)


def test_the_task_moves_the_value_and_never_the_action():
    policy = make().policy
    obs, state, starts = torch.rand(4, 6), policy.initial_state(4), torch.ones(4)
    acts = [
        policy.act(obs, state, starts, True, task) for task in (torch.full((4, 2), 0.5), torch.full((4, 2), -0.5), None)
    ]

    for action, value, _, _ in acts[1:]:
        assert torch.equal(action, acts[0][0])
        assert (value - acts[0][1]).abs().min() > 1e-3


def test_the_critics_error_shapes_the_critic_alone():
    model = make(batch_size=160)
    (batch,) = next(rollout_of(model).minibatches(160, 1, False))
    values, *_ = model.policy.evaluate_sequence(
        batch.observations, batch.actions, batch.state, batch.starts, batch.task
    )

    values.square().mean().backward()

    moved = {name.split(".")[0] for name, p in model.policy.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"told_critic"}


def test_a_told_critic_is_kept_with_the_model_and_the_agent(tmp_path):
    model = make().learn(320)
    save_checkpoint(model, tmp_path / "checkpoint-000000000320.ckpt")
    save_agent(model, tmp_path / "agent")
    obs, task = torch.rand(4, 6), torch.rand(4, 2)
    expected = model.policy.act(obs, model.policy.initial_state(4), torch.ones(4), True, task)

    again = load_checkpoint(tmp_path / "checkpoint-000000000320.ckpt")
    found = again.policy.act(obs, again.policy.initial_state(4), torch.ones(4), True, task)
    agent = load_agent(tmp_path / "agent")
    action, _ = agent.act(obs.numpy(), agent.initial_state(4), np.ones(4, bool), deterministic=True)

    assert again.privileged_critic
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    np.testing.assert_allclose(action, expected[0], rtol=1e-6)  # an untrained mean lies well inside the disc


def test_who_watches_an_agent_sees_the_value_that_was_trained(tmp_path):
    agent = load_agent(save_agent(make().learn(320), tmp_path / "agent"))
    show = Performance(agent, "LSNNArena-v0", {"steps": 24}, lifetime=3)
    task, state = show.env.unwrapped.task_vector(), show.agent.policy.initial_state(1)
    first = torch.as_tensor(show.observations[0])[None]
    expected = show.agent.policy.act(first, state, torch.ones(1), True, torch.as_tensor(task, dtype=torch.float32))

    show.step()
    _, unasked, _ = show.agent.act_and_value(first.numpy(), state, np.ones(1, bool))

    assert show.looks[1].value == pytest.approx(expected[1].item())
    assert np.isnan(unasked).all(), "a layer that was never trained has no opinion"


def test_a_world_or_policy_without_a_place_for_it_is_refused():
    with pytest.raises(BadValue, match="reveals its hidden task"):
        make("CartPole-v1", n_envs=1)
    with pytest.raises(BadValue, match="sb3_contrib's RecurrentActorCriticPolicy has none"):
        make("CartPole-v1", policy="MlpLstmPolicy", n_envs=1)
