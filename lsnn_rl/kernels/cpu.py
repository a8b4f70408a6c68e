"""The fused kernel of spiking networks on a CPU: exact gradients, many times faster than the law it must agree with.

`reason_against` says why a run cannot be computed here; `run` computes it. docs/core.md explains the algorithm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.utils.parametrize import type_before_parametrizations

from lsnn_rl.errors import BadValue, ShapeMismatch
from lsnn_rl.kernels import acting, buffers, compiled, threads
from lsnn_rl.kernels import frame as slots
from lsnn_rl.kernels.forward import FORWARD_ROWS
from lsnn_rl.kernels.prepare import (
    Prepared,
    constants_of,
    list_fans,
    new_frame,
    padded,
    prepare,
    tiles,
    words_of,
)  # fmt: skip
from lsnn_rl.network.recurrent import Output
from lsnn_rl.neurons.alif import ALIF
from lsnn_rl.neurons.lif import LIF
from lsnn_rl.state import State
from lsnn_rl.surrogates.triangular import Triangular


@dataclass(frozen=True)
class Call:
    """What a run was asked for, beside its tensors."""

    network: Any
    starts: Tensor | None  # bool [T, N]
    counts: bool
    spikes: bool
    names: tuple[str, ...]  # entries of the state, in order


STATE = ("v", "b", "z", "refractory", "readout", "ring")
DENSE_ABOVE = 0.45  # density of the recurrent weights from which a dense product is faster
CHUNK = 8  # simulation steps (rounded up to whole inputs) whose gradients are kept in the second-level cache


def reason_against(network: Any, x: Tensor, state: State | None, starts: Tensor | None, spikes: bool) -> str | None:
    """Why the law must run instead, or None."""
    cell = network.cell
    kind = type_before_parametrizations(cell)  # trained constants make a subclass
    if kind not in (LIF, ALIF):
        return f"{kind.__name__} has no fused kernel"
    if cell.timing != "paper":
        return f"timing={cell.timing!r}"
    if type(cell.surrogate) is not Triangular or cell.surrogate_scale != "adapted":
        return "a surrogate other than the adapted triangle"
    if cell.detach_reset or getattr(cell, "detach_adaptation", False):
        return "detached reset or adaptation"
    if network.noise_std is not None:
        return "noise"
    if network.w_in.device.type != "cpu" or x.device.type != "cpu":
        return f"on {x.device}"
    if x.dtype not in (torch.float32, torch.float64) or network.w_in.dtype != x.dtype:
        return f"{x.dtype}"
    return None


def act(
    network: Any, x: Tensor, state: State | None, starts: Tensor | None, counts: bool, spikes: bool
) -> tuple[Output, State] | None:
    """One step as `run`, the readouts' bias included, through a short cut; None where there is none for this call."""
    if spikes or torch.is_grad_enabled():
        return None
    result = acting.act(network, x, state, starts, counts)
    return None if result is None else (Output(result[0], result[1], None), result[2])


def run(
    network: Any, x: Tensor, state: State | None, starts: Tensor | None, counts: bool, spikes: bool
) -> tuple[Output, State]:
    """What `network.run` promises, without the readouts' bias.

    Raises: ShapeMismatch or BadValue if x, state or starts do not fit the network.
    """
    if state is None:
        state = network.initial_state(x.shape[1])
    check(network, x, state, starts)
    if starts is not None:
        starts = (starts != 0).contiguous()
    names = tuple(name for name in STATE if name in state)
    values = [state[name] for name in names]
    call = Call(network, starts, counts, spikes, names)
    if torch.is_grad_enabled():
        constants = list(constants_of(network).values())
        weights = network.weights()
        if any(tensor.requires_grad for tensor in (x, *weights, *constants, *values)):
            results = _Fused.apply(call, x, *weights, *constants, *values)
            return Output(*results[:3]), dict(zip(names, results[3:], strict=False))
    acting.remember(network, x, state)
    results, _ = _forward(call, x, acting.plan_of(network).prepared, values, None)
    return Output(*results[:3]), dict(zip(names, results[3:], strict=False))


