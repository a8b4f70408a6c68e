"""Lists of the synapses that exist, rebuilt at every use of the weights, so that masks may change at any time."""

import numpy as np
from numba import njit

from lsnn_rl.kernels import frame as slot
from lsnn_rl.kernels.simd import data, get, pointer, put, shifted


@njit(nogil=True)
def list_synapses(frame, like):
    """For each sending unit the receivers and weights, senders sorted by how many, each list padded to a multiple of 4.

    Reads WEIGHTS [I + H, padded], writes LIST_*; an index is delay * lanes * padded + receiver * lanes.
    """
    units, words, lanes = get(frame, slot.UNITS), get(frame, slot.WORDS), get(frame, slot.LANES)
    padded, delayed = 16 * words, get(frame, slot.DELAYS) > 1
    weights = shifted(pointer(frame, slot.WEIGHTS, like), get(frame, slot.INPUTS) * padded)
    delay_of = shifted(pointer(frame, slot.DELAY_OF, np.int32), get(frame, slot.INPUTS) * padded)
    order, starts = pointer(frame, slot.LIST_ORDER, np.int32), pointer(frame, slot.LIST_STARTS, np.int64)
    index, values = pointer(frame, slot.LIST_INDEX, np.int32), pointer(frame, slot.LIST_WEIGHTS, like)
    lengths, places = np.zeros(units, np.int64), np.zeros(units // 4 + 3, np.int64)
    for sender in range(units):
        length = 0
        for receiver in range(units):
            length += get(weights, sender * padded + receiver) != 0
        lengths[sender] = (length + 3) // 4
        places[lengths[sender] + 1] += 1
    for length in range(1, len(places)):
        places[length] += places[length - 1]
    for sender in range(units):
        put(order, places[lengths[sender]], np.int32(sender))
        places[lengths[sender]] += 1
    end = 0
    for place in range(units):
        sender = np.int64(get(order, place))
        put(starts, place, end)
        for receiver in range(units):
            weight = get(weights, sender * padded + receiver)
            if weight != 0:
                delay = 0
                if delayed:
                    delay = np.int64(get(delay_of, sender * padded + receiver))
                put(index, end, np.int32((delay * padded + receiver) * lanes))
                put(values, end, weight)
                end += 1
        while end % 4 != 0:
            put(index, end, np.int32(0))
            put(values, end, like.dtype.type(0))
            end += 1
    put(starts, units, end)


@njit(nogil=True)
def list_fans(frame, like):
    """For each input and unit the existing synapses as delay * padded + receiver, with weights; padded as above."""
    senders, units = get(frame, slot.INPUTS) + get(frame, slot.UNITS), get(frame, slot.UNITS)
    padded = 16 * get(frame, slot.WORDS)
    weights, delay_of = pointer(frame, slot.WEIGHTS, like), pointer(frame, slot.DELAY_OF, np.int32)
    starts, places = pointer(frame, slot.FAN_STARTS, np.int64), pointer(frame, slot.FAN_PLACES, np.int32)
    values = pointer(frame, slot.FAN_WEIGHTS, like)
    end = 0
    for sender in range(senders):
        put(starts, sender, end)
        for receiver in range(units):
            weight = get(weights, sender * padded + receiver)
            if weight != 0:
                put(places, end, np.int32(get(delay_of, sender * padded + receiver) * padded + receiver))
                put(values, end, weight)
                end += 1
        while end % 4 != 0:
            put(places, end, np.int32(0))
            put(values, end, like.dtype.type(0))
            end += 1
    put(starts, senders, end)


@njit(nogil=True)
def list_gradients(frame):
    """For each input and unit the synapses that get a gradient, as delay * lanes * padded + receiver, and their owner:
    where in [I + H, padded] their weight stands, or just behind the matrix for what only pads a list."""
    senders, units = get(frame, slot.INPUTS) + get(frame, slot.UNITS), get(frame, slot.UNITS)
    padded, lanes = 16 * get(frame, slot.WORDS), get(frame, slot.LANES)
    delay_of, owners = pointer(frame, slot.DELAY_OF, np.int32), pointer(frame, slot.GRADIENT_OWNERS, np.int64)
    starts, places = pointer(frame, slot.GRADIENT_STARTS, np.int64), pointer(frame, slot.GRADIENT_PLACES, np.int32)
    end = 0
    for sender in range(senders):
        put(starts, sender, end)
        for receiver in range(units):
            delay = np.int64(get(delay_of, sender * padded + receiver))
            if delay >= 0:
                put(places, end, np.int32(delay * lanes * padded + receiver))
                put(owners, end, sender * padded + receiver)
                end += 1
        while end % 4 != 0:
            put(places, end, np.int32(0))
            put(owners, end, senders * padded)
            end += 1
    put(starts, senders, end)


def entry(version):
    """The compiled entry, as in kernels/forward.py."""

    @njit(nogil=True, cache=True)
    def lists(frame, like, fans):
        if frame[0] == version:
            slots = shifted(data(frame), 1)
            if fans:
                list_fans(slots, like)
            else:
                if get(slots, slot.DENSE) == 0:
                    list_synapses(slots, like)
                if get(slots, slot.DELAYS) > 1:
                    list_gradients(slots)
        return frame[0]

    return lists
