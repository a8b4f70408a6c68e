"""Advantages and losses against sums done by hand and against a plain float64 loop."""

import math

import numpy as np
import pytest
import torch

from lsnn_rl.agents.losses import firing_rate_loss, gae, ppo_loss, task_inference_loss
from lsnn_rl.errors import ShapeMismatch


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)[:, None]


def advantages_by_definition(rewards, values, starts, last_values, last_starts, gamma, lam):
    """The sum of discounted temporal differences, term by term, up to the end of each lifetime."""
    steps, slots = rewards.shape
    following = np.vstack([values[1:], last_values])
    begins = np.vstack([starts[1:], last_starts])
    result = np.zeros((steps, slots))
    for n in range(slots):
        for t in range(steps):
            for k in range(t, steps):
                left = 0.0 if begins[k, n] else following[k, n]
                result[t, n] += (gamma * lam) ** (k - t) * (rewards[k, n] + gamma * left - values[k, n])
                if begins[k, n]:
                    break
    return result


def test_advantages_of_a_hand_played_lifetime():
    # gamma 1/2, lambda 1/2: deltas 1 + 1 - 0, 0 + 2 - 2, 2 + 4 - 4 = 2, 0, 2; A = 2 + A'/4, 0 + 2/4, 2.
    advantages, targets = gae(
        column(1, 0, 2), column(0, 2, 4), column(0, 0, 0), torch.tensor([8.0]).double(), torch.zeros(1), 0.5, 0.5
    )

    assert advantages[:, 0].tolist() == [2.125, 0.5, 2.0]
    assert targets[:, 0].tolist() == [2.125, 2.5, 6.0]


def test_nothing_behind_a_start_reaches_back():
    starts = column(0, 1, 0)

    advantages, _ = gae(column(1, 5, 5), column(0, 9, 9), starts, torch.tensor([9.0]).double(), torch.ones(1), 0.9, 0.9)

    assert advantages[0, 0].item() == 1.0
    assert advantages[2, 0].item() == 5.0 - 9.0


def test_advantages_equal_their_definition_on_random_rollouts():
    luck = np.random.default_rng(0)
    rewards, values = luck.normal(size=(2, 23, 5))
    starts, last_starts = luck.random((23, 5)) < 0.2, luck.random(5) < 0.5
    last_values = luck.normal(size=5)

    advantages, targets = gae(
        *(torch.from_numpy(x) for x in (rewards, values, starts, last_values, last_starts)), 0.97, 0.9
    )

    expected = advantages_by_definition(rewards, values, starts, last_values, last_starts, 0.97, 0.9)
    np.testing.assert_allclose(advantages.numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(targets.numpy(), expected + values, rtol=1e-12)


def test_with_lambda_one_the_target_is_the_discounted_return():
    rewards = column(1, 2, 3)

    _, targets = gae(rewards, column(7, 8, 9), column(0, 0, 0), torch.tensor([4.0]).double(), torch.zeros(1), 0.5, 1.0)

    assert targets[0, 0].item() == pytest.approx(1 + 2 / 2 + 3 / 4 + 4 / 8)


def test_flattened_rollouts_are_refused():
    with pytest.raises(ShapeMismatch, match="time-major, unflattened"):
        gae(torch.zeros(6), torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(3), torch.zeros(3), 0.9, 0.9)


def test_the_loss_of_two_transitions_by_hand():
    # Ratios 1.5 (clipped to 1.2, A > 0 takes the smaller) and 0.5 (A < 0 takes the clipped 0.8): 1.2 * 2, 0.8 * -1.
    log_probs = torch.tensor([[math.log(1.5), math.log(0.5)]], dtype=torch.float64)
    values, returns = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[2.0, 5.0]]).double()
    entropy = torch.tensor([[0.5, 1.5]]).double()

    loss, parts = ppo_loss(
        log_probs,
        values,
        entropy,
        torch.zeros(1, 2).double(),
        values,
        torch.tensor([[2.0, -1.0]]).double(),
        returns,
        clip_range=0.2,
        ent_coef=0.1,
        vf_coef=0.5,
    )

    assert parts["policy_gradient_loss"].item() == pytest.approx(-(2.4 - 0.8) / 2)
    assert parts["value_loss"].item() == pytest.approx((1 + 9) / 2)
    assert parts["entropy_loss"].item() == pytest.approx(-1.0)
    assert loss.item() == pytest.approx(-0.8 + 0.5 * 5.0 - 0.1)
    assert parts["clip_fraction"].item() == 1.0
    assert parts["approx_kl"].item() == pytest.approx((0.5 - math.log(1.5) - 0.5 - math.log(0.5)) / 2)


def test_a_clipped_ratio_has_no_gradient():
    log_probs = torch.log(torch.tensor([[1.5, 1.1]])).requires_grad_()
    zero = torch.zeros(1, 2)

    ppo_loss(log_probs, zero, zero, zero, zero, torch.ones(1, 2), zero, clip_range=0.2)[0].backward()

    assert log_probs.grad[0, 0].item() == 0.0
    assert log_probs.grad[0, 1].item() == pytest.approx(-1.1 / 2)


def test_a_clipped_value_moves_at_most_the_range_from_its_old_self():
    zero, old, new, target = torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1), torch.full((1, 1), 3.0)

    _, parts = ppo_loss(zero, new, zero, zero, old, zero, target, clip_range_vf=0.5)

    assert parts["value_loss"].item() == pytest.approx((3 - 0.5) ** 2)


def test_without_a_formula_entropy_is_estimated_from_the_log_probability():
    log_probs = torch.tensor([[-1.0, -3.0]])
    zero = torch.zeros(1, 2)

    _, parts = ppo_loss(log_probs, zero, None, log_probs, zero, zero, zero)

    assert parts["entropy_loss"].item() == -2.0


def test_only_steps_at_which_the_task_can_be_known_count():
    guess = torch.tensor([[[0.0, 0.0]], [[1.0, 3.0]]])
    task = torch.ones(2, 1, 2)

    loss = task_inference_loss(guess, task, torch.tensor([[False], [True]]))

    assert loss.item() == (0 + 4) / 2
    assert task_inference_loss(guess, task, torch.zeros(2, 1)).item() == 0.0


def test_the_rate_cost_counts_in_units_of_the_target():
    counts = torch.tensor([[0.0, 40.0], [0.0, 40.0]])  # 0 and 20 Hz over two seconds

    cost = firing_rate_loss(counts, simulation_steps=4000, dt_ms=0.5, target_hz=20.0)

    assert cost.item() == pytest.approx((1 + 0) / 2)