def check(network: Any, x: Tensor, state: Mapping[str, Tensor], starts: Tensor | None) -> None:
    """The kernels trust their addresses, so everything is compared with the network here."""
    if x.dim() != 3 or x.shape[2] != network.inputs or not len(x):
        raise ShapeMismatch(
            f"The network runs over x of shape [T, N, {network.inputs}] with T >= 1 and was given {list(x.shape)}. "
            "Add the missing axis (one step: x[None]), or build the network with that number of inputs."
        )
    dtype, n = network.w_in.dtype, x.shape[1]
    expected = {name: [n, network.size] for name in network.cell.entries}
    if network.kappa is not None:
        expected["readout"] = [n, network.readouts]
    if network.delays > 1:
        expected["ring"] = [n, network.delays, network.size]
    for name, shape in expected.items():
        if name not in state:
            raise ShapeMismatch(
                f"The state has no entry {name!r}, only {', '.join(state)}. Begin with network.initial_state({n})."
            )
        if list(state[name].shape) != shape:
            raise ShapeMismatch(
                f"The state's {name} has the shape {list(state[name].shape)}, and for this x it must be {shape}. "
                f"Pass take(state, rows), or begin with network.initial_state({n})."
            )
    for name, value in (("x", x), *((name, state[name]) for name in expected)):
        if value.dtype != dtype or value.device.type != "cpu":
            raise BadValue(
                f"The network computes in {dtype} on the CPU, and {name} is {value.dtype} on {value.device}. "
                f"Pass {name}.to(dtype={dtype}, device='cpu')."
            )
    if starts is not None and starts.shape != x.shape[:2]:
        raise ShapeMismatch(
            f"starts has the shape {list(starts.shape)}, x has {list(x.shape[:2])} steps and rows. "
            "Give one flag for each: starts [T, N] (one step: starts[None])."
        )


def _address(value: Tensor | np.ndarray | None) -> int:
    if value is None:
        return 0
    return value.data_ptr() if isinstance(value, Tensor) else value.ctypes.data


def _forward(
    call: Call, x: Tensor, prepared: Prepared, values: Sequence[Tensor], keep: dict[str, Any] | None
) -> tuple[list[Any], dict[str, Any]]:
    """Outputs; and with `keep` (a dict that says whether constants are trained) what the backward pass needs, filled
    in."""
    steps, n, _ = x.shape
    units, starts = prepared.units, call.starts
    x = x.detach().contiguous()
    old = {name: value.detach().contiguous() for name, value in zip(call.names, values, strict=False)}
    new = {name: torch.empty_like(value) for name, value in old.items()}
    readout = x.new_empty(steps, n, prepared.readouts)
    total = x.new_empty(n, units) if call.counts else None
    emitted = x.new_empty(steps, prepared.substeps, n, units) if call.spikes else None
    entries = dict(prepared.slots)
    entries |= {"STEPS": steps, "ROWS": n, "X": _address(x), "STARTS": _address(starts), "Y": _address(readout)}
    entries |= {"COUNTS": _address(total), "SPIKES": _address(emitted)}
    for name, place in zip(STATE, ("V", "B", "Z", "R", "Y", "RING"), strict=False):
        if name in old:
            entries |= {f"{place}0": _address(old[name]), f"{place}1": _address(new[name])}
    at_rest = torch.zeros_like(old["refractory"])
    if not prepared.refractory:
        entries["R0"] = _address(at_rest)
    if keep is not None:
        entries |= _room(prepared, steps, n, keep)
    frame = new_frame(compiled.VERSION, entries)
    lanes = threads.lanes_for(n, 32 if prepared.delays == 1 else 16)  # with delays the next D steps of all are read
    ranges = threads.split(n, lanes, steps * prepared.substeps * n * units)
    threads.run_all([partial(compiled.forward, frame, prepared.like, a, b) for a, b in ranges])
    if frame[1 + slots.STATUS]:
        raise BadValue(
            "x holds NaN or infinity. A spiking cell would fall silent without a word: "
            "look for it in the observation or the encoder."
        )
    if not prepared.refractory:
        new["refractory"] = old["refractory"] * (1 if starts is None else ~starts.any(0)[:, None])
    kept = {"old": old, "ranges": ranges, "lanes": lanes, "entries": entries}
    return [readout, total, emitted, *new.values()], kept


