"""What asks, compared with the rows of a table: exactly with all of them, or only with those that may come first.

The exact comparison gives a pair the same float32 wherever it stands (`cosine.py`), and takes a multiple of the time in
which memory can be read. A search for the first few therefore computes rough cosines of all rows at that speed; how
far they may be off is known, and only rows that may be among the first are compared exactly. What is found is the
same to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from skyreid.retrieval.embedding_table import EmbeddingTable

_CANDIDATES_PER_BLOCK = 8_192
"""Bounds the copies at some tens of megabytes, whatever the size of the table."""
_ROWS_IN_CACHE = 256
"""Gathered at a time where few rows of a table are compared; measured between 64 and 4,096."""
_FEW = 0.4
"""Share of a table below which gathering its rows is quicker than multiplying all of them."""
_ROUNDING = 4 * 2.0**-24
"""By which a rough and an exact cosine may differ for each number of an embedding. Each product of n numbers, in any
order, errs by n half-ulps of 2**-24 at most, a length by half as much (Higham, Accuracy and Stability of Numerical
Algorithms, 2002, section 3.1): one product and one length on each side make 3, which leaves a third to spare."""


@dataclass(frozen=True)
class Direction:
    """What one query is compared by."""

    unit: Float32[np.ndarray, "1 part"]
    first_column: int = 0
    """Of the embeddings, where the part begins that is compared with it."""


def mean_cosines(
    table: EmbeddingTable, directions: Sequence[Direction], rows: Int64[np.ndarray, " row"]
) -> Float32[np.ndarray, " row"]:
    """Give the mean of the cosines of some rows with all directions, exactly."""
    total = np.zeros(rows.size, dtype=np.float32)
    for direction in directions:
        total += _cosines(table, direction, rows)
    return total / np.float32(len(directions))


def may_be_among_the_first(
    table: EmbeddingTable, directions: Sequence[Direction], rows: Int64[np.ndarray, " row"], top_k: int
) -> Int64[np.ndarray, " left"]:
    """Leave out those rows that are certainly less similar than `top_k` others."""
    assert 1 <= top_k < rows.size
    rough = np.zeros(rows.size)
    for direction in directions:
        rough += _rough_cosines(table, direction, rows)
    rough /= len(directions)
    # Exact values of the first top_k are at least this less one error, and others are at most one error better.
    last_place = np.partition(rough, rows.size - top_k)[rows.size - top_k]
    error = _ROUNDING * (table.embeddings.shape[1] + len(directions) + 8)
    return rows[rough >= last_place - 2 * error]


def _cosines(
    table: EmbeddingTable, direction: Direction, rows: Int64[np.ndarray, " row"]
) -> Float32[np.ndarray, " row"]:
    from skyreid.retrieval.cosine import cosine_similarities, unit_rows  # loads PyTorch, when something is compared

    is_whole, many = direction.first_column == 0, rows.size > _FEW * len(table)

    def units(block: Int64[np.ndarray, " row"]) -> Float32[np.ndarray, "row part"]:
        if is_whole and many and table.keeps_units:  # the same numbers, made once and kept
            return table.unit_embeddings[block]
        return unit_rows(table.embeddings[block, direction.first_column :])

    blocks = np.split(rows, range(_CANDIDATES_PER_BLOCK, rows.size, _CANDIDATES_PER_BLOCK))
    return np.concatenate([cosine_similarities(direction.unit, units(block))[0] for block in blocks])


def _rough_cosines(
    table: EmbeddingTable, direction: Direction, rows: Int64[np.ndarray, " row"]
) -> Float32[np.ndarray, " row"]:
    whole = np.zeros(table.embeddings.shape[1], dtype=np.float32)
    whole[direction.first_column :] = direction.unit[0]
    if table.embeddings.dtype == np.float16:
        from skyreid.retrieval.half_products import half_products as products  # loads numba
    else:
        products = _products
    return products(np.asarray(table.embeddings), whole, rows) / table.norms(direction.first_column)[rows]


def _products(
    embeddings: Float32[np.ndarray, "row embed"],
    direction: Float32[np.ndarray, " embed"],
    rows: Int64[np.ndarray, " kept"],
) -> Float32[np.ndarray, " kept"]:
    if rows.size > _FEW * len(embeddings):
        return (embeddings @ direction)[rows]
    products = np.empty(rows.size, dtype=np.float32)
    gathered = np.empty((_ROWS_IN_CACHE, embeddings.shape[1]), dtype=np.float32)
    for start in range(0, rows.size, _ROWS_IN_CACHE):
        block = rows[start : start + _ROWS_IN_CACHE]
        # "clip" and not "raise", for which NumPy would gather into a copy first.
        np.take(embeddings, block, axis=0, out=gathered[: block.size], mode="clip")
        np.dot(gathered[: block.size], direction, out=products[start : start + block.size])
    return products
