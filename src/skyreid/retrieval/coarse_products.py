"""Rows of float16 in 8 bits each number, half the bytes again, and between which bounds their products must lie.

    row ≈ step · q,  q whole numbers from -127 to 127, step = largest |number of the row| / 127

A product is off by at most step / 2 · |direction|₁. So whoever cannot be among the best is left out with certainty, and
float16 need be read of the others alone: a search takes as long as memory needs to give the bytes.
"""

import numpy as np
from jaxtyping import Float16, Float32, Int8, Int64

from skyreid.processes.compiled import compiled_in_any_order

_MOST = 127
_STREAMS = 4
"""Places of a table that are read at once, as in `half_products`."""


def coarse_rows(
    halves: Float16[np.ndarray, "row embed"],
) -> tuple[Int8[np.ndarray, "row embed"], Float32[np.ndarray, " row"]]:
    """Give q and the steps of finite rows."""
    exact = halves.astype(np.float32)
    steps = np.abs(exact).max(axis=1, initial=0.0) / np.float32(_MOST)
    return np.rint(exact / np.where(steps > 0, steps, 1)[:, np.newaxis]).astype(np.int8), steps


def product_bounds(
    coarse: Int8[np.ndarray, "row embed"],
    steps: Float32[np.ndarray, " row"],
    direction: Float32[np.ndarray, " embed"],
    rows: Int64[np.ndarray, " kept"],
) -> tuple[Float32[np.ndarray, " kept"], Float32[np.ndarray, " kept"]]:
    """Say what the products of the float16 rows are at least and at most, but for the last bits of float32."""
    least, most = np.empty(rows.size, dtype=np.float32), np.empty(rows.size, dtype=np.float32)
    _bound(coarse, steps, direction, np.float32(0.5 * np.abs(direction, dtype=np.float64).sum()), rows, least, most)
    return least, most


@compiled_in_any_order
def _bound(
    coarse: Int8[np.ndarray, "row embed"],
    steps: Float32[np.ndarray, " row"],
    direction: Float32[np.ndarray, " embed"],
    reach: np.float32,
    rows: Int64[np.ndarray, " kept"],
    least: Float32[np.ndarray, " kept"],
    most: Float32[np.ndarray, " kept"],
) -> None:
    part = rows.size // _STREAMS
    for place in range(part):
        first, second = rows[place], rows[place + part]
        third, fourth = rows[place + 2 * part], rows[place + 3 * part]
        one = two = three = four = np.float32(0)
        for column in range(coarse.shape[1]):
            weight = direction[column]
            one += np.float32(coarse[first, column]) * weight
            two += np.float32(coarse[second, column]) * weight
            three += np.float32(coarse[third, column]) * weight
            four += np.float32(coarse[fourth, column]) * weight
        least[place], most[place] = steps[first] * (one - reach), steps[first] * (one + reach)
        least[place + part], most[place + part] = steps[second] * (two - reach), steps[second] * (two + reach)
        least[place + 2 * part] = steps[third] * (three - reach)
        most[place + 2 * part] = steps[third] * (three + reach)
        least[place + 3 * part] = steps[fourth] * (four - reach)
        most[place + 3 * part] = steps[fourth] * (four + reach)
    for place in range(_STREAMS * part, rows.size):
        row, one = rows[place], np.float32(0)
        for column in range(coarse.shape[1]):
            one += np.float32(coarse[row, column]) * direction[column]
        least[place], most[place] = steps[row] * (one - reach), steps[row] * (one + reach)
