"""Exact search: the tracklets most similar to one query, every candidate compared."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from skyreid.errors import TableError
from skyreid.retrieval.cosine import cosine_similarities, has_direction, unit_rows
from skyreid.retrieval.embedding_table import EmbeddingTable, platform_counts
from skyreid.tracklet import Platform

_CANDIDATES_PER_BLOCK = 8_192
"""Bounds the copies at some tens of megabytes, whatever the size of the table."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """What a search found, the most similar tracklet first; a ranking is not an identification."""

    tracklet_ids: Shaped[np.ndarray, " rank"]
    pids: Int64[np.ndarray, " rank"]
    similarities: Float32[np.ndarray, " rank"]
    """Cosine, -1 to 1."""
    rows: Int64[np.ndarray, " rank"]
    """Where the found tracklets stand in the searched table."""
    num_searched: int
    """How many tracklets were compared; all of them, none skipped."""


def search(
    table: EmbeddingTable,
    query: int | np.integer | Float32[np.ndarray, " embed"],
    *,
    platform: Platform | None = None,
    top_k: int = 20,
    exclude: Collection[str | int] = (),
) -> Ranking:
    """Rank the tracklets of a table by their cosine similarity to a query.

    Equal similarities are ordered by tracklet id. Identities play no part: a table of unlabelled
    footage is searched like any other.

    Args:
        table: what is searched.
        query: a row of the table, which then never finds itself, or an embedding from elsewhere.
        platform: only tracklets of this platform are candidates; None = both.
        top_k: how many to return; all candidates when there are fewer.
        exclude: ids of tracklets that must not be found, such as those rejected before.

    Raises:
        TableError: no such row, an embedding of another size or without a direction, an id to exclude
            that is not in the table, top_k below 1, or no candidate left.
    """
    if top_k < 1:
        raise TableError(f"top_k must be at least 1; got {top_k}")
    candidates = _candidates(table, platform, exclude)
    if isinstance(query, np.ndarray):
        unit_query = _unit_embedding(table, query)
    else:
        unit_query = _unit_row(table, int(query))
        candidates[query] = False
    rows = np.flatnonzero(candidates)
    if rows.size == 0:
        wanted = "other" if platform is None else platform
        raise TableError(
            f"no {wanted} tracklet is left to search: the table has {platform_counts(table)}, {len(exclude)} excluded"
        )
    similarities = np.concatenate(
        [
            cosine_similarities(unit_query, table.unit_embeddings[block])[0]
            for block in np.split(rows, range(_CANDIDATES_PER_BLOCK, rows.size, _CANDIDATES_PER_BLOCK))
        ]
    )
    best = most_similar(similarities, table.tracklet_ids[rows], top_k)
    return Ranking(
        tracklet_ids=table.tracklet_ids[rows[best]],
        pids=table.pids[rows[best]],
        similarities=similarities[best],
        rows=rows[best],
        num_searched=int(rows.size),
    )


def _unit_row(table: EmbeddingTable, row: int) -> Float32[np.ndarray, "1 embed"]:
    if not 0 <= row < len(table):
        raise TableError(f"query row must be between 0 and {len(table) - 1}; got {row}")
    return table.unit_embeddings[row : row + 1]


def _unit_embedding(table: EmbeddingTable, embedding: Float32[np.ndarray, " embed"]) -> Float32[np.ndarray, "1 embed"]:
    size = table.embeddings.shape[1]
    if embedding.shape != (size,):
        raise TableError(f"a query embedding must have the table's size {size}; got the shape {embedding.shape}")
    if not has_direction(embedding[np.newaxis])[0]:
        raise TableError("a query embedding must be finite and not zero, else its cosine is undefined")
    return unit_rows(embedding[np.newaxis])


def _candidates(table: EmbeddingTable, platform: Platform | None, exclude: Collection[str | int]) -> np.ndarray:
    candidates = np.ones(len(table), dtype=bool)
    if platform is not None:
        candidates &= table.platforms == platform.number
    for tracklet_id in exclude:
        found = table.tracklet_ids == tracklet_id
        if not np.any(found):
            raise TableError(f"cannot exclude tracklet {tracklet_id!r}: the table has no such id")
        candidates &= ~found
    return candidates


def most_similar(
    similarities: Float32[np.ndarray, " candidate"], tracklet_ids: Shaped[np.ndarray, " candidate"], top_k: int
) -> Int64[np.ndarray, " rank"]:
    """Positions of the `top_k` most similar, ties in the order of the ids; all of them when there are fewer."""
    considered = np.arange(similarities.size)
    if top_k < similarities.size:
        # Everything that ties with the last place is kept until the ids have decided.
        last_place = np.partition(similarities, similarities.size - top_k)[similarities.size - top_k]
        considered = np.flatnonzero(similarities >= last_place)
    order = np.lexsort((tracklet_ids[considered], -similarities[considered]))
    return considered[order[:top_k]]
