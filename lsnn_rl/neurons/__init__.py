"""The cells, one file each, found by name in `CELLS`. A new cell is a new file and one line here."""

from lsnn_rl.neurons.base import Cell
from lsnn_rl.registry import Registry

CELLS = Registry("cell")
CELLS.add("lif", "lsnn_rl.neurons.lif:LIF")
CELLS.add("alif", "lsnn_rl.neurons.alif:ALIF")
CELLS.add("gru", "lsnn_rl.neurons.gated:GRU")
CELLS.add("lstm", "lsnn_rl.neurons.gated:LSTM")
CELLS.add("rnn", "lsnn_rl.neurons.gated:RNN")

__all__ = ["CELLS", "Cell"]
