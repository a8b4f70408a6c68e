"""Gradients of the weights: the inputs and spikes of a chunk sorted by sender, or, with delays, synapse by synapse."""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.simd import (
    get,
    pack_indices,
    pointer,
    put,
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
def delayed_gradient(frame, like, gweights, index, value, first, last, weighted, kept, lanes):
    """gweights[sender, i] += value * kept[delay of (sender, i), i], where kept is one of `lanes` rows, [slot, i, lane].

    For the synapses of a fixed mask, or else for all that there could be. The places are those that the product over
    the existing synapses has just read: they are still in the cache.
    """
    padded, fixed = 16 * get(frame, slot.WORDS), get(frame, slot.FIXED_MASK) != 0
    delay_of, starts = pointer(frame, slot.DELAY_OF, np.int32), pointer(frame, slot.FAN_STARTS, np.int64)
    targets, receivers = pointer(frame, slot.FAN_TARGETS, np.int32), pointer(frame, slot.FAN_RECEIVERS, np.int32)
    for event in range(first, last):
        sender = np.int64(get(index, event))
        size = like.dtype.type(1)
        if weighted:
            size = get(value, event)
        base = sender * padded
        if fixed:
            for synapse in range(get(starts, sender), get(starts, sender + 1)):
                i = np.int64(get(receivers, synapse))
                g = get(kept, np.int64(get(targets, synapse)) * lanes)
                put(gweights, base + i, get(gweights, base + i) + size * g)
        else:
            for i in range(padded):
                g = get(kept, (np.int64(get(delay_of, base + i)) * padded + i) * lanes)
                put(gweights, base + i, get(gweights, base + i) + size * g)
