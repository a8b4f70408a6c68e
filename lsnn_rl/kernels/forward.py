"""The forward pass: each row of the batch steps through time, doing work only where something spiked.

Eight rows at a time, so that their state stays in the first-level cache. In each step a row adds up the weight rows of its
non-zero inputs and of its last spikes, then all its units are updated 16 at a time and the new spikes are listed.
Per word of 16 units the constants are [thr, 1 / thr, decay_mem, decay_adapt, 1 - decay_adapt, beta, 1 - decay_mem] and the
state is [p, b, release]: p = decay_mem v - threshold z and b one step ahead, so that a step begins with one addition,
and the step from which the unit may spike again.
"""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.rows import accumulate
from lsnn_rl.kernels.simd import (
    above,
    absolute,
    add,
    aligned,
    bits,
    data,
    differs,
    div,
    fill,
    fma,
    get,
    load,
    load_part,
    mul,
    pack_indices,
    pack_values,
    pointer,
    prefetch,
    put,
    put_word,
    shifted,
    store,
    store_part,
    sub,
    where,
)  # fmt: skip

CONSTANTS_A_WORD, STATE_A_WORD = 7 * 16, 3 * 16
FORWARD_ROWS = 8  # rows of the batch that step together; their state fits in the first-level cache


@njit(nogil=True, forceinline=True)
def part(w, size):
    """The bits of the lanes of a word that exist, if `size` numbers do."""
    left = size - 16 * w
    if left >= 16:
        return 65535
    if left <= 0:
        return 0
    return (1 << left) - 1


