"""The contract between a cell and the network that holds its weights."""

import torch
from torch import Tensor, nn

from lsnn_rl.errors import BadValue
from lsnn_rl.state import State


class Cell(nn.Module):
    """The dynamics of `size` units, without any weights: currents and state in, output and new state out.

    A subclass names its state `entries` (each [N, H], zero at rest) and writes `step`.
    """

    currents: int = 1  # how many currents a unit takes: 1 a spiking cell, 3 a GRU, 4 an LSTM
    spiking: bool = False
    output: str = "h"  # the state entry that other units see
    entries: tuple[str, ...] = ("h",)

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise BadValue(f"A cell of size {size} has no units. Give at least 1.")
        self.size = size

    def initial_state(self, n: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> State:
        """Rest: every entry zero, [N, H]."""
        return {name: torch.zeros(n, self.size, dtype=dtype, device=device) for name in self.entries}

    def step(self, input: Tensor, recurrent: Tensor, state: State) -> tuple[Tensor, State]:
        """Advance one simulation step.

        Args:
            input: currents from outside, [N, currents * H].
            recurrent: currents from the other units, [N, currents * H].
            state: the state at time t.
        Returns: the output [N, H] and the state at t + 1.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a step(input, recurrent, state).")

    def extra_repr(self) -> str:
        return str(self.size)
