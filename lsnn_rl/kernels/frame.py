"""What a kernel is told: one array of int64, holding sizes and addresses in named slots.

A call with one small array costs a fraction of a microsecond, where thirty arrays would cost ten. Slot 0 of the array
itself
is the version of the kernels, so what they see begins at slot 1 of it.
"""

# sizes
STEPS = 0  # T, inputs in the sequence
SUBSTEPS = 1  # K, simulation steps per input
ROWS = 2  # N
INPUTS = 3  # I
UNITS = 4  # H
READOUTS = 5  # R
WORDS = 6  # groups of 16 units
OUT_WORDS = 7  # groups of 16 readouts
ADAPTIVE = 8  # first word of units that has an adaptive threshold
GROUP = 9  # words that are kept in registers together
DELAYS = 10  # D, 1 if all synapses take one step
REFRACTORY = 11  # steps of silence after a spike
LEAK = 12  # 0: no leak, 1: one kappa for all readouts, 2: one for each
TRACE = 13  # 1 if the cell has an adaptation b
CHUNK = 14  # simulation steps between two stored b
STATUS = 15  # set to 1 by the kernel if an input is NaN or infinite

# constants and weights, prepared by kernels/prepare.py
CONSTANTS = 16
WEIGHTS = 17
OUT_WEIGHTS = 18
KAPPA = 19
BIAS = 20

# the sequence
X = 21
STARTS = 22

# state before and after: v, b, z, refractory, readout, ring
V0 = 23
B0 = 24
Z0 = 25
R0 = 26
Y0 = 27
RING0 = 28
V1 = 29
B1 = 30
Z1 = 31
R1 = 32
Y1 = 33
RING1 = 34

# results
Y = 35
COUNTS = 36
SPIKES = 37

# kept for backward
SPIKE_BITS = 38
ACTIVE_BITS = 39
SLOPES = 40
SLOPE_MARKS = 41
EVENT_INDEX = 42
EVENT_VALUE = 43
EVENT_MARKS = 44
TRACES = 45
VOLTAGES = 46

# lists of synapses: with delays those of each sender, for the forward pass (FAN) and for the gradients (GRADIENT), and
# where a list's gradients belong in [I + H, padded units]; of each unit sorted by length, for the product backward
FAN_STARTS = 47
FAN_PLACES = 48  # delay * padded units + receiver
FAN_WEIGHTS = 49
GRADIENT_STARTS = 50
GRADIENT_PLACES = 51
LIST_ORDER = 52
LIST_STARTS = 53
LIST_INDEX = 54
LIST_WEIGHTS = 55
DENSE_WEIGHTS = 56
DENSE_OUT_WEIGHTS = 57
DAMPENING = 58
LANES = 59
DENSE = 60

# gradients in
GY = 61
GY1 = 62
GSPIKES = 63
GCOUNTS = 64
GV1 = 65
GB1 = 66
GZ1 = 67
GRING1 = 68

# gradients out
GV0 = 69
GB0 = 70
GZ0 = 71
GY0 = 72
GRING0 = 73
GWEIGHTS = 74
GOUT_WEIGHTS = 75
GCONSTANTS = 76
GDRIVE = 77
DELAY_OF = 78  # [I + H, padded units], -1 where a synapse gets no gradient
GRADIENT_OWNERS = 79

SIZE = 80
