"""The forward pass: each row of the batch steps through time, doing work only where something spiked.

Eight rows at a time, so that their state stays in the first-level cache. In each step a row adds up the weight rows of
its non-zero inputs and of its last spikes, then all units are updated 16 at a time and the new spikes are listed.
Per word of 16 units the constants are [thr, 1 / thr, decay_mem, decay_adapt, 1 - decay_adapt, beta, 1 - decay_mem],
the state is [p, b, release]: p = decay_mem v - threshold z and b one step ahead,
so that a step begins with one addition,
and the step from which the unit may spike again.
"""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.rows import accumulate, scatter
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
    zero = fill(like.dtype.type(0))
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
    starts, places = pointer(frame, slot.FAN_STARTS, np.int64), pointer(frame, slot.FAN_PLACES, np.int32)
    weights = pointer(frame, slot.FAN_WEIGHTS, like)
    for event in range(first, last):
        sender = np.int64(get(index, event))
        size = like.dtype.type(1)
        if weighted:
            size = get(value, event)
        scatter(ring, places, weights, size, get(starts, sender), get(starts, sender + 1))


@njit(nogil=True, forceinline=True)
def update_word(
    frame, like, w, step, top, together, states, currents, stride, spikes, counted, mark, adaptive, trace, keep, more
):  # fmt: skip
    """16 units of all rows through one step: new state, new spikes appended to the lists, slopes kept for backward.

    `more` is whatever is rarely wanted: spikes as numbers, voltages, the last state. The flags are constants
    where
    this is inlined.
    """
    f = like.dtype.type
    zero, one, now = fill(f(0)), fill(f(1)), fill(f(step + 0.5))
    units, words, rows, inputs = (
        get(frame, slot.UNITS),
        get(frame, slot.WORDS),
        get(frame, slot.ROWS),
        get(frame, slot.INPUTS),
    )
    constants = shifted(pointer(frame, slot.CONSTANTS, like), w * CONSTANTS_A_WORD)
    spike_bits, active_bits = pointer(frame, slot.SPIKE_BITS, np.uint16), pointer(frame, slot.ACTIVE_BITS, np.uint16)
    slopes, delayed = pointer(frame, slot.SLOPES, like), get(frame, slot.DELAYS) > 1
    baseline, decay, beta = load(constants, 0), load(constants, 32), load(constants, 80)
    decay_b, gain_b, inverse = load(constants, 48), load(constants, 64), load(constants, 16)
    state_size, list_size = words * STATE_A_WORD, 16 * words + 32
    for lane in range(together):
        state = shifted(states, lane * state_size + w * STATE_A_WORD)
        arriving = load(currents, lane * stride + 16 * w)
        v = add(load(state, 0), arriving)
        if delayed:
            v = fma(load(constants, 96), arriving, load(state, 0))
        threshold, b = baseline, zero
        if trace:
            b = load(state, 16)
        if adaptive:
            threshold = fma(beta, b, baseline)
        free = above(now, load(state, 32))
        z = above(v, threshold) & free
        store(state, 0, fma(decay, v, where(z, sub(zero, threshold), zero)))
        if trace:
            store(state, 16, fma(decay_b, b, where(z, gain_b, zero)))
        put(counted, lane, pack_indices(shifted(spikes, lane * list_size), get(counted, lane), z, inputs + 16 * w))
        here = (step * rows + top + lane) * words + w
        if keep:
            distance = absolute(sub(v, threshold))
            active = above(threshold, distance) & free
            if adaptive:
                inverse = div(one, threshold)
            put_word(spike_bits, here, z)
            put_word(active_bits, here, active)
            pack_values(slopes, mark, active, mul(sub(one, mul(distance, inverse)), inverse))
            mark += bits(active)
        if more:
            if keep and get(frame, slot.VOLTAGES) != 0:
                store(pointer(frame, slot.VOLTAGES, like), here * 16, v)
            fired, exist, row = where(z, one, zero), part(w, units), top + lane
            if get(frame, slot.SPIKES) != 0:
                store_part(pointer(frame, slot.SPIKES, like), (step * rows + row) * units + 16 * w, fired, exist)
            if step == get(frame, slot.STEPS) * get(frame, slot.SUBSTEPS) - 1:
                store_part(pointer(frame, slot.V1, like), row * units + 16 * w, v, exist)
                store_part(pointer(frame, slot.Z1, like), row * units + 16 * w, fired, exist)
                if trace:
                    store_part(pointer(frame, slot.B1, like), row * units + 16 * w, b, exist)
    return mark


