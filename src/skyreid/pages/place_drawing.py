"""Where people stood, as inline SVG: a plain grid in metres with north above, no picture of the ground from anywhere.

Positions are projected to Web Mercator, whose metres are stretched by 1 / cos(latitude); the grid and the scale bar are
in true metres. Filled marks are decided, hollow ones open. More marks than can be told apart are drawn as how many they
are, and each group leads to the same drawing of that part alone.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atan, ceil, cos, degrees, exp, floor, log, log10, pi, radians, sqrt, tan

from markupsafe import Markup, escape

from skyreid.tracklet import Platform

WIDTH, HEIGHT = 1080, 640
"""Of the drawing, in its units."""
EARTH_M = 6_378_137.0
"""Radius that Web Mercator takes."""
MOST_MARKS = 400
_GROUP = 54
"""Side of the squares whose marks are drawn as one."""
_SIZE = 6.0
_LEAST_M = 20.0
"""Nobody looks at less than that: positions are not that exact."""
_MOST_LATITUDE = 85.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Somebody at a place."""

    east: float
    """Web Mercator, in its metres."""
    north: float
    platform: Platform
    is_decided: bool
    error_m: float | None
    """In true metres."""
    href: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Area:
    """A part of the ground, in metres of Web Mercator; as wide to high as the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def stretch(self) -> float:
        """Metres of Web Mercator in a true metre, in the middle."""
        north = (self.top + self.bottom) / 2
        return 1 / cos(2 * atan(exp(north / EARTH_M)) - pi / 2)

    def place(self, east: float, north: float) -> tuple[float, float]:
        """Where something is drawn."""
        x = (east - self.left) / (self.right - self.left) * WIDTH
        return x, (self.top - north) / (self.top - self.bottom) * HEIGHT

    def zoomed(self, factor: float) -> "Area":
        """Give the same middle, `factor` times as wide."""
        return fitted(*(self._edge(share, factor) for share in ("left", "top", "right", "bottom")))

    def moved(self, across: float, down: float) -> "Area":
        """Give what lies a share of its sides further."""
        east, south = across * (self.right - self.left), down * (self.bottom - self.top)
        return Area(left=self.left + east, top=self.top + south, right=self.right + east, bottom=self.bottom + south)

    def _edge(self, name: str, factor: float) -> float:
        ends = (self.left, self.right) if name in ("left", "right") else (self.top, self.bottom)
        middle = sum(ends) / 2
        return middle + (getattr(self, name) - middle) * factor


def projected(latitude: float, longitude: float) -> tuple[float, float]:
    """East and north in Web Mercator.

    >>> tuple(round(metres) for metres in projected(47.05, 8.31))
    (925065, 5950239)
    """
    near = max(-_MOST_LATITUDE, min(_MOST_LATITUDE, latitude))
    return EARTH_M * radians(longitude), EARTH_M * log(tan(pi / 4 + radians(near) / 2))


def fitted(left: float, top: float, right: float, bottom: float) -> Area:
    """Give the smallest area of the drawing's shape around a part, and not less than can be told apart."""
    east, north = (left + right) / 2, (top + bottom) / 2
    width = max(right - left, (top - bottom) * WIDTH / HEIGHT, _LEAST_M)
    half, high = width / 2, width / 2 * HEIGHT / WIDTH
    return Area(left=east - half, top=north + high, right=east + half, bottom=north - high)


def whole_area(marks: Sequence[Mark]) -> Area | None:
    """Give the ground of all marks, with some room around; None = there are none."""
    if not marks:
        return None
    east, north = [one.east for one in marks], [one.north for one in marks]
    return fitted(min(east), max(north), max(east), min(north)).zoomed(1.15)


def places_svg(
    marks: Sequence[Mark], trails: Sequence[Sequence[tuple[float, float]]], area: Area, address: Callable[[Area], str]
) -> Markup:
    """Draw what lies in an area.

    Args:
        marks: all of them.
        trails: places of one person each, east and north, in time order.
        area: what is drawn.
        address: of the same drawing of another area.
    """
    inside = [one for one in marks if area.left <= one.east <= area.right and area.bottom <= one.north <= area.top]
    if len(inside) <= MOST_MARKS:
        ways = [_trail(one, area) for one in trails]
        drawn = [*(_halo(one, area) for one in inside), *ways, *(_mark(one, area) for one in inside)]
    else:
        drawn = _groups(inside, area, address)
    spoken = f"Map of {len(inside):,} of {len(marks):,} sightings"
    begin = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{spoken}">'
    return Markup("\n".join([begin, *_grid(area), *drawn, _north(), "</svg>"]))


