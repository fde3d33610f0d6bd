"""Ranked lists: what a searcher would have seen, at its best, at its worst, and just beside the mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skyreid.errors import TableError
from skyreid.evaluation.ranking_examples import ExampleKind, TopRanks, choose_examples, top_ranks
from skyreid.evaluation.ranking_scores import Scores
from skyreid.pages.page import render
from skyreid.pages.ranked_list import RankedTracklet, ranked_list_html
from skyreid.pages.report.section import Section
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Tracklet

# Shapes and words, so that nothing is told by colour alone.
_BADGES = {
    ExampleKind.BEST: ("best", "✓ best"),
    ExampleKind.NEAR_MISS: ("near-miss", "≈ near miss"),
    ExampleKind.WORST: ("worst", "✕ worst"),
}


@dataclass(frozen=True, kw_only=True)
class RankedExample:
    """One query and what was found for it."""

    name: str
    query: Tracklet
    ranked: tuple[RankedTracklet, ...]
    kind: ExampleKind | None = None
    """Why it is shown; None = it stands for no kind."""


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
        asked = tracklet_named(tracklets, str(query.tracklet_ids[chosen.row]))
        first = int(scores.first_places[chosen.row]) + 1
        shown.append(
            RankedExample(
                name=f"{direction}: person {asked.pid}, first found at place {first:,}, "
                f"AP {scores.average_precisions[chosen.row]:.1%}",
                query=asked,
                ranked=ranked_tracklets(top, tracklets) + _first_match_below(top, first, tracklets),
                kind=chosen.kind,
            )
        )
    return tuple(shown)


def _first_match_below(top: TopRanks, rank: int, tracklets: Mapping[str, Tracklet]) -> tuple[RankedTracklet, ...]:
    """Where the right person stood, when the head of the ranking does not show it."""
    if top.first_match_id is None or rank <= len(top.tracklet_ids):
        return ()
    match = tracklet_named(tracklets, top.first_match_id)
    return (RankedTracklet(tracklet=match, similarity=top.first_match_similarity, is_match=True, rank=rank),)


def ranked_tracklets(top: TopRanks, tracklets: Mapping[str, Tracklet]) -> tuple[RankedTracklet, ...]:
    """The head of a ranking with its pictures.

    Raises:
        TableError: a tracklet of it is not among the given ones.
    """
    return tuple(
        RankedTracklet(
            tracklet=tracklet_named(tracklets, str(found)), similarity=float(similarity), is_match=bool(is_match)
        )
        for found, similarity, is_match in zip(top.tracklet_ids, top.similarities, top.is_match, strict=True)
    )


def tracklet_named(tracklets: Mapping[str, Tracklet], tracklet_id: str) -> Tracklet:
    """The tracklet that a table names.

    Raises:
        TableError: it is not among the given ones.
    """
    if tracklet_id not in tracklets:
        raise TableError(
            f"tracklet {tracklet_id!r} of the table is not among the {len(tracklets):,} given tracklets: "
            "it cannot be shown (give the tracklets that the table was made from)"
        )
    return tracklets[tracklet_id]


def example_section(examples: Sequence[RankedExample]) -> Section | None:
    """One list after the other, the first of each kind open; None where there is none.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    if not examples:
        return None
    opened = {example.kind: number for number, example in reversed(list(enumerate(examples)))}
    return Section(
        anchor="ranked-lists",
        title="Ranked lists",
        lead="The tracklet that was asked for, and what stood first. ● is seen from the ground, ▲ from the air.",
        body=render(
            "report/examples.html",
            badges=_BADGES,
            examples=[
                (example, opened[example.kind] == number, ranked_list_html(example.query, example.ranked))
                for number, example in enumerate(examples)
            ],
        ),
    )
