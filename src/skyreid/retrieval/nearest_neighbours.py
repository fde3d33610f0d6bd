"""The gallery rows most similar to each of many queries, without the whole similarity matrix in memory."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from skyreid.processes.compiled import compiled
from skyreid.retrieval.cosine import cosine_similarities

_LEAST_QUERIES_PER_BLOCK = 16
"""With fewer the matrix product fetches the gallery from memory more often than it computes with it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NearestNeighbours:
    """The gallery rows most similar to each query, the most similar first."""

    rows: Int64[np.ndarray, "query neighbour"]
    similarities: Float32[np.ndarray, "query neighbour"]
    least_similarities: Float32[np.ndarray, " query"]
    """How similar the farthest row of the whole gallery is."""


def nearest_neighbours(
    query: Float32[np.ndarray, "query embed"],
    gallery: Float32[np.ndarray, "gallery embed"],
    k: int,
    *,
    block_size: int = 16_000_000,
) -> NearestNeighbours:
    """Find the `k` most similar gallery rows of every query, every row compared.

    Of equally similar rows the one that stands first in the gallery is nearer, as a stable sort leaves them.

    Args:
        query: unit rows.
        gallery: unit rows.
        k: from 1 to the number of gallery rows.
        block_size: similarities held in memory at once, but for at least 16 queries. Never changes a value.
    """
    assert 1 <= k <= len(gallery)
    rows = np.zeros((len(query), k), dtype=np.int64)
    similarities = np.full((len(query), k), -np.inf, dtype=np.float32)
    least_similarities = np.empty(len(query), dtype=np.float32)
    queries_per_block = max(_LEAST_QUERIES_PER_BLOCK, block_size // len(gallery))
    for start in range(0, len(query), queries_per_block):
        block = slice(start, start + queries_per_block)
        compared = cosine_similarities(query[block], gallery)
        least_similarities[block] = compared.min(axis=1)
        _keep_nearest(compared, rows[block], similarities[block])
    return NearestNeighbours(rows=rows, similarities=similarities, least_similarities=least_similarities)


@compiled
def _keep_nearest(
    compared: Float32[np.ndarray, "query gallery"],
    rows: Int64[np.ndarray, "query neighbour"],
    similarities: Float32[np.ndarray, "query neighbour"],
) -> None:
    """Fill the two lists, which stay in order: a row enters only if it is more similar than the last one there."""
    last = rows.shape[1] - 1
    for query in range(compared.shape[0]):
        for row in range(compared.shape[1]):
            similarity = compared[query, row]
            if similarity <= similarities[query, last]:
                continue
            place = last
            while place > 0 and similarities[query, place - 1] < similarity:
                similarities[query, place] = similarities[query, place - 1]
                rows[query, place] = rows[query, place - 1]
                place -= 1
            similarities[query, place] = similarity
            rows[query, place] = row
