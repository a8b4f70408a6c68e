"""Memory that is used again: fresh pages cost more time than the kernels that fill them."""

import os
import threading
import weakref

import numpy as np

_free: list[np.ndarray] = []
_KEPT = 12  # buffers kept for reuse; the oldest go first
_lock = threading.RLock()  # a finalizer may run in the middle of `take`, in this thread or another


def take(count: int, dtype: type) -> np.ndarray:
    """An uninitialised array [count]; its memory comes back here when the last reference to it is gone."""
    size = count * np.dtype(dtype).itemsize
    room = size + 64  # for the alignment
    with _lock:
        fitting = [base for base in _free if room <= base.size <= 2 * room + 4096]
        base = min(fitting, key=len) if fitting else np.empty(room, np.uint8)
        _free[:] = [other for other in _free if other is not base]
    begin = -base.ctypes.data % 64
    array = base[begin : begin + size].view(dtype)
    weakref.finalize(array, _give_back, base).atexit = False
    return array


def release() -> None:
    """Hand all memory that waits to be used again back to the system."""
    _free.clear()


def _renew_lock() -> None:
    """In a forked child, whose parent may have held the lock in another thread."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew_lock)


def _give_back(base: np.ndarray) -> None:
    with _lock:
        _free.append(base)
        del _free[:-_KEPT]
