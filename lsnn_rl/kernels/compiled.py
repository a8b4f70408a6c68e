"""The kernels as compiled functions: one line when they must be compiled, a disk cache that knows all their sources."""

import sys
from hashlib import sha256
from pathlib import Path

from numba.core import event

from lsnn_rl.kernels import backward as _backward
from lsnn_rl.kernels import forward as _forward
from lsnn_rl.kernels import lists as _lists
from lsnn_rl.kernels.simd import PACKED


def _version() -> int:
    """A number that changes with any of the sources below, which numba's cache does not watch by itself."""
    folder = Path(__file__).parent
    sources = ("simd", "rows", "frame", "forward", "unit_gradients", "weight_gradients", "backward", "lists")
    text = b"".join((folder / f"{name}.py").read_bytes() for name in sources)
    return int(sha256(text + bytes([PACKED])).hexdigest()[:15], 16)


VERSION = _version()
forward, backward, lists = (module.entry(VERSION) for module in (_forward, _backward, _lists))


class _Notice(event.Listener):
    """Says that compiling has begun, once per process."""

    said = False

    def on_start(self, happened: event.Event) -> None:
        if happened.data["dispatcher"] in (forward, backward, lists) and not _Notice.said:
            _Notice.said = True
            print(
                "compiling the spiking kernels once (10 to 20 s); they are kept on disk ...",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, happened: event.Event) -> None:
        pass


event.register("numba:compile", _Notice())
