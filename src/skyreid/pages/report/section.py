"""What a report is made of: sections with a heading and a sentence of explanation; drawings with axes and legends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from skyreid.pages.page import render


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the page, reachable by its anchor."""

    anchor: str
    """Ours, never a user's text: it becomes an id."""
    title: str
    lead: str
    """Plain text: how to read what follows."""
    body: Markup

    def html(self) -> Markup:
        return render("report/section.html", section=self)


@dataclass(frozen=True, kw_only=True)
class Key:
    """One entry of a legend."""

    style: str
    """CSS class that the drawing uses for the same thing."""
    mark: Markup
    """SVG elements in a box of 28 by 12."""
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing under its title, above its legend and what must be known of it."""

    title: str
    svg: Markup
    keys: Sequence[Key]
    note: str = ""


def charts_html(charts: Sequence[Chart]) -> Markup:
    """Charts side by side where there is room."""
    return render("report/charts.html", charts=charts)


# Of a chart, in units of its drawing.
_WIDTH, _HEIGHT = 420, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 44


@dataclass(frozen=True, kw_only=True)
class Axes:
    """A pair of axes in SVG: where a value is drawn, and the grid that lets a reader check it.

    Both scales are linear and begin and end at the given values.
    """

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """The `d` of a line through points given in values."""
        return "M" + " L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)

    def grid(self, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]], x_label: str) -> str:
        """Lines across at the y ticks, the words at both axes, and what the x axis counts."""
        across = "".join(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{self.y(at):.1f}" y2="{self.y(at):.1f}"/>'
            f'<text x="{_LEFT - 7}" y="{self.y(at) + 4:.1f}" text-anchor="end">{escape(words)}</text>'
            for at, words in y_ticks
        )
        below = "".join(
            f'<text x="{self.x(at):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(words)}</text>'
            for at, words in x_ticks
        )
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        name = f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        return f"{across}{below}{name}"


def chart_svg(spoken: str, content: str) -> Markup:
    """The drawing, and the words that stand for it where it is not seen."""
    return Markup(f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(spoken)}">\n{content}\n</svg>')


def round_ticks(low: float, high: float) -> list[float]:
    """Three to nine round values within the range, evenly spaced by 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 8
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(np.round(count * step, 10)) + 0.0 for count in np.arange(first, last + 1)]
