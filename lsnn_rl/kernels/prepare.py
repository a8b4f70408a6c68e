"""Weights and constants as the kernels want them: sender by sender, scaled, padded to words of 16 units."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lsnn_rl.kernels import compiled
from lsnn_rl.kernels import frame as slots
from lsnn_rl.kernels.rows import group_limit, tile_words


def words_of(size: int) -> int:
    return -(-size // 16)


def padded(matrix: Tensor, columns: int) -> Tensor:
    """A copy with zero columns behind, and at least one row."""
    result = matrix.new_zeros(max(1, matrix.shape[0]), columns)
    result[: matrix.shape[0], : matrix.shape[1]] = matrix
    return result


_LIKE = {torch.float32: np.empty(1, np.float32), torch.float64: np.empty(1, np.float64)}
CONSTANTS = ("thr", "beta", "decay_mem", "decay_adapt")


def constants_of(network: Any) -> dict[str, Tensor]:
    """The constants of the network's cells, [H] each; regular cells have no beta and no decay_adapt."""
    return {name: getattr(network.cell, name) for name in CONSTANTS if hasattr(network.cell, name)}


@dataclass
class Prepared:
    """What does not change while the parameters do not; `slots` are the entries of a frame that point to it."""

    inputs: int
    units: int
    readouts: int
    substeps: int
    delays: int
    dtype: torch.dtype
    refractory: int
    dampening: float
    trace: bool
    leaky: bool
    adaptive: int
    charge: Tensor  # 1 - decay_mem, [H]
    out_charge: Tensor  # 1 - kappa, [R, 1]
    decay_mem: Tensor
    tensors: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)

    @property
    def like(self) -> np.ndarray:
        """An array whose type tells the kernels the precision."""
        return _LIKE[self.dtype]

    def has(self, name: str) -> bool:
        return name in self.tensors

    def keep(self, name: str, value: Tensor | np.ndarray) -> None:
        """Hold an array and enter its address."""
        self.tensors[name] = value
        self.slots[name] = value.data_ptr() if isinstance(value, Tensor) else value.ctypes.data


def prepare(
    network: Any, weights: tuple[Tensor, Tensor, Tensor], constants: dict[str, Tensor], all_adapt: bool
) -> Prepared:
    """Lay out weights (as they act) and constants of a network for the kernels.

    Args:
        weights: w_in [H, I], w_rec [H, H], w_out [R, H].
        constants: thr, decay_mem and, with adaptation, decay_adapt and beta; [H] each.
        all_adapt: treat every unit as adaptive, for gradients with respect to the constants.
    """
    w_in, w_rec, w_out = weights
    dtype, units, readouts = w_in.dtype, network.size, network.readouts
    words, out_words = words_of(units), words_of(readouts)
    trace = "beta" in constants
    thr, decay_mem = constants["thr"], constants["decay_mem"]
    zeros = torch.zeros_like(thr)
    decay_adapt, beta = (constants["decay_adapt"], constants["beta"]) if trace else (zeros, zeros)
    nonzero = beta.nonzero()
    first = 0 if all_adapt and trace else (int(nonzero[0]) // 16 if len(nonzero) else words)
    kappa = torch.zeros(readouts, dtype=dtype) if network.kappa is None else network.kappa.to(dtype)
    result = Prepared(
        inputs=network.inputs, units=units, readouts=readouts, substeps=network.substeps, delays=network.delays,
        dtype=dtype,
        refractory=network.cell.refractory, dampening=float(network.cell.surrogate.dampening), trace=trace,
        leaky=network.kappa is not None, adaptive=first, charge=1 - decay_mem, out_charge=(1 - kappa)[:, None],
        decay_mem=decay_mem,
    )  # fmt: skip

    table = torch.stack([thr, 1 / thr, decay_mem, decay_adapt, 1 - decay_adapt, beta, 1 - decay_mem])
    table = padded(table, 16 * words)
    table[:2, units:] = 1  # a threshold that padding never reaches
    result.keep("CONSTANTS", table.view(7, words, 16).transpose(0, 1).contiguous())
    senders = torch.cat([w_in, w_rec], dim=1)
    if network.delays == 1:
        senders = senders * result.charge[:, None]
    rows = padded(senders.t(), 16 * words)
    result.keep("WEIGHTS", rows)
    out = w_out * result.out_charge
    result.keep("OUT_WEIGHTS", padded(out.t(), 16 * out_words))
    result.keep("KAPPA", padded(kappa[None], 16 * out_words))
    result.keep("BIAS", torch.zeros(16 * out_words, dtype=dtype))
    result.keep("DAMPENING", torch.tensor([result.dampening], dtype=dtype))
    if network.delays > 1:
        delay = torch.cat([network.delay_in, network.delay_rec - 1], dim=1).to(torch.int32)
        if network.mask_in is not None and network.mask_rec is not None:
            delay[torch.cat([network.mask_in, network.mask_rec], dim=1) == 0] = -1
        if not network.dormant_gradients:
            delay[torch.cat([w_in, w_rec], dim=1) == 0] = -1
        result.keep("DELAY_OF", padded(delay.t(), 16 * words))
    bits = 64 if dtype == torch.float64 else 32
    leak = 0 if network.kappa is None else 1 if bool((kappa == kappa[0]).all()) else 2
    result.slots |= {
        "SUBSTEPS": network.substeps, "INPUTS": network.inputs, "UNITS": units, "READOUTS": readouts, "WORDS": words,
        "OUT_WORDS": out_words, "ADAPTIVE": first, "GROUP": group_limit(bits), "DELAYS": network.delays,
        "REFRACTORY": result.refractory, "LEAK": leak, "TRACE": int(trace),
    }  # fmt: skip
    return result


def list_fans(prepared: Prepared) -> None:
    """With delays: the synapses of each sender as a list, for the forward pass."""
    senders = prepared.inputs + prepared.units
    room = int((prepared.tensors["WEIGHTS"] != 0).sum()) + 4 * senders
    prepared.keep("FAN_STARTS", np.empty(senders + 1, np.int64))
    prepared.keep("FAN_PLACES", np.empty(room, np.int32))
    prepared.keep("FAN_WEIGHTS", np.empty(room, prepared.like.dtype))
    compiled.lists(new_frame(compiled.VERSION, prepared.slots), prepared.like, True)


def tiles(matrix: Tensor) -> Tensor:
    """[depth, 16 words] cut into the column tiles of `dense_product`, each contiguous."""
    parts, done = [], 0
    for words in tile_words(matrix.shape[1] // 16):
        parts.append(matrix[:, 16 * done : 16 * (done + words)].reshape(-1))
        done += words
    return torch.cat(parts)


def new_frame(version: int, entries: dict[str, int]) -> np.ndarray:
    """The array a kernel is called with: its version, then the slots."""
    frame = np.zeros(1 + slots.SIZE, np.int64)
    frame[0] = version
    for name, value in entries.items():
        frame[1 + getattr(slots, name)] = value
    return frame
