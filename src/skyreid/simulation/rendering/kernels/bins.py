"""A grid over a plane that tells which boxes a point may lie in."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from skyreid.processes.compiled import compiled

_CELLS_ACROSS = 256
_FINEST_M = 0.3


@dataclass(frozen=True, eq=False)
class Bins:
    """Boxes by the cells that they touch, each cell's in ascending order."""

    grid: Float[np.ndarray, "3"]
    """x and y of the grid's low corner, and the size of a cell."""
    first: Int[np.ndarray, "column row_and_one"]
    """Where the cell's boxes begin in `boxes`; the next one's follow."""
    boxes: Int[np.ndarray, " entry"]


def sort_into_bins(boxes: Float[np.ndarray, "box 4"]) -> Bins:
    """Bins of xyxy boxes; one whose right is left of its left is in none, and there may be no box."""
    is_there = boxes[:, 0] <= boxes[:, 2]
    numbers, boxes = np.flatnonzero(is_there), boxes[is_there]
    if len(boxes) == 0:
        return Bins(np.array([0.0, 0.0, 1.0]), np.zeros((1, 2), np.int32), np.zeros(0, np.int64))
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    cell = max(float((high - low).max()) / _CELLS_ACROSS, _FINEST_M)
    touched = np.floor((boxes - np.tile(low, 2)) / cell).astype(np.int32)
    first, entries = _sorted(touched, int(touched[:, 2].max()) + 1, int(touched[:, 3].max()) + 1)
    return Bins(np.array([*low, cell]), first, numbers[entries])


@compiled
def _sorted(touched, num_columns, num_rows):
    count = np.zeros((num_columns, num_rows), np.int32)
    for box in range(touched.shape[0]):
        for column in range(touched[box, 0], touched[box, 2] + 1):
            for row in range(touched[box, 1], touched[box, 3] + 1):
                count[column, row] += 1
    first = np.zeros((num_columns, num_rows + 1), np.int32)
    total = 0
    for column in range(num_columns):
        for row in range(num_rows):
            first[column, row] = total
            total += count[column, row]
            count[column, row] = first[column, row]
        first[column, num_rows] = total
    entries = np.empty(total, np.int32)
    for box in range(touched.shape[0]):
        for column in range(touched[box, 0], touched[box, 2] + 1):
            for row in range(touched[box, 1], touched[box, 3] + 1):
                entries[count[column, row]] = box
                count[column, row] += 1
    return first, entries


@compiled
def cell_of(grid, first, x, y):
    """From where to where in `Bins.boxes` the boxes near a point are listed."""
    column, row = (x - grid[0]) / grid[2], (y - grid[1]) / grid[2]
    num_columns, num_rows = first.shape[0], first.shape[1] - 1
    if not (0 <= column < num_columns and 0 <= row < num_rows):
        return 0, 0
    return first[int(column), int(row)], first[int(column), int(row) + 1]