def _halo(mark: Mark, area: Area) -> str:
    """How far off a place may be."""
    if mark.error_m is None:
        return ""
    x, y = area.place(mark.east, mark.north)
    radius = mark.error_m * area.stretch * WIDTH / (area.right - area.left)
    return f'<circle class="halo {mark.platform}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'


def _trail(points: Sequence[tuple[float, float]], area: Area) -> str:
    path = " L".join("{:.1f} {:.1f}".format(*area.place(*point)) for point in points)
    return f'<path class="trail" d="M{path}"/>' if len(points) > 1 else ""


def _mark(mark: Mark, area: Area) -> str:
    x, y = area.place(mark.east, mark.north)
    style = f'class="seen {mark.platform} {"decided" if mark.is_decided else "open"}"'
    title = f"<title>{escape(mark.words)}</title>"
    if mark.platform is Platform.GROUND:
        shape = f'<circle {style} cx="{x:.1f}" cy="{y:.1f}" r="{_SIZE}">{title}</circle>'
    else:
        path = f"M{x:.1f} {y - 1.2 * _SIZE:.1f} l{1.15 * _SIZE:.1f} {2 * _SIZE:.1f} h{-2.3 * _SIZE:.1f} z"
        shape = f'<path {style} d="{path}">{title}</path>'
    return f'<a href="{escape(mark.href)}">{shape}</a>'


def _groups(marks: Sequence[Mark], area: Area, address: Callable[[Area], str]) -> list[str]:
    """One circle for those of a square, as large as they are many."""
    squares: defaultdict[tuple[int, int], list[Mark]] = defaultdict(list)
    for mark in marks:
        x, y = area.place(mark.east, mark.north)
        squares[int(x // _GROUP), int(y // _GROUP)].append(mark)
    most, drawn = max(map(len, squares.values())), []
    for _, group in sorted(squares.items()):
        places = [area.place(mark.east, mark.north) for mark in group]
        x, y = (sum(values) / len(values) for values in zip(*places, strict=True))
        closer = whole_area(group)
        assert closer is not None
        radius = 10 + sqrt(len(group) / most) * (_GROUP / 2 - 10)
        drawn.append(
            f'<a href="{escape(address(closer))}" data-view-link><circle class="group" cx="{x:.1f}" cy="{y:.1f}" '
            f'r="{radius:.1f}"><title>{len(group):,} sightings: show this part</title></circle>'
            f'<text class="many" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{len(group):,}</text></a>'
        )
    return drawn


# The grid.
def _grid(area: Area) -> list[str]:
    """Lines a round number of true metres apart, and the bar that says how many."""
    true_width = (area.right - area.left) / area.stretch
    step = 10 ** floor(log10(true_width / 5))
    step *= next(factor for factor in (5, 2, 1) if factor * step <= true_width / 5)
    stretched = step * area.stretch
    lines = []
    for place in range(ceil(area.left / stretched), floor(area.right / stretched) + 1):
        x, _ = area.place(place * stretched, 0.0)
        lines.append(f'<path class="tick" d="M{x:.1f} 0 V{HEIGHT}"/>')
    for place in range(ceil(area.bottom / stretched), floor(area.top / stretched) + 1):
        _, y = area.place(0.0, place * stretched)
        lines.append(f'<path class="tick" d="M0 {y:.1f} H{WIDTH}"/>')
    length = stretched / (area.right - area.left) * WIDTH
    words = f"{step / 1_000:g} km" if step >= 1_000 else f"{step:g} m"
    bar = f'<path class="scale" d="M16 {HEIGHT - 22} v6 h{length:.1f} v-6"/>'
    bar += f'<text x="20" y="{HEIGHT - 24}">{words}</text>'
    return [*lines, bar, f'<text class="many" x="16" y="22">{_middle(area)}</text>']


def _middle(area: Area) -> str:
    latitude = degrees(2 * atan(exp((area.top + area.bottom) / 2 / EARTH_M)) - pi / 2)
    longitude = degrees((area.left + area.right) / 2 / EARTH_M)
    return (
        f"middle {abs(latitude):.5f}° {'N' if latitude >= 0 else 'S'}, "
        f"{abs(longitude):.5f}° {'E' if longitude >= 0 else 'W'}"
    )


def _north() -> str:
    x = WIDTH - 28
    return (
        f'<path class="north" d="M{x} 14 l8 24 l-8 -6 l-8 6 z"/>'
        f'<text class="lane" x="{x}" y="54" text-anchor="middle">N</text>'
    )
