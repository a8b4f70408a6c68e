"""Action distributions as plain formulas on any leading axes, so that a step of acting costs a handful of torch calls.

Each head gives the numbers of its class in `stable_baselines3.common.distributions` (a test compares them), without
building a distribution object per step. `params` [..., P] comes from the policy's action layer, `spread` is the log
standard deviation [A] where there is one, actions are [..., A].
"""

import math
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from stable_baselines3.common.distributions import (
    BernoulliDistribution,
    CategoricalDistribution,
    DiagGaussianDistribution,
    Distribution,
    MultiCategoricalDistribution,
    StateDependentNoiseDistribution,
)
from torch import Tensor
from torch.autograd import Function

from lsnn_rl.agents.bins import BinnedDistribution, Bins
from lsnn_rl.errors import BadValue

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class Head(Protocol):
    def act(self, params: Tensor, spread: Any, deterministic: bool) -> tuple[Tensor, Tensor]:
        """Actions [..., A] and their log-probabilities [...]. Deterministic: the mode, without any random number."""

    def evaluate(self, params: Tensor, spread: Any, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities [...] of given actions and the entropy [...]."""


def make_head(distribution: Distribution) -> Head:
    """The head that computes what this SB3 distribution computes."""
    if isinstance(distribution, StateDependentNoiseDistribution):
        return StateDependentNoise(distribution)
    if isinstance(distribution, DiagGaussianDistribution):
        return Gaussian()
    if isinstance(distribution, CategoricalDistribution):
        return MultiCategorical([distribution.action_dim])
    if isinstance(distribution, BinnedDistribution):
        return Binned(distribution.bins)
    if isinstance(distribution, MultiCategoricalDistribution):
        return MultiCategorical([int(n) for n in distribution.action_dims])
    if isinstance(distribution, BernoulliDistribution):
        return Bernoulli()
    raise BadValue(
        f"Asked for an action head, found {type(distribution).__name__}, which has none. "
        "Use a Box, Discrete, MultiDiscrete or MultiBinary action space."
    )


class Gaussian:
    """Independent Gaussians with a spread that does not depend on the observation (Box actions)."""

    def act(self, params: Tensor, spread: Tensor, deterministic: bool) -> tuple[Tensor, Tensor]:
        actions = params if deterministic else params + spread.exp() * torch.randn_like(params)
        return actions, self._log_prob(params, spread, actions)

    def evaluate(self, params: Tensor, spread: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        entropy = (0.5 + _HALF_LOG_TWO_PI + spread).sum()
        return self._log_prob(params, spread, actions), entropy.expand(params.shape[:-1])

    @staticmethod
    def _log_prob(mean: Tensor, spread: Tensor, actions: Tensor) -> Tensor:
        return (-0.5 * ((actions - mean) * (-spread).exp()).square() - spread - _HALF_LOG_TWO_PI).sum(-1)


class MultiCategorical:
    """One choice (Discrete) or several independent ones (MultiDiscrete); `params` holds their logits side by side."""

    def __init__(self, choices: list[int]) -> None:
        self.choices = choices

    def act(self, params: Tensor, spread: None, deterministic: bool) -> tuple[Tensor, Tensor]:
        logs = [part.log_softmax(-1) for part in params.split(self.choices, -1)]
        if deterministic:
            picks = [log.argmax(-1, keepdim=True) for log in logs]
        else:
            picks = [torch.multinomial(log.exp(), 1, replacement=True) for log in logs]
        log_probs = sum(log.gather(-1, pick).squeeze(-1) for log, pick in zip(logs, picks, strict=True))
        return torch.cat(picks, -1), log_probs

    def evaluate(self, params: Tensor, spread: None, actions: Tensor) -> tuple[Tensor, Tensor]:
        logs = [part.log_softmax(-1) for part in params.split(self.choices, -1)]
        picks = actions.long().split(1, -1)
        log_probs = sum(log.gather(-1, pick).squeeze(-1) for log, pick in zip(logs, picks, strict=True))
        return log_probs, -sum((log.exp() * log).sum(-1) for log in logs)


class Binned(MultiCategorical):
    """A choice among values of every number (Box actions); `params` holds the logits of these values side by side."""

    def __init__(self, bins: Bins) -> None:
        super().__init__(bins.choices)
        self.bins = bins

    def act(self, params: Tensor, spread: None, deterministic: bool) -> tuple[Tensor, Tensor]:
        picks, log_probs = super().act(params, spread, deterministic)
        return self.bins.values(picks), log_probs

    def evaluate(self, params: Tensor, spread: None, actions: Tensor) -> tuple[Tensor, Tensor]:
        return super().evaluate(params, spread, self.bins.picks(actions))


class Bernoulli:
    """Independent yes-or-no actions (MultiBinary). Actions may come as int8: SB3's buffers keep them so."""

    def act(self, params: Tensor, spread: None, deterministic: bool) -> tuple[Tensor, Tensor]:
        yes = params.sigmoid()
        actions = yes.round() if deterministic else torch.bernoulli(yes)
        return actions, self._log_prob(params, actions)

    def evaluate(self, params: Tensor, spread: None, actions: Tensor) -> tuple[Tensor, Tensor]:
        entropy = F.binary_cross_entropy_with_logits(params, params.sigmoid(), reduction="none").sum(-1)
        return self._log_prob(params, actions.to(params.dtype)), entropy

    @staticmethod
    def _log_prob(logits: Tensor, actions: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(logits, actions, reduction="none").sum(-1)


class StateDependentNoise:
    """gSDE (`use_sde=True`): SB3's own class does the work, since its noise matrices live there.

    Here `params` is (mean, latent) side by side, [..., A + L]: the spread depends on the latent.
    """

    def __init__(self, distribution: StateDependentNoiseDistribution) -> None:
        self.distribution = distribution

    def act(self, params: Tensor, spread: Tensor, deterministic: bool) -> tuple[Tensor, Tensor]:
        distribution = self._at(params, spread)
        actions = distribution.get_actions(deterministic=deterministic)
        return self._shaped(actions, params), self._shaped(distribution.log_prob(actions), params)

    def evaluate(self, params: Tensor, spread: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        distribution = self._at(params, spread)
        log_probs = self._shaped(distribution.log_prob(actions.flatten(0, -2)), params)
        entropy = distribution.entropy()
        self._at(params.detach(), spread.detach())  # leave no graph behind: copy.deepcopy(policy) would trip over it
        # Squashed by tanh there is no formula: -log p of the action is the estimate that SB3's PPO uses.
        return log_probs, -log_probs if entropy is None else self._shaped(entropy, params)

    def _at(self, params: Tensor, spread: Tensor) -> StateDependentNoiseDistribution:
        actions = self.distribution.action_dim
        return self.distribution.proba_distribution(
            params[..., :actions].reshape(-1, actions), spread, params[..., actions:].flatten(0, -2)
        )

    @staticmethod
    def _shaped(values: Tensor, params: Tensor) -> Tensor:
        return values.reshape(*params.shape[:-1], *values.shape[1:])


class _Floor(Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, floor: float) -> Tensor:
        ctx.save_for_backward(value > floor)
        return value.clamp(min=floor)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (above,) = ctx.saved_tensors
        return grad * (above | (grad < 0)), None


def floor(value: Tensor, at_least: float) -> Tensor:
    """`value`, but never below `at_least`.

    A plain clamp has no gradient below and would hold for ever what sank there; here what would raise it passes.

    >>> x = torch.tensor([-2.0], requires_grad=True)
    >>> floor(x, -1.0).item()
    -1.0
    """
    return _Floor.apply(value, at_least)
