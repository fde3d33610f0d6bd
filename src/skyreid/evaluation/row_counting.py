"""Count how many similarities of a gallery exceed each of a few wanted ones, or equal it, without sorting any."""

import numpy as np
from jaxtyping import Float32, Int64

from skyreid.processes.compiled import compiled

# Counting needs no order of the gallery. With few good entries each is compared with the whole row, which
# the processor does sixteen values at a time; with many, every value of the row is looked up among them.
# Loops run over slices and by index, and counters are int32: written otherwise numba makes them ten times slower
# (measured, numba 0.68, AVX-512).
_MOST_COMPARED = 96
"""From here on looking up is faster (measured: 0.04 ms per good entry and million values against 4 ms)."""
_COMPARED_AT_A_TIME = 2_048
"""Values that stay in the fastest cache while every good entry is compared with them."""
_LOOKED_UP_AT_A_TIME = 256


@compiled
def count_beyond(
    row: Float32[np.ndarray, " gallery"],
    wanted: Float32[np.ndarray, " match"],
    closer: Int64[np.ndarray, " match"],
    equal: Int64[np.ndarray, " match"],
) -> None:
    """Write into `closer` and `equal`, which come as zeros, how many values exceed and equal the ascending `wanted`."""
    if wanted.size < _MOST_COMPARED:
        _compare(row, wanted, closer, equal)
    else:
        _look_up(row, wanted, closer, equal)


@compiled
def _compare(
    row: Float32[np.ndarray, " gallery"],
    wanted: Float32[np.ndarray, " match"],
    closer: Int64[np.ndarray, " match"],
    equal: Int64[np.ndarray, " match"],
) -> None:
    for start in range(0, row.size, _COMPARED_AT_A_TIME):
        values = row[start : start + _COMPARED_AT_A_TIME]
        for entry in range(wanted.size):
            limit = wanted[entry]
            above = np.int32(0)
            not_below = np.int32(0)
            for i in range(values.size):
                above = np.int32(above + np.int32(values[i] > limit))
                not_below = np.int32(not_below + np.int32(values[i] >= limit))
            closer[entry] += above
            equal[entry] += not_below - above


@compiled
def _look_up(
    row: Float32[np.ndarray, " gallery"],
    wanted: Float32[np.ndarray, " match"],
    closer: Int64[np.ndarray, " match"],
    equal: Int64[np.ndarray, " match"],
) -> None:
    """Count how many values have how many of the ascending `wanted` below them, by a search without a branch."""
    size = 1
    while size < wanted.size:
        size *= 2
    limits = np.full(size, np.inf, np.float32)
    limits[: wanted.size] = wanted
    num_above = np.zeros(size + 1, np.int64)
    num_equal = np.zeros(size, np.int64)
    below = np.zeros(_LOOKED_UP_AT_A_TIME, np.int32)  # for each value the wanted ones below it, at most size - 1
    for start in range(0, row.size, _LOOKED_UP_AT_A_TIME):
        values = row[start : start + _LOOKED_UP_AT_A_TIME]
        below[:] = 0
        step = np.int32(size // 2)
        while step > 0:
            probe = limits[step - 1 :]
            for i in range(values.size):
                is_above = probe[np.uint32(below[i])] < values[i]
                below[i] = np.int32(below[i] + (step if is_above else np.int32(0)))
            step = np.int32(step // 2)
        for i in range(values.size):
            nearest = limits[np.uint32(below[i])]
            num_above[np.uint32(below[i]) + np.uint32(nearest < values[i])] += 1
            num_equal[np.uint32(below[i])] += nearest == values[i]
    passed = num_above[wanted.size + 1 :].sum()
    for entry in range(wanted.size - 1, -1, -1):
        passed += num_above[entry + 1]
        closer[entry] = passed
    for entry in range(wanted.size):  # of equal wanted ones the search finds the first
        is_repeated = entry > 0 and wanted[entry] == wanted[entry - 1]
        equal[entry] = equal[entry - 1] if is_repeated else num_equal[entry]
