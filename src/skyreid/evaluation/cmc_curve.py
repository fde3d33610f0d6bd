"""CMC curves as inline SVG, coloured by the page they stand in."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float64

_WIDTH, _HEIGHT = 480, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 64, 44
_MAX_RANK = 20
_MARKED_RANKS = (1, 5, 10, 20)


@dataclass(frozen=True, kw_only=True, eq=False)
class CmcCurve:
    """One line of the drawing."""

    label: str
    style: str
    """CSS class: "before" is drawn dashed with squares, "after" in full with circles."""
    cmc: Float64[np.ndarray, " rank"]
    """At index k - 1 the share of queries with a good entry among the first k."""


def cmc_svg(title: str, curves: Sequence[CmcCurve]) -> str:
    """Draw the curves up to rank 20 on one pair of axes, 0 to 100 %, with dots at ranks 1, 5, 10, 20."""
    spoken = "; ".join(
        f"{curve.label}: " + ", ".join(f"rank {k} {curve.cmc[k - 1]:.1%}" for k in _MARKED_RANKS) for curve in curves
    )
    lines = "\n".join(_curve(curve) for curve in curves)
    keys = "\n".join(_key(curve, column) for column, curve in enumerate(curves))
    return f"""<svg class="cmc" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(f"{title}. {spoken}")}">
<text class="title" x="{_LEFT}" y="22">{escape(title)}</text>
{_axes()}
{lines}
{keys}
</svg>"""


def _x(rank: int) -> float:
    return _LEFT + (rank - 1) / (_MAX_RANK - 1) * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _axes() -> str:
    shares = "\n".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    ranks = "\n".join(
        f'<text x="{_x(rank):.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{rank}</text>'
        for rank in _MARKED_RANKS
    )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return f'{shares}\n{ranks}\n<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">rank</text>'


def _curve(curve: CmcCurve) -> str:
    points = [(_x(rank), _y(float(curve.cmc[rank - 1]))) for rank in range(1, _MAX_RANK + 1)]
    path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(_dot(curve.style, *points[rank - 1]) for rank in _MARKED_RANKS)
    return f'<g class="{escape(curve.style)}"><path d="{path}"/>{dots}</g>'


def _dot(style: str, x: float, y: float) -> str:
    if style == "before":
        return f'<rect class="dot" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'


def _key(curve: CmcCurve, column: int) -> str:
    """One entry of the legend, in a row under the title, where no curve runs."""
    x, y = _LEFT + 170.0 * column, 44.0
    return (
        f'<g class="{escape(curve.style)}"><line class="key" x1="{x}" x2="{x + 28}" y1="{y - 4}" y2="{y - 4}"/>'
        f'{_dot(curve.style, x + 14, y - 4)}<text class="label" x="{x + 36}" y="{y}">{escape(curve.label)}</text></g>'
    )
