"""Look inside a run, or lay hands on a state: record, zero, freeze, shuffle, transplant.

A state is a plain dict of tensors [N, ...], so every operation is a function from states to a new state; the old one
stays as it was, and what was not named is shared with it. Any entry can be named (v, b, z, readout, ring, a gated
cell's h or c), one or several.

    units   which neurons: None for all, `network.populations["adaptive"]`, a slice, indices, or a mask [H]
    rows    in which of the N lifetimes: None for all, indices, or a mask [N]

Between two steps of a running network that is all there is to surgery:

>>> from lsnn_rl.network import LSNN
>>> network, x = LSNN(3, regular=4, adaptive=4, readouts=2), torch.rand(20, 2, 3)
>>> _, host = network.run(x[:10])
>>> _, donor = network.run(x[10:])
>>> host = transplant(donor, host, "b", network.populations["adaptive"], rows=[1])    # lifetime 1 gets new thresholds
>>> output, host = network.run(x[10:], host)

`lsnn_rl.agents.operated` does the same to an agent while it plays, at a step, after a success, or whenever you say.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lsnn_rl import state as states
from lsnn_rl.errors import BadValue, ShapeMismatch, unknown_name
from lsnn_rl.network.recurrent import Output, RecurrentNetwork
from lsnn_rl.neurons import Cell
from lsnn_rl.neurons.lif import LIF
from lsnn_rl.state import State

Units = slice | Sequence[int] | Tensor | None
Rows = Sequence[int] | Sequence[bool] | Tensor | None


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
    network: RecurrentNetwork,
    x: Tensor,
    state: State | None = None,
    starts: Tensor | None = None,
    operate: Callable[[int, State], State] | None = None,
    **options: Any,
) -> tuple[Output, State, dict[str, Tensor]]:
    """Run step by step and keep every state variable, {name: [T, N, ...]}; of spiking cells `threshold` too.

    Args:
        operate: `(t, state after step t) -> state to go on with`, for surgery at any step.
        options: of `network.run`, which explains the other arguments too.

    >>> from lsnn_rl.network import LSNN
    >>> output, state, trace = record(LSNN(3, 4, 4, 2), torch.rand(7, 2, 3))
    >>> trace["v"].shape, torch.equal(trace["b"][-1], state["b"])
    (torch.Size([7, 2, 8]), True)
    """
    outputs, seen = [], []
    noise = options.pop("noise", None)
    current = network.initial_state(x.shape[1]) if state is None else state
    for t in range(len(x)):
        here = {name: value[t : t + 1] for name, value in (("starts", starts), ("noise", noise)) if value is not None}
        output, current = network.run(x[t : t + 1], current, **here, **options)
        if operate is not None:
            current = operate(t, current)
        outputs.append(output)
        seen.append(current)
    trace = {name: torch.stack([state[name] for state in seen]) for name in current}
    if isinstance(network.cell, LIF):
        levels = [network.cell.threshold(state).expand_as(state["v"]) for state in seen]
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


def zero(state: State, names: str | Sequence[str], units: Units = None, rows: Rows = None) -> State:
    """Some entries at rest: `zero(state, "b", network.populations["adaptive"])` wipes the memory in the thresholds.

    >>> state = {"v": torch.ones(2, 3), "b": torch.ones(2, 3)}
    >>> zero(state, "b", units=[0, 1], rows=[1])["b"]
    tensor([[1., 1., 1.],
            [0., 0., 1.]])
    """
    return _edit(state, names, units, rows, lambda name, part: torch.zeros_like(part))


def freeze(before: State, after: State, names: str | Sequence[str], units: Units = None, rows: Rows = None) -> State:
    """`after` with some entries as they were in `before`: applied at every step it stops them from changing.

    >>> freeze({"b": torch.zeros(1, 2)}, {"b": torch.ones(1, 2)}, "b", units=[1])
    {'b': tensor([[1., 0.]])}
    """
    return _edit(after, names, units, rows, lambda name, part: _pick(before[name], units))


def shuffle(
    state: State,
    names: str | Sequence[str],
    units: Units = None,
    generator: torch.Generator | None = None,
    rows: Rows = None,
) -> State:
    """Some entries exchanged between the units of each row: the same numbers in the wrong places.

    One permutation serves every row and every entry, so that v and b of a cell stay together.

    >>> state = {"b": torch.tensor([[1.0, 2.0, 3.0, 4.0]])}
    >>> shuffle(state, "b", slice(1, 4), torch.Generator().manual_seed(1))
    {'b': tensor([[1., 3., 4., 2.]])}
    """
    orders: dict[int, Tensor] = {}  # by the number of units: readouts are not as many as cells

    def mixed(name: str, part: Tensor) -> Tensor:
        width = part.shape[-1]
        if width not in orders:
            orders[width] = torch.randperm(width, generator=generator)
        return part[..., orders[width].to(part.device)]

    return _edit(state, names, units, rows, mixed)


def transplant(donor: State, host: State, names: str | Sequence[str], units: Units = None, rows: Rows = None) -> State:
    """`host` with some entries of `donor`: does the memory move with b, or with v?

    >>> host = {"v": torch.zeros(1, 2), "b": torch.zeros(1, 2)}
    >>> transplant({"v": torch.ones(1, 2), "b": torch.ones(1, 2)}, host, "b")
    {'v': tensor([[0., 0.]]), 'b': tensor([[1., 1.]])}
    """
    if states.rows(donor) != states.rows(host):
        raise ShapeMismatch(
            f"The donor holds {states.rows(donor)} rows, the host {states.rows(host)}. Use take(state, rows) on either."
        )
    return _edit(host, names, units, rows, lambda name, part: _pick(donor[name], units))


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
    if isinstance(units, str):
        raise BadValue(f"units = {units!r} is a label, and a state has none. Pass network.populations[{units!r}].")
    return value if units is None else value[..., units]


def _edit(
    state: State,
    names: str | Sequence[str],
    units: Units,
    rows: Rows,
    change: Callable[[str, Tensor], Tensor],
) -> State:
    """A new state in which `change(name, part)` stands for the chosen units of the chosen entries, in chosen rows."""
    edited = dict(state)
    for name in _known(state, names):
        value = state[name].clone()
        value[..., slice(None) if units is None else units] = change(name, _pick(state[name], units))
        if rows is not None:
            untouched = torch.ones(len(value), dtype=torch.bool, device=value.device)
            untouched[torch.as_tensor(rows, device=value.device)] = False
            value[untouched] = state[name][untouched]
        edited[name] = value
    return edited
