"""How fast this load could be on this machine: arithmetic and memory traffic that no exact method can avoid.

    floor = max(operations / peak arithmetic, bytes / memory bandwidth)     of one core
Operations: each spike and each input event adds one column of weights forward and one row of gradients backward (for
every synapse, dormant ones too, since rewiring wants them); the product of W_rec^T with the gradient runs over existing
synapses at every step; each cell costs some thirty operations a step. Bytes: the input read twice, two bits a cell and
step written and read, voltage and adaptation every sixteenth step, readouts and their gradient.
Both peaks are measured here, single-threaded: a loop of independent fused multiply-adds, and a large copy.
"""

import time
from functools import cache
from typing import Any

import numpy as np

from lsnn_rl.benchmarks.workloads import Workload

UPDATE_FLOP = 30  # of one cell in one step: leak, reset, threshold, surrogate, and their derivatives
CHAINS, LANES = 12, 16  # enough independent vectors to hide the latency of a multiply-add


def floor(load: Workload, rate_hz: float, training: bool = True) -> dict[str, float]:
    """Work of one pass in GFLOP and MB, and the least milliseconds it takes on one core here."""
    gflop, mb = work(load, rate_hz, training)
    peak, bandwidth = peak_gflops(), copy_gb_s()
    return {
        "floor_ms": max(gflop / peak, mb / 1e3 / bandwidth) * 1e3,
        "gflop": gflop,
        "mb": mb,
        "peak_gflops": peak,
        "bandwidth_gb_s": bandwidth,
    }


def work(load: Workload, rate_hz: float, training: bool = True) -> tuple[float, float]:
    """GFLOP and MB of one pass over the load: forward, and backward if `training`."""
    cells = load.steps * load.batch * load.size
    spikes = cells * rate_hz / 1000
    events = load.steps * load.batch * load.inputs * load.input_hz / 1000
    row = load.connectivity * load.size  # synapses that one presynaptic line reaches
    readout = load.connectivity * load.readouts
    flop: float = 2 * row * (spikes + events) + 2 * readout * spikes + UPDATE_FLOP / 2 * cells
    bytes_moved: float = 4 * load.steps * load.batch * load.inputs + 4 * load.steps * load.batch * load.readouts
    if training:
        flop += 2 * row * cells  # W_rec^T times the gradient
        flop += 2 * load.size * (spikes + events) + 2 * load.readouts * spikes  # gradient of the weights
        flop += 2 * readout * cells + UPDATE_FLOP / 2 * cells
        checkpoints = 2 * (cells * 2 / 8 + cells * 8 / 16)  # written once, read once
        bytes_moved = 2 * bytes_moved + checkpoints
    return flop / 1e9, bytes_moved / 1e6


@cache
def peak_gflops(seconds: float = 0.3) -> float:
    """Single-precision fused multiply-adds of one core, two operations each, 1e9 a second."""
    chain = _multiply_add_chain()
    out, rounds = np.zeros(LANES * CHAINS, np.float32), 100_000
    chain(out, 10)
    best, until = 0.0, time.process_time() + seconds
    while time.process_time() < until:
        start = time.process_time()
        chain(out, rounds)
        best = max(best, 2 * CHAINS * LANES * rounds / (time.process_time() - start) / 1e9)
    return best


@cache
def copy_gb_s(megabytes: int = 256, repeats: int = 5) -> float:
    """Bytes read plus bytes written by a copy that no cache holds, 1e9 a second, one thread."""
    source = np.ones(megabytes * 2**20 // 8)
    target = np.zeros_like(source)
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        np.copyto(target, source)
        seconds.append(time.process_time() - start)
    return 2 * source.nbytes / min(seconds) / 1e9


def _multiply_add_chain() -> Any:
    """A numba loop over vectors that stay in registers."""
    from numba import njit

    from lsnn_rl.kernels import simd

    vectors: Any = simd  # its functions are compiled by numba and have no Python signature
    data, fill, fma, store = vectors.data, vectors.fill, vectors.fma, vectors.store

    @njit
    def chain(out, rounds):  # type: ignore[no-untyped-def]
        decay, gain = fill(np.float32(0.999)), fill(np.float32(1e-3))
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = a9 = a10 = a11 = decay
        for _ in range(rounds):
            a0, a1, a2, a3 = fma(a0, decay, gain), fma(a1, decay, gain), fma(a2, decay, gain), fma(a3, decay, gain)
            a4, a5, a6, a7 = fma(a4, decay, gain), fma(a5, decay, gain), fma(a6, decay, gain), fma(a7, decay, gain)
            a8, a9, a10, a11 = fma(a8, decay, gain), fma(a9, decay, gain), fma(a10, decay, gain), fma(a11, decay, gain)
        base = data(out)
        for place, value in enumerate((a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11)):
            store(base, place * LANES, value)

    return chain
