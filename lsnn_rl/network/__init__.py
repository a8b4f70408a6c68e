"""Networks: a cell, its synapses, leaky readouts, and one way to run them. `build_network` makes any by name."""

from typing import Any

from lsnn_rl.errors import unknown_name
from lsnn_rl.network.lsnn import LSNN
from lsnn_rl.network.options import split
from lsnn_rl.network.populations import Populations
from lsnn_rl.network.recurrent import Output, RecurrentNetwork
from lsnn_rl.neurons import CELLS


def build_network(cell: str, inputs: int, readouts: int, **options: Any) -> RecurrentNetwork:
    """The network of that name: "lsnn" (regular and adaptive cells) or one population of any cell in CELLS.

    Args:
        cell: "lsnn" takes `regular` and `adaptive`; every other name takes `size` (128 units unless told).
        options: keywords of the cell and of RecurrentNetwork.
    Raises: UnknownName for an unknown cell or option.

    >>> build_network("gru", inputs=6, readouts=4, size=32).size
    32
    >>> build_network("alif", inputs=6, readouts=4, sise=32)
    Traceback (most recent call last):
    lsnn_rl.errors.UnknownName: No option of alif is called 'sise'. Did you mean 'size'? Known: adaptive, ...
    """
    if cell == "lsnn":
        return LSNN(inputs, readouts=readouts, **options)
    if cell not in CELLS.names():
        raise unknown_name("cell", cell, [*CELLS.names(), "lsnn"])
    kind = CELLS.get(cell)
    options = {"tau_out_ms": 20.0 if kind.spiking else 0.0, **options}
    size = options.pop("size", 128)
    for_cell, for_network = split(cell, options, kind, RecurrentNetwork, also=["size"])
    for_network.setdefault("adaptive", size if cell == "alif" else 0)
    return RecurrentNetwork(kind(size, **for_cell), inputs, readouts, **for_network)


__all__ = ["LSNN", "Output", "Populations", "RecurrentNetwork", "build_network"]
