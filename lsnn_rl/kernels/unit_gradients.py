"""Gradients of the units: all cells of a block of rows through one step, backwards, and into the initial state.

The equations stand in backward.py. A tile is 16 cells of 16 (or 8) rows.
"""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.forward import CONSTANTS_A_WORD, FORWARD_ROWS, part
from lsnn_rl.kernels.simd import (
    add,
    bits,
    differs,
    fill,
    fma,
    get,
    load,
    load_part,
    mul,
    pointer,
    put,
    shifted,
    store,
    store_part,
    sub,
    transpose,
    unpack_values,
    where,
    word,
)  # fmt: skip

TILE_8, TILE_16 = (1,) * 8, (1,) * 16


@njit(nogil=True, forceinline=True)
def add_to(target, offset, value):
    store(target, offset, add(load(target, offset), value))


@njit(nogil=True)
def recompute_traces(frame, like, top, together, lanes, begin, count, traces_here):
    """b after each step of the chunk, [count, lanes, padded], by the very operations of the forward pass."""
    zero = fill(like.dtype.type(0))
    words, rows, substeps = get(frame, slot.WORDS), get(frame, slot.ROWS), get(frame, slot.SUBSTEPS)
    constants, traces = pointer(frame, slot.CONSTANTS, like), pointer(frame, slot.TRACES, like)
    spike_bits = pointer(frame, slot.SPIKE_BITS, np.uint16)
    starts, has_starts = pointer(frame, slot.STARTS, np.uint8), get(frame, slot.STARTS) != 0
    padded, chunk = 16 * words, get(frame, slot.CHUNK)
    for lane in range(together):
        row = top + lane
        for w in range(get(frame, slot.ADAPTIVE), words):
            c = w * CONSTANTS_A_WORD
            b = load(traces, ((begin // chunk) * rows + row) * padded + 16 * w)
            decay, gain = load(constants, c + 48), load(constants, c + 64)
            store(traces_here, lane * padded + 16 * w, b)
            for i in range(1, count):
                step = begin + i
                z = word(spike_bits, ((step - 1) * rows + row) * words + w)
                b = fma(decay, b, where(z, gain, zero))
                if has_starts and step % substeps == 0 and get(starts, (step // substeps) * rows + row) != 0:
                    b = zero
                store(traces_here, (i * lanes + lane) * padded + 16 * w, b)


@njit(nogil=True)
def membrane_gradient(frame, like, row, step, later, cut, b, gconstants):
    """Towards decay_mem: g(t+1) (v(t) - v(t+1) - threshold z(t)), to be divided by 1 - decay_mem at the end."""
    zero = fill(like.dtype.type(0))
    words, rows, adaptive = get(frame, slot.WORDS), get(frame, slot.ROWS), get(frame, slot.ADAPTIVE)
    constants, voltages = pointer(frame, slot.CONSTANTS, like), pointer(frame, slot.VOLTAGES, like)
    spike_bits = pointer(frame, slot.SPIKE_BITS, np.uint16)
    here = (step * rows + row) * words
    for w in range(words):
        moved = sub(zero, load(voltages, (here + rows * words + w) * 16))
        if not cut:
            threshold = load(constants, w * CONSTANTS_A_WORD)
            if w >= adaptive:
                threshold = fma(load(constants, w * CONSTANTS_A_WORD + 80), load(b, 16 * w), threshold)
            moved = add(moved, load(voltages, (here + w) * 16))
            moved = sub(moved, where(word(spike_bits, here + w), threshold, zero))
        add_to(gconstants, 32 * words + 16 * w, mul(load(later, 16 * w), moved))


@njit(nogil=True)
def fresh_membrane_gradient(frame, like, row, g, gconstants):
    """The first step's part towards decay_mem where a reset came before it: v and z were 0."""
    zero = fill(like.dtype.type(0))
    words, voltages = get(frame, slot.WORDS), pointer(frame, slot.VOLTAGES, like)
    for w in range(words):
        v = load(voltages, (row * words + w) * 16)
        add_to(gconstants, 32 * words + 16 * w, mul(load(g, 16 * w), sub(zero, v)))


@njit(nogil=True, forceinline=True)
def step_word(
    frame, like, w, step, top, base, together, gz, gz_stride, later, now, kept, gb, gq, gcounts, traces, decay_q,
    marks, cuts,
    has_q, adaptive, more, gconstants,
):  # fmt: skip
    """16 units of some rows (from lane `base` of the block on) through one step: from gz, the products so far, to g
    and gb.

    later and now are g at t+1 and t; kept is g as currents see it, with delays. `more` is whatever is rarely there:
    gradients
    of spikes and of the last state, trained constants. The flags are constants where this is inlined.
    """
    f = like.dtype.type
    zero, two, dampening = fill(f(0)), fill(f(2)), fill(get(pointer(frame, slot.DAMPENING, like), 0))
    units, words, rows = get(frame, slot.UNITS), get(frame, slot.WORDS), get(frame, slot.ROWS)
    constants = shifted(pointer(frame, slot.CONSTANTS, like), w * CONSTANTS_A_WORD)
    slopes = pointer(frame, slot.SLOPES, like)
    spike_bits, active_bits = pointer(frame, slot.SPIKE_BITS, np.uint16), pointer(frame, slot.ACTIVE_BITS, np.uint16)
    baseline, decay, beta = load(constants, 0), load(constants, 32), load(constants, 80)
    decay_b, gain_b, decay_q = load(constants, 48), load(constants, 64), fill(decay_q)
    has_gcounts = get(frame, slot.GCOUNTS) != 0
    last = step == get(frame, slot.STEPS) * get(frame, slot.SUBSTEPS) - 1
    trained, delayed = get(frame, slot.GCONSTANTS) != 0, get(frame, slot.DELAYS) > 1
    for lane in range(base, together):
        row, q = top + lane, lane * 16 * words + 16 * w
        here = (step * rows + row) * words + w
        g_later = load(later, q)
        if get(cuts, lane) != 0:
            g_later = zero
        total = load(gz, (lane - base) * gz_stride)
        if has_q:
            from_readout = load(gq, q)
            total = add(total, from_readout)
            store(gq, q, mul(decay_q, from_readout))
        if has_gcounts:
            total = add(total, load(gcounts, q))
        exist, outside = part(w, units), row * units + 16 * w
        if more:
            if get(frame, slot.GSPIKES) != 0:
                g = load_part(pointer(frame, slot.GSPIKES, like), (step * rows + row) * units + 16 * w, exist)
                total = add(total, g)
            if last and get(frame, slot.GZ1) != 0:
                total = add(total, load_part(pointer(frame, slot.GZ1, like), outside, exist))
        z, active = word(spike_bits, here), word(active_bits, here)
        block = lane // FORWARD_ROWS
        mark = get(marks, block)
        slope = unpack_values(slopes, mark, active)
        put(marks, block, mark + bits(active))
        threshold, gb_later, b = baseline, zero, zero
        if adaptive:
            gb_later, b = load(gb, q), load(traces, q)
            threshold = fma(beta, b, baseline)
            total = fma(gain_b, gb_later, total)
        total = sub(total, mul(threshold, g_later))
        through = mul(mul(total, slope), dampening)
        gthreshold = zero
        if adaptive or more:
            height = mul(slope, threshold)  # 1 - |v - threshold| / threshold, so v / threshold is this or 2 - this
            gthreshold = fma(through, where(z, sub(two, height), height), where(z, g_later, zero))  # towards zero
        if adaptive:
            g_b = sub(mul(decay_b, gb_later), mul(beta, gthreshold))
            if more and last and get(frame, slot.GB1) != 0:
                g_b = add(g_b, load_part(pointer(frame, slot.GB1, like), outside, exist))
            store(gb, q, g_b)
        if more and trained:
            add_to(gconstants, 16 * w, sub(zero, gthreshold))
            if adaptive:
                add_to(gconstants, 16 * (words + w), sub(zero, mul(gthreshold, b)))
                add_to(gconstants, 16 * (3 * words + w), mul(gb_later, sub(b, where(z, fill(f(1)), zero))))
        g = fma(decay, g_later, through)
        if more and last and get(frame, slot.GV1) != 0:
            g = add(g, load_part(pointer(frame, slot.GV1, like), outside, exist))
        store(now, q, g)
        if delayed:
            store(kept, q, mul(load(constants, 96), g))


@njit(nogil=True)
def step_block(
    frame, like, step, top, together, lanes, gz, gzt, later, now, kept, kept_t, gb, gq, gcounts, traces, decay_q,
    marks, cuts,
    has_q, more, gconstants, tile,
):  # fmt: skip
    """All units of a block of rows through one step, a tile of 16 units and 16 (or 8) rows at a time.

    Unless the products came by rows (gz), a tile is transposed on its way in (from gzt), and its g on the way out (to
    kept_t).
    """
    words, adaptive, dense = get(frame, slot.WORDS), get(frame, slot.ADAPTIVE), get(frame, slot.DENSE) != 0
    padded, side = 16 * words, min(lanes, 16)
    for base in range(0, together, side):
        end = min(together, base + side)
        for w in range(words):
            place = base * padded + 16 * w
            source, stride = shifted(gz, place), padded
            if not dense:
                source, stride = tile, 16
                if side == 16:
                    transpose(shifted(gzt, 16 * w * lanes + base), lanes, tile, 16, TILE_16)
                else:
                    transpose(shifted(gzt, 16 * w * lanes), lanes, tile, 16, TILE_8)
                    transpose(shifted(gzt, (16 * w + 8) * lanes), lanes, shifted(tile, 8), 16, TILE_8)
            if more:
                step_word(
                    frame, like, w, step, top, base, end, source, stride, later, now, kept, gb, gq, gcounts, traces,
                    decay_q,
                    marks, cuts, has_q, w >= adaptive, True, gconstants,
                )  # fmt: skip
            elif w < adaptive:
                step_word(
                    frame, like, w, step, top, base, end, source, stride, later, now, kept, gb, gq, gcounts, traces,
                    decay_q,
                    marks, cuts, has_q, False, False, gconstants,
                )  # fmt: skip
            else:
                step_word(
                    frame, like, w, step, top, base, end, source, stride, later, now, kept, gb, gq, gcounts, traces,
                    decay_q,
                    marks, cuts, has_q, True, False, gconstants,
                )  # fmt: skip
            if not dense:
                if side == 16:
                    transpose(shifted(kept, place), padded, shifted(kept_t, 16 * w * lanes + base), lanes, TILE_16)
                else:
                    transpose(shifted(kept, place), padded, shifted(kept_t, 16 * w * lanes), lanes, TILE_8)
                    transpose(shifted(kept, place + 8), padded, shifted(kept_t, (16 * w + 8) * lanes), lanes, TILE_8)


@njit(nogil=True)
def end_row(frame, like, row, gz, g, gb, gconstants):
    """Gradients of the initial v, b and z of a row from those of its first step."""
    zero = fill(like.dtype.type(0))
    units, words = get(frame, slot.UNITS), get(frame, slot.WORDS)
    constants, trace = pointer(frame, slot.CONSTANTS, like), get(frame, slot.TRACE) != 0
    v0, z0, b0 = pointer(frame, slot.V0, like), pointer(frame, slot.Z0, like), pointer(frame, slot.B0, like)
    trained, voltages = get(frame, slot.GCONSTANTS) != 0, pointer(frame, slot.VOLTAGES, like)
    gv0, gb0, gz0 = pointer(frame, slot.GV0, like), pointer(frame, slot.GB0, like), pointer(frame, slot.GZ0, like)
    for w in range(words):
        c, q = w * CONSTANTS_A_WORD, 16 * w
        lanes, here = part(w, units), row * units + q
        g_now = load(g, q)
        threshold = load(constants, c)
        total = load(gz, q)
        z = differs(load_part(z0, here, lanes), zero)
        if trained:
            add_to(gconstants, q, where(z, sub(zero, g_now), zero))
        if trace:
            beta, g_b, b = load(constants, c + 80), load(gb, q), load_part(b0, here, lanes)
            threshold = fma(beta, b, threshold)
            if trained:
                add_to(gconstants, 16 * words + q, where(z, sub(zero, mul(g_now, b)), zero))
                add_to(gconstants, 48 * words + q, mul(g_b, sub(b, where(z, fill(like.dtype.type(1)), zero))))
            total = fma(load(constants, c + 64), g_b, total)
            g_b = sub(mul(load(constants, c + 48), g_b), mul(beta, where(z, g_now, zero)))
            store_part(gb0, here, g_b, lanes)
        if trained:
            moved = sub(load_part(v0, here, lanes), load(voltages, (row * words + w) * 16))
            add_to(gconstants, 32 * words + q, mul(g_now, sub(moved, where(z, threshold, zero))))
        store_part(gz0, here, sub(total, mul(threshold, g_now)), lanes)
        store_part(gv0, here, mul(load(constants, c + 32), g_now), lanes)
