"""One task per core on a thread pool; the kernels release the GIL and never wait for each other."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}  # by process, so that a forked child makes its own


def run_all(tasks: Sequence[Callable[[], object]]) -> None:
    """Run the tasks side by side, the first one in this thread."""
    if len(tasks) == 1:
        tasks[0]()
        return
    key = (os.getpid(), len(tasks) - 1)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(len(tasks) - 1, thread_name_prefix="lsnn-rl")
    waiting = [_pools[key].submit(task) for task in tasks[1:]]
    tasks[0]()
    for future in waiting:
        future.result()


def split(rows: int, block: int, work: int) -> list[tuple[int, int]]:
    """Ranges of rows for the tasks, in whole blocks; one range where the work (row-steps times units) is too small."""
    blocks = -(-rows // block)
    tasks = min(torch.get_num_threads(), blocks) if work > 200_000 else 1
    cuts = [min(rows, block * (blocks * task // tasks)) for task in range(tasks + 1)]
    return list(itertools.pairwise(cuts))


def lanes_for(rows: int, widest: int = 32) -> int:
    """Rows of the batch that a task takes back through time together: many share each load of a weight."""
    each = -(-rows // torch.get_num_threads())
    return next(lanes for lanes in (8, 16, 32) if lanes >= min(each, widest))
