"""Scores by slice: a table whose rows are bars, so that it reads the same on a phone and aloud."""

from collections.abc import Sequence
from dataclasses import dataclass

from skyreid.pages.report.section import Section
from skyreid.pages.templates import render


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
    """One table for each column; None where nothing was sliced."""
    if not slices:
        return None
    return Section(
        anchor="slices",
        title="Slices",
        lead="The same queries, sorted by what is known of them. The bar is the mAP, the bracket its interval, "
        "the diamond rank-1. Few queries make a wide bracket: read it before the bar.",
        body=render("report/slices.html", tables=slices),
    )
