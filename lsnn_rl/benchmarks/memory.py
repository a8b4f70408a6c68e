"""What the fused kernel takes in memory, by the formula of docs/core.md, to stand beside what it was seen to take."""

import torch
from torch import Tensor

from lsnn_rl.network import RecurrentNetwork
from lsnn_rl.probe import record

CHUNK = 8  # simulation steps between two kept copies of b
SAMPLE_ROWS, SAMPLE_STEPS = 4, 300  # of the batch, to see how many slopes are not zero


def formula_mb(network: RecurrentNetwork, x: Tensor) -> dict[str, float]:
    """Megabytes (2^20) that forward and backward over x [T, N, I] need beyond weights and x.

        N S (4 H / 16 + s a H + s H / 8 + 1)  +  N T ((4 + s) e + 16)  +  4 s N T R

    S = T K simulation steps, H cells in whole words of 16, s bytes a number, R readouts (with their gradient, and what
    a loss makes of them on the way); a is the share of cells and steps with a slope, e the events per step and row.

    Returns: "written", with a and e as they are; "reserved", with a = 1 and e = I: huge pages make that resident too
    where the share of one row is smaller than a page.
    """
    steps, n, inputs = x.shape
    simulated, number = steps * network.substeps, x.element_size()
    cells = 16 * -(-network.size // 16)

    def total(active: float, events: float) -> float:
        kept = n * simulated * (4 * cells / 16 + number * active * cells + number * cells / CHUNK + 1)
        made = n * steps * ((4 + number) * events + 16 + 4 * number * network.readouts)
        return (kept + made) / 2**20

    events = float((x != 0).sum()) / (steps * n)
    return {"written": total(active_share(network, x), events), "reserved": total(1.0, inputs)}


def active_share(network: RecurrentNetwork, x: Tensor) -> float:
    """How often a cell is near enough to its threshold for a slope, by the law on some rows and steps."""
    with torch.no_grad():
        _, _, trace = record(network, x[:SAMPLE_STEPS, :SAMPLE_ROWS], counts=False)
    near = (trace["v"] - trace["threshold"]).abs() < trace["threshold"]
    return float((near & (trace["refractory"] == 0)).to(torch.float64).mean())
