"""Look inside a run, or lay hands on a state: record, zero, freeze, shuffle, transplant.

A state is a plain dict of tensors [N, ...], so every probe is a function from states to a new state; the old one stays
as it was. `units` picks the neurons: a label of `network.populations`, a slice, or indices; None means all of them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lsnn_rl.errors import BadValue, ShapeMismatch, unknown_name
from lsnn_rl.network.recurrent import Output, RecurrentNetwork
from lsnn_rl.neurons import Cell
from lsnn_rl.neurons.lif import LIF
from lsnn_rl.state import State, rows

Units = slice | Sequence[int] | Tensor | None


def spike_times(cell: Cell, current: float | Sequence[float] | Tensor, steps: int | None = None) -> list[int]:
    """When the first unit of an isolated cell spikes, counted from rest at t = 0.

    A spike carries the time of the voltage that crossed the threshold: z(t+1) in the paper's timing, one call earlier
    with timing="official", which tests the old voltage.

    Args:
        current: volts, constant over `steps` steps, or one number per step.
    """
    given = torch.as_tensor(current)
    drive = given.expand(steps) if steps is not None and given.dim() == 0 else given
    if drive.dim() != 1:
        raise ShapeMismatch(f"A current of shape {list(drive.shape)} is no trace. Give one number per step, or steps=.")
    state, times = cell.initial_state(1), []
    late = 1 if getattr(cell, "timing", "paper") == "paper" else 0
    for t, now in enumerate(drive.tolist()):
        spikes, state = cell.step(torch.full((1, cell.size), now), torch.zeros(1, cell.size), state)
        if spikes[0, 0] > 0:
            times.append(t + late)
    return times


def record(
    network: RecurrentNetwork, x: Tensor, state: State | None = None, starts: Tensor | None = None, **options: Any
) -> tuple[Output, State, dict[str, Tensor]]:
    """Run step by step and keep every state variable, {name: [T, N, ...]}; of spiking cells `threshold` too.

    >>> from lsnn_rl.network import LSNN
    >>> output, state, trace = record(LSNN(3, 4, 4, 2), torch.rand(7, 2, 3))
    >>> trace["v"].shape, torch.equal(trace["b"][-1], state["b"])
    (torch.Size([7, 2, 8]), True)
    """
    outputs, states = [], []
    current = network.initial_state(x.shape[1]) if state is None else state
    for t in range(len(x)):
        output, current = network.run(x[t : t + 1], current, None if starts is None else starts[t : t + 1], **options)
        outputs.append(output)
        states.append(current)
    trace = {name: torch.stack([state[name] for state in states]) for name in current}
    if isinstance(network.cell, LIF):
        levels = [network.cell.threshold(state).expand_as(state["v"]) for state in states]
        trace["threshold"] = torch.stack(levels)
    counts = [output.counts for output in outputs if output.counts is not None]
    spikes = [output.spikes for output in outputs if output.spikes is not None]
    return (
        Output(
            torch.cat([output.readout for output in outputs]),
            torch.stack(counts).sum(0) if counts else None,
            torch.cat(spikes) if spikes else None,
        ),
        current,
        trace,
    )


def zero(state: State, names: str | Sequence[str], units: Units = None) -> State:
    """Some entries at rest, for some units: zero(state, "b", network.populations["adaptive"]) wipes their memory."""
    return _edit(state, names, units, lambda name, value: torch.zeros_like(value))


def freeze(before: State, after: State, names: str | Sequence[str], units: Units = None) -> State:
    """`after` with some entries as they were in `before`: applied at every step it stops them from changing."""
    return _edit(after, names, units, lambda name, value: _pick(before[name], units))


def shuffle(
    state: State, names: str | Sequence[str], units: Units = None, generator: torch.Generator | None = None
) -> State:
    """Some entries exchanged between the units of each row, by one permutation: same numbers, wrong places."""
    some = state[_known(state, names)[0]]
    order = torch.randperm(_pick(some, units).shape[-1], generator=generator).to(some.device)
    return _edit(state, names, units, lambda name, value: value[..., order])


def transplant(donor: State, host: State, names: str | Sequence[str], units: Units = None) -> State:
    """`host` with some entries of `donor`: does the memory move with b, or with v?"""
    if rows(donor) != rows(host):
        raise ShapeMismatch(
            f"The donor holds {rows(donor)} rows, the host {rows(host)}. Use take(state, rows) on either."
        )
    return _edit(host, names, units, lambda name, value: _pick(donor[name], units))


def dead_fraction(counts: Tensor, steps: int = 1, below: float = 0.0) -> float:
    """Fraction of units that spiked in no row more than `below` times per step.

    >>> dead_fraction(torch.tensor([[0.0, 3.0], [0.0, 0.0]]))
    0.5
    """
    return ((counts / steps).amax(dim=0) <= below).to(torch.float64).mean().item()


def _known(state: State, names: str | Sequence[str]) -> list[str]:
    chosen = [names] if isinstance(names, str) else list(names)
    for name in chosen:
        if name not in state:
            raise unknown_name("state entry", name, state)
    if not chosen:
        raise BadValue(f"No state entry was named. Name some of: {', '.join(state)}.")
    return chosen


def _pick(value: Tensor, units: Units) -> Tensor:
    return value if units is None else value[..., units]


def _edit(state: State, names: str | Sequence[str], units: Units, change: Any) -> State:
    """A new state in which `change(name, part)` stands for the chosen units of the chosen entries."""
    edited = dict(state)
    for name in _known(state, names):
        value = state[name].clone()
        value[..., slice(None) if units is None else units] = change(name, _pick(state[name], units))
        edited[name] = value
    return edited
