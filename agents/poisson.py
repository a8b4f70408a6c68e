"""Poisson spikes that learning can meet again: chance as a function of what was seen and how old the lifetime is.

PPO compares what the network says in learning with what it said in acting, so both must see the same input spikes. They
could be stored, many lines for each observed number, and upstream's buffer has no place for them. So each is drawn by a
hash of (observation, age of the lifetime, line): independent from step to step, and the same whenever that step is run
again. The price: two lifetimes that see the same observation at the same age get the same spikes.
"""

import torch
from torch import Tensor, nn

from lsnn_rl.encoders import Encoder
from lsnn_rl.state import State

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15, and the two constants of splitmix64, as signed numbers
_MIX_1, _MIX_2 = -4658895280553007687, -7723592293110705685
AGE = "age"


class KeyedPoisson(nn.Module):
    """An analogue encoder whose lines give the probability of a spike, but for the constant line.

    Args:
        encoder: features [..., F] to values [..., I]; a value of 1 means the full rate.
        probability: of a spike in one step at full rate.
    """

    def __init__(self, encoder: Encoder, probability: float) -> None:
        super().__init__()
        self.encoder, self.probability = encoder, probability
        self.size, self.bias_line, self.box = encoder.size, encoder.bias_line, encoder.box

    def forward(self, features: Tensor, age: Tensor) -> Tensor:
        """Spikes [T, N, I] of features [T, N, F] in steps of age [T, N] of their lifetimes."""
        values = self.encoder(features)
        spikes = (keyed_uniform(features, age, self.size) < values * self.probability).to(values.dtype)
        if self.bias_line is not None:
            spikes[..., self.bias_line] = values[..., self.bias_line]
        return spikes


def keyed_uniform(features: Tensor, age: Tensor, lines: int) -> Tensor:
    """Numbers in [0, 1) that depend on features [..., F], age [...] and line only, [..., lines]."""
    bits = features.detach().float().contiguous().view(torch.int32).long()
    places = torch.arange(1, bits.shape[-1] + 1, device=bits.device)
    key = _mix((bits * (places * _GOLDEN | 1)).sum(-1) ^ _mix(age.long()))
    mixed = _mix(key.unsqueeze(-1) + torch.arange(lines, device=bits.device) * _GOLDEN)
    return ((mixed >> 40) & 0xFFFFFF).to(features.dtype) / 2**24


def ages(before: Tensor, starts: Tensor) -> Tensor:
    """Steps since the lifetime began, [T, N], from its age [N] before the first of these steps; 0 where one starts.

    >>> ages(torch.tensor([7.0]), torch.tensor([[0], [0], [1], [0]])).flatten().tolist()
    [8.0, 9.0, 0.0, 1.0]
    """
    step = torch.arange(1, len(starts) + 1, device=before.device, dtype=before.dtype).unsqueeze(1)
    started = torch.where(starts != 0, step, 0).cummax(0).values
    return torch.where(started > 0, step - started, before + step)


def with_age(state: State, n: int) -> State:
    """A state at rest that also counts the lifetime's steps."""
    return {**state, AGE: torch.zeros(n, 1, device=next(iter(state.values())).device if state else None)}


def _mix(z: Tensor) -> Tensor:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014); int64 wraps as it should."""
    z = (z ^ ((z >> 30) & 0x3FFFFFFFF)) * _MIX_1
    z = (z ^ ((z >> 27) & 0x1FFFFFFFFF)) * _MIX_2
    return z ^ ((z >> 31) & 0x1FFFFFFFF)
