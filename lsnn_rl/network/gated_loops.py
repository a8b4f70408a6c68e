"""GRU and LSTM over a sequence with resets inside it, and their gradients by hand.

torch's sequence kernels know no resets: a sequence has to be cut wherever any row begins anew, and with short lifetimes
in many rows little is left of their speed. Here a reset costs one multiplication. Going backward, a step is one matrix
product and one compiled pass over all else; the gradients of the weights are one product over all steps.

The equations are those of `lsnn_rl.neurons.gated`, the order of gates torch's.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lsnn_rl.kernels import gated

Keeps = dict[int, Tensor]  # step -> [N, 1], zero in the rows that are reset before it


def keeps(starts: Tensor | None, dtype: torch.dtype) -> Keeps:
    """The steps of starts [T, N] before which any row is reset."""
    if starts is None:
        return {}
    found = (starts != 0).any(dim=1).nonzero().flatten().tolist()
    return {t: (starts[t] == 0).to(dtype).unsqueeze(1) for t in found}


def gru(x: Tensor, h: Tensor, weights: list[Tensor], resets: Keeps) -> tuple[Tensor, Tensor]:
    """h [T, N, H] and the last one [N, H], from x [T, N, I] and h [N, H]; weights: w_in, w_rec, bias_in, bias_rec."""
    return _GRU.apply(resets, x, h, *weights)  # type: ignore[no-any-return]


def lstm(x: Tensor, h: Tensor, c: Tensor, weights: list[Tensor], resets: Keeps) -> tuple[Tensor, Tensor, Tensor]:
    """h [T, N, H], the last h and the last c, as `gru`."""
    return _LSTM.apply(resets, x, h, c, *weights)  # type: ignore[no-any-return]


class _GRU(Function):
    @staticmethod
    def forward(
        ctx: Any, resets: Keeps, x: Tensor, h: Tensor, w_in: Tensor, w_rec: Tensor, b_in: Tensor, b_rec: Tensor
    ) -> tuple[Tensor, Tensor]:
        steps, n, _ = x.shape
        size = h.shape[1]
        drive = torch.addmm(b_in, x.reshape(steps * n, x.shape[2]), w_in.t()).view(steps, n, 3 * size)
        recurrent, outputs = drive.new_empty(steps, n, 3 * size), drive.new_empty(steps, n, size)
        gates, candidates = drive.split([2 * size, size], dim=-1)  # become r and z, and n
        now_gates, now_n = recurrent.split([2 * size, size], dim=-1)
        first, w = h, w_rec.t().contiguous()
        each = (recurrent, now_gates, now_n, gates, gates[..., :size], gates[..., size:], candidates, outputs)
        for t, (now, for_gates, for_n, gate, r, z, candidate, out) in enumerate(
            zip(*map(torch.unbind, each), strict=True)
        ):
            if t in resets:
                h = h * resets[t]
            torch.addmm(b_rec, h, w, out=now)
            gate.add_(for_gates).sigmoid_()
            candidate.addcmul_(r, for_n).tanh_()
            h = torch.lerp(candidate, h, z, out=out)
        ctx.save_for_backward(x, w_in, w_rec, drive, recurrent, _before(first, outputs, resets))
        ctx.resets = resets
        return outputs, h.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, w_in, w_rec, drive, recurrent, before = ctx.saved_tensors
        steps, n, size = before.shape
        dh, d_rec, d_candidate = grads[1].clone(), torch.empty_like(drive), torch.empty_like(before)
        begins = _begins(ctx.resets, steps, n)
        whole = [part.numpy() for part in (grads[0].contiguous(), drive, recurrent, before, dh, d_rec, d_candidate)]
        for t, flat in zip(range(steps - 1, -1, -1), reversed(d_rec.unbind(0)), strict=True):
            gated.gru_back(t, begins, *whole)
            dh.addmm_(flat, w_rec)
        if 0 in ctx.resets:
            dh.mul_(ctx.resets[0])

        d_in = d_rec.view(steps * n, 3 * size)
        dw_rec, db_rec = d_in.t() @ before.view(steps * n, size), d_in.sum(0)
        d_rec[..., 2 * size :] = d_candidate  # the candidate's drive is not gated by r
        dx, dw_in, db_in = _of_drive(ctx.needs_input_grad[1], d_in, x, w_in)
        return None, dx, dh, dw_in, dw_rec, db_in, db_rec


class _LSTM(Function):
    @staticmethod
    def forward(
        ctx: Any,
        resets: Keeps,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        w_in: Tensor,
        w_rec: Tensor,
        b_in: Tensor,
        b_rec: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, n, _ = x.shape
        size = h.shape[1]
        # tanh(g) = 2 sigmoid(2 g) - 1, so that one call bounds all four gates: torch's tanh takes longer.
        twice = w_rec.new_ones(4 * size, 1)
        twice[2 * size : 3 * size] = 2
        bias, w = (b_in + b_rec) * twice[:, 0], (w_rec * twice).t().contiguous()
        gates = torch.addmm(bias, x.reshape(steps * n, x.shape[2]), (w_in * twice).t()).view(steps, n, 4 * size)
        cells, squashed, outputs = (gates.new_empty(steps, n, size) for _ in range(3))
        first_h, first_c = h, c
        each = (gates, *gates.split(size, dim=-1), cells, squashed, outputs)
        for t, (gate, i, f, g, o, cell, bounded, out) in enumerate(zip(*map(torch.unbind, each), strict=True)):
            if t in resets:
                h, c = h * resets[t], c * resets[t]
            gate.addmm_(h, w).sigmoid_()
            torch.mul(f, c, out=cell)
            c = cell.sub_(i).addcmul_(i, g, value=2)
            h = torch.mul(o, torch.tanh(c, out=bounded), out=out)
        gates[..., 2 * size : 3 * size].mul_(2).sub_(1)
        before = _before(first_h, outputs, resets), _before(first_c, cells, resets)
        ctx.save_for_backward(x, w_in, w_rec, gates, *before, squashed)
        ctx.resets = resets
        return outputs, h.clone(), c.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, w_in, w_rec, gates, h_before, c_before, squashed = ctx.saved_tensors
        steps, n, size = h_before.shape
        dh, dc, d_gates = grads[1].clone(), grads[2].clone(), torch.empty_like(gates)
        begins = _begins(ctx.resets, steps, n)
        whole = [part.numpy() for part in (grads[0].contiguous(), gates, c_before, squashed, dh, dc, d_gates)]
        for t, flat in zip(range(steps - 1, -1, -1), reversed(d_gates.unbind(0)), strict=True):
            gated.lstm_back(t, begins, *whole)
            torch.mm(flat, w_rec, out=dh)
        if 0 in ctx.resets:
            dh, dc = dh.mul_(ctx.resets[0]), dc.mul_(ctx.resets[0])

        d_in = d_gates.view(steps * n, 4 * size)
        dw_rec = d_in.t() @ h_before.view(steps * n, size)
        dx, dw_in, db = _of_drive(ctx.needs_input_grad[1], d_in, x, w_in)
        return None, dx, dh, dc, dw_in, dw_rec, db, db


def _before(first: Tensor, states: Tensor, resets: Keeps) -> Tensor:
    """What every step began with, [T, N, H]: the state after the step before it, once reset."""
    before = torch.cat([first.unsqueeze(0), states[:-1]])
    for t, keep in resets.items():
        before[t].mul_(keep)
    return before


def _begins(resets: Keeps, steps: int, n: int) -> NDArray[np.bool_]:
    """Where a row is reset before a step, [T + 1, N]; nowhere before the step after the last."""
    begins = np.zeros((steps + 1, n), np.bool_)
    for t, keep in resets.items():
        begins[t] = keep[:, 0].numpy() == 0
    return begins


def _of_drive(wanted: bool, d_in: Tensor, x: Tensor, w_in: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x (if wanted), w_in and bias_in from that of the driving currents, all steps together."""
    rows = x.reshape(len(d_in), x.shape[2])
    return (d_in @ w_in).view_as(x) if wanted else None, d_in.t() @ rows, d_in.sum(0)
