"""A pair of axes in SVG: where a value is drawn, and the grid that lets a reader check it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 420, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 44


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Both scales are linear and begin and end at the given values."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """The `d` of a line through points given in values."""
        return "M" + " L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)

    def grid(self, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]], x_label: str) -> str:
        """Lines across at the y ticks, the words at both axes, and what the x axis counts."""
        across = "".join(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{self.y(at):.1f}" y2="{self.y(at):.1f}"/>'
            f'<text x="{_LEFT - 7}" y="{self.y(at) + 4:.1f}" text-anchor="end">{escape(words)}</text>'
            for at, words in y_ticks
        )
        below = "".join(
            f'<text x="{self.x(at):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(words)}</text>'
            for at, words in x_ticks
        )
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        name = f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
        return f"{across}{below}{name}"


def chart_svg(spoken: str, content: str) -> Markup:
    """The drawing, and the words that stand for it where it is not seen."""
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(spoken)}">\n{content}\n</svg>')


def round_ticks(low: float, high: float) -> list[float]:
    """Three to nine round values within the range, evenly spaced by 1, 2 or 5 times a power of ten."""
    rough = (high - low) / 8
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(np.round(count * step, 10)) + 0.0 for count in np.arange(first, last + 1)]
