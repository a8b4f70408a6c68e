"""One step at a time without gradients, as an agent acts: all that can be prepared is, and one kernel call is made.

The prepared weights of a network are kept until a parameter or buffer changes, which its version counter or its
address tells, or is replaced by another.
The results are, bit for bit, those of a run over the sequence.
"""

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from lsnn_rl.kernels import compiled
from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.prepare import Prepared, constants_of, list_fans, new_frame, padded, prepare
from lsnn_rl.state import State

_UNITS = (("v", slot.V0, slot.V1), ("b", slot.B0, slot.B1), ("z", slot.Z0, slot.Z1), ("refractory", slot.R0, slot.R1))
_OTHERS = (("readout", slot.Y0, slot.Y1), ("ring", slot.RING0, slot.RING1))


@dataclass
class Plan:
    """The prepared weights of a network, and what is known about a step of n rows, by n."""

    prepared: Prepared
    places: list[tuple[dict[str, Any], str, Any]]  # table of a module, name, what was there: a tensor, a module, None
    tensors: list[tuple[Tensor, int, int]]  # with version and address
    substeps: int
    like: np.ndarray
    steps: dict[int, "Step"] = field(default_factory=dict)

    def current(self, network: Any) -> bool:
        """Whether no weight and no constant has changed since it was made."""
        for table, name, found in self.places:
            if table.get(name) is not found:
                return False
        for tensor, version, address in self.tensors:
            if tensor._version != version or tensor.data_ptr() != address:
                return False
        return bool(network.substeps == self.substeps)


@dataclass
class Step:
    """A frame that lacks only the addresses of a call, shapes to compare with, and the state last handed out."""

    frame: np.ndarray
    x_shape: torch.Size
    units: list[tuple[str, int, int]]  # entries [N, H]: name, slot before, slot after
    others: list[tuple[str, int, int, torch.Size]]
    last: State = field(default_factory=dict)


_plans: WeakKeyDictionary[Any, Plan] = WeakKeyDictionary()


def plan_of(network: Any) -> Plan:
    """The plan of a network, made anew if its weights or constants have changed."""
    plan = _plans.get(network)
    if plan is None or not plan.current(network):
        tables = [table for part in network.modules() for table in (part._parameters, part._buffers, part._modules)]
        places = [(table, name, found) for table in tables for name, found in table.items()]
        counted = [part for *_, part in places if isinstance(part, Tensor) and not part.is_inference()]
        tensors = [(part, part._version, part.data_ptr()) for part in counted]
        with torch.no_grad():
            prepared = prepare(network, network.weights(), constants_of(network), all_adapt=False)
            if network.delays > 1:
                list_fans(prepared)
        plan = Plan(prepared, places, tensors, network.substeps, prepared.like)
        _plans[network] = plan
    return plan


def remember(network: Any, x: Tensor, state: State) -> None:
    """Prepare for steps like this one, whose x and state have been checked."""
    plan, n = plan_of(network), x.shape[1]
    if n in plan.steps or len(x) > 1:
        return
    if len(plan.steps) > 8:
        plan.steps.clear()
    entries = plan.prepared.slots | {"STEPS": 1, "ROWS": n}
    if network.bias_out is not None and not plan.prepared.has("OUT_BIAS"):
        bias = padded(network.bias_out.detach()[None], 16 * plan.prepared.slots["OUT_WORDS"])
        plan.prepared.tensors["OUT_BIAS"] = bias
    if network.bias_out is not None:
        entries["BIAS"] = plan.prepared.tensors["OUT_BIAS"].data_ptr()
    units = [entry for entry in _UNITS if entry[0] in state]
    others = [(*entry, state[entry[0]].shape) for entry in _OTHERS if entry[0] in state]
    plan.steps[n] = Step(new_frame(compiled.VERSION, entries), x.shape, units, others)


def act(network: Any, x: Tensor, state: State | None, starts: Tensor | None, counts: bool) -> Any | None:
    """(readout [1, N, R] with bias, counts, new state) of one step, or None where the general way must be taken.

    That is with gradients, on the first call, after a change of the weights, or with anything that must be looked at
    twice.
    """
    plan = _plans.get(network)
    if plan is None or state is None or x.dim() != 3 or not plan.current(network):
        return None
    step, dtype = plan.steps.get(x.shape[1]), plan.prepared.dtype
    if step is None or x.shape != step.x_shape or not _plain(x, dtype) or not plan.prepared.refractory:
        return None
    n, units, readouts = x.shape[1], plan.prepared.units, plan.prepared.readouts
    frame, last, unit_shape = step.frame.copy(), step.last, (n, units)
    frame[1 + slot.X] = x.data_ptr()
    for name, before, _ in step.units:
        value = state.get(name)
        if value is None or (value is not last.get(name) and not (value.shape == unit_shape and _plain(value, dtype))):
            return None
        frame[1 + before] = value.data_ptr()
    new: State = {}
    fresh = torch.empty((len(step.units) + counts, n, units), dtype=dtype)
    address, size = fresh.data_ptr(), n * units * x.element_size()
    rows = fresh.unbind(0)
    for (name, _, after), row in zip(step.units, rows, strict=False):
        new[name] = row
        frame[1 + after] = address
        address += size
    for name, before, after, shape in step.others:
        value = state.get(name)
        if value is None or (value is not last.get(name) and not (value.shape == shape and _plain(value, dtype))):
            return None
        new[name] = torch.empty(shape, dtype=dtype)
        frame[1 + before], frame[1 + after] = value.data_ptr(), new[name].data_ptr()
    if counts:
        frame[1 + slot.COUNTS] = address
    if starts is not None:
        if starts.shape != x.shape[:2] or not _plain(starts, torch.bool):
            return None
        frame[1 + slot.STARTS] = starts.data_ptr()
    readout = torch.empty((1, n, readouts), dtype=dtype)
    frame[1 + slot.Y] = readout.data_ptr()
    compiled.forward(frame, plan.like, 0, n)
    if frame[1 + slot.STATUS]:
        return None  # NaN or infinity: let the general way say so
    step.last = new
    return readout, rows[-1] if counts else None, new


def _plain(value: Tensor, dtype: torch.dtype) -> bool:
    """Whether its numbers lie where the kernel expects them."""
    return value.dtype is dtype and value.is_contiguous() and value.is_cpu
