"""What a kernel is told: one array of int64, holding sizes and addresses in named slots.

A call with one small array costs a fraction of a microsecond, where thirty arrays would cost ten. Slot 0 of the array itself
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

# lists of synapses: of each sender, with delay * padded units + receiver (forward); of each sender sorted by length (backward)
FAN_STARTS = 47
FAN_TARGETS = 48
FAN_WEIGHTS = 49
LIST_ORDER = 50
LIST_STARTS = 51
LIST_INDEX = 52
LIST_WEIGHTS = 53
DENSE_WEIGHTS = 54
DENSE_OUT_WEIGHTS = 55
DAMPENING = 56
LANES = 57
DENSE = 58

# gradients in
GY = 59
GY1 = 60
GSPIKES = 61
GCOUNTS = 62
GV1 = 63
GB1 = 64
GZ1 = 65
GRING1 = 66

# gradients out
GV0 = 67
GB0 = 68
GZ0 = 69
GY0 = 70
GRING0 = 71
GWEIGHTS = 72
GOUT_WEIGHTS = 73
GCONSTANTS = 74
GDRIVE = 75
DELAY_OF = 76
SCRATCH = 77

SIZE = 78
