"""Counting float32 numbers by their order: coarse cells of neighbours, and the single numbers inside a cell.

The bits of a float32, read as a number with a sign, rise with it. Their upper 18 bits are its cell (no wider
than 0.2 % of its numbers), the lower 14 its step in the cell.
"""

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt32

from skyreid.compiled import compiled

_STEP_BITS = 14
STEPS = 2**_STEP_BITS
CELLS = 2 ** (32 - _STEP_BITS)
_NO_ORDER = 0
"""Below the order of every number, so that it can stand for an entry that is not counted."""


def orders_of(numbers: Float32[np.ndarray, " number"]) -> UInt32[np.ndarray, " number"]:
    """Rank float32 numbers among all there are; both zeros have one rank."""
    bits = numbers.view(np.int32)
    return (np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF)).view(np.uint32)) ^ np.uint32(0x80000000)


def numbers_of(orders: UInt32[np.ndarray, " number"]) -> Float32[np.ndarray, " number"]:
    """Undo `orders_of`."""
    bits = (orders ^ np.uint32(0x80000000)).view(np.int32)
    return np.where(bits >= 0, bits, (-bits) | np.int32(-(2**31))).view(np.float32)


def is_counted(orders: UInt32[np.ndarray, " number"]) -> Bool[np.ndarray, " number"]:
    """Tell the orders of numbers from the one that stands for none."""
    return orders != _NO_ORDER


def cells_of(numbers: Float32[np.ndarray, " number"]) -> Int64[np.ndarray, " number"]:
    """The cell that each number stands in; cells rise with their numbers."""
    return (orders_of(numbers) >> _STEP_BITS).astype(np.int64)


def middles_of(cells: Int64[np.ndarray, " cell"]) -> Float32[np.ndarray, " cell"]:
    """The number in the middle of each cell."""
    return numbers_of(((cells << _STEP_BITS) + STEPS // 2).astype(np.uint32))


def steps_of(cell: int) -> Float32[np.ndarray, " step"]:
    """The numbers of one cell, ascending."""
    return numbers_of(((cell << _STEP_BITS) + np.arange(STEPS)).astype(np.uint32))


def starts_of(cells: Int64[np.ndarray, " cell"]) -> Float32[np.ndarray, " cell"]:
    """The least number of each cell."""
    return numbers_of((cells << _STEP_BITS).astype(np.uint32))


@compiled
def count_rows(
    bits: Int32[np.ndarray, "query gallery"],
    is_known: Bool[np.ndarray, " query"],
    good: Int64[np.ndarray, " good"],
    good_offsets: Int64[np.ndarray, " query_and_1"],
    junk: Int64[np.ndarray, " junk"],
    junk_offsets: Int64[np.ndarray, " query_and_1"],
    step_rows: Int32[np.ndarray, " cell"],
    cells: Int64[np.ndarray, " cell"],
    steps: Int64[np.ndarray, "resolved step"],
    greatest: UInt32[np.ndarray, " query"],
) -> None:
    """Count the similarities of queries with other people, and note the greatest of each query.

    Args:
        bits: of the similarities.
        is_known: whether it is known who the query is; others are passed over.
        good: entries of the same person, query after query; they are not counted.
        good_offsets: where in `good` those of a query begin, and the next one's.
        junk: entries that the query ignores, likewise.
        junk_offsets: likewise.
        step_rows: the row of `steps` that counts the numbers of a cell; negative = none does.
        cells: counts to add to.
        steps: counts to add to.
        greatest: order of the greatest similarity of each query, written.
    """
    orders = np.empty(bits.shape[1], np.uint32)
    for query in range(bits.shape[0]):
        if not is_known[query]:
            continue
        for entry in range(orders.size):  # loops of one purpose each: the compiler makes vectors of the simple ones
            sign = bits[query, entry] >> np.int32(31)
            magnitude = bits[query, entry] & np.int32(0x7FFFFFFF)
            orders[entry] = np.uint32((magnitude ^ sign) - sign) ^ np.uint32(0x80000000)
        for place in range(good_offsets[query], good_offsets[query + 1]):
            orders[good[place]] = _NO_ORDER
        for place in range(junk_offsets[query], junk_offsets[query + 1]):
            orders[junk[place]] = _NO_ORDER
        closest = np.uint32(_NO_ORDER)
        for order in orders:
            closest = max(closest, order)
        greatest[query] = closest
        for order in orders:
            cell = np.uint64(order >> np.uint32(_STEP_BITS))  # unsigned: a signed index costs a comparison
            cells[cell] += 1
            if step_rows[cell] >= 0:
                steps[np.uint64(step_rows[cell]), np.uint64(order & np.uint32(STEPS - 1))] += 1
    cells[_NO_ORDER] = 0
