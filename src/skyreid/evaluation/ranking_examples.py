"""What is shown of thousands of rankings: the best, the worst and the near misses, and what stands first in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.evaluation.comparisons import Comparison, comparisons
from skyreid.evaluation.ranking_scores import Scores
from skyreid.retrieval.cosine import cosine_similarities
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.retrieval.search import most_similar

_NEAR_MISS_PLACES = (1, 2)
"""From 0: the person stands second or third."""


class ExampleKind(StrEnum):
    """Why a query is shown."""

    BEST = "best"
    NEAR_MISS = "near miss"
    WORST = "worst"


@dataclass(frozen=True, kw_only=True)
class ChosenExample:
    """A query to show."""

    row: int
    """Of the query table."""
    kind: ExampleKind


def choose_examples(
    query: EmbeddingTable, gallery: EmbeddingTable, scores: Scores, *, each: int
) -> tuple[ChosenExample, ...]:
    """The best, near-miss and worst queries, `each` of a kind or fewer where there are fewer; none twice.

    The best have their person at place 1 and the highest average precision, the worst another at place 1 and
    the lowest. A near miss has its person at place 2 or 3; those come first in which somebody else looks most
    like the query. Equal queries are taken in the order of the table.

    Args:
        query: the tracklets that asked.
        gallery: the tracklets that were searched.
        scores: what `evaluate` said of them.
        each: how many of a kind.
    """
    found, failed = np.flatnonzero(scores.first_places == 0), np.flatnonzero(scores.first_places > 0)
    near_misses = np.flatnonzero(np.isin(scores.first_places, _NEAR_MISS_PLACES))
    tops = top_ranks(query, gallery, scores.protocol, near_misses.tolist(), top_k=1)
    likeness_of_others = np.array([top.similarities[0] for top in tops])
    # Near misses choose first: they are the rarest.
    wanted = {
        ExampleKind.NEAR_MISS: near_misses[np.argsort(-likeness_of_others, kind="stable")],
        ExampleKind.WORST: failed[np.argsort(scores.average_precisions[failed], kind="stable")],
        ExampleKind.BEST: found[np.argsort(-scores.average_precisions[found], kind="stable")],
    }
    taken: dict[int, ExampleKind] = {}
    for kind, rows in wanted.items():
        free = [int(row) for row in rows if int(row) not in taken]
        taken.update(dict.fromkeys(free[:each], kind))
    return tuple(
        ChosenExample(row=row, kind=kind) for kind in ExampleKind for row, chosen in taken.items() if chosen is kind
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class TopRanks:
    """The head of one query's ranking, junk left out."""

    query_row: int
    tracklet_ids: Shaped[np.ndarray, " place"]
    similarities: Float32[np.ndarray, " place"]
    """Cosine, descending; equal ones by tracklet id."""
    is_match: Bool[np.ndarray, " place"]
    first_match_id: str | None
    """The first tracklet of the right person, however far down; None = it is not in the gallery."""
    first_match_similarity: float
    """NaN without one."""


def top_ranks(
    query: EmbeddingTable, gallery: EmbeddingTable, protocol: EvaluationProtocol, rows: Sequence[int], *, top_k: int
) -> list[TopRanks]:
    """Rank the gallery for some queries as `evaluate` does, and keep what stands first.

    Args:
        query: the tracklets that ask.
        gallery: the tracklets that are searched; the protocol adds the queries.
        protocol: who asks whom, and what is ignored.
        rows: of the query table; those that do not ask under the protocol are an error.
        top_k: places to keep; fewer where the ranking is shorter.

    Raises:
        TableError: the tables cannot be compared.
        ProtocolError: the protocol leaves nobody to ask or nobody to search.
        ValueError: a row does not ask.
    """
    searched = [query, gallery] if protocol.gallery_includes_queries else [gallery]
    # A tie rank is the place of an id among the sorted ids, one table behind the other.
    ids_by_tie_rank = np.concatenate([table.tracklet_ids[np.argsort(table.id_ranks)].astype(str) for table in searched])
    found: dict[int, TopRanks] = {}
    for comparison in comparisons(query, gallery, protocol):
        for place in np.flatnonzero(np.isin(comparison.query_rows, rows)):
            top = _top(comparison, int(place), ids_by_tie_rank, top_k)
            found[top.query_row] = top
    if silent := [row for row in rows if row not in found]:
        raise ValueError(f"{protocol.name}: row {silent[0]} of the query table does not ask; it has no ranking")
    return [found[row] for row in rows]


def _top(comparison: Comparison, place: int, ids_by_tie_rank: Shaped[np.ndarray, " id"], top_k: int) -> TopRanks:
    asking, gallery = comparison.query, comparison.gallery
    similarities = cosine_similarities(asking.unit_embeddings[place : place + 1], gallery.unit_embeddings)[0]
    is_match = gallery.pids == asking.pids[place]
    is_ranked = np.ones(len(gallery.pids), dtype=bool)
    if comparison.has_junk:
        is_ranked = ~(is_match & (gallery.camids == asking.camids[place]))
    ranked = np.flatnonzero(is_ranked)
    head = ranked[most_similar(similarities[ranked], gallery.tie_ranks[ranked], top_k)]
    matches = np.flatnonzero(is_match & is_ranked)
    first = matches[most_similar(similarities[matches], gallery.tie_ranks[matches], 1)]
    return TopRanks(
        query_row=int(comparison.query_rows[place]),
        tracklet_ids=ids_by_tie_rank[gallery.tie_ranks[head]],
        similarities=similarities[head],
        is_match=is_match[head],
        first_match_id=str(ids_by_tie_rank[gallery.tie_ranks[first[0]]]) if first.size else None,
        first_match_similarity=float(similarities[first[0]]) if first.size else float("nan"),
    )
