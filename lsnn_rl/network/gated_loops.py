"""GRU and LSTM over a sequence with resets inside it, and their gradients by hand.

torch's sequence kernels know no resets: a sequence has to be cut wherever any row begins anew, and with short lifetimes
in many rows little is left of their speed. Here a reset costs one multiplication. Going backward, all factors that do
not depend on what comes from the future are computed for all steps at once, so that a step is one matrix product and a
handful of elementwise calls; the gradients of the weights are one product over all steps.

The equations are those of `lsnn_rl.neurons.gated`, the order of gates torch's.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

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
        drive = torch.addmm(b_in, x.reshape(steps * n, -1), w_in.t()).view(steps, n, 3 * size)
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
        ctx.save_for_backward(x, w_in, w_rec, drive, now_n, _before(first, outputs, resets))
        ctx.resets = resets
        return outputs, h.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        g_out, dh = grads
        x, w_in, w_rec, drive, recurrent_n, before = ctx.saved_tensors
        steps, n, size = before.shape
        r, z, candidate = drive.split(size, dim=-1)
        slope_n = (1 - z) * (1 - candidate * candidate)
        slopes = drive.new_empty(steps, n, 3, size)  # of the recurrent currents, for dh = 1
        torch.mul(slope_n, r, out=slopes[:, :, 2])
        torch.mul(slopes[:, :, 2] * (1 - r), recurrent_n, out=slopes[:, :, 0])
        torch.mul((before - candidate) * z, 1 - z, out=slopes[:, :, 1])

        d_rec, dhs = torch.empty_like(slopes), torch.empty_like(before)
        each = (g_out, z, slopes, d_rec, d_rec.view(steps, n, 3 * size), dhs)
        for t, (g, z_t, slope, into, flat, total) in _backward(each):
            torch.add(dh, g, out=total)
            torch.mul(slope, total.unsqueeze(1), out=into)
            dh = torch.addmm(total * z_t, flat, w_rec)
            if t in ctx.resets:
                dh.mul_(ctx.resets[t])

        d_in = d_rec.view(steps * n, 3 * size)
        dw_rec, db_rec = d_in.t() @ before.view(steps * n, size), d_in.sum(0)
        torch.mul(dhs, slope_n, out=d_rec[:, :, 2])  # the candidate's drive is not gated by r
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
        gates = torch.addmm(bias, x.reshape(steps * n, -1), (w_in * twice).t()).view(steps, n, 4 * size)
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
        g_out, dh, dc = grads
        x, w_in, w_rec, gates, h_before, c_before, squashed = ctx.saved_tensors
        steps, n, size = h_before.shape
        i, f, g, o = gates.split(size, dim=-1)
        into_c = o * (1 - squashed * squashed)  # from h to c
        slopes = gates.new_empty(steps, n, 4, size)  # of i, f and g for dc = 1, of o for dh = 1
        torch.mul(g * i, 1 - i, out=slopes[:, :, 0])
        torch.mul(c_before * f, 1 - f, out=slopes[:, :, 1])
        torch.mul(i, 1 - g * g, out=slopes[:, :, 2])
        torch.mul(squashed * o, 1 - o, out=slopes[:, :, 3])

        d_gates = torch.empty_like(slopes)
        each = (g_out, into_c, f, slopes[:, :, :3], slopes[:, :, 3], d_gates[:, :, :3], d_gates[:, :, 3])
        for t, (out, to_c, f_t, slope, slope_o, into, into_o, flat) in _backward((*each, d_gates.flatten(2))):
            dh = dh + out
            dc = torch.addcmul(dc, dh, to_c)
            torch.mul(slope, dc.unsqueeze(1), out=into)
            torch.mul(slope_o, dh, out=into_o)
            dh, dc = flat @ w_rec, dc * f_t
            if t in ctx.resets:
                dh, dc = dh.mul_(ctx.resets[t]), dc.mul_(ctx.resets[t])

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


def _backward(parts: tuple[Tensor, ...]) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Step by step from the last to the first: its number, and its part [N, ...] of every tensor [T, N, ...]."""
    rows = list(zip(*map(torch.unbind, parts), strict=True))
    return zip(range(len(rows) - 1, -1, -1), reversed(rows), strict=True)


def _of_drive(wanted: bool, d_in: Tensor, x: Tensor, w_in: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x (if wanted), w_in and bias_in from that of the driving currents, all steps together."""
    rows = x.reshape(len(d_in), -1)
    return (d_in @ w_in).view_as(x) if wanted else None, d_in.t() @ rows, d_in.sum(0)
