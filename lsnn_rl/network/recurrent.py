"""Recurrent networks around any cell, with one way to run them: acting is the same call as learning, with T = 1."""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lsnn_rl import units
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.network import gated_sequence, synapses
from lsnn_rl.network.checks import check_finite, check_input, check_starts, check_state
from lsnn_rl.network.first_weights import first_weights
from lsnn_rl.network.populations import Populations, inhibitory_cells
from lsnn_rl.network.readout import follow, leak
from lsnn_rl.neurons import Cell
from lsnn_rl.neurons.constants import Constant
from lsnn_rl.state import State, reset_where


class Output(NamedTuple):
    """What a run yields."""

    readout: Tensor  # [T, N, R], after the last substep of each step
    counts: Tensor | None  # [N, H], spikes over all T * K simulation steps; None if the cell does not spike
    spikes: Tensor | None  # [T, K, N, H], only when asked for


class Weights(NamedTuple):
    """Weights as they act: masked, and without self-connections among spiking cells."""

    w_in: Tensor  # [G * H, I]
    w_rec: Tensor  # [G * H, H]
    w_out: Tensor  # [R, H]


@cache
def fused_kernel() -> ModuleType | None:
    """The fused CPU kernel, imported when first wanted; None where numba cannot be imported."""
    try:
        return import_module("lsnn_rl.kernels.cpu")
    except ImportError:
        return None


