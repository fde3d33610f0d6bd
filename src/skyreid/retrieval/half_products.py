"""Products of float16 rows with one float32 direction, and their lengths, at the speed at which memory gives the rows.

NumPy and PyTorch turn float16 into float32 by way of memory, or give the products in float16.
"""

import numpy as np
from jaxtyping import Float16, Float32, Int16, Int64

from skyreid.processes.compiled import compiled_in_any_order


def half_products(
    embeddings: Float16[np.ndarray, "row embed"],
    direction: Float32[np.ndarray, " embed"],
    rows: Int64[np.ndarray, " kept"],
) -> Float32[np.ndarray, " kept"]:
    """Multiply some rows by the direction, in float32; the last bits of a sum are the processor's."""
    products = np.empty(rows.size, dtype=np.float32)
    _multiply(embeddings.view(np.int16), direction * _SCALE, rows, products)
    return products


def half_norms(embeddings: Float16[np.ndarray, "row embed"], first_column: int = 0) -> Float32[np.ndarray, " row"]:
    """Give the length of each row from a column on; infinity and NaN, which have none, come as infinity."""
    norms = np.empty(len(embeddings), dtype=np.float32)
    _norms(np.ascontiguousarray(embeddings).view(np.int16), first_column, norms)
    return norms


_SCALE = np.float32(2.0**112)
_HALF_IN_FLOAT = np.int32(0x8FFFE000 - 2**32)
"""Sign, exponent and digits of a float16 when its bits stand in a float32, 13 places higher: 2**112 times too small."""
_LEAST_NOT_FINITE = np.int16(0x7C00)
"""Of the bits without the sign: infinity, and above it NaN."""
_STREAMS = 4
"""Places of a table that are read at once: a processor waits for memory when it reads one (28 ms against 18)."""


@compiled_in_any_order
def _multiply(
    halves: Int16[np.ndarray, "row embed"],
    direction: Float32[np.ndarray, " embed"],
    rows: Int64[np.ndarray, " kept"],
    products: Float32[np.ndarray, " kept"],
) -> None:
    """Multiply rows of float16, whose bits come as integers, by a direction of 2**112 times its length."""
    part = rows.size // _STREAMS
    for place in range(part):
        first, second = rows[place], rows[place + part]
        third, fourth = rows[place + 2 * part], rows[place + 3 * part]
        one = two = three = four = np.float32(0)
        for column in range(halves.shape[1]):
            weight = direction[column]
            one += _shifted(halves[first, column]) * weight
            two += _shifted(halves[second, column]) * weight
            three += _shifted(halves[third, column]) * weight
            four += _shifted(halves[fourth, column]) * weight
        products[place], products[place + part] = one, two
        products[place + 2 * part], products[place + 3 * part] = three, four
    for place in range(_STREAMS * part, rows.size):
        one = np.float32(0)
        for column in range(halves.shape[1]):
            one += _shifted(halves[rows[place], column]) * direction[column]
        products[place] = one


@compiled_in_any_order
def _norms(halves: Int16[np.ndarray, "row embed"], first_column: int, norms: Float32[np.ndarray, " row"]) -> None:
    for row in range(halves.shape[0]):
        squares, largest = np.float32(0), np.int16(0)
        for column in range(first_column, halves.shape[1]):
            value = _shifted(halves[row, column]) * _SCALE
            squares += value * value
            largest = max(largest, halves[row, column] & np.int16(0x7FFF))
        norms[row] = np.sqrt(squares) if largest < _LEAST_NOT_FINITE else np.inf


@compiled_in_any_order
def _shifted(half: np.int16) -> np.float32:
    return np.int32((np.int32(half) << np.int32(13)) & _HALF_IN_FLOAT).view(np.float32)
