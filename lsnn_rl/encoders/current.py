"""Plain numbers as currents: what a gated network wants, and what is left where an observation has no bounds."""

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from lsnn_rl.encoders.base import Encoder, PerDimension, bounded, per_dimension


class Current(Encoder):
    """One line per number: scaled from its bounds to -1 .. 1, as it is where there are none.

    Args:
        observation_space: flags and one-hot choices (bounds 0 and 1) stay 0 or 1.
        gain: factor on each line: one number, F numbers, or {index: number}.
        bias: whether a last line is always 1.

    >>> encoder = Current(spaces.Box(np.float32([0, 0, -np.inf]), np.float32([10, 1, np.inf])))
    >>> encoder(torch.tensor([5.0, 1.0, 7.0])).tolist()
    [0.0, 1.0, 7.0]
    """

    middle: Tensor  # [F]
    factor: Tensor  # [F]

    def __init__(self, observation_space: spaces.Space, *, gain: PerDimension = 1.0, bias: bool = False) -> None:
        super().__init__(observation_space)
        low, high = self.box.low, self.box.high
        as_it_is = ~bounded(self.box) | (low == 0) & (high == 1) | (low == high)
        with np.errstate(over="ignore", invalid="ignore"):
            middle = np.where(as_it_is, 0.0, (low + high) / 2)
            half = np.where(as_it_is, 1.0, (high - low) / 2)
        factor = np.asarray(per_dimension("gain", gain, 1.0, self.features)) / half
        self.register_buffer("middle", torch.tensor(middle, dtype=torch.get_default_dtype()))
        self.register_buffer("factor", torch.tensor(factor, dtype=torch.get_default_dtype()))
        self.size = self.features + bias
        self.bias_line = self.size - 1 if bias else None

    def encode(self, obs: Tensor) -> Tensor:
        lines = (obs.to(self.middle.dtype) - self.middle) * self.factor
        return lines if self.bias_line is None else torch.cat([lines, torch.ones_like(lines[..., :1])], dim=-1)
