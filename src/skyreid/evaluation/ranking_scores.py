"""CMC and mAP of a query table against a gallery table.

For each query the gallery is ranked by cosine similarity. Its good entries are those of its identity
seen by another camera; those of its identity and its own camera are junk and leave the ranking.

    AP    mean over the good entries i = 0, 1, … of (i + 1) / (p_i + 1), with p_i the place of the
          i-th good entry, from 0, after the junk has left
    mAP   mean of AP over the queries that have a good entry
    CMC   at rank k: share of those queries whose first good entry stands among the first k

Entries of equal similarity keep the order of the gallery, as a stable sort would leave them. No
ranking is ever built: the place of a good entry is the number of entries that are more similar, plus
those equally similar that stand before it.

Source: METHOD section 9; paper section 5.1.
Deviation: the release leaves the order of ties to chance. A camera is its camid, as there; but where
a protocol compares with the other platform only, no entry is from the query's own camera, so a dataset
that numbers ground and aerial cameras from 0 each loses no match.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import ProtocolError
from skyreid.retrieval.cosine import cosine_similarities
from skyreid.retrieval.embedding_table import EmbeddingTable, platform_counts, require_same_embed
from skyreid.tracklet import JUNK_PID, PLATFORMS, Platform

CMC_RANKS = 50
"""Length of the CMC curve; with fewer gallery entries it goes on flat."""
REPORTED_RANKS = (1, 5, 10, 20)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """How well a query table finds its people in a gallery table; everything in 0-1."""

    protocol: EvaluationProtocol
    mAP: float  # noqa: N815 - the field's own spelling
    cmc: Float64[np.ndarray, " rank"]
    """At index k - 1 the share of queries with a good entry among the first k."""
    queries: int
    """How many queries asked, those without a match among them."""
    queries_without_match: int
    """Queries that have no good entry in the gallery: counted here, in no score."""
    average_precisions: Float64[np.ndarray, " query"]
    """One per row of the query table; NaN where the row did not ask or has no match."""

    def rank(self, k: int) -> float:
        """The CMC at rank `k`, from 1."""
        return float(self.cmc[k - 1])

    def to_json(self) -> dict[str, str | int | float | dict[str, float]]:
        """What a program reads: protocol, mAP, CMC at the usual ranks, and the number of queries."""
        return {
            "protocol": self.protocol.name,
            "mAP": self.mAP,
            "cmc": {str(k): self.rank(k) for k in REPORTED_RANKS},
            "queries": self.queries,
            "queries_without_match": self.queries_without_match,
        }

    def lines(self) -> list[str]:
        """What a human reads."""
        ranks = "   ".join(f"rank-{k} {self.rank(k):.1%}" for k in REPORTED_RANKS)
        without = f", {self.queries_without_match} of them without a match" if self.queries_without_match else ""
        return [f"{self.protocol.name}: mAP {self.mAP:.1%}   {ranks}   ({self.queries} queries{without})"]


def evaluate(
    query: EmbeddingTable,
    gallery: EmbeddingTable,
    protocol: EvaluationProtocol,
    *,
    block_size: int = 4_000_000,
) -> Scores:
    """Score a query table against a gallery table.

    Gallery entries with the junk pid (-1) are never ranked; distractors (0) are ranked like anyone.
    The two tables may use the same tracklet ids for different tracklets.

    Args:
        query: the tracklets that ask.
        gallery: the tracklets that are searched, without the queries: the protocol adds them.
        protocol: who asks whom, and what is ignored.
        block_size: similarities held in memory at once, but for at least 16 queries. Never changes a score.

    Raises:
        TableError: the tables hold embeddings of different sizes.
        ProtocolError: the protocol leaves nobody to ask, nobody to search, or no query with a match.
    """
    require_same_embed(query, gallery)
    asking, searched = _Side.of(query), _Side.of(gallery)
    if protocol.gallery_includes_queries:
        searched = asking.followed_by(searched)
    asks, is_ranked = _selection(asking, searched, protocol)
    if not asks.any():
        raise ProtocolError(
            f"{protocol.name}: no {_named(protocol.query_platform)} to ask; "
            f"the query table has {platform_counts(query)}"
        )
    if not is_ranked.any():
        raise ProtocolError(
            f"{protocol.name}: no {_named(protocol.gallery_platform)} to search; the gallery table has "
            f"{platform_counts(gallery)}, of them {np.count_nonzero(gallery.pids == JUNK_PID)} junk"
        )
    has_junk = protocol.junk_same_camera and not protocol.crosses_platforms
    average_precisions = np.full(len(query), np.nan)
    first_places = np.full(len(query), -1)
    for ask, rank in _comparisons(asking, searched, asks, is_ranked, protocol):
        average_precisions[ask], first_places[ask] = _score(
            asking.select(ask), searched.select(rank), has_junk, block_size
        )
    has_match = first_places >= 0
    num_queries, num_matched = int(asks.sum()), int(has_match.sum())
    if num_matched == 0:
        raise ProtocolError(
            f"{protocol.name}: at least one query must have a match in the gallery; none of {num_queries} has: "
            f"the query table has {platform_counts(query)}, the gallery table {platform_counts(gallery)}"
        )
    found_at = np.bincount(first_places[has_match], minlength=CMC_RANKS)[:CMC_RANKS]
    return Scores(
        protocol=protocol,
        mAP=float(average_precisions[has_match].mean()),
        cmc=np.cumsum(found_at) / num_matched,
        queries=num_queries,
        queries_without_match=num_queries - num_matched,
        average_precisions=average_precisions,
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a comparison: what it needs of a table."""

    unit_embeddings: Float32[np.ndarray, "tracklet embed"]
    pids: Int64[np.ndarray, " tracklet"]
    camids: Int64[np.ndarray, " tracklet"]
    platforms: Int64[np.ndarray, " tracklet"]

    @classmethod
    def of(cls, table: EmbeddingTable) -> "_Side":
        return cls(table.unit_embeddings, table.pids, table.camids, table.platforms)

    def followed_by(self, other: "_Side") -> "_Side":
        return _Side(
            np.concatenate([self.unit_embeddings, other.unit_embeddings]),
            np.concatenate([self.pids, other.pids]),
            np.concatenate([self.camids, other.camids]),
            np.concatenate([self.platforms, other.platforms]),
        )

    def select(self, rows: Bool[np.ndarray, " tracklet"]) -> "_Side":
        if rows.all():  # spares a copy of the embeddings
            return self
        return _Side(self.unit_embeddings[rows], self.pids[rows], self.camids[rows], self.platforms[rows])


