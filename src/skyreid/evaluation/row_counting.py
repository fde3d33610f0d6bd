"""Count how many similarities of a gallery exceed each of a few wanted ones, or equal it, without sorting any.

With few wanted ones each is compared with the whole row, which the processor does sixteen values at a time. With many,
the range from the least to the greatest of them is cut into cells: a value in a cell without a wanted one is only
counted there, and the few others are held against the wanted ones of their cell. Cells ascend with their values, so
nothing depends on where they are cut.

Loops run over slices and by index, and counters are int32: written otherwise numba makes them ten times slower
(measured, numba 0.68, AVX-512).
"""

import numpy as np
from jaxtyping import Float32, Int32, Int64

from skyreid.processes.compiled import compiled

_CELLS_COST = 18
"""A value in cells takes the time of so many comparisons (measured: 1.2 ns against 0.065) …"""
_CELLS_SET_UP = 40_000
"""… and setting up the cells that of so many."""
_COMPARED_AT_A_TIME = 2_048
"""Values that stay in the fastest cache while every wanted one is compared with them."""
_SORTED_AT_A_TIME = 256
_CELLS = 4_096
"""With their counts, they fit into the fastest cache."""
_STEEPEST = np.float32(1e30)
"""Cells a unit, where all wanted ones are nearly equal."""


@compiled
def count_beyond(
    row: Float32[np.ndarray, " gallery"],
    wanted: Float32[np.ndarray, " match"],
    closer: Int64[np.ndarray, " match"],
    equal: Int64[np.ndarray, " match"],
) -> None:
    """Write into `closer` and `equal`, which come as zeros, how many values exceed and equal the ascending `wanted`."""
    if (wanted.size - _CELLS_COST) * row.size < _CELLS_SET_UP:
        _compare(row, wanted, closer, equal)
    else:
        _count_in_cells(row, wanted, closer, equal)


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
def _count_in_cells(
    row: Float32[np.ndarray, " gallery"],
    wanted: Float32[np.ndarray, " match"],
    closer: Int64[np.ndarray, " match"],
    equal: Int64[np.ndarray, " match"],
) -> None:
    num_wanted = wanted.size
    least, span = wanted[0], wanted[num_wanted - 1] - wanted[0]
    steepness = min(np.float32(_CELLS - 3) / span if span > 0 else _STEEPEST, _STEEPEST)
    cells = np.zeros(num_wanted, np.int32)
    _find_cells(wanted, least, steepness, cells)
    first = np.zeros(_CELLS, np.int32)  # in a cell with a wanted one, 1 more than the place of the first one there
    for entry in range(num_wanted - 1, -1, -1):
        first[cells[entry]] = entry + 1
    counts = np.zeros(_CELLS, np.int32)
    passed = np.zeros(num_wanted + 1, np.int64)  # values by how many of the wanted ones they exceed
    found = np.zeros(_SORTED_AT_A_TIME, np.int32)
    for start in range(0, row.size, _SORTED_AT_A_TIME):
        values = row[start : start + _SORTED_AT_A_TIME]
        _find_cells(values, least, steepness, found)
        for i in range(values.size):
            cell = np.uint32(found[i])
            if first[cell] == 0:
                counts[cell] += 1
            else:
                entry = _first_not_below(wanted, first[cell] - 1, values[i])
                passed[entry] += 1
                if entry < num_wanted and wanted[entry] == values[i]:
                    equal[entry] += 1
    entry, cell = 0, 0
    while entry < num_wanted:  # the cells up to that of the next wanted one hold what exceeds those before it
        own = cells[entry]
        passed[entry] += counts[cell:own].sum()
        cell = own + 1
        while entry < num_wanted and cells[entry] == own:
            entry += 1
    passed[num_wanted] += counts[cell:].sum()
    above = np.int64(0)
    for entry in range(num_wanted - 1, -1, -1):
        above += passed[entry + 1]
        closer[entry] = above
    for entry in range(1, num_wanted):  # of equal wanted ones the first was found
        if wanted[entry] == wanted[entry - 1]:
            equal[entry] = equal[entry - 1]


@compiled
def _first_not_below(wanted: Float32[np.ndarray, " match"], start: int, value: np.float32) -> int:
    """Find the first wanted one that is not below a value, from `start` on, near which it mostly is."""
    low, step = start, 1
    while low + step <= wanted.size and wanted[low + step - 1] < value:
        low += step
        step *= 2
    high = min(low + step - 1, wanted.size)
    while low < high:
        middle = (low + high) // 2
        if wanted[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _find_cells(
    values: Float32[np.ndarray, " value"],
    least: np.float32,
    steepness: np.float32,
    cells: Int32[np.ndarray, " value"],
) -> None:
    """Find the cell of each value: 0 below the least wanted one, the last above the greatest, else between."""
    for i in range(values.size):
        place = (values[i] - least) * steepness + np.float32(1)
        place = place if place > np.float32(0) else np.float32(0)
        place = place if place < np.float32(_CELLS - 1) else np.float32(_CELLS - 1)
        cells[i] = np.int32(place)
