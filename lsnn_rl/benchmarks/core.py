"""The spiking core against its rivals: exact gradients through time, and acting step by step.

Every contender of a workload runs in turn in this process on one thread, forward and backward for the gradient of all
weights, and is charged CPU time; `ratio` is its least time over ours, `median_ratio` compares the medians. Ours makes
its readouts and spike counts on the way; rivals have a linear readout and no counts. Two threads are timed by the wall.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lsnn_rl.benchmarks.floor import floor
from lsnn_rl.benchmarks.memory import formula_mb
from lsnn_rl.benchmarks.peers import Run, Step, backward, peers_for
from lsnn_rl.benchmarks.settings import Settings
from lsnn_rl.benchmarks.timing import Times, interleave, machine, peak_mb
from lsnn_rl.benchmarks.workloads import ACTING_ROWS, WORKLOADS, Workload, mean_rate_hz
from lsnn_rl.kernels import buffers
from lsnn_rl.network import RecurrentNetwork

DELAY_MS = 10.0  # longest synaptic delay of the runs that show what delays cost: with gradients for the synapses that
# exist (`delays`) and for those too that DEEP R could grow (`delays_dormant`)
ACTING_STEPS = 200  # steps timed at a time: one alone is shorter than the clock is fine


def run(settings: Settings) -> dict[str, Any]:
    """Measure the chosen workloads. Returns {"workloads": {...}, "machine": {...}}, plain numbers throughout."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        workloads = {name: _workload(WORKLOADS[name], settings) for name in settings.chosen(list(WORKLOADS))}
    finally:
        torch.set_num_threads(threads)
    return {
        "suite": "core",
        "quick": settings.quick,
        "repeats": settings.repeats,
        "machine": machine(),
        "workloads": workloads,
    }


def _workload(load: Workload, settings: Settings) -> dict[str, Any]:
    if load.name == "acting":
        return acting(load, settings)
    return training(load.shortened(8) if settings.quick else load, settings)


# ---- learning --------------------------------------------------------------------------------------------------------


def training(load: Workload, settings: Settings) -> dict[str, Any]:
    """Forward and backward over one batch, by everyone."""
    generator = torch.Generator().manual_seed(0)
    x = load.spikes(generator)
    network = load.network(generator)
    contenders = {"ours": learn(network, x), "eager": learn(eager(network), x)}
    if fused(late := delayed(network, load, generator)):
        contenders["delays_dormant"] = learn(late, x)
        active = copy.deepcopy(late)
        active.dormant_gradients = False
        contenders["delays"] = learn(active, x)
    contenders |= {name: peer.train(load, x) for name, peer in peers_for(load).items()}

    settings.say(f"{load.name}: {', '.join(contenders)}")
    times = interleave(contenders, settings.repeats)
    memory = {}
    for name, contender in contenders.items():
        buffers.release()  # what ours kept from the runs before would be used again, and not be counted
        memory[name] = peak_mb(contender)
    rate = mean_rate_hz(network, x)
    late_times = {name: times.pop(name) for name in ("delays", "delays_dormant") if name in times}
    result = own(load, network, times["ours"]) | {
        "ours_two_threads_ms": two_threads(contenders["ours"], settings.repeats) if fused(network) else None,
        "rate_hz": rate,
        "peak_mb": memory["ours"],
        "formula_mb": formula_mb(network, x) if fused(network) else None,
        **{f"work_{key}" if key in ("gflop", "mb") else key: value for key, value in floor(load, rate).items()},
    }
    for name, taken in late_times.items():
        result |= {f"{name}_ms": taken.min_ms, f"{name}_ratio": taken.min_ms / times["ours"].min_ms}
    return result | {"peers": peers(times, memory)}


def learn(network: RecurrentNetwork, x: Tensor) -> Run:
    """One gradient of all weights, from every readout and every spike count."""

    def run() -> None:
        output, _ = network.run(x)
        assert output.counts is not None, "cells that do not spike are no load of this suite"
        rates = output.counts / len(x)
        backward(network, output.readout.square().mean() + (rates - 0.01).pow(2).mean())

    return run


