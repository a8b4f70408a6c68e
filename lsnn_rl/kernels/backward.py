"""The backward pass: exact gradients, the steps in reverse, a block of 8, 16 or 32 rows of the batch at a time.

Time is cut into chunks. At the start of each the adaptation b is recomputed from its stored value and the spike bits;
the slopes of the surrogate were stored where they are not zero, so no current and no voltage is needed again. In a step

    gz = W_rec^T g(t+1) + W_out^T gy - threshold g(t+1) + (1 - decay_adapt) gb(t+1)        all that hangs on a spike
    g  = decay_mem g(t+1) + gz slope                                                       dL/dv
    gb = decay_adapt gb(t+1) - beta (gz slope v / threshold + z g(t+1))                    dL/db

where g(t+1) is the gradient of the voltage one step later, kept for a whole chunk. After the chunk its inputs and
spikes are sorted by sender, and each sender's row of the weight gradient is read and written once.
With delays the kept g are those of the next D steps too, and the weight gradients follow each row.
"""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.forward import FORWARD_ROWS, clear, part
from lsnn_rl.kernels.rows import ROW_TILE, accumulate, dense_product, sparse_product
from lsnn_rl.kernels.simd import (
    add,
    aligned,
    data,
    differs,
    fill,
    get,
    load,
    load_part,
    mul,
    pointer,
    put,
    shifted,
    store,
    store_part,
    transpose,
)  # fmt: skip
from lsnn_rl.kernels.unit_gradients import (
    add_to,
    end_row,
    fresh_membrane_gradient,
    membrane_gradient,
    recompute_traces,
    step_block,
)
from lsnn_rl.kernels.weight_gradients import delayed_gradient, delayed_gradients, sort_events, sort_spikes

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
    places_of_weights = (inputs + units) * padded
    if delays > 1:  # one for each synapse that gets a gradient
        places_of_weights = get(pointer(frame, slot.GRADIENT_STARTS, np.int64), inputs + units)
    gweights = shifted(pointer(frame, slot.GWEIGHTS, like), task * places_of_weights)
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
    places_, counts_ = np.zeros(6 * lanes, np.int64), np.zeros(max(inputs, units) + 4, np.int64)
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
    waiting = shifted(data(places_), 5 * lanes)  # with delays: weight gradients of the steps up to here are missing
    slope_marks, blocks = pointer(frame, slot.SLOPE_MARKS, np.int64), (rows + FORWARD_ROWS - 1) // FORWARD_ROWS
    rare = trained or get(frame, slot.GSPIKES) != 0
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
            for lane in range(lanes):
                put(waiting, lane, count)
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
                                if delayed:  # what was sent after the reset, while its gradients are there
                                    delayed_gradients(
                                        frame, like, gweights, top + lane, begin, i + 1, get(waiting, lane),
                                        shifted(kept, lane * padded), block, unsorted,
                                    )  # fmt: skip
                                    put(waiting, lane, i + 1)
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
                has_product = True

            # the weight gradients of the chunk: row by row with delays, else sender by sender
            if delayed:
                for lane in range(together):
                    delayed_gradients(
                        frame, like, gweights, top + lane, begin, 0, get(waiting, lane),
                        shifted(kept, lane * padded), block, unsorted,
                    )  # fmt: skip
            else:
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
                            g = shifted(kept, lane * padded)
                            delayed_gradient(frame, like, gweights, unsorted, values, 0, 1, False, g)
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
