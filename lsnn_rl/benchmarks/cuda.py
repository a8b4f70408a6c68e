"""The law on a CUDA device: under captured graphs, launched one by one, and beside cuDNN's LSTM.

Forward and backward over one batch, wall time with the device waited for, all contenders in turn in one process.
"""

import time
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lsnn_rl.benchmarks.core import eager, learn, own, peers
from lsnn_rl.benchmarks.peers import Run, backward
from lsnn_rl.benchmarks.settings import Settings
from lsnn_rl.benchmarks.timing import interleave, machine
from lsnn_rl.benchmarks.workloads import WORKLOADS, Workload, mean_rate_hz
from lsnn_rl.errors import BadValue

LOADS = ("smnist", "arena", "minibatch")
WIDER = 8  # a device that is not full takes no longer for so many times the rows


def run(settings: Settings) -> dict[str, Any]:
    """Measure the chosen workloads. Returns {"workloads": {...}, "machine": {...}}, plain numbers throughout."""
    if not torch.cuda.is_available():
        raise BadValue(
            "The suite cuda was asked for, and torch finds no CUDA device here. "
            "Install a CUDA build of torch on a machine with a card, or measure the CPU: lsnn-rl benchmark core."
        )
    loads = [WORKLOADS[name] for name in settings.chosen(list(LOADS))]
    loads += [replace(load, name=f"{load.name}_x{WIDER}", batch=WIDER * load.batch) for load in loads]
    if settings.quick:
        loads = [load.shortened(8) for load in loads]
    place = machine() | {"cuda_device": torch.cuda.get_device_name()}
    workloads = {load.name: _workload(load, settings) for load in loads}
    return {
        "suite": "cuda",
        "quick": settings.quick,
        "repeats": settings.repeats,
        "machine": place,
        "workloads": workloads,
    }


def _workload(load: Workload, settings: Settings) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    network, x = load.network(generator).cuda(), load.spikes(generator).cuda()
    contenders: dict[str, Run] = {"ours": learn(network, x), "eager": learn(eager(network), x)}
    for size in load.lstm:
        layer = nn.LSTM(load.inputs, size).cuda()
        contenders[f"lstm{size}"] = lambda layer=layer: backward(layer, layer(x)[0].square().mean())
    settings.say(f"{load.name}: {', '.join(contenders)}")
    contenders["ours"]()  # eager; the first call of `interleave` captures
    memory = {}
    for name, contender in contenders.items():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        contender()
        memory[name] = (torch.cuda.max_memory_allocated() - before) / 2**20
    times = interleave(
        {name: _finished(one) for name, one in contenders.items()}, settings.repeats, clock=time.perf_counter
    )
    return own(load, network, times["ours"]) | {
        "rate_hz": mean_rate_hz(network, x),
        "peak_mb": memory["ours"],
        "peers": peers(times, memory),
    }


def _finished(run: Run) -> Run:
    def finished() -> None:
        run()
        torch.cuda.synchronize()

    return finished
