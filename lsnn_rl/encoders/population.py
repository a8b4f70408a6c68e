"""Population coding: each bounded number by Gaussian tuning curves, each flag by a group of lines.

line_i = gain exp(-(x - centre_i)^2 / (2 sigma^2)), 0 beyond `cut` sigma
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import Tensor

from lsnn_rl import units
from lsnn_rl.encoders.base import Encoder, PerDimension, bounded, per_dimension
from lsnn_rl.errors import BadValue

FLAG_VALUE = 2.0  # what a raised flag puts on each of its lines: a whole group must be heard over many curves


class Population(Encoder):
    """Tuning curves for numbers, groups of lines for flags, and a constant line.

    Args:
        observation_space: a number with bounds 0 and 1 counts as a flag, as do one-hot choices.
        curves: tuning curves per number: one count, F counts, or {index: count}. Centres span the bounds.
        width: sigma in units of (high - low) / curves, likewise.
        cut: beyond that many sigma a line is exactly 0 (sparse input is what the fast kernel lives on).
        lines: lines per flag, all with the flag's value times 2.
        flags: indices of the flags, instead of the rule above.
        gain: factor on the lines of a number, likewise: {4: 6} makes number 4 six times as loud.
        bounds: scale (one or F) of numbers without bounds, encoded as tanh(x / bounds); without it they are refused.
        bias: whether a last line is always 1.
        poisson: draw spikes (0 or 1) instead of returning values; a line of value 1 fires at `rate_max_hz`. Randomness
            comes from torch's global generator, and what was returned must be kept with a rollout.
    Source: Bellec et al. 2018 (40 curves an axis, 500 Hz, sigma 0.07); the analogue form and the defaults are ours.

    >>> encoder = Population(spaces.Box(np.float32([-1, 0]), np.float32([1, 1])), curves=5, lines=2)
    >>> [round(v, 2) for v in encoder(torch.tensor([0.0, 1.0])).tolist()]
    [0.0, 0.46, 1.0, 0.46, 0.0, 2.0, 2.0, 1.0]
    """

    low: Tensor  # [F], as are high and scale
    high: Tensor
    scale: Tensor | None
    slopes: Tensor  # [curves, F]: 1 / sigma at the number that a curve reads, else 0
    offsets: Tensor  # [curves]: -centre / sigma
    gains: Tensor  # [curves]
    flags: Tensor  # [lines of flags, F]: value of a raised flag at the number that a line reads, else 0

    def __init__(
        self,
        observation_space: spaces.Space,
        *,
        curves: PerDimension = 24,
        width: PerDimension = 1.0,
        cut: float = 2.5,
        lines: PerDimension = 8,
        flags: Sequence[int] | None = None,
        gain: PerDimension = 1.0,
        bounds: float | Sequence[float] | Mapping[int, float] | None = None,
        bias: bool = True,
        poisson: bool = False,
        rate_max_hz: float = 500.0,
        dt_ms: float = 1.0,
    ) -> None:
        super().__init__(observation_space)
        if cut <= 0:
            raise BadValue(f"cut = {cut} leaves no tuning curve. Give a number of sigmas, such as 2.5.")
        self.cut, self.bias, self.stochastic = cut, bias, poisson
        self.probability = units.per_step(rate_max_hz, dt_ms) if poisson else None
        low, high, scale = self._ranges(bounds)
        f = self.features
        if beyond := [index for index in flags or () if not 0 <= index < f]:
            raise BadValue(
                f"flags = {list(flags or ())} names numbers {beyond} of an observation with {f}: 0 to {f - 1}."
            )
        is_flag = (low == 0) & (high == 1) if flags is None else np.isin(np.arange(f), list(flags))
        is_flag |= low == high  # nothing to tell apart
        counts = per_dimension("curves", curves, 24, f), per_dimension("lines", lines, 8, f)
        widths, gains = per_dimension("width", width, 1.0, f), per_dimension("gain", gain, 1.0, f)

        slopes, offsets, curve_gains, flag_lines = [], [], [], []
        for i, reads in enumerate(np.eye(f)):
            n = int(counts[1 if is_flag[i] else 0][i])
            if n < 1 or widths[i] <= 0:
                raise BadValue(
                    f"Number {i} gets {n} lines of width {widths[i]}. Give at least 1 line and a positive width."
                )
            if is_flag[i]:
                flag_lines += [FLAG_VALUE * gains[i] * reads] * n
                continue
            sigma = widths[i] * (high[i] - low[i]) / n
            slopes += [reads / sigma] * n
            offsets += [-centre / sigma for centre in np.linspace(low[i], high[i], n)]
            curve_gains += [gains[i]] * n
        self._buffer("slopes", slopes, f)
        self._buffer("offsets", offsets)
        self._buffer("gains", curve_gains)
        self._buffer("flags", flag_lines, f)
        self._buffer("low", low)
        self._buffer("high", high)
        self._buffer("scale", scale)
        self.size = len(slopes) + len(flag_lines) + bias
        self.bias_line = self.size - 1 if bias else None

    def _ranges(self, bounds: float | Sequence[float] | Mapping[int, float] | None) -> tuple:
        """Lowest and highest of each number once squashed, and the scale of that (None: nothing to squash)."""
        low, high = self.box.low.copy(), self.box.high.copy()
        free = ~bounded(self.box)
        if not free.any():
            return low, high, None
        if bounds is None:
            raise BadValue(
                f"Numbers {np.flatnonzero(free).tolist()} of the observation have no bounds for tuning curves to span. "
                "Pass bounds=1.0 (their usual size; tanh(x / bounds) is encoded), or take the encoder 'current'."
            )
        scales = np.asarray(per_dimension("bounds", bounds, 1.0, self.features), dtype=np.float32)
        if (scales <= 0).any():
            raise BadValue(
                f"bounds = {bounds} holds a number that is not positive. Give the usual size of the observation."
            )
        low[free], high[free] = -1.0, 1.0
        return low, high, np.where(free, scales, np.inf)

    def _buffer(self, name: str, values: Any, *width: int) -> None:
        if values is not None:
            values = torch.tensor(np.asarray(values).reshape(len(values), *width), dtype=torch.get_default_dtype())
        self.register_buffer(name, values)

    def encode(self, obs: Tensor) -> Tensor:
        obs = obs.to(self.low.dtype)
        if self.scale is not None:
            obs = torch.where(self.scale.isinf(), obs, torch.tanh(obs / self.scale))
        obs = obs.clamp(self.low, self.high)
        distance = F.linear(obs, self.slopes, self.offsets)  # in sigmas; a product with many zeros beats a gather
        room = None if distance.requires_grad else distance  # in place: fresh memory takes longer than the formula
        square = torch.square(distance, out=room)
        square = torch.clamp(square, max=(self.cut + 1) ** 2, out=room)  # exp is six times slower where it underflows
        bells = torch.exp(torch.mul(square, -0.5, out=room), out=room)
        curves = torch.threshold(bells, math.exp(-0.5 * self.cut**2), 0.0, out=room)
        parts = [torch.mul(curves, self.gains, out=room), F.linear(obs, self.flags)]
        if self.probability is not None:
            parts = [(torch.rand_like(part) < part * self.probability).to(part) for part in parts]
        if self.bias:
            parts.append(obs.new_ones(*obs.shape[:-1], 1))
        return torch.cat(parts, dim=-1)