class RecurrentNetwork(nn.Module):
    """Units of one cell type, all connected to all, with `inputs` lines in and `readouts` leaky units out.

        I(t) = W_in x(t) + W_rec z(t)        a spike reaches the membrane of the next step
        y(t+1) = kappa y(t) + (1 - kappa) W_out z(t+1)

    With delays, synapse by synapse: I(t) = sum_d W_in,d x(t - d) + sum_d W_rec,d z(t + 1 - d), d = 0 .. D - 1 for the
    inputs and 1 .. D between units, through one ring of D future currents.

    Args:
        cell: the dynamics of the H units.
        inputs, readouts: I and R.
        substeps: simulation steps K per input; each x(t) is presented K times, resets come before the first.
        dt_ms: length of a simulation step.
        tau_out_ms: time constant of the readouts: one number, R, or a distribution; 0 or None does not leak.
        readout_bias: a constant per readout, added after the leak.
        delay_ms: longest synaptic delay D; above one step every synapse draws its own, uniformly.
        connectivity: fraction of synapses that exist, by a fixed mask in each matrix (for rewiring leave it at 1).
        dormant_gradients: whether synapses of weight 0 get a gradient. RigL needs them; DEEP R and SET do as well
            without, and with delays the backward pass then takes half to a third of the time.
        dale: excitatory and inhibitory cells and inputs at first, as in lsnn_rl.network.initial; DEEP R keeps it so.
        excitatory: fraction of excitatory cells under Dale's law.
        input_gain, recurrent_gain, readout_gain: factors on the first weights.
        noise: first standard deviation (volts) of a current noise per cell, trained; 0 for none. See `run`.
        adaptive: how many of the cells, the last ones, are labelled adaptive in `populations`.
        generator: source of weights, masks and delays.
    Parameters: w_in [G * H, I], w_rec [G * H, H], w_out [R, H]; bias_in and bias_rec [G * H] for gated cells.
    """

    mask_in: Tensor | None  # masks are shaped like their weights
    mask_rec: Tensor | None
    mask_out: Tensor | None
    delay_in: Tensor | None  # steps, shaped like w_in
    delay_rec: Tensor | None
    no_self: Tensor | None  # [H, H]
    kappa: Tensor | None  # [R]
    sign_in: Tensor  # [I], +1 or -1; there under Dale's law only, as is sign_rec [H]
    sign_rec: Tensor

    def __init__(
        self,
        cell: Cell,
        inputs: int,
        readouts: int,
        *,
        substeps: int = 1,
        dt_ms: float = 1.0,
        tau_out_ms: Constant | None = 0.0,
        readout_bias: bool = True,
        delay_ms: float = 1.0,
        connectivity: float = 1.0,
        dormant_gradients: bool = True,
        dale: bool = False,
        excitatory: float = 0.75,
        input_gain: float = 1.0,
        recurrent_gain: float = 1.0,
        readout_gain: float = 1.0,
        noise: float = 0.0,
        adaptive: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, number in (("inputs", inputs), ("readouts", readouts), ("substeps", substeps)):
            if number < 1:
                raise BadValue(f"A network with {name} = {number} computes nothing. Give at least 1.")
        self.cell, self.inputs, self.size, self.readouts = cell, inputs, cell.size, readouts
        self.substeps, self.dt_ms = substeps, dt_ms
        self.spiking = cell.spiking
        self.dormant_gradients = dormant_gradients
        self.delays = max(1, units.steps(delay_ms, dt_ms, "delay_ms"))
        if not self.spiking and (dale or noise or self.delays > 1):
            raise BadValue(
                f"dale, noise and delay_ms belong to spiking cells, and {type(cell).__name__} does not spike. "
                "Leave them out, or take cell='lsnn'."
            )
        if not 0 <= adaptive <= self.size:
            raise BadValue(f"adaptive = {adaptive} of {self.size} cells. Give how many of them adapt.")
        inhibitory = inhibitory_cells(self.size, excitatory) if dale else None
        self.populations = Populations(self.size - adaptive, adaptive, inhibitory)
        self.backend = "auto"
        self._kept: tuple[list[tuple[int, int]], Weights, Any] | None = None  # see `weights`

        lines, size = cell.currents * self.size, self.size
        self.w_in = nn.Parameter(torch.empty(lines, inputs))
        self.w_rec = nn.Parameter(torch.empty(lines, size))
        self.w_out = nn.Parameter(torch.empty(readouts, size))
        self.bias_in = None if self.spiking else nn.Parameter(torch.zeros(lines))
        self.bias_rec = None if self.spiking else nn.Parameter(torch.zeros(lines))
        self.bias_out = nn.Parameter(torch.zeros(readouts)) if readout_bias else None
        self.noise_std = nn.Parameter(torch.full((size,), float(noise))) if noise else None
        for end, w in (("in", self.w_in), ("rec", self.w_rec), ("out", self.w_out)):
            self.register_buffer(f"mask_{end}", synapses.draw_mask(w.shape, connectivity, generator))
        for end, w, first in (("in", self.w_in, 0), ("rec", self.w_rec, 1)):
            late = synapses.draw_delays(w.shape, first, self.delays, generator) if self.delays > 1 else None
            self.register_buffer(f"delay_{end}", late)
        self.register_buffer("no_self", 1 - torch.eye(size) if self.spiking else None, persistent=False)
        self.register_buffer("kappa", leak(tau_out_ms, readouts, dt_ms, generator))
        rest = cell.initial_state(1)
        self.shapes = {name: value.shape[1:] for name, value in rest.items()}  # of the state's entries, without N
        if self.kappa is not None:
            self.shapes["readout"] = torch.Size([readouts])
        if self.delays > 1:
            self.shapes["ring"] = torch.Size([self.delays, size])
        gains = (input_gain, recurrent_gain, readout_gain)
        first_weights(self, gains, excitatory if dale else None, generator)

    def weights(self) -> Weights:
        """The weights as they act; gradients reach the parameters through masks.

        Without gradients the very same object is handed out until a weight changes, so that whoever prepares it for
        speed can keep what was made of it. Changes through `weight.data` go unseen: use `with torch.no_grad()`.
        """
        if torch.is_grad_enabled():
            return self._acting()
        sources = (self.w_in, self.w_rec, self.w_out, self.mask_in, self.mask_rec, self.mask_out)
        version = [(w.data_ptr(), -1 if w.is_inference() else w._version) for w in sources if w is not None]
        if self._kept is None or self._kept[0] != version:
            # The sources are kept too: a parametrised weight is a new tensor each time, at an address used again.
            self._kept = (version, self._acting(), sources)
        return self._kept[1]

    def _acting(self) -> Weights:
        w_in = self.w_in if self.mask_in is None else self.w_in * self.mask_in
        w_rec = self.w_rec if self.mask_rec is None else self.w_rec * self.mask_rec
        w_out = self.w_out if self.mask_out is None else self.w_out * self.mask_out
        if self.no_self is not None:
            w_rec = w_rec * self.no_self
        if not self.dormant_gradients and torch.is_grad_enabled():
            w_in, w_rec, w_out = (w * (w.detach() != 0) for w in (w_in, w_rec, w_out))
        return Weights(w_in, w_rec, w_out)

    def initial_state(self, n: int) -> State:
        """Rest, all zeros: the cell's state, `readout` [N, R] if it leaks, `ring` [N, D, H] if there are delays."""
        return {name: self.w_in.new_zeros(n, *shape) for name, shape in self.shapes.items()}

    def run(
        self,
        x: Tensor,
        state: State | None = None,
        starts: Tensor | None = None,
        *,
        counts: bool = True,
        spikes: bool = False,
        noise: Tensor | None = None,
    ) -> tuple[Output, State]:
        """Run over a sequence; one step is a sequence of length 1.

        Args:
            x: input lines, [T, N, I].
            state: where to begin; rest if None.
            starts: [T, N], nonzero where a lifetime begins, so that the row is reset before that step.
            counts, spikes: what to return beside the readouts.
            noise: standard normal samples [T, K, N, H]; times the trained `noise_std` they are added to the current.
                Kept with a rollout they make learning see the very run that acted.
        Returns: an Output and the state after the last step.
        Raises: ShapeMismatch or BadValue if x, state, starts or noise do not fit.
        """
        if noise is None and not torch.is_grad_enabled() and (kernel := self._kernel()) is not None:
            acted = kernel.act(self, x, state, starts, counts, spikes)  # acting, the short way
            if acted is not None:
                return acted
        check_input(self, x, noise)
        n = x.shape[1]
        if state is None:
            state = self.initial_state(n)
        check_state(self, state, n)
        if starts is not None:
            starts = check_starts(starts, x)
        counts, spikes = counts and self.spiking, spikes and self.spiking
        kernel = self._kernel()
        if kernel is not None and noise is None and kernel.reason_against(self, x, state, starts, spikes) is None:
            output, state = kernel.run(self, x, state, starts, counts, spikes)  # it looks for NaN on its way
        elif self.backend == "auto" and gated_sequence.serves(self):
            check_finite(x)
            readout, state = gated_sequence.run(self, x, state, starts)
            output = Output(readout, None, None)
        else:
            check_finite(x)
            law = self._captured_law if self.backend == "auto" and x.is_cuda else self._law
            output, state = law(x, state, starts, counts, spikes, noise)
        if self.bias_out is not None:  # added here, whoever computed the rest
            output = output._replace(readout=output.readout + self.bias_out)
        return output, state

    def _kernel(self) -> ModuleType | None:
        """The fused kernel, if it is wanted and there."""
        if self.backend not in ("auto", "law"):
            raise unknown_name("backend", self.backend, ("auto", "law"))
        return fused_kernel() if self.backend == "auto" and self.spiking else None

    def backend_in_use(self) -> str:
        """What a plain run would be computed by, and why not by something faster."""
        if self.backend == "auto" and gated_sequence.serves(self):
            return "torch's sequence kernel"
        if self.backend == "auto" and self.w_in.is_cuda:
            return "the law, captured as a CUDA graph"
        if not self.spiking or (kernel := self._kernel()) is None:
            return "law"
        x = self.w_in.new_zeros(1, 1, self.inputs)
        reason = kernel.reason_against(self, x, self.initial_state(1), None, False)
        return "fused kernel" if reason is None else f"law ({reason})"

    def _captured_law(
        self, x: Tensor, state: State, starts: Tensor | None, counts: bool, spikes: bool, noise: Tensor | None
    ) -> tuple[Output, State]:
        """The law on a CUDA device, without the cost of launching its operations one by one."""
        from lsnn_rl.kernels import cuda

        names = list(self.shapes)
        extras = [value for value in (starts, noise) if value is not None]

        def law(x: Tensor, *others: Tensor) -> list[Tensor]:
            rest = list(others[len(names) :])
            first = None if starts is None else rest.pop(0)
            jitter = None if noise is None else rest.pop(0)
            output, after = self._law(x, dict(zip(names, others, strict=False)), first, counts, spikes, jitter)
            return [value for value in (*output, *(after[name] for name in names)) if value is not None]

        options = (counts, spikes, starts is None, noise is None)
        results = list(cuda.run(self, law, [x, *(state[name] for name in names), *extras], options))
        readout = results.pop(0)
        total = results.pop(0) if counts else None
        emitted = results.pop(0) if spikes else None
        return Output(readout, total, emitted), dict(zip(names, results, strict=True))

    @parametrize.cached()  # trained constants are computed once per run, not once per step
    def _law(
        self, x: Tensor, state: State, starts: Tensor | None, counts: bool, spikes: bool, noise: Tensor | None
    ) -> tuple[Output, State]:
        """The readable reference, on any device and in any precision; faster ways are judged against it."""
        weights = self._acting() if x.is_cuda else self.weights()  # a captured graph must not keep a product
        if self.delay_in is not None and self.delay_rec is not None:
            w_in = synapses.spread(weights.w_in, self.delay_in, self.delays)
            w_rec = synapses.spread(weights.w_rec, self.delay_rec - 1, self.delays)
            weights = weights._replace(w_in=w_in, w_rec=w_rec)
        ask = starts is not None and not x.is_cuda  # to ask a CUDA device would mean to wait for it
        resets = starts.any(dim=1).tolist() if ask else [starts is not None] * len(x)
        readouts, emitted = [], []
        total = x.new_zeros(x.shape[1], self.size) if counts else None

        for t, line in enumerate(x.unbind(0)):
            if starts is not None and resets[t]:
                state = reset_where(state, starts[t])
            drive = F.linear(line, weights.w_in, self.bias_in)
            for k in range(self.substeps):
                jitter = None if noise is None or self.noise_std is None else self.noise_std * noise[t, k]
                output, state = self._step(drive, jitter, state, weights)
                if total is not None:
                    total = total + output
                if spikes:
                    emitted.append(output)
            readouts.append(state["readout"] if self.kappa is not None else F.linear(output, weights.w_out))

        shape = (len(x), self.substeps, x.shape[1], self.size)
        return Output(torch.stack(readouts), total, torch.stack(emitted).view(shape) if spikes else None), state

    def _step(self, drive: Tensor, jitter: Tensor | None, state: State, weights: Weights) -> tuple[Tensor, State]:
        """One simulation step: currents, cell, readout."""
        recurrent = F.linear(state[self.cell.output], weights.w_rec, self.bias_rec)
        if self.delays > 1:
            future = (drive + recurrent).view(-1, self.delays, self.size)
            drive, ring = synapses.shift(state["ring"] + future)
            recurrent = torch.zeros_like(drive)
        if jitter is not None:
            drive = drive + jitter

        output, new = self.cell.step(drive, recurrent, state)
        if self.kappa is not None:
            new["readout"] = follow(state["readout"], F.linear(output, weights.w_out), self.kappa)
        if self.delays > 1:
            new["ring"] = ring
        return output, new

    def extra_repr(self) -> str:
        shape = f"inputs={self.inputs}, size={self.size}, readouts={self.readouts}, substeps={self.substeps}"
        return f"{shape}, computed by {self.backend_in_use()}"

    def forward(self, *args: Any, **options: Any) -> tuple[Output, State]:
        return self.run(*args, **options)