@njit(nogil=True, forceinline=True)
def list_inputs(x, size, index, value, end, zero):
    """Append index and value of the inputs that are not zero; also says whether one of them is NaN or infinite."""
    broken = 0
    for w in range((size + 15) // 16):
        line = load_part(x, 16 * w, part(w, size))
        mask = differs(line, zero)
        broken |= differs(sub(line, line), zero)
        pack_values(value, end, mask, line)
        end = pack_indices(index, end, mask, 16 * w)
    return end, broken


@njit(nogil=True)
def add_rows(frame, like, target, start, index, value, first, last, ones, count):
    """target = start + the weight rows of the events first .. last, and of `count` spikes."""
    words, limit = get(frame, slot.WORDS), get(frame, slot.GROUP)
    weights = pointer(frame, slot.WEIGHTS, like)
    accumulate(limit, words, target, start, weights, 16 * words, index, value, first, last, ones, 0, count)


@njit(nogil=True)
def begin_row(frame, like, row, state, last_spikes):
    """Lay out a row's first state by words; returns how many spikes were listed."""
    f = like.dtype.type
    zero, one = fill(f(0)), fill(f(1))
    units = get(frame, slot.UNITS)
    trace = get(frame, slot.TRACE) != 0
    constants = pointer(frame, slot.CONSTANTS, like)
    v0, b0 = pointer(frame, slot.V0, like), pointer(frame, slot.B0, like)
    z0, r0 = pointer(frame, slot.Z0, like), pointer(frame, slot.R0, like)
    inputs = get(frame, slot.INPUTS)
    count = 0
    for w in range(get(frame, slot.WORDS)):
        lanes = part(w, units)
        here = row * units + 16 * w
        c, s = w * CONSTANTS_A_WORD, w * STATE_A_WORD
        z = differs(load_part(z0, here, lanes), zero)
        threshold = load(constants, c)
        if trace:
            b = load_part(b0, here, lanes)
            threshold = fma(load(constants, c + 80), b, threshold)
            store(state, s + 16, fma(load(constants, c + 48), b, where(z, load(constants, c + 64), zero)))
        store(state, s, fma(load(constants, c + 32), load_part(v0, here, lanes), where(z, sub(zero, threshold), zero)))
        store(state, s + 32, load_part(r0, here, lanes))
        count = pack_indices(last_spikes, count, z, inputs + 16 * w)
    return count


@njit(nogil=True)
def scatter_delayed(frame, like, ring, index, value, first, last, weighted):
    """Add the weights of each sender's synapses into the ring of future currents, each in the slot of its delay."""
    starts, targets = pointer(frame, slot.FAN_STARTS, np.int64), pointer(frame, slot.FAN_TARGETS, np.int32)
    weights = pointer(frame, slot.FAN_WEIGHTS, like)
    for event in range(first, last):
        sender = np.int64(get(index, event))
        size = like.dtype.type(1)
        if weighted:
            size = get(value, event)
        for synapse in range(get(starts, sender), get(starts, sender + 1)):
            place = np.int64(get(targets, synapse))
            put(ring, place, get(ring, place) + size * get(weights, synapse))


@njit(nogil=True)
def update_row(frame, like, row, step, state, current, last_spikes, slopes, mark, keep, final):
    """One simulation step of all units of a row; returns the number of new spikes and the end of the stored slopes."""
    f = like.dtype.type
    zero, one = fill(f(0)), fill(f(1))
    now = fill(f(step + 0.5))
    constants = pointer(frame, slot.CONSTANTS, like)
    units, words, inputs = get(frame, slot.UNITS), get(frame, slot.WORDS), get(frame, slot.INPUTS)
    adaptive = get(frame, slot.ADAPTIVE)
    trace = get(frame, slot.TRACE) != 0
    delayed = get(frame, slot.DELAYS) > 1
    at_bits = (step * get(frame, slot.ROWS) + row) * words
    spike_bits, active_bits = pointer(frame, slot.SPIKE_BITS, np.uint16), pointer(frame, slot.ACTIVE_BITS, np.uint16)
    voltages = pointer(frame, slot.VOLTAGES, like)
    keep_voltages = keep and get(frame, slot.VOLTAGES) != 0
    spikes = pointer(frame, slot.SPIKES, like)
    want_spikes = get(frame, slot.SPIKES) != 0
    v1, b1, z1 = pointer(frame, slot.V1, like), pointer(frame, slot.B1, like), pointer(frame, slot.Z1, like)
    count = 0
    for w in range(words):
        c, s = w * CONSTANTS_A_WORD, w * STATE_A_WORD
        threshold = load(constants, c)
        arriving = load(current, 16 * w)
        if delayed:
            v = fma(load(constants, c + 96), arriving, load(state, s))
        else:
            v = add(load(state, s), arriving)
        b = zero
        if trace:
            b = load(state, s + 16)
        if w >= adaptive:
            threshold = fma(load(constants, c + 80), b, threshold)
        free = above(now, load(state, s + 32))
        z = above(v, threshold) & free
        store(state, s, fma(load(constants, c + 32), v, where(z, sub(zero, threshold), zero)))
        if trace:
            store(state, s + 16, fma(load(constants, c + 48), b, where(z, load(constants, c + 64), zero)))
        count = pack_indices(last_spikes, count, z, inputs + 16 * w)
        if keep:
            distance = absolute(sub(v, threshold))
            active = above(threshold, distance) & free
            if w >= adaptive:
                inverse = div(one, threshold)
            else:
                inverse = load(constants, c + 16)
            put_word(spike_bits, at_bits + w, z)
            put_word(active_bits, at_bits + w, active)
            pack_values(slopes, mark, active, mul(sub(one, mul(distance, inverse)), inverse))
            mark += bits(active)
            if keep_voltages:
                store(voltages, (at_bits + w) * 16, v)
        if want_spikes:
            store_part(
                spikes, (step * get(frame, slot.ROWS) + row) * units + 16 * w, where(z, one, zero), part(w, units)
            )
        if final:
            lanes = part(w, units)
            store_part(v1, row * units + 16 * w, v, lanes)
            store_part(z1, row * units + 16 * w, where(z, one, zero), lanes)
            if trace:
                store_part(b1, row * units + 16 * w, b, lanes)
    return count, mark


@njit(nogil=True)
def read_out(frame, like, y, drive, zeros, last_spikes, count):
    """y = kappa y + (1 - kappa) W_out z, or W_out z without leak (the factor is in the weights)."""
    out_words, limit = get(frame, slot.OUT_WORDS), get(frame, slot.GROUP)
    weights, kappa = pointer(frame, slot.OUT_WEIGHTS, like), pointer(frame, slot.KAPPA, like)
    rows = shifted(weights, -get(frame, slot.INPUTS) * out_words * 16)  # spikes are listed behind the inputs
    accumulate(limit, out_words, drive, zeros, rows, 16 * out_words, last_spikes, zeros, 0, 0, last_spikes, 0, count)
    for w in range(out_words):
        store(y, 16 * w, fma(load(kappa, 16 * w), load(y, 16 * w), load(drive, 16 * w)))


@njit(nogil=True, forceinline=True)
def clear(target, size, zero):
    for q in range(0, size, 16):
        store(target, q, zero)


@njit(nogil=True)
def begin_ring(frame, like, row, ring):
    """The D future currents of a row, and D empty slots behind them."""
    units, words, delays = get(frame, slot.UNITS), get(frame, slot.WORDS), get(frame, slot.DELAYS)
    ring0 = pointer(frame, slot.RING0, like)
    clear(ring, 2 * delays * 16 * words, fill(like.dtype.type(0)))
    for d in range(delays):
        for w in range(words):
            old = load_part(ring0, (row * delays + d) * units + 16 * w, part(w, units))
            store(ring, (d * words + w) * 16, old)


@njit(nogil=True)
def end_ring(frame, like, row, ring):
    units, words, delays = get(frame, slot.UNITS), get(frame, slot.WORDS), get(frame, slot.DELAYS)
    ring1 = pointer(frame, slot.RING1, like)
    for d in range(delays):
        for w in range(words):
            store_part(ring1, (row * delays + d) * units + 16 * w, load(ring, (d * words + w) * 16), part(w, units))


@njit(nogil=True, forceinline=True)
def rotate(ring, slots, padded, zero):
    """The second half of a ring of 2 * slots becomes the first."""
    for q in range(0, slots * padded, 16):
        store(ring, q, load(ring, slots * padded + q))
    clear(shifted(ring, slots * padded), slots * padded, zero)


@njit(nogil=True)
def forward_rows(frame, like, first, last):
    """Rows first .. last of the batch through all steps."""
    f = like.dtype.type
    zero = fill(f(0))
    steps, substeps, rows = get(frame, slot.STEPS), get(frame, slot.SUBSTEPS), get(frame, slot.ROWS)
    inputs, units, readouts = get(frame, slot.INPUTS), get(frame, slot.UNITS), get(frame, slot.READOUTS)
    words, out_words, delays = get(frame, slot.WORDS), get(frame, slot.OUT_WORDS), get(frame, slot.DELAYS)
    refractory, chunk = get(frame, slot.REFRACTORY), get(frame, slot.CHUNK)
    padded, padded_out = 16 * words, 16 * out_words
    x, starts = pointer(frame, slot.X, like), pointer(frame, slot.STARTS, np.uint8)
    has_starts, keep = get(frame, slot.STARTS) != 0, get(frame, slot.SPIKE_BITS) != 0
    counts, want_counts = pointer(frame, slot.COUNTS, like), get(frame, slot.COUNTS) != 0
    y_out, bias = pointer(frame, slot.Y, like), pointer(frame, slot.BIAS, like)
    leaky, trace = get(frame, slot.LEAK) != 0, get(frame, slot.TRACE) != 0
    y0, y1, r1 = pointer(frame, slot.Y0, like), pointer(frame, slot.Y1, like), pointer(frame, slot.R1, like)
    traces = pointer(frame, slot.TRACES, like)
    slopes = pointer(frame, slot.SLOPES, like)
    slope_marks, event_marks = pointer(frame, slot.SLOPE_MARKS, np.int64), pointer(frame, slot.EVENT_MARKS, np.int64)

    state_size, list_size, event_size = words * STATE_A_WORD, padded + 32, inputs + 32
    ring_size = 2 * delays * padded if delays > 1 else 0
    wide = max(padded, padded_out)
    pool = np.empty(
        2 * wide + padded_out + FORWARD_ROWS * (state_size + padded + padded_out + ring_size) + 32, like.dtype
    )
    lists = np.empty(FORWARD_ROWS * (list_size + event_size), np.int32)
    values = np.empty(FORWARD_ROWS * event_size, like.dtype)
    marks = np.zeros(3 * FORWARD_ROWS, np.int64)
    zeros = aligned(pool)
    current = shifted(zeros, wide)
    out_drive = shifted(current, wide)
    states = shifted(out_drive, padded_out)
    drives = shifted(states, FORWARD_ROWS * state_size)
    ys = shifted(drives, FORWARD_ROWS * padded)
    rings = shifted(ys, FORWARD_ROWS * padded_out)
    spike_lists = data(lists)
    event_index, event_value = shifted(spike_lists, FORWARD_ROWS * list_size), data(values)
    counted, begins, ends = data(marks), shifted(data(marks), FORWARD_ROWS), shifted(data(marks), 2 * FORWARD_ROWS)
    if keep:
        event_index, event_value = pointer(frame, slot.EVENT_INDEX, np.int32), pointer(frame, slot.EVENT_VALUE, like)
    clear(zeros, wide, zero)
    broken = 0

    for top in range(first, last, FORWARD_ROWS):
        together = min(FORWARD_ROWS, last - top)
        slope_mark = top * (steps * substeps * padded + 16)
        event_mark = top * (steps * inputs + 16)
        turn = 0
        if want_counts:
            for q in range(top * units, (top + together) * units):
                put(counts, q, f(0))
        for lane in range(together):
            put(
                counted,
                lane,
                begin_row(
                    frame, like, top + lane, shifted(states, lane * state_size), shifted(spike_lists, lane * list_size)
                ),
            )
            for w in range(out_words):
                y = zero
                if leaky:
                    y = load_part(y0, (top + lane) * readouts + 16 * w, part(w, readouts))
                store(ys, lane * padded_out + 16 * w, y)
            if delays > 1:
                begin_ring(frame, like, top + lane, shifted(rings, lane * ring_size))

        for step in range(steps * substeps):
            t, k = step // substeps, step % substeps
            final = step == steps * substeps - 1
            for lane in range(together):
                row = top + lane
                here = t * rows + row
                state, spikes = shifted(states, lane * state_size), shifted(spike_lists, lane * list_size)
                drive, y = shifted(drives, lane * padded), shifted(ys, lane * padded_out)
                ring = shifted(rings, lane * ring_size + turn * padded)
                if k == 0:
                    if has_starts and get(starts, here) != 0:
                        clear(state, state_size, zero)
                        clear(y, padded_out, zero)
                        put(counted, lane, 0)
                        if delays > 1:
                            clear(ring, delays * padded, zero)
                    if t + 1 < steps:
                        for q in range(0, inputs, 16):
                            prefetch(x, (here + rows) * inputs + q)
                    begin = lane * event_size
                    if keep:
                        begin = event_mark
                    event_mark, bad = list_inputs(
                        shifted(x, here * inputs), inputs, event_index, event_value, begin, zero
                    )
                    broken |= bad
                    put(begins, lane, begin)
                    put(ends, lane, event_mark)
                    if keep:
                        put(event_marks, 2 * here, begin)
                        put(event_marks, 2 * here + 1, event_mark)
                    if substeps > 1 and delays == 1:
                        add_rows(frame, like, drive, zeros, event_index, event_value, begin, event_mark, spikes, 0)
                if keep and trace and step % chunk == 0:
                    for w in range(words):
                        store(
                            traces, ((step // chunk) * rows + row) * padded + 16 * w, load(state, w * STATE_A_WORD + 16)
                        )

                begin, end, count = get(begins, lane), get(ends, lane), get(counted, lane)
                arriving = current
                if delays > 1:
                    scatter_delayed(frame, like, ring, event_index, event_value, begin, end, True)
                    scatter_delayed(frame, like, ring, spikes, event_value, 0, count, False)
                    arriving = ring
                elif substeps > 1:
                    add_rows(frame, like, current, drive, event_index, event_value, 0, 0, spikes, count)
                else:
                    add_rows(frame, like, current, zeros, event_index, event_value, begin, end, spikes, count)

                if keep:
                    put(slope_marks, step * rows + row, slope_mark)
                count, slope_mark = update_row(
                    frame, like, row, step, state, arriving, spikes, slopes, slope_mark, keep, final
                )
                put(counted, lane, count)
                for spike in range(count):
                    unit = np.int64(get(spikes, spike)) - inputs
                    if refractory > 0:
                        put(state, (unit >> 4) * STATE_A_WORD + 32 + (unit & 15), f(step + 1 + refractory))
                    if want_counts:
                        put(counts, row * units + unit, get(counts, row * units + unit) + f(1))
                if leaky or k == substeps - 1:
                    read_out(frame, like, y, out_drive, zeros, spikes, count)
                if k == substeps - 1:
                    for w in range(out_words):
                        store_part(
                            y_out, here * readouts + 16 * w, add(load(y, 16 * w), load(bias, 16 * w)), part(w, readouts)
                        )
            if delays > 1:
                turn += 1
                if turn == delays:
                    turn = 0
                    for lane in range(together):
                        rotate(shifted(rings, lane * ring_size), delays, padded, zero)

        for lane in range(together):
            row = top + lane
            done = fill(f(steps * substeps))
            for w in range(words):
                left = sub(load(states, lane * state_size + w * STATE_A_WORD + 32), done)
                left = where(above(left, zero), left, zero)
                store_part(r1, row * units + 16 * w, left, part(w, units))
            if leaky:
                for w in range(out_words):
                    store_part(y1, row * readouts + 16 * w, load(ys, lane * padded_out + 16 * w), part(w, readouts))
            if delays > 1:
                end_ring(frame, like, row, shifted(rings, lane * ring_size + turn * padded))
    if broken != 0:
        put(frame, slot.STATUS, 1)
    return pool.size + lists.size + values.size + marks.size  # numba frees an array after its last use


def entry(version):
    """The compiled entry. numba's disk cache sees edits of this file only; `version`, from all sources, is part of its key."""

    @njit(nogil=True, cache=True)
    def forward(frame, like, first, last):
        if frame[0] == version:
            forward_rows(shifted(data(frame), 1), like, first, last)
        return frame[0]

    return forward
