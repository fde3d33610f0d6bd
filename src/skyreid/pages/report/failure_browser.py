"""Every query that found somebody else first, to be filtered and stepped through; whole without a script too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from skyreid.evaluation.ranking_examples import TopRanks, top_ranks
from skyreid.evaluation.ranking_scores import Scores
from skyreid.pages.frame_strip import FrameStrip, draw_frame_strip
from skyreid.pages.page import render
from skyreid.pages.ranked_list import RankedTracklet
from skyreid.pages.report.ranked_example import ranked_tracklets, tracklet_named
from skyreid.pages.report.section import Section
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Tracklet

_STRIP_HEIGHT, _STRIP_WIDTH = 112, 118


@dataclass(frozen=True, kw_only=True)
class FailedQuery:
    """A query that has its person in the gallery and found somebody else first."""

    query: Tracklet
    mistaken: RankedTracklet
    """Who stands first."""
    match: RankedTracklet
    """The first tracklet of the right person."""
    match_place: int
    """Where that one stands, from 0."""
    average_precision: float
    slices: Mapping[str, str] = field(default_factory=dict)
    """What is known of the query, by column."""


@dataclass(frozen=True, kw_only=True)
class DirectionFailures:
    """What went wrong in one direction."""

    direction: str
    worst: tuple[FailedQuery, ...]
    """Those to show."""
    num_failed: int
    """All of them; more than are shown where some were left out."""
    num_queries: int
    """How many could have found their person."""


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
        query=tracklet_named(tracklets, str(query.tracklet_ids[row])),
        mistaken=ranked_tracklets(top, tracklets)[0],
        match=RankedTracklet(
            tracklet=tracklet_named(tracklets, top.first_match_id), similarity=top.first_match_similarity, is_match=True
        ),
        match_place=int(scores.first_places[row]),
        average_precision=float(scores.average_precisions[row]),
        slices={column: value for column, value in known.items() if value is not None},
    )


def failure_section(failures: Sequence[DirectionFailures]) -> Section | None:
    """All directions together, the worst first; None where nobody looked.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    if not failures:
        return None
    cards = [_card(failed, _slices(failed, of, failures)) for of in failures for failed in of.worst]
    cards.sort(key=lambda card: (-card.failed.match_place, card.failed.query.tracklet_id))
    return Section(
        anchor="failures",
        title="Failures",
        lead=" ".join(map(_in_words, failures))
        + " Each card shows who was asked for, who stood first, and where the right person stood.",
        body=_shelf(cards) if cards else Markup(""),
    )


@dataclass(frozen=True, kw_only=True)
class _Card:
    """A failure with its pictures and all that it can be filtered and sorted by."""

    failed: FailedQuery
    slices: Mapping[str, str]
    asked: FrameStrip
    mistaken: FrameStrip
    match: FrameStrip

    @property
    def place(self) -> int:
        """Of the right person, from 1."""
        return self.failed.match_place + 1

    @property
    def lead(self) -> float:
        """Of the wrong one over the right one, in similarity."""
        return self.failed.mistaken.similarity - self.failed.match.similarity


def _card(failed: FailedQuery, slices: Mapping[str, str]) -> _Card:
    asked, mistaken, match = (
        draw_frame_strip(tracklet, height=_STRIP_HEIGHT, width=_STRIP_WIDTH)
        for tracklet in (failed.query, failed.mistaken.tracklet, failed.match.tracklet)
    )
    return _Card(failed=failed, slices=slices, asked=asked, mistaken=mistaken, match=match)


def _slices(failed: FailedQuery, of: DirectionFailures, failures: Sequence[DirectionFailures]) -> Mapping[str, str]:
    return {"direction": of.direction, **failed.slices} if len(failures) > 1 else failed.slices


def _in_words(failures: DirectionFailures) -> str:
    left_out = failures.num_failed - len(failures.worst)
    rest = f" (the {len(failures.worst):,} worst are shown, {left_out:,} left out)" if left_out else ""
    return (
        f"{failures.direction}: {failures.num_failed:,} of {failures.num_queries:,} queries found somebody else "
        f"first{rest}."
    )


def _shelf(cards: Sequence[_Card]) -> Markup:
    columns = sorted({column for card in cards for column in card.slices})
    counts = [Counter(card.slices[column] for card in cards if column in card.slices) for column in columns]
    return render(
        "report/failures.html",
        cards=cards,
        columns=columns,
        filters=[(column, sorted(counted.items())) for column, counted in zip(columns, counts, strict=True)],
    )
