"""Gradients of the weights: the inputs and spikes of a chunk sorted by sender, or, with delays, synapse by synapse."""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.rows import gather
from lsnn_rl.kernels.simd import (
    get,
    pack_indices,
    pointer,
    put,
    shifted,
    word,
)  # fmt: skip


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
def delayed_gradient(frame, like, gsynapses, index, value, first, last, weighted, kept):
    """gsynapses[s] += value * kept[delay, receiver] for every synapse s that an event's sender has and that gets a
    gradient; kept is one row of [slot, lane, unit]."""
    starts, places = pointer(frame, slot.GRADIENT_STARTS, np.int64), pointer(frame, slot.GRADIENT_PLACES, np.int32)
    for event in range(first, last):
        sender = np.int64(get(index, event))
        size = like.dtype.type(1)
        if weighted:
            size = get(value, event)
        gather(gsynapses, kept, places, size, get(starts, sender), get(starts, sender + 1))


@njit(nogil=True)
def delayed_gradients(frame, like, gsynapses, row, begin, low, high, kept, block, spikes):
    """Those of a row's events in the steps low .. high of a chunk, one row after the other: the gradients of a row's
    next steps fit into the first-level cache."""
    steps, substeps = get(frame, slot.STEPS) * get(frame, slot.SUBSTEPS), get(frame, slot.SUBSTEPS)
    rows, inputs, words = get(frame, slot.ROWS), get(frame, slot.INPUTS), get(frame, slot.WORDS)
    event_index, event_value = pointer(frame, slot.EVENT_INDEX, np.int32), pointer(frame, slot.EVENT_VALUE, like)
    marks, spike_bits = pointer(frame, slot.EVENT_MARKS, np.int64), pointer(frame, slot.SPIKE_BITS, np.uint16)
    for i in range(low, high):
        step, g = begin + i, shifted(kept, i * block)
        here = (step // substeps) * rows + row
        first, last = get(marks, 2 * here), get(marks, 2 * here + 1)
        delayed_gradient(frame, like, gsynapses, event_index, event_value, first, last, True, g)
        if step < steps - 1:  # the last spikes are still to be sent by the next run
            end = 0
            for w in range(words):
                end = pack_indices(spikes, end, word(spike_bits, (step * rows + row) * words + w), inputs + 16 * w)
            delayed_gradient(frame, like, gsynapses, spikes, event_value, 0, end, False, shifted(g, block))
