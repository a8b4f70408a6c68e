"""The control without memory, behind the same door as the recurrent networks."""

from torch import Tensor, nn

from lsnn_rl.errors import BadValue
from lsnn_rl.network import Output
from lsnn_rl.state import State


class FeedForward(nn.Module):
    """Two hidden layers of `size` tanh units and linear readouts: SB3's default network. Its state is empty."""

    spiking = False
    substeps = 1
    dt_ms = 1.0

    def __init__(self, inputs: int, readouts: int, *, size: int = 64) -> None:
        super().__init__()
        if size < 1:
            raise BadValue(f"A network of size {size} has no units. Give at least 1.")
        self.inputs, self.size, self.readouts = inputs, size, readouts
        first, second, out = nn.Linear(inputs, size), nn.Linear(size, size), nn.Linear(size, readouts)
        for layer in (first, second, out):
            nn.init.orthogonal_(layer.weight, gain=2**0.5)
            nn.init.zeros_(layer.bias)
        self.layers = nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), out)

    def initial_state(self, n: int) -> State:
        return {}

    def run(
        self,
        x: Tensor,
        state: State | None = None,
        starts: Tensor | None = None,
        *,
        counts: bool = True,
        spikes: bool = False,
    ) -> tuple[Output, State]:
        """Readouts [T, N, R] of x [T, N, I]; nothing is remembered, nothing spikes."""
        return Output(self.layers(x), None, None), {}
