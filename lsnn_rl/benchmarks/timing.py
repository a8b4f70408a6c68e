"""Fair timing on a busy machine: contenders take turns in one process, and CPU time is what counts."""

import ctypes
import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
PACKAGES = ("torch", "numba", "numpy", "gymnasium", "stable-baselines3", "norse", "snntorch", "spikingjelly")


@dataclass(frozen=True)
class Times:
    """What one contender took, in milliseconds."""

    min_ms: float
    median_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Times":
        return cls(1e3 * min(seconds), 1e3 * statistics.median(seconds))


def interleave(
    contenders: Mapping[str, Callable[[], Any]],
    repeats: int,
    turn_s: float = 0.15,
    clock: Callable[[], float] = time.process_time,
    after_turn: Callable[[str], None] = lambda name: None,
) -> dict[str, Times]:
    """Run each contender in turn, `repeats` rounds; whoever is quick runs again until its turn is over.

    Args:
        contenders: what to run; each is called once beforehand, unmeasured, to compile and to warm its caches.
        turn_s: length of a turn in seconds of `clock`; a single run may be longer.
        clock: CPU time of this process by default, so that other processes' work is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    for _ in range(repeats):
        for name, run in contenders.items():
            gc.collect()
            spent = 0.0
            while spent < turn_s or spent == 0.0:
                start = clock()
                run()
                seconds[name].append(clock() - start)
                spent += seconds[name][-1] or turn_s / 1000  # a coarse clock may see nothing
            after_turn(name)
    return {name: Times.of(taken) for name, taken in seconds.items()}


def peak_mb(run: Callable[[], Any]) -> float | None:
    """Resident memory that one run needs beyond what was there before, MB; None where the system does not tell."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # memory that is free already would hide what the run takes
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        before = _status_mb("VmRSS")
    except (OSError, AttributeError):
        return None
    run()
    return max(0.0, _status_mb("VmHWM") - before)


def _status_mb(field: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def machine() -> dict[str, Any]:
    """Where the numbers come from: processor, cores, versions."""
    import torch

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": len(_affinity()),
        "system": platform.platform(terse=True),
        "python": sys.version.split()[0],
        "simd": torch.backends.cpu.get_cpu_capability(),
        "versions": versions,
    }


def _affinity() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    fields = dict([part.strip() for part in line.split(":", 1)] for line in lines if ":" in line)
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    return f"{fields['model name']} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"
