"""Scores by slice: a table whose rows are bars, so that it reads the same on a phone and aloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from skyreid.evaluation.report.section import Section, as_percent, as_range

_DIAMOND = '<path class="diamond" d="M0 6 l5 6 l-5 6 l-5 -6 z"/>'


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
    tables = "\n".join(_table(by_column) for by_column in slices)
    return Section(
        anchor="slices",
        title="Slices",
        lead="The same queries, sorted by what is known of them. The bar is the mAP, the bracket its interval, "
        "the diamond rank-1. Few queries make a wide bracket: read it before the bar.",
        body=f'<div class="charts wide">\n{tables}\n</div>',
    )


def _table(slices: SliceBars) -> str:
    rows = "\n".join(map(_row, slices.bars))
    of = f", {slices.direction}" if slices.direction else ""
    return f"""<figure class="chart"><table class="slices">
<caption>by {escape(slices.column + of)}</caption>
<thead><tr><th scope="col">slice</th><th scope="col" class="axis"><span>0</span><span>50</span>
<span>100 %</span></th><th scope="col">mAP</th><th scope="col">rank-1</th><th scope="col">queries</th></tr></thead>
<tbody>
{rows}
</tbody></table></figure>"""


def _row(bar: SliceBar) -> str:
    between = f" <small>{as_range((bar.low, bar.high))}</small>" if bar.low < bar.high else ""
    return (
        f'<tr><th scope="row">{escape(bar.label)}</th><td class="drawn">{_drawing(bar)}</td>'
        f'<td class="mAP">{as_percent(bar.mAP)}{between}</td><td class="rank-1">{as_percent(bar.rank_1)}</td>'
        f'<td class="queries">{bar.queries:,}</td></tr>'
    )


def _drawing(bar: SliceBar) -> str:
    """The numbers stand beside it, so nobody has to hear it."""
    grid = "".join(f'<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="24"/>' for x in (0, 25, 50, 75, 100))
    low, high = bar.low * 100, bar.high * 100
    bracket = "".join(f'<line x1="{x:.2f}%" x2="{x:.2f}%" y1="8" y2="16"/>' for x in (low, high))
    whisker = f'<g class="whisker"><line x1="{low:.2f}%" x2="{high:.2f}%" y1="12" y2="12"/>{bracket}</g>'
    # A nested drawing may be placed by per cent, which a path may not.
    diamond = f'<svg x="{bar.rank_1 * 100:.2f}%" overflow="visible">{_DIAMOND}</svg>'
    return (
        f'<svg class="bar-drawing" height="24" aria-hidden="true">{grid}'
        f'<rect class="value" width="{bar.mAP * 100:.2f}%" y="5" height="14" rx="2"/>'
        f"{whisker if low < high else ''}{diamond}</svg>"
    )
