"""One step backward through an LSTM or GRU, all elementwise parts in one call: torch would need a dozen.

Rows n; `t` counts steps, and what a step reads and writes lies at `[t, n]` of whole sequences. `begins` [T + 1, N]
tells where a row is reset before a step (the last line: nowhere), so that nothing flows back across it. Many short
loops with few arrays each, because a compiler that cannot rule out overlaps vectorises those only.
"""

from typing import Any

from numba import njit
from numpy.typing import NDArray

compiled: Any = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def lstm_back(
    t: int, begins: NDArray, into_h: NDArray, gates: NDArray, c_before: NDArray, squashed: NDArray,
    dh: NDArray, dc: NDArray, d_gates: NDArray,
) -> None:  # fmt: skip
    """From dh and dc [N, H] after step t: the gradients of its four currents, and of c before it.

    Args: into_h: what else flows into h. gates: i, f, g, o side by side, bounded. squashed: tanh(c).
    """
    one, rows, size = gates.dtype.type(1), dh.shape[0], dh.shape[1]
    for n in range(rows):
        if begins[t + 1, n]:
            dh[n, :] = 0
            dc[n, :] = 0
        i, f = gates[t, n, :size], gates[t, n, size : 2 * size]
        g, o = gates[t, n, 2 * size : 3 * size], gates[t, n, 3 * size :]
        to_i, to_f = d_gates[t, n, :size], d_gates[t, n, size : 2 * size]
        to_g, to_o = d_gates[t, n, 2 * size : 3 * size], d_gates[t, n, 3 * size :]
        to_h, to_c, given, before, bounded = dh[n], dc[n], into_h[t, n], c_before[t, n], squashed[t, n]
        for u in range(size):
            to_h[u] += given[u]
        for u in range(size):
            to_c[u] += to_h[u] * o[u] * (one - bounded[u] * bounded[u])
        for u in range(size):
            to_i[u] = to_c[u] * g[u] * i[u] * (one - i[u])
        for u in range(size):
            to_f[u] = to_c[u] * before[u] * f[u] * (one - f[u])
        for u in range(size):
            to_g[u] = to_c[u] * i[u] * (one - g[u] * g[u])
        for u in range(size):
            to_o[u] = to_h[u] * bounded[u] * o[u] * (one - o[u])
        for u in range(size):
            to_c[u] *= f[u]


@compiled
def gru_back(
    t: int, begins: NDArray, into_h: NDArray, gates: NDArray, recurrent: NDArray, h_before: NDArray,
    dh: NDArray, d_recurrent: NDArray, d_candidate: NDArray,
) -> None:  # fmt: skip
    """From dh [N, H] after step t: the gradients of its three recurrent currents and of the candidate's whole current.

    What reaches h before the step past the matrix is left in dh.
    Args: into_h: what else flows into h. gates: r, z and the candidate side by side. recurrent: the three currents.
    """
    one, rows, size = gates.dtype.type(1), dh.shape[0], dh.shape[1]
    for n in range(rows):
        if begins[t + 1, n]:
            dh[n, :] = 0
        r, z, candidate = gates[t, n, :size], gates[t, n, size : 2 * size], gates[t, n, 2 * size :]
        to_r, to_z = d_recurrent[t, n, :size], d_recurrent[t, n, size : 2 * size]
        to_n, whole, current = d_recurrent[t, n, 2 * size :], d_candidate[t, n], recurrent[t, n, 2 * size :]
        to_h, given, before = dh[n], into_h[t, n], h_before[t, n]
        for u in range(size):
            to_h[u] += given[u]
        for u in range(size):
            whole[u] = to_h[u] * (one - z[u]) * (one - candidate[u] * candidate[u])
        for u in range(size):
            to_n[u] = whole[u] * r[u]
        for u in range(size):
            to_r[u] = to_n[u] * (one - r[u]) * current[u]
        for u in range(size):
            to_z[u] = to_h[u] * (before[u] - candidate[u]) * z[u] * (one - z[u])
        for u in range(size):
            to_h[u] *= z[u]
