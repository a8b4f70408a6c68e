"""Box actions as a choice among evenly spaced values of every number, so that a policy can have several peaks.

Where a Gaussian must move its mean through all that lies between, a choice jumps (Tang and Agrawal 2020, Discretizing
continuous action space for on-policy optimization).
"""

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import MultiCategoricalDistribution
from torch import Tensor

from lsnn_rl.errors import BadValue


class Bins:
    """What the choices stand for: `count` values from the lowest to the highest of every number of a Box.

    Raises: BadValue for a space without bounds, or fewer than two values.

    >>> bins = Bins(spaces.Box(-1, 1, (2,)), count=5)
    >>> bins.values(torch.tensor([[0, 3]])), bins.picks(torch.tensor([[-1.0, 0.5]]))
    (tensor([[-1.0000,  0.5000]]), tensor([[0, 3]]))
    """

    def __init__(self, space: spaces.Space, count: int) -> None:
        if not isinstance(space, spaces.Box) or not space.is_bounded():
            raise BadValue(f"action_bins divide a Box with bounds, the action space is {space}. Leave action_bins out.")
        if count < 2:
            raise BadValue(f"action_bins = {count} leaves nothing to choose. Give at least 2, for example 21.")
        self.choices = [count] * int(np.prod(space.shape))
        self.low = torch.as_tensor(space.low.ravel())
        self.width = torch.as_tensor((space.high.ravel() - space.low.ravel()) / (count - 1))

    def values(self, picks: Tensor) -> Tensor:
        """Actions [..., A] of choices."""
        return self.low.to(picks.device) + picks * self.width.to(picks.device)

    def picks(self, values: Tensor) -> Tensor:
        """Choices [..., A] of actions."""
        return ((values - self.low.to(values.device)) / self.width.to(values.device)).round().long()


class BinnedDistribution(MultiCategoricalDistribution):
    """Stable-Baselines3's several choices, told and asked in what they stand for."""

    def __init__(self, bins: Bins) -> None:
        super().__init__(bins.choices)
        self.bins = bins

    def sample(self) -> Tensor:
        return self.bins.values(super().sample())

    def mode(self) -> Tensor:
        return self.bins.values(super().mode())

    def log_prob(self, actions: Tensor) -> Tensor:
        return super().log_prob(self.bins.picks(actions))