def _room(prepared: Prepared, steps: int, n: int, keep: dict[str, Any]) -> dict[str, int]:
    """Memory that the forward pass fills for the backward pass; untouched pages of it cost nothing."""
    words, simulated = words_of(prepared.units), steps * prepared.substeps
    dtype = prepared.like.dtype
    least = max(CHUNK, prepared.delays // 2)  # the gradients of D steps are handed from chunk to chunk
    chunk = prepared.substeps * -(-least // prepared.substeps)
    sizes = {
        "SPIKE_BITS": (simulated * n * words, np.uint16),
        "ACTIVE_BITS": (simulated * n * words, np.uint16),
        "SLOPES": (n * (simulated * words * 16 + 16) + 64, dtype),
        "SLOPE_MARKS": (simulated * -(-n // FORWARD_ROWS), np.int64),
        "EVENT_INDEX": (n * (steps * prepared.inputs + 16) + 64, np.int32),
        "EVENT_VALUE": (n * (steps * prepared.inputs + 16) + 64, dtype),
        "EVENT_MARKS": (2 * steps * n, np.int64),
    }
    if prepared.trace:
        sizes["TRACES"] = (-(-simulated // chunk) * n * words * 16, dtype)
    if keep["trained"]:
        sizes["VOLTAGES"] = (simulated * n * words * 16, dtype)
    keep["room"] = {name: torch.from_numpy(buffers.take(*size)) for name, size in sizes.items()}
    return {"CHUNK": chunk} | {name: _address(value) for name, value in keep["room"].items()}


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: Call, x: Tensor, *tensors: Tensor) -> Any:
        known = tuple(constants_of(call.network))
        weights, constants, values = tensors[:3], tensors[3 : 3 + len(known)], tensors[3 + len(known) :]
        keep: dict[str, Any] = {"trained": any(ctx.needs_input_grad[5 : 5 + len(known)])}
        prepared = prepare(call.network, weights, dict(zip(known, constants, strict=False)), keep["trained"])
        if prepared.delays > 1:
            list_fans(prepared)
        results, kept = _forward(call, x, prepared, values, keep)
        room, old = keep.pop("room"), kept.pop("old")
        ctx.call, ctx.shape, ctx.prepared, ctx.keep, ctx.known = call, x.shape, prepared, keep | kept, known
        ctx.room, ctx.old = len(room), tuple(old)
        ctx.save_for_backward(*room.values(), *old.values())
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(results[3 + call.names.index("refractory")])
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gy: Tensor | None, gcounts: Tensor | None, gspikes: Tensor | None, *gstate: Tensor | None
    ) -> Any:
        saved = ctx.saved_tensors  # kept alive here while the kernel reads them through addresses
        prepared, keep, names = ctx.prepared, ctx.keep, ctx.call.names
        steps, n, inputs = ctx.shape
        units, readouts, dtype = prepared.units, prepared.readouts, prepared.dtype
        words, out_words, lanes, tasks = words_of(units), words_of(readouts), keep["lanes"], len(keep["ranges"])
        old = dict(zip(ctx.old, saved[ctx.room :], strict=False))
        given = dict(zip(names, (None if g is None else g.contiguous() for g in gstate), strict=False))
        gy, gcounts, gspikes = (None if g is None else g.contiguous() for g in (gy, gcounts, gspikes))
        made = {name: torch.zeros_like(value) for name, value in old.items()}

        entries = dict(keep["entries"]) | {"LANES": lanes}
        if given.get("b") is not None:
            entries["ADAPTIVE"] = 0  # the traces of regular cells matter to someone
        entries |= {"GY": _address(gy), "GCOUNTS": _address(gcounts), "GSPIKES": _address(gspikes)}
        for name, slot in zip(STATE, ("GV", "GB", "GZ", "", "GY", "GRING"), strict=False):
            if slot and name in old:
                entries |= {f"{slot}1": _address(given[name]), f"{slot}0": _address(made[name])}
        blank = torch.zeros(n, max(readouts, units), dtype=dtype)
        entries.setdefault("GY0", _address(blank))
        want_x = ctx.needs_input_grad[1]
        gdrive = torch.empty(steps * prepared.substeps, n, units, dtype=dtype) if want_x else None
        gout = torch.zeros(tasks, units, 16 * out_words, dtype=dtype)
        gconstants = torch.zeros(tasks, 4, 16 * words, dtype=dtype) if keep["trained"] else None
        entries |= {"GDRIVE": _address(gdrive), "GOUT_WEIGHTS": _address(gout)}
        entries |= {"GCONSTANTS": _address(gconstants)}

        rows = prepared.tensors["WEIGHTS"]
        recurrent = rows[inputs : inputs + units]
        lists = _lists(prepared, recurrent)
        out_tiles = tiles(padded((prepared.tensors["OUT_WEIGHTS"][:units, :readouts]).t(), 16 * words))
        entries |= {name: _address(value) for name, value in lists.items()} | {"DENSE_OUT_WEIGHTS": _address(out_tiles)}
        entries["DENSE"] = int("DENSE_WEIGHTS" in lists)
        frame, like = new_frame(compiled.VERSION, entries), prepared.like
        compiled.lists(frame, like, False)
        size = (inputs + units) * 16 * words if prepared.delays == 1 else int(lists["GRADIENT_STARTS"][-1])
        gweights = torch.zeros(tasks, size, dtype=dtype)
        frame[1 + slots.GWEIGHTS] = _address(gweights)
        threads.run_all(
            [partial(compiled.backward, frame, like, a, b, task) for task, (a, b) in enumerate(keep["ranges"])]
        )

        scale = prepared.charge if prepared.delays == 1 else torch.ones_like(prepared.charge)
        g = gweights.sum(0)
        if prepared.delays > 1:
            owners = torch.from_numpy(lists["GRADIENT_OWNERS"][: len(g)])
            g = g.new_zeros((inputs + units) * 16 * words + 1).index_copy_(0, owners, g)[:-1]
        g = g.view(inputs + units, 16 * words)[:, :units]
        gin, grec = g[:inputs].t() * scale[:, None], g[inputs:].t() * scale[:, None]
        gwout = gout.sum(0)[:, :readouts].t() * prepared.out_charge
        gx = _input_gradient(ctx, prepared, gdrive, rows, given.get("ring")) if want_x else None
        constants = [None] * len(ctx.known)
        if gconstants is not None:
            total = gconstants.sum(0)[:, :units]
            towards = {
                "thr": total[0],
                "beta": total[1],
                "decay_mem": total[2] / prepared.charge,
                "decay_adapt": total[3],
            }
            constants = [towards[name] for name in ctx.known]
        states = [None if name == "refractory" else made[name] for name in names]
        return None, gx, gin, grec, gwout, *constants, *states


def _lists(prepared: Prepared, recurrent: Tensor) -> dict[str, Any]:
    """The recurrent weights for the backward product: lists of what exists, or all of them cut into tiles. And with
    delays the synapses that get a gradient."""
    units, exist = prepared.units, int((recurrent != 0).sum())
    if prepared.delays == 1 and exist > DENSE_ABOVE * units * units:
        return {"DENSE_WEIGHTS": tiles(recurrent_by_receiver(recurrent, units))}
    room = exist + 4 * units + 16
    lists = {
        "LIST_ORDER": np.empty(units, np.int32),
        "LIST_STARTS": np.empty(units + 1, np.int64),
        "LIST_INDEX": np.empty(room, np.int32),
        "LIST_WEIGHTS": np.empty(room, prepared.like.dtype),
    }
    if prepared.delays > 1:
        senders = prepared.inputs + units
        room = int((prepared.tensors["DELAY_OF"][:senders, :units] >= 0).sum()) + 4 * senders
        lists["GRADIENT_STARTS"] = np.empty(senders + 1, np.int64)
        lists["GRADIENT_PLACES"] = np.empty(room, np.int32)
        lists["GRADIENT_OWNERS"] = np.empty(room, np.int64)
    return lists


def recurrent_by_receiver(recurrent: Tensor, units: int) -> Tensor:
    """[receiver, padded sender] from [sender, padded receiver]."""
    return padded(recurrent[:, :units].t(), recurrent.shape[1])


def _input_gradient(ctx: Any, prepared: Prepared, gdrive: Tensor, rows: Tensor, gring: Tensor | None) -> Tensor:
    """dL/dx [T, N, I] from the gradients of the currents of all simulation steps."""
    steps, n, inputs = ctx.shape
    weights = rows[:inputs, : prepared.units]
    if prepared.delays == 1:
        drive = gdrive.view(steps, prepared.substeps, n, prepared.units).sum(1)
        return (drive.flatten(0, 1) @ weights.t()).view(steps, n, inputs)
    simulated, late = steps * prepared.substeps, prepared.delays - 1
    delay = prepared.tensors["DELAY_OF"][:inputs, : prepared.units]
    behind = gdrive.new_zeros(late, n, prepared.units) if gring is None else gring[:, :late].transpose(0, 1)
    currents = torch.cat([gdrive, behind])
    fresh = currents.new_zeros(simulated + late, n, 1)
    if ctx.call.starts is not None:
        fresh[: simulated : prepared.substeps] = ctx.call.starts.to(prepared.dtype)[:, :, None]
    alive = currents.new_ones(simulated, n, 1)  # no reset between an input and its arrival d steps later
    result = currents.new_zeros(simulated, n, inputs)
    for d in range(prepared.delays):
        if d:
            alive = alive * (1 - fresh[d : d + simulated])
        result += (currents[d : d + simulated] * alive) @ (weights * (delay == d)).t()
    return result.view(steps, prepared.substeps, n, inputs).sum(1)