def _selection(
    asking: _Side, searched: _Side, protocol: EvaluationProtocol
) -> tuple[Bool[np.ndarray, " query"], Bool[np.ndarray, " gallery"]]:
    """Who asks, and who is ranked for anyone."""
    asks = np.ones(len(asking.pids), dtype=bool)
    if protocol.query_platform is not None:
        asks = asking.platforms == protocol.query_platform.number
    is_ranked = searched.pids != JUNK_PID
    if protocol.gallery_platform is not None:
        is_ranked &= searched.platforms == protocol.gallery_platform.number
    return asks, is_ranked


def _named(platform: Platform | None) -> str:
    return "tracklet" if platform is None else f"{platform} tracklet"


def _comparisons(
    asking: _Side,
    searched: _Side,
    asks: Bool[np.ndarray, " query"],
    is_ranked: Bool[np.ndarray, " gallery"],
    protocol: EvaluationProtocol,
) -> list[tuple[Bool[np.ndarray, " query"], Bool[np.ndarray, " gallery"]]]:
    """Split the queries into groups that see the same gallery."""
    if not protocol.other_platform_only:
        return [(asks, is_ranked)]
    return [
        (asks & (asking.platforms == own.number), is_ranked & (searched.platforms != own.number)) for own in PLATFORMS
    ]


def _score(
    query: _Side, gallery: _Side, junk_same_camera: bool, block_size: int
) -> tuple[Float64[np.ndarray, " query"], Int64[np.ndarray, " query"]]:
    """Average precision and place of the first good entry per query; NaN and -1 without one."""
    average_precisions = np.full(len(query.pids), np.nan)
    first_places = np.full(len(query.pids), -1)
    by_pid = np.argsort(gallery.pids, kind="stable")
    starts = np.searchsorted(gallery.pids[by_pid], query.pids, side="left")
    ends = np.searchsorted(gallery.pids[by_pid], query.pids, side="right")
    queries_per_block = max(1, block_size // max(1, len(gallery.pids)))
    for block_start in range(0, len(query.pids), queries_per_block):
        block = query.unit_embeddings[block_start : block_start + queries_per_block]
        for row, similarities in enumerate(cosine_similarities(block, gallery.unit_embeddings), block_start):
            same_person = by_pid[starts[row] : ends[row]]
            is_junk = np.full(same_person.size, junk_same_camera)
            is_junk &= gallery.camids[same_person] == query.camids[row]
            good = same_person[~is_junk]
            if good.size == 0:
                continue
            similarities[same_person[is_junk]] = -np.inf
            places = _places(similarities, good)
            average_precisions[row] = np.mean(np.arange(1, good.size + 1) / (places + 1))
            first_places[row] = places[0]
    return average_precisions, first_places


def _places(
    similarities: Float32[np.ndarray, " gallery"], good: Int64[np.ndarray, " good"]
) -> Int64[np.ndarray, " good"]:
    """Places of the good entries in the ranking, from 0, ascending.

    Sorting bare numbers is several times faster than sorting the gallery by them, and does not care
    how many entries are good.
    """
    ascending = np.sort(similarities)
    wanted = similarities[good]
    places = similarities.size - np.searchsorted(ascending, wanted, side="right")
    num_equal = similarities.size - np.searchsorted(ascending, wanted, side="left") - places
    for tied in np.flatnonzero(num_equal > 1):
        places[tied] += np.count_nonzero(similarities[: good[tied]] == wanted[tied])
    return np.sort(places)
