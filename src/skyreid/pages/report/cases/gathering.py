"""From tables and pictures to what the report shows of single queries: ranked lists and failures."""

from collections.abc import Mapping, Sequence

import numpy as np

from skyreid.errors import TableError
from skyreid.evaluation.ranking_examples import TopRanks, choose_examples, top_ranks
from skyreid.evaluation.ranking_scores import Scores
from skyreid.pages.ranked_list import RankedTracklet
from skyreid.pages.report.cases.failure_browser import DirectionFailures, FailedQuery
from skyreid.pages.report.cases.ranked_example import RankedExample
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Tracklet


def gather_examples(
    query: EmbeddingTable,
    gallery: EmbeddingTable,
    scores: Scores,
    tracklets: Mapping[str, Tracklet],
    *,
    direction: str,
    each: int,
    top_k: int,
) -> tuple[RankedExample, ...]:
    """The best, near-miss and worst ranked lists under the protocol of the scores.

    Args:
        query: the tracklets that asked.
        gallery: the tracklets that were searched.
        scores: what `evaluate` said of them.
        tracklets: by tracklet id, at least those that are shown.
        direction: stands in the name of each list.
        each: lists of a kind.
        top_k: entries of a list; where the right person is not among them, its first tracklet follows with its rank.

    Raises:
        TableError: a tracklet to show is not among the given ones.
    """
    protocol, shown = scores.protocol, []
    for chosen in choose_examples(query, gallery, scores, each=each):
        [top] = top_ranks(query, gallery, protocol, [chosen.row], top_k=top_k)
        asked = _named(tracklets, query, chosen.row)
        first = int(scores.first_places[chosen.row]) + 1
        shown.append(
            RankedExample(
                name=f"{direction}: person {asked.pid}, first found at place {first:,}, "
                f"AP {scores.average_precisions[chosen.row]:.1%}",
                query=asked,
                ranked=_ranked(top, tracklets) + _first_match_below(top, first, tracklets),
                kind=chosen.kind,
            )
        )
    return tuple(shown)


def gather_failures(
    query: EmbeddingTable,
    gallery: EmbeddingTable,
    scores: Scores,
    tracklets: Mapping[str, Tracklet],
    *,
    direction: str,
    slices: Mapping[str, Sequence[str | None]],
    most: int = 200,
) -> DirectionFailures:
    """The queries that found somebody else first; of more than `most` those whose person stands farthest down.

    Args:
        query: the tracklets that asked.
        gallery: the tracklets that were searched.
        scores: what `evaluate` said of them.
        tracklets: by tracklet id, at least those that are shown.
        direction: what the scores are of.
        slices: by column, one value per row of the query table; None where nobody knows.
        most: failures with pictures; some 15 kB each.

    Raises:
        TableError: a tracklet to show is not among the given ones.
    """
    failed = np.flatnonzero(scores.first_places > 0)
    worst = failed[np.argsort(-scores.first_places[failed], kind="stable")][:most]
    rows = [int(row) for row in worst]
    return DirectionFailures(
        direction=direction,
        worst=tuple(
            _failed(top, query, scores, tracklets, slices)
            for top in top_ranks(query, gallery, scores.protocol, rows, top_k=1)
        ),
        num_failed=len(failed),
        num_queries=scores.queries - scores.queries_without_match,
    )


def _first_match_below(top: TopRanks, rank: int, tracklets: Mapping[str, Tracklet]) -> tuple[RankedTracklet, ...]:
    """Where the right person stood, when the head of the ranking does not show it."""
    if top.first_match_id is None or rank <= len(top.tracklet_ids):
        return ()
    match = _found(tracklets, top.first_match_id)
    return (RankedTracklet(tracklet=match, similarity=top.first_match_similarity, is_match=True, rank=rank),)


def _failed(
    top: TopRanks,
    query: EmbeddingTable,
    scores: Scores,
    tracklets: Mapping[str, Tracklet],
    slices: Mapping[str, Sequence[str | None]],
) -> FailedQuery:
    row = top.query_row
    assert top.first_match_id is not None  # it failed, so it has a match
    known = {column: values[row] for column, values in slices.items()}
    return FailedQuery(
        query=_named(tracklets, query, row),
        mistaken=_ranked(top, tracklets)[0],
        match=RankedTracklet(
            tracklet=_found(tracklets, top.first_match_id), similarity=top.first_match_similarity, is_match=True
        ),
        match_place=int(scores.first_places[row]),
        average_precision=float(scores.average_precisions[row]),
        slices={column: value for column, value in known.items() if value is not None},
    )


def _ranked(top: TopRanks, tracklets: Mapping[str, Tracklet]) -> tuple[RankedTracklet, ...]:
    return tuple(
        RankedTracklet(tracklet=_found(tracklets, str(found)), similarity=float(similarity), is_match=bool(is_match))
        for found, similarity, is_match in zip(top.tracklet_ids, top.similarities, top.is_match, strict=True)
    )


def _named(tracklets: Mapping[str, Tracklet], table: EmbeddingTable, row: int) -> Tracklet:
    return _found(tracklets, str(table.tracklet_ids[row]))


def _found(tracklets: Mapping[str, Tracklet], tracklet_id: str) -> Tracklet:
    if tracklet_id not in tracklets:
        raise TableError(
            f"tracklet {tracklet_id!r} of the table is not among the {len(tracklets):,} given tracklets: "
            "it cannot be shown (give the tracklets that the table was made from)"
        )
    return tracklets[tracklet_id]
