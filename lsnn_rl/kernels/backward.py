"""The backward pass: exact gradients, the steps in reverse, a block of 8, 16 or 32 rows of the batch at a time.

Time is cut into chunks. At the start of each the adaptation b is recomputed from its stored value and the spike bits;
the slopes of the surrogate were stored where they are not zero, so no current and no voltage is needed again. In a step

    gz = W_rec^T g(t+1) + W_out^T gy - threshold g(t+1) + (1 - decay_adapt) gb(t+1)        all that hangs on a spike
    g  = decay_mem g(t+1) + gz slope                                                       dL/dv
    gb = decay_adapt gb(t+1) - beta (gz slope v / threshold + z g(t+1))                    dL/db

where g(t+1) is the gradient of the voltage one step later, kept for a whole chunk. After the chunk its inputs and
spikes
are sorted by sender, and each sender's row of the weight gradient is read and written once.
With delays the kept g are those of the next D steps too, and the weight gradient follows each step.
"""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.forward import CONSTANTS_A_WORD, FORWARD_ROWS, clear, part
from lsnn_rl.kernels.rows import ROW_TILE, accumulate, dense_product, sparse_product
from lsnn_rl.kernels.simd import (
    add,
    aligned,
    bits,
    data,
    differs,
    fill,
    fma,
    get,
    load,
    load_part,
    mul,
    pack_indices,
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
TILE_SINGLE, TILE_DOUBLE = ROW_TILE[32], ROW_TILE[64]


@njit(nogil=True)
def transpose_all(source, row, target, column, rows, columns):
    """target[j, i] = source[i, j]; rows and columns are multiples of 16, or of 8 where either is 8."""
    if rows == 8 or columns == 8:
        for i in range(0, rows, 8):
            for j in range(0, columns, 8):
                transpose(shifted(source, i * row + j), row, shifted(target, j * column + i), column, TILE_8)
    else:
        for i in range(0, rows, 16):
            for j in range(0, columns, 16):
                transpose(shifted(source, i * row + j), row, shifted(target, j * column + i), column, TILE_16)


@njit(nogil=True)
def dense_rows(like, words, lanes, target, places, start, scale, source, offsets, weights, depth):
    """`dense_product` for all rows of a block."""
    for lane in range(0, lanes, TILE_SINGLE if like.itemsize == 4 else TILE_DOUBLE):
        dense_product(
            words, target, shifted(places, lane), start, scale, source, shifted(offsets, lane), weights, depth
        )


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


@njit(nogil=True, forceinline=True)
def add_to(target, offset, value):
    store(target, offset, add(load(target, offset), value))


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
    of spikes and of the last state, delays, trained constants. The flags are constants where this is inlined.
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
        if more and delayed:
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
def sort_events(frame, like, top, together, lanes, begin, count, counts, index, value):
    """The input events of a chunk by input: index is the row of the kept g; counts[k] .. counts[k + 1] are those of
    k."""
    rows, inputs, substeps = get(frame, slot.ROWS), get(frame, slot.INPUTS), get(frame, slot.SUBSTEPS)
    event_index, event_value = pointer(frame, slot.EVENT_INDEX, np.int32), pointer(frame, slot.EVENT_VALUE, like)
    marks = pointer(frame, slot.EVENT_MARKS, np.int64)
    for k in range(inputs + 2):
        put(counts, k, 0)
    lines, first_line = count // substeps, begin // substeps
    for i in range(lines):
        for lane in range(together):
            here = 2 * ((first_line + i) * rows + top + lane)
            for event in range(get(marks, here), get(marks, here + 1)):
                k = np.int64(get(event_index, event)) + 2
                put(counts, k, get(counts, k) + 1)
    for k in range(1, inputs + 2):
        put(counts, k, get(counts, k) + get(counts, k - 1))
    for i in range(lines):
        for lane in range(together):
            here = 2 * ((first_line + i) * rows + top + lane)
            for event in range(get(marks, here), get(marks, here + 1)):
                k = np.int64(get(event_index, event)) + 1
                place = get(counts, k)
                put(counts, k, place + 1)
                put(index, place, np.int32(i * lanes + lane))
                put(value, place, get(event_value, event))


@njit(nogil=True)
def sort_spikes(frame, like, top, together, lanes, begin, count, counts, index, own, unsorted, cuts, zero_row):
    """The spikes of a chunk by unit: index is the row of g one step later (of zeros before a reset), own that of
    now."""
    rows, units, words = get(frame, slot.ROWS), get(frame, slot.UNITS), get(frame, slot.WORDS)
    spike_bits = pointer(frame, slot.SPIKE_BITS, np.uint16)
    for k in range(units + 2):
        put(counts, k, 0)
    end = 0
    for i in range(count):
        for lane in range(together):
            here = ((begin + i) * rows + top + lane) * words
            first = end
            for w in range(words):
                end = pack_indices(unsorted, end, word(spike_bits, here + w), 16 * w)
            for event in range(first, end):
                k = np.int64(get(unsorted, event)) + 2
                put(counts, k, get(counts, k) + 1)
            put(cuts, i * lanes + lane, np.int32(end - first) | (get(cuts, i * lanes + lane) & np.int32(1 << 30)))
    for k in range(1, units + 2):
        put(counts, k, get(counts, k) + get(counts, k - 1))
    event = 0
    for i in range(count):
        for lane in range(together):
            here = i * lanes + lane
            flag = np.int64(get(cuts, here))
            later = here + lanes
            if flag >> 30:
                later = zero_row
            for _ in range(flag & ((1 << 30) - 1)):
                k = np.int64(get(unsorted, event)) + 1
                event += 1
                place = get(counts, k)
                put(counts, k, place + 1)
                put(index, place, np.int32(later))
                put(own, place, np.int32(here))


@njit(nogil=True)
def delayed_gradient(frame, like, gweights, index, value, first, last, weighted, kept, stride):
    """gweights[sender, i] += value * kept[delay of (sender, i), i], where kept slots are `stride` apart.

    For the synapses of a fixed mask, or else for all that there could be.
    """
    padded, fixed = 16 * get(frame, slot.WORDS), get(frame, slot.FIXED_MASK) != 0
    delay_of, starts = pointer(frame, slot.DELAY_OF, np.int32), pointer(frame, slot.FAN_STARTS, np.int64)
    targets, receivers = pointer(frame, slot.FAN_TARGETS, np.int32), pointer(frame, slot.FAN_RECEIVERS, np.int32)
    lanes = stride // padded
    for event in range(first, last):
        sender = np.int64(get(index, event))
        size = like.dtype.type(1)
        if weighted:
            size = get(value, event)
        base = sender * padded
        if fixed:
            for synapse in range(get(starts, sender), get(starts, sender + 1)):
                i = np.int64(get(receivers, synapse))
                g = get(kept, np.int64(get(targets, synapse)) * lanes - i * (lanes - 1))
                put(gweights, base + i, get(gweights, base + i) + size * g)
        else:
            for i in range(padded):
                g = get(kept, np.int64(get(delay_of, base + i)) * stride + i)
                put(gweights, base + i, get(gweights, base + i) + size * g)


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


@njit(nogil=True)
def product(frame, like, lanes, gz, places, source, offsets, gt, gzt):
    """W_rec^T g for all rows of the block: by rows into gz, or from the transpose gt into the transpose gzt."""
    words, units = get(frame, slot.WORDS), get(frame, slot.UNITS)
    if get(frame, slot.DENSE) != 0:
        weights = pointer(frame, slot.DENSE_WEIGHTS, like)
        dense_rows(like, words, lanes, gz, places, gz, like.dtype.type(0), source, offsets, weights, units)
        return
    sparse_product(
        lanes, gzt, gt, pointer(frame, slot.LIST_ORDER, np.int32), pointer(frame, slot.LIST_STARTS, np.int64),
        pointer(frame, slot.LIST_INDEX, np.int32), pointer(frame, slot.LIST_WEIGHTS, like), units,
    )  # fmt: skip


@njit(nogil=True, forceinline=True)
def clear_lane(gt, lane, lanes, size, zero):
    for q in range(size):
        put(gt, q * lanes + lane, zero)


@njit(nogil=True, forceinline=True)
def copy(target, source, size):
    for q in range(0, size, 16):
        store(target, q, load(source, q))


@njit(nogil=True)
def fresh_membrane_gradient(frame, like, row, g, gconstants):
    """The first step's part towards decay_mem where a reset came before it: v and z were 0."""
    zero = fill(like.dtype.type(0))
    words, voltages = get(frame, slot.WORDS), pointer(frame, slot.VOLTAGES, like)
    for w in range(words):
        v = load(voltages, (row * words + w) * 16)
        add_to(gconstants, 32 * words + 16 * w, mul(load(g, 16 * w), sub(zero, v)))


@njit(nogil=True)
def backward_rows(frame, like, first, last, task):
    """Rows first .. last of the batch through all steps, the last one first."""
    f = like.dtype.type
    zero = fill(f(0))
    steps, substeps, rows = (
        get(frame, slot.STEPS) * get(frame, slot.SUBSTEPS),
        get(frame, slot.SUBSTEPS),
        get(frame, slot.ROWS),
    )
    inputs, units, readouts = get(frame, slot.INPUTS), get(frame, slot.UNITS), get(frame, slot.READOUTS)
    words, out_words, delays, limit = (
        get(frame, slot.WORDS),
        get(frame, slot.OUT_WORDS),
        get(frame, slot.DELAYS),
        get(frame, slot.GROUP),
    )
    chunk, lanes, dense, leak = (
        get(frame, slot.CHUNK),
        get(frame, slot.LANES),
        get(frame, slot.DENSE) != 0,
        get(frame, slot.LEAK),
    )
    padded, padded_out, delayed = 16 * words, 16 * out_words, delays > 1
    starts, has_starts = pointer(frame, slot.STARTS, np.uint8), get(frame, slot.STARTS) != 0
    gy, has_gy, gy1, has_gy1 = (
        pointer(frame, slot.GY, like),
        get(frame, slot.GY) != 0,
        pointer(frame, slot.GY1, like),
        get(frame, slot.GY1) != 0,
    )
    gdrive, has_gdrive = pointer(frame, slot.GDRIVE, like), get(frame, slot.GDRIVE) != 0
    gring0, gring1, has_gring1 = (
        pointer(frame, slot.GRING0, like),
        pointer(frame, slot.GRING1, like),
        get(frame, slot.GRING1) != 0,
    )
    gy0 = pointer(frame, slot.GY0, like)
    event_index, event_value = pointer(frame, slot.EVENT_INDEX, np.int32), pointer(frame, slot.EVENT_VALUE, like)
    event_marks, spike_bits = pointer(frame, slot.EVENT_MARKS, np.int64), pointer(frame, slot.SPIKE_BITS, np.uint16)
    gweights = shifted(pointer(frame, slot.GWEIGHTS, like), task * (inputs + units) * padded)
    gout = shifted(pointer(frame, slot.GOUT_WEIGHTS, like), task * units * padded_out)
    gconstants, trained = (
        shifted(pointer(frame, slot.GCONSTANTS, like), task * 4 * padded),
        get(frame, slot.GCONSTANTS) != 0,
    )
    kappa, out_weights = pointer(frame, slot.KAPPA, like), pointer(frame, slot.DENSE_OUT_WEIGHTS, like)
    trace = get(frame, slot.TRACE) != 0
    decay_q = f(0)
    if leak == 1:
        decay_q = get(kappa, 0)

    block, block_out = lanes * padded, lanes * padded_out
    ahead = delays  # slots of g behind the chunk
    slots = chunk + ahead
    lines = chunk // substeps
    most = chunk * lanes * max(units, inputs) + 32
    pool = np.zeros(
        slots * block * (2 if delayed else 1) + padded + (chunk + 8) * block + (lines if substeps > 1 else 0) * block
        + (chunk + 3) * block_out + most + 64 + 256,
        like.dtype,
    )  # fmt: skip
    whole = np.zeros(3 * most + chunk * lanes, np.int32)
    places_, counts_ = np.zeros(5 * lanes, np.int64), np.zeros(max(inputs, units) + 4, np.int64)
    kept = aligned(pool)  # g of the chunk and of the steps behind it, then a row of zeros
    zeros = shifted(kept, slots * block)
    kept_t = shifted(zeros, padded)  # the same, transposed: all slots with delays, else one
    traces = shifted(kept_t, slots * block if delayed else block)
    gz = shifted(traces, chunk * block)
    gzt, gq = shifted(gz, block), shifted(gz, 2 * block)
    gb, carry = shifted(gz, 3 * block), shifted(gz, 4 * block)
    gcounts, lines_g = shifted(gz, 5 * block), shifted(gz, 6 * block)  # g summed over the substeps of an input
    gys = shifted(lines_g, lines * block if substeps > 1 else 0)  # gradient of each readout, filtered
    raw, gy_carry = shifted(gys, chunk * block_out), shifted(gys, (chunk + 1) * block_out)
    tile = shifted(gys, (chunk + 2) * block_out)
    values = shifted(tile, 256)
    index, own, unsorted, cuts = (
        data(whole),
        shifted(data(whole), most),
        shifted(data(whole), 2 * most),
        shifted(data(whole), 3 * most),
    )
    counts = data(counts_)
    places, places_out, offsets = data(places_), shifted(data(places_), lanes), shifted(data(places_), 2 * lanes)
    cut, marks = shifted(data(places_), 3 * lanes), shifted(data(places_), 4 * lanes)
    slope_marks, blocks = pointer(frame, slot.SLOPE_MARKS, np.int64), (rows + FORWARD_ROWS - 1) // FORWARD_ROWS
    rare = delayed or trained or get(frame, slot.GSPIKES) != 0
    for lane in range(lanes):
        put(places, lane, lane * padded)
        put(places_out, lane, lane * padded_out)

    for top in range(first, last, lanes):
        together = min(lanes, last - top)
        clear(kept, slots * block, zero)
        clear(kept_t, slots * block if delayed else block, zero)
        clear(gz, 5 * block, zero)
        clear(raw, 2 * block_out, zero)
        live, has_product = False, False
        if get(frame, slot.GCOUNTS) != 0:
            for lane in range(together):
                for w in range(words):
                    g = load_part(pointer(frame, slot.GCOUNTS, like), (top + lane) * units + 16 * w, part(w, units))
                    store(gcounts, lane * padded + 16 * w, g)
        if has_gy1:
            live = True
            for lane in range(together):
                for q in range(out_words):
                    g = load_part(gy1, (top + lane) * readouts + 16 * q, part(q, readouts))
                    store(raw, lane * padded_out + 16 * q, g)
        for number in range((steps - 1) // chunk, -1, -1):
            begin = number * chunk
            count = min(chunk, steps - begin)
            if number == (steps - 1) // chunk and delayed and has_gring1:
                for j in range(delays - 1):
                    for lane in range(together):
                        for w in range(words):
                            g = load_part(gring1, ((top + lane) * delays + j) * units + 16 * w, part(w, units))
                            store(kept, (count + j) * block + lane * padded + 16 * w, g)
                    here = (count + j) * block
                    transpose_all(shifted(kept, here), padded, shifted(kept_t, here), lanes, lanes, padded)
            if trace:
                recompute_traces(frame, like, top, together, lanes, begin, count, traces)
            if substeps > 1:
                clear(lines_g, lines * block, zero)
            for i in range(count - 1, -1, -1):
                step = begin + i
                t, k = step // substeps, step % substeps
                final = step == steps - 1
                here_g = shifted(kept, i * block)
                # a row that starts afresh at the next step has no later step
                for lane in range(lanes):
                    later_start = lane < together and not final and k == substeps - 1 and has_starts
                    later_start = later_start and get(starts, (t + 1) * rows + top + lane) != 0
                    put(cut, lane, np.int64(later_start))
                    put(cuts, i * lanes + lane, np.int32(later_start) << 30)
                    put(offsets, lane, (i + 1) * block + lane * padded)
                    if later_start:
                        put(offsets, lane, slots * block)
                        clear(shifted(gb, lane * padded), padded, zero)
                        clear(shifted(gq, lane * padded), padded, zero)
                        clear(shifted(gy_carry, lane * padded_out), padded_out, zero)
                if has_product and not final:
                    if not dense:
                        for lane in range(together):
                            if get(cut, lane) != 0:
                                for d in range(ahead):
                                    here = 0
                                    if delayed:
                                        here = (i + 1 + d) * block
                                    clear_lane(shifted(kept_t, here), lane, lanes, padded, f(0))
                                    if delayed:
                                        clear(shifted(kept, (i + 1 + d) * block + lane * padded), padded, zero)
                    here = 0
                    if delayed:
                        here = (i + 1) * block
                    product(frame, like, lanes, gz, places, kept, offsets, shifted(kept_t, here), gzt)

                arrived = final and has_gy1
                if has_gy and k == substeps - 1:
                    for lane in range(together):
                        for q in range(out_words):
                            g = load_part(gy, (t * rows + top + lane) * readouts + 16 * q, part(q, readouts))
                            arrived |= differs(g, zero) != 0
                            if final and has_gy1:
                                g = add(g, load(raw, lane * padded_out + 16 * q))
                            store(raw, lane * padded_out + 16 * q, g)
                live |= arrived
                if live:
                    for q in range(0, block_out, 16):
                        g = load(gy_carry, q)
                        if arrived:
                            g = add(g, load(raw, q))
                        store(gys, i * block_out + q, g)
                        store(gy_carry, q, mul(g, load(kappa, q % padded_out)))
                    source = raw
                    if leak == 2:
                        source = shifted(gys, i * block_out)
                    if arrived or leak == 2:
                        dense_rows(like, words, lanes, gq, places, gq, f(1), source, places_out, out_weights, readouts)

                later, now, now_t = shifted(kept, (i + 1) * block), here_g, kept_t
                if delayed:
                    later, now, now_t = carry, carry, shifted(kept_t, i * block)
                if trained and not final:
                    for lane in range(together):
                        b = shifted(traces, (i * lanes + lane) * padded)
                        g, fresh = shifted(later, lane * padded), get(cut, lane) != 0
                        membrane_gradient(frame, like, top + lane, step, g, fresh, b, gconstants)
                for part_of_block in range((together + FORWARD_ROWS - 1) // FORWARD_ROWS):
                    put(marks, part_of_block, get(slope_marks, step * blocks + top // FORWARD_ROWS + part_of_block))
                step_block(
                    frame, like, step, top, together, lanes, gz, gzt, later, now, here_g, now_t, gb, gq, gcounts,
                    shifted(traces, i * block), decay_q, marks, cut, live, rare or final, gconstants, tile,
                )  # fmt: skip
                if substeps > 1:
                    line = shifted(lines_g, (i // substeps) * block)
                    for q in range(0, block, 16):
                        store(line, q, add(load(line, q), load(here_g, q)))
                if has_gdrive:
                    for lane in range(together):
                        for w in range(words):
                            place = (step * rows + top + lane) * units + 16 * w
                            store_part(gdrive, place, load(here_g, lane * padded + 16 * w), part(w, units))
                if delayed:
                    for lane in range(together):
                        here, g = 2 * (t * rows + top + lane), shifted(here_g, lane * padded)
                        first_event, last_event = get(event_marks, here), get(event_marks, here + 1)
                        delayed_gradient(
                            frame, like, gweights, event_index, event_value, first_event, last_event, True, g, block
                        )
                        end = 0
                        for w in range(words):
                            z = word(spike_bits, (step * rows + top + lane) * words + w)
                            end = pack_indices(unsorted, end, z, inputs + 16 * w)
                        if not final:  # the last spikes are still to be sent by the next run
                            g = shifted(g, block)
                            delayed_gradient(frame, like, gweights, unsorted, values, 0, end, False, g, block)
                has_product = True

            # the weight gradients of the chunk, sender by sender
            if not delayed:
                sort_events(frame, like, top, together, lanes, begin, count, counts, index, values)
                source = kept
                if substeps > 1:
                    source = lines_g
                for k in range(inputs):
                    line = shifted(gweights, k * padded)
                    accumulate(
                        limit,
                        words,
                        line,
                        line,
                        source,
                        padded,
                        index,
                        values,
                        get(counts, k),
                        get(counts, k + 1),
                        index,
                        0,
                        0,
                    )
            if not delayed or live:
                sort_spikes(
                    frame, like, top, together, lanes, begin, count, counts, index, own, unsorted, cuts, slots * lanes
                )
                for k in range(units):
                    a, z = get(counts, k), get(counts, k + 1)
                    if not delayed:
                        line = shifted(gweights, (inputs + k) * padded)
                        accumulate(limit, words, line, line, kept, padded, index, values, 0, 0, index, a, z)
                    if live:
                        line = shifted(gout, k * padded_out)
                        accumulate(limit, out_words, line, line, gys, padded_out, own, values, 0, 0, own, a, z)
            for d in range(ahead - 1 if number else -1, -1, -1):
                copy(shifted(kept, (chunk + d) * block), shifted(kept, d * block), block)
                if delayed:
                    copy(shifted(kept_t, (chunk + d) * block), shifted(kept_t, d * block), block)

        # what reached the initial state
        for lane in range(lanes):
            fresh = lane < together and has_starts and get(starts, top + lane) != 0
            put(cut, lane, np.int64(fresh))
            put(offsets, lane, lane * padded)
            if fresh:
                put(offsets, lane, slots * block)
                clear(shifted(gb, lane * padded), padded, zero)
                clear(shifted(gy_carry, lane * padded_out), padded_out, zero)
        if not dense:
            for lane in range(together):
                if get(cut, lane) != 0:
                    for d in range(ahead):
                        clear_lane(shifted(kept_t, d * block), lane, lanes, padded, f(0))
        product(frame, like, lanes, gz, places, kept, offsets, kept_t, gzt)
        if not dense:
            transpose_all(gzt, lanes, gz, padded, padded, lanes)
        for lane in range(together):
            row = top + lane
            first_g = shifted(kept, lane * padded)
            if delayed:
                first_g = shifted(carry, lane * padded)
            if get(cut, lane) != 0:
                if trained:
                    fresh_membrane_gradient(frame, like, row, first_g, gconstants)
                first_g = zeros
                if delayed:
                    for d in range(delays):
                        clear(shifted(kept, d * block + lane * padded), padded, zero)
            else:
                z0 = pointer(frame, slot.Z0, like)
                for j in range(units):
                    if get(z0, row * units + j) != 0:
                        put(unsorted, 0, np.int32(inputs + j))
                        if delayed:
                            delayed_gradient(
                                frame,
                                like,
                                gweights,
                                unsorted,
                                values,
                                0,
                                1,
                                False,
                                shifted(kept, lane * padded),
                                block,
                            )
                        else:
                            for q in range(0, padded, 16):
                                add_to(gweights, (inputs + j) * padded + q, load(first_g, q))
            end_row(frame, like, row, shifted(gz, lane * padded), first_g, shifted(gb, lane * padded), gconstants)
            for q in range(out_words):
                store_part(gy0, row * readouts + 16 * q, load(gy_carry, lane * padded_out + 16 * q), part(q, readouts))
            if delayed:
                for d in range(delays):
                    for w in range(words):
                        g = load(kept, d * block + lane * padded + 16 * w)
                        store_part(gring0, (row * delays + d) * units + 16 * w, g, part(w, units))
    return pool.size + whole.size + places_.size + counts_.size  # numba frees an array after its last use


def entry(version):
    """The compiled entry, as in kernels/forward.py."""

    @njit(nogil=True, cache=True)
    def backward(frame, like, first, last, task):
        if frame[0] == version:
            backward_rows(shifted(data(frame), 1), like, first, last, task)
        return frame[0]

    return backward