@njit(nogil=True)
def update_rows(frame, like, step, top, together, states, currents, stride, spikes, counted, mark, keep, more):
    """One simulation step of all units of some rows, from the currents that arrive."""
    words, adaptive, trace = get(frame, slot.WORDS), get(frame, slot.ADAPTIVE), get(frame, slot.TRACE) != 0
    for lane in range(together):
        put(counted, lane, 0)
    for w in range(words):
        if keep and trace and not more:
            if w < adaptive:
                mark = update_word(
                    frame, like, w, step, top, together, states, currents, stride, spikes, counted, mark,
                    False, True, True, False,
                )  # fmt: skip
            else:
                mark = update_word(
                    frame, like, w, step, top, together, states, currents, stride, spikes, counted, mark,
                    True, True, True, False,
                )  # fmt: skip
        else:
            mark = update_word(
                frame, like, w, step, top, together, states, currents, stride, spikes, counted, mark,
                w >= adaptive, trace, keep, more,
            )  # fmt: skip
    return mark


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
    slope_marks, event_marks = pointer(frame, slot.SLOPE_MARKS, np.int64), pointer(frame, slot.EVENT_MARKS, np.int64)

    state_size, list_size, event_size = words * STATE_A_WORD, padded + 32, inputs + 32
    ring_size = 2 * delays * padded if delays > 1 else 0
    wide = max(padded, padded_out)
    pool = np.empty(
        wide + padded_out + FORWARD_ROWS * (state_size + 2 * padded + padded_out + ring_size) + 32, like.dtype
    )
    lists = np.empty(FORWARD_ROWS * (list_size + event_size), np.int32)
    values = np.empty(FORWARD_ROWS * event_size, like.dtype)
    numbers = np.zeros(3 * FORWARD_ROWS, np.int64)
    zeros = aligned(pool)
    out_drive = shifted(zeros, wide)
    states = shifted(out_drive, padded_out)
    drives = shifted(states, FORWARD_ROWS * state_size)
    currents = shifted(drives, FORWARD_ROWS * padded)
    ys = shifted(currents, FORWARD_ROWS * padded)
    rings = shifted(ys, FORWARD_ROWS * padded_out)
    spike_lists = data(lists)
    event_index, event_value = shifted(spike_lists, FORWARD_ROWS * list_size), data(values)
    counted = data(numbers)
    begins, ends = shifted(counted, FORWARD_ROWS), shifted(counted, 2 * FORWARD_ROWS)
    if keep:
        event_index, event_value = pointer(frame, slot.EVENT_INDEX, np.int32), pointer(frame, slot.EVENT_VALUE, like)
    clear(zeros, wide, zero)
    more = get(frame, slot.SPIKES) != 0 or (keep and get(frame, slot.VOLTAGES) != 0)
    broken, blocks = 0, (rows + FORWARD_ROWS - 1) // FORWARD_ROWS

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
                arriving = shifted(currents, lane * padded)
                if delays > 1:
                    scatter_delayed(frame, like, ring, event_index, event_value, begin, end, True)
                    scatter_delayed(frame, like, ring, spikes, event_value, 0, count, False)
                elif substeps > 1:
                    add_rows(frame, like, arriving, drive, event_index, event_value, 0, 0, spikes, count)
                else:
                    add_rows(frame, like, arriving, zeros, event_index, event_value, begin, end, spikes, count)

            if delays > 1:
                arriving, stride = shifted(rings, turn * padded), ring_size
            else:
                arriving, stride = currents, padded
            if keep:
                put(slope_marks, step * blocks + top // FORWARD_ROWS, slope_mark)
            slope_mark = update_rows(
                frame, like, step, top, together, states, arriving, stride, spike_lists, counted, slope_mark, keep,
                more or final,
            )  # fmt: skip

            for lane in range(together):
                row = top + lane
                here, count = t * rows + row, get(counted, lane)
                state, spikes = shifted(states, lane * state_size), shifted(spike_lists, lane * list_size)
                y = shifted(ys, lane * padded_out)
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
                        shown = add(load(y, 16 * w), load(bias, 16 * w))
                        store_part(y_out, here * readouts + 16 * w, shown, part(w, readouts))
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
    return pool.size + lists.size + values.size + numbers.size  # numba frees an array after its last use


def entry(version):
    """The compiled entry. numba's disk cache sees edits of this file only, so `version`, from all sources, is in its
    key."""

    @njit(nogil=True, cache=True)
    def forward(frame, like, first, last):
        if frame[0] == version:
            forward_rows(shifted(data(frame), 1), like, first, last)
        return frame[0]

    return forward
