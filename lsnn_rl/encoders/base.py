"""The contract of encoders: observations [..., F] in, values of input lines [..., I] out."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from lsnn_rl.errors import BadValue, ShapeMismatch

PerDimension = float | Sequence[float] | Mapping[int, float]

_ENDLESS = 1e6  # a bound beyond this (float32's largest number in CartPole, say) says nothing about what will be seen


class Encoder(nn.Module):
    """Turns F observed numbers into I input lines. A subclass sets `size` and writes `encode`."""

    size: int  # I
    stochastic: bool = False  # True if spikes are drawn: then a rollout keeps what was returned, not the observation
    bias_line: int | None = None  # index of a line that is always 1; a network starts it with weight 0

    def __init__(self, observation_space: spaces.Space) -> None:
        super().__init__()
        self.box = flat(observation_space)
        self.features = int(self.box.shape[0])

    def forward(self, obs: Tensor) -> Tensor:
        """Lines [..., I] for observations [..., F]. Raises ShapeMismatch, and BadValue for NaN or infinity."""
        if obs.dim() == 0 or obs.shape[-1] != self.features:
            raise ShapeMismatch(
                f"The encoder reads {self.features} numbers an observation and was given {list(obs.shape)}. "
                f"Pass [..., {self.features}], flattened and with choices one-hot."
            )
        if not math.isfinite(obs.sum().item()) and not (good := torch.isfinite(obs)).all():
            where = (~good).nonzero()[0].tolist()
            raise BadValue(
                f"The observation holds {obs[tuple(where)].item()} at {where}. Observations must be finite: "
                "look at the environment's step() and reset(), or at a normaliser's statistics."
            )
        return self.encode(obs)

    def encode(self, obs: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} needs an encode(obs) that returns [..., size].")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.features} -> {self.size})"


def flat(space: spaces.Space) -> spaces.Box:
    """The space of flattened observations, choices one-hot (0 to 1)."""
    box = spaces.utils.flatten_space(space)
    if not isinstance(box, spaces.Box):
        raise BadValue(f"The observation space {space} has no fixed length. Wrap the environment to give a Box.")
    return spaces.Box(box.low.astype(np.float32), box.high.astype(np.float32))


def bounded(box: spaces.Box) -> NDArray[np.bool_]:
    """Which numbers have bounds that mean something, [F]."""
    return (np.abs(box.low) < _ENDLESS) & (np.abs(box.high) < _ENDLESS)


def per_dimension(name: str, value: PerDimension, default: float, features: int) -> list[float]:
    """One number for each of the F observed ones: from a number, F numbers, or {index: number} over the default.

    >>> per_dimension("curves", {1: 12}, 24, features=3)
    [24, 12, 24]
    """
    if isinstance(value, Mapping):
        for index in value:
            if not 0 <= int(index) < features:
                raise BadValue(
                    f"{name} names number {index} of {features} observed ones. Count from 0 to {features - 1}."
                )
        by_number = {int(index): number for index, number in value.items()}  # JSON's keys are words
        return [by_number.get(index, default) for index in range(features)]
    values = list(value) if isinstance(value, Sequence) else [value] * features
    if len(values) != features:
        raise ShapeMismatch(
            f"{name} holds {len(values)} numbers for {features} observed ones. Give one, or {features}."
        )
    return values