def two_threads(run: Run, repeats: int) -> float:
    """Least wall time of the fused kernel with two threads, ms. (The law's small operations would only spin.)"""
    torch.set_num_threads(2)
    try:
        return interleave({"ours": run}, repeats, clock=time.perf_counter)["ours"].min_ms
    finally:
        torch.set_num_threads(1)


# ---- acting ----------------------------------------------------------------------------------------------------------


def acting(load: Workload, settings: Settings) -> dict[str, Any]:
    """One step at a time without gradients, for 1, 16 and 256 environments; the headline is 16."""
    by_rows = {n: _acting_rows(replace(load, batch=n), settings) for n in ACTING_ROWS}
    return by_rows[load.batch] | {"rows": {str(n): result for n, result in by_rows.items()}}


def _acting_rows(load: Workload, settings: Settings) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    network = load.network(generator)
    steps = ACTING_STEPS // (10 if settings.quick else 1)
    lines = replace(load, steps=steps).spikes(generator)
    contenders = {"ours": act(network, load.batch), "eager": act(eager(network), load.batch)}
    contenders |= {name: peer.act(load, load.batch) for name, peer in peers_for(load).items()}

    settings.say(f"acting, {load.batch} rows: {', '.join(contenders)}")
    sequences = {name: _over(step, lines) for name, step in contenders.items()}
    times = {name: _scaled(t, 1 / steps) for name, t in interleave(sequences, settings.repeats).items()}
    rate = mean_rate_hz(network, lines)
    memory = {name: peak_mb(sequence) for name, sequence in sequences.items()}
    result = own(load, network, times["ours"]) | {
        "rate_hz": rate,
        "peak_mb": memory["ours"],
        **{f"work_{key}" if key in ("gflop", "mb") else key: v for key, v in floor(load, rate, training=False).items()},
    }
    return result | {"peers": peers(times, memory)}


def act(network: RecurrentNetwork, n: int) -> Step:
    """The network's own way to advance one step, state handed in and back."""
    state = network.initial_state(n)

    def step(x: Tensor) -> Tensor:
        nonlocal state
        output, state = network.run(x[None], state, counts=False)
        return output.readout[0]

    return step


def _over(step: Step, lines: Tensor) -> Run:
    rows = lines.unbind(0)

    def run() -> None:
        with torch.no_grad():
            for x in rows:
                step(x)

    return run


# ---- both ------------------------------------------------------------------------------------------------------------


def eager(network: RecurrentNetwork) -> RecurrentNetwork:
    """The same network, computed by the readable law in plain torch."""
    twin = copy.deepcopy(network)
    twin.backend = "law"
    return twin


def delayed(network: RecurrentNetwork, load: Workload, generator: torch.Generator) -> RecurrentNetwork:
    """The same weights with a delay of its own for every synapse."""
    twin = load.untuned(generator, DELAY_MS)
    twin.load_state_dict(network.state_dict(), strict=False)  # all but the delays
    return twin


def fused(network: RecurrentNetwork) -> bool:
    return network.backend_in_use().startswith("fused")


def own(load: Workload, network: RecurrentNetwork, times: Times) -> dict[str, Any]:
    """What ours took, by what and on which sizes."""
    sizes = {key: getattr(load, key) for key in ("batch", "steps", "inputs", "size", "readouts", "connectivity")}
    return {
        "ours_ms": times.min_ms,
        "ours_median_ms": times.median_ms,
        "computed_by": network.backend_in_use(),
        "sizes": sizes,
    }


def peers(times: dict[str, Times], memory: Mapping[str, float | None]) -> dict[str, dict[str, float | None]]:
    """What the rivals took, alone and as multiples of ours."""
    ours = times["ours"]
    return {
        name: {
            "ms": t.min_ms,
            "ratio": t.min_ms / ours.min_ms,
            "median_ms": t.median_ms,
            "median_ratio": t.median_ms / ours.median_ms,
            "peak_mb": memory[name],
        }
        for name, t in times.items()
        if name != "ours"
    }


def _scaled(times: Times, factor: float) -> Times:
    return Times(times.min_ms * factor, times.median_ms * factor)
