"""CMC curves as inline SVG, coloured by the page they stand in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from markupsafe import Markup

from skyreid.pages.page import as_percent, as_range
from skyreid.pages.report.score_table import BEFORE, ScoredDirection
from skyreid.pages.report.section import Axes, Chart, Key, Section, chart_svg, charts_html

_MAX_RANK = 20
_MARKED_RANKS = (1, 5, 10, 20)
_AXES = Axes(x_range=(1.0, float(_MAX_RANK)), y_range=(0.0, 1.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class CmcCurve:
    """One line of the drawing."""

    label: str
    style: str
    """CSS class: "before" is dashed with squares, "after" full with circles, "reranked" dotted with triangles."""
    cmc: Float64[np.ndarray, " rank"]
    """At index k - 1 the share of queries with a good entry among the first k."""
    rank_1_interval: tuple[float, float] | None = None
    """Drawn as a whisker at rank 1; None = not known."""


def cmc_section(directions: Sequence[ScoredDirection], after_label: str) -> Section:
    """One drawing for each direction."""
    return Section(
        anchor="cmc",
        title="Found among the first k",
        lead="The CMC curve: the share of queries whose person stands among the first k tracklets.",
        body=charts_html([_chart(direction, after_label) for direction in directions]),
    )


def cmc_svg(title: str, curves: Sequence[CmcCurve]) -> Markup:
    """Draw the curves up to rank 20 on one pair of axes, 0 to 100 %, with dots at ranks 1, 5, 10, 20."""
    spoken = "; ".join(
        f"{curve.label}: " + ", ".join(f"rank {k} {curve.cmc[k - 1]:.1%}" for k in _MARKED_RANKS) for curve in curves
    )
    grid = _AXES.grid(
        [(float(rank), str(rank)) for rank in _MARKED_RANKS],
        [(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)],
        "k",
    )
    return chart_svg(f"{title}. {spoken}", grid + "\n" + "\n".join(map(_line, curves)))


def _chart(direction: ScoredDirection, after_label: str) -> Chart:
    curves = [
        CmcCurve(label=after_label, style="after", cmc=direction.after.cmc, rank_1_interval=direction.rank_1_interval)
    ]
    if direction.before is not None:
        curves.insert(0, CmcCurve(label=BEFORE, style="before", cmc=direction.before.cmc))
    if direction.reranked is not None:
        curves.append(CmcCurve(label=direction.reranked_name, style="reranked", cmc=direction.reranked.cmc))
    keys = [Key(style=curve.style, mark=_key(curve.style), label=_in_words(curve)) for curve in curves]
    return Chart(title=direction.name, svg=cmc_svg(direction.name, curves), keys=keys)


def _in_words(curve: CmcCurve) -> str:
    whisker = "" if curve.rank_1_interval is None else f" ({as_range(curve.rank_1_interval)})"
    return f"{curve.label}: {as_percent(float(curve.cmc[0]))}{whisker} % at k = 1"


def _line(curve: CmcCurve) -> str:
    points = [(float(rank), float(curve.cmc[rank - 1])) for rank in range(1, _MAX_RANK + 1)]
    dots = "".join(
        f"<g><title>{curve.cmc[k - 1]:.1%} among the first {k}</title>"
        f"{_dot(curve.style, _AXES.x(float(k)), _AXES.y(float(curve.cmc[k - 1])))}</g>"
        for k in _MARKED_RANKS
    )
    return f'<g class="{curve.style}"><path class="line" d="{_AXES.path(points)}"/>{_whisker(curve)}{dots}</g>'


def _whisker(curve: CmcCurve) -> str:
    if curve.rank_1_interval is None:
        return ""
    low, high = (_AXES.y(share) for share in curve.rank_1_interval)
    x = _AXES.x(1.0)
    return (
        f'<path class="whisker" d="M{x - 5:.1f} {low:.1f} h10 M{x:.1f} {low:.1f} V{high:.1f} '
        f'M{x - 5:.1f} {high:.1f} h10"/>'
    )


def _dot(style: str, x: float, y: float) -> str:
    if style == "before":
        return f'<rect class="dot" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    if style == "reranked":
        return f'<path class="dot" d="M{x:.1f} {y - 5.5:.1f} l5.2 9 h-10.4 z"/>'
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'


def _key(style: str) -> Markup:
    return Markup(f'<path class="line" d="M0 6 H28"/>{_dot(style, 14.0, 6.0)}')
