"""What PPO minimises, as plain functions of tensors: advantages first, then the loss with its named parts."""

import torch
from torch import Tensor

from lsnn_rl.errors import ShapeMismatch
from lsnn_rl.regularizers import firing_rate
from lsnn_rl.units import per_step


def gae(
    rewards: Tensor,
    values: Tensor,
    starts: Tensor,
    last_values: Tensor,
    last_starts: Tensor,
    gamma: float,
    gae_lambda: float,
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimates and the value targets that belong to them.

        delta(t) = r(t) + gamma (1 - start(t+1)) V(t+1) - V(t)
        A(t) = delta(t) + gamma lambda (1 - start(t+1)) A(t+1),      target(t) = A(t) + V(t)

    A lifetime that was cut off (truncated, not terminated) must already have gamma V(final observation) in its last
    reward: what lies behind a start is never looked at.

    Args:
        rewards, values: r(t) and V(t), each [T, N].
        starts: nonzero where a lifetime begins with step t, [T, N].
        last_values, last_starts: V and start of the step after the last, each [N].
        gamma, gae_lambda: discount and the trade of bias for variance, both per environment step.
    Returns: advantages and targets, each [T, N].
    Raises: ShapeMismatch if rewards, values and starts disagree.
    Source: Schulman et al. 2016, arXiv 1506.02438.

    >>> one = torch.ones(2, 1)
    >>> advantages, targets = gae(one, 0 * one, 0 * one, torch.tensor([4.0]), torch.zeros(1), 0.5, 1.0)
    >>> advantages[:, 0].tolist()
    [2.5, 3.0]
    """
    if not rewards.shape == values.shape == starts.shape:
        raise ShapeMismatch(
            f"Advantages need rewards, values and starts of one shape [T, N]; found {tuple(rewards.shape)}, "
            f"{tuple(values.shape)} and {tuple(starts.shape)}. Pass all three time-major, unflattened."
        )
    following = torch.cat([values[1:], last_values[None]])
    goes_on = 1 - torch.cat([starts[1:], last_starts[None]]).to(rewards.dtype)
    deltas = rewards + gamma * goes_on * following - values
    carry = gamma * gae_lambda * goes_on
    advantages = torch.empty_like(rewards)
    tail = torch.zeros_like(last_values)
    for delta, weight, out in zip(
        reversed(deltas.unbind(0)), reversed(carry.unbind(0)), reversed(advantages.unbind(0)), strict=True
    ):
        tail = torch.addcmul(delta, weight, tail, out=out)
    return advantages, advantages + values


def ppo_loss(
    log_probs: Tensor,
    values: Tensor,
    entropy: Tensor | None,
    old_log_probs: Tensor,
    old_values: Tensor,
    advantages: Tensor,
    returns: Tensor,
    *,
    clip_range: float = 0.2,
    clip_range_vf: float | None = None,
    ent_coef: float = 0.0,
    vf_coef: float = 0.5,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The clipped surrogate loss of PPO with value and entropy terms.

        ratio = exp(log pi(a) - log pi_old(a))
        loss = -mean min(ratio A, clip(ratio, 1 - c, 1 + c) A) + vf_coef mean (target - V)^2 - ent_coef mean entropy

    Args:
        log_probs, values, entropy: from the policy as it is now, each [T, B]; entropy None is estimated by -log pi.
        old_log_probs, old_values, advantages, returns: from the rollout, each [T, B].
        clip_range: c. clip_range_vf: the same for V around its old value, in units of return; None leaves V free.
    Returns: the scalar loss and its parts, detached, under the names Stable-Baselines3 logs them by.
    Source: Schulman et al. 2017, arXiv 1707.06347; approx_kl is E[(r - 1) - log r], joschu.net/blog/kl-approx.html.
    """
    log_ratio = log_probs - old_log_probs
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
    if clip_range_vf is not None:
        values = old_values + (values - old_values).clamp(-clip_range_vf, clip_range_vf)
    value_loss = (returns - values).square().mean()
    entropy_loss = log_probs.mean() if entropy is None else -entropy.mean()
    loss = policy_loss + vf_coef * value_loss + ent_coef * entropy_loss
    with torch.no_grad():
        parts = {
            "policy_gradient_loss": policy_loss.detach(),
            "value_loss": value_loss.detach(),
            "entropy_loss": entropy_loss.detach(),
            "approx_kl": ((ratio - 1) - log_ratio).mean(),
            "clip_fraction": ((ratio - 1).abs() > clip_range).float().mean(),
        }
    return loss, parts


def task_inference_loss(guess: Tensor, task: Tensor, known: Tensor) -> Tensor:
    """Mean squared error of the guessed task, over the steps at which the task could be known.

    Args:
        guess, task: [T, B, V], in the units of the world's `task_vector`.
        known: [T, B], nonzero once the lifetime has shown what its task is; the others do not count.
    Returns: scalar; zero if nothing could be known anywhere.
    """
    error = (guess - task).square().mean(-1)
    known = known.to(error.dtype)
    return (error * known).sum() / known.sum().clamp(min=1)


def firing_rate_loss(counts: Tensor, simulation_steps: int, dt_ms: float, target_hz: float) -> Tensor:
    """Mean squared distance of each cell's rate from the target, in units of the squared target.

        mean over cells of (rate / target - 1)^2,    rate = mean over rows of counts / duration

    Args:
        counts: spikes of each cell over the sequence, [B, H].
        simulation_steps, dt_ms: how long the sequence is. target_hz: the rate to stay near.
    Returns: scalar; 1 for a silent network, 0 if every cell fires at the target: its weight compares with PPO's terms,
        whatever dt and target are.

    >>> round(firing_rate_loss(torch.tensor([[10.0, 30.0]]), 1000, 1.0, target_hz=20.0).item(), 6)
    0.25
    """
    return firing_rate(counts, simulation_steps, dt_ms, target_hz) / per_step(target_hz, dt_ms) ** 2


def spike_budget_loss(counts: Tensor, simulation_steps: int, dt_ms: float, budget_hz: float) -> Tensor:
    """How far the mean rate of all cells lies above the budget, as a share of it; below zero if under budget.

        mean over rows and cells of (counts / duration) / budget - 1

    Times a multiplier that grows while the budget is exceeded and falls again below it (`ascend`), this is the
    Lagrangian of learning under the constraint: spikes cost nothing as long as there are few.

    Args: as for `firing_rate_loss`.

    >>> round(spike_budget_loss(torch.tensor([[10.0, 30.0]]), 1000, 1.0, budget_hz=16.0).item(), 6)
    0.25
    """
    return counts.mean() / (simulation_steps * per_step(budget_hz, dt_ms)) - 1


def ascend(multiplier: float, excess: float, step: float) -> float:
    """The multiplier of a constraint after one step of dual ascent: it never falls below zero.

    >>> ascend(0.25, excess=0.5, step=0.5), ascend(0.25, excess=-1.0, step=0.5)
    (0.5, 0.0)
    """
    return max(0.0, multiplier + step * excess)
