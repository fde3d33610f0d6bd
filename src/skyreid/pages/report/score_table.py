"""The scores: large at the head of the page, all of them in a table, and by slice of the queries."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from skyreid.evaluation.ranking_scores import REPORTED_RANKS, Scores
from skyreid.pages.page import as_percent, render
from skyreid.pages.report.section import Section

BEFORE = "before training"
"""What the `before` scores of a direction are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredDirection:
    """The scores of one direction, such as ground to aerial."""

    name: str
    after: Scores
    before: Scores | None = None
    """The same tracklets with the embeddings to compare with; None = there are none."""
    mAP_interval: tuple[float, float] | None = None  # noqa: N815 - the field's own spelling
    """Where the mAP of `after` may lie; None = not known."""
    rank_1_interval: tuple[float, float] | None = None
    all_frames: Scores | None = None
    """As `after`, by every frame of a tracklet instead of one clip; None = not tried."""
    reranked: Scores | None = None
    """The embeddings of `after`, put in order by something else than cosine; None = not tried."""
    reranked_name: str = "re-ranked"


@dataclass(frozen=True, kw_only=True)
class _Cell:
    text: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class _Row:
    style: str
    label: str
    cells: tuple[_Cell, ...]


def headline(directions: Sequence[ScoredDirection]) -> Markup:
    """A card for each direction with the two numbers that everybody asks for."""
    return render("report/headline.html", directions=directions)


def score_section(directions: Sequence[ScoredDirection], after_label: str) -> Section:
    """Every score of every direction, with what changed."""
    cuts = sorted({cut for direction in directions if (cut := direction.after.protocol.mAP_cut) is not None})
    names = ["mAP", *(f"rank-{k}" for k in REPORTED_RANKS), "mINP", *(f"mAP@{cut}" for cut in cuts)]
    has_interval = any(
        interval is not None
        for direction in directions
        for interval in (direction.mAP_interval, direction.rank_1_interval)
    )
    return Section(
        anchor="scores",
        title="Scores",
        lead="Rank-k: how many queries have the right person among the first k tracklets. mAP: how near the top all "
        "of the person's tracklets stand. mINP: how soon the last of them is reached. Queries without a match in the "
        "gallery count in none." + (" Small figures: 95 % bootstrap interval over people." if has_interval else ""),
        body=render(
            "report/scores.html",
            columns=[*names, "queries", "without a match"],
            blocks=[(one.name, _rows(one, after_label, cuts)) for one in directions],
        ),
    )


def _rows(direction: ScoredDirection, after_label: str, cuts: Sequence[int]) -> list[_Row]:
    after = direction.after
    rows = [] if direction.before is None else [_row("before", BEFORE, direction.before, cuts)]
    rows.append(_row("after", after_label, after, cuts, (direction.mAP_interval, direction.rank_1_interval)))
    if direction.before is not None:
        rows.append(_difference("difference", after, direction.before, cuts))
    if direction.all_frames is not None:
        rows.append(_row("all-frames", "all-frames, cosine", direction.all_frames, cuts))
        rows.append(_difference("difference by all frames", direction.all_frames, after, cuts))
    if direction.reranked is not None:
        rows.append(_row("reranked", direction.reranked_name, direction.reranked, cuts))
        rows.append(_difference("difference by re-ranking", direction.reranked, after, cuts))
    return rows


def _row(
    style: str,
    label: str,
    scores: Scores,
    cuts: Sequence[int],
    intervals: Sequence[tuple[float, float] | None] = (),
) -> _Row:
    """One line of the table; the intervals are those of its first columns."""
    values = _values(scores, cuts)
    padded = [*intervals, *[None] * (len(values) - len(intervals))]
    cells = [_Cell(text=as_percent(value), interval=interval) for value, interval in zip(values, padded, strict=True)]
    counts = [_Cell(text=f"{count:,}") for count in (scores.queries, scores.queries_without_match)]
    return _Row(style=style, label=label, cells=(*cells, *counts))


def _difference(label: str, scores: Scores, other: Scores, cuts: Sequence[int]) -> _Row:
    gains = [value - of_other for value, of_other in zip(_values(scores, cuts), _values(other, cuts), strict=True)]
    cells = [_Cell(text=f"{gain * 100:+.1f}") for gain in gains]
    return _Row(style="gain", label=label, cells=(*cells, _Cell(text=""), _Cell(text="")))


def _values(scores: Scores, cuts: Sequence[int]) -> list[float]:
    ranks = [scores.rank(k) for k in REPORTED_RANKS]
    return [scores.mAP, *ranks, scores.mINP, *(scores.mAP_at(cut) for cut in cuts)]


@dataclass(frozen=True, kw_only=True)
class SliceBar:
    """The queries that share one value of a column."""

    label: str
    queries: int
    mAP: float  # noqa: N815 - the field's own spelling
    low: float
    """Where the mAP may lie; `low` = `high` = mAP where it is not known."""
    high: float
    rank_1: float


@dataclass(frozen=True, kw_only=True)
class SliceBars:
    """All slices by one column, in the order in which they are shown."""

    column: str
    bars: tuple[SliceBar, ...]
    direction: str = ""
    """What was scored, such as ground → aerial; "" = the page scores one thing only."""


def slice_section(slices: Sequence[SliceBars]) -> Section | None:
    """One table for each column, whose rows are bars, so that it reads the same on a phone and aloud; None without."""
    if not slices:
        return None
    return Section(
        anchor="slices",
        title="Slices",
        lead="The same queries, sorted by what is known of them. The bar is the mAP, the bracket its interval, "
        "the diamond rank-1. Few queries make a wide bracket: read it before the bar.",
        body=render("report/slices.html", tables=slices),
    )
