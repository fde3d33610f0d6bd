"""When people were in view, as inline SVG: a lane a camera on one clock, a bar a tracklet.

Solid bars are decided, hatched ones open. A lane that has more bars than can be told apart is drawn as how many people
were in view, and each part of it leads to the same drawing of that part alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from jaxtyping import Float64, Int64
from markupsafe import Markup, escape

from skyreid.tracklet import Platform

WIDTH = 1080
"""Of the drawing, in its units."""
_TOP, _BOTTOM = 44, 10
_HEADER, _ROW, _BAR, _GAP = 26, 16, 12, 14
"""Of a lane: the line with its name, a row of bars, a bar in it, the room below."""
_CROWD = 44
"""Height of a lane that shows how many were in view."""
_LEAST_WIDTH = 4.0
MOST_BARS = 250
"""Of a lane in one drawing."""
MOST_ROWS = 8
"""People whom one camera sees at once, each in a row of their own."""
_BINS, _BINS_A_LINK = 270, 9
_STEPS_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 604_800, 2_592_000, 7_776_000, 31_536_000),
)
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Somebody in view of a camera."""

    first_s: float
    """Seconds since 1970 by the common clock."""
    last_s: float
    is_decided: bool
    href: str
    words: str
    """What is said of it where it is pointed at."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A camera."""

    camera: str
    platform: Platform
    bars: Sequence[Bar]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of the time, in seconds since 1970."""

    first_s: float
    last_s: float

    @property
    def seconds(self) -> float:
        """How long it is; more than nothing."""
        return self.last_s - self.first_s

    def x(self, moment_s: float) -> float:
        """Where a moment is drawn; outside of the drawing what is outside of the window."""
        return (moment_s - self.first_s) / self.seconds * WIDTH

    def zoomed(self, factor: float) -> "Window":
        """Give the same middle, `factor` times as long."""
        middle, half = (self.first_s + self.last_s) / 2, self.seconds * factor / 2
        return Window(first_s=middle - half, last_s=middle + half)

    def moved(self, share: float) -> "Window":
        """Give what lies a share of its length later."""
        return Window(first_s=self.first_s + share * self.seconds, last_s=self.last_s + share * self.seconds)


def whole_window(lanes: Sequence[Lane]) -> Window | None:
    """Give the time of all bars, with a little room around; None = there are none."""
    moments = [moment for lane in lanes for bar in lane.bars for moment in (bar.first_s, bar.last_s)]
    if not moments:
        return None
    first, last = min(moments), max(moments)
    room = max(0.02 * (last - first), 0.5)
    return Window(first_s=first - room, last_s=last + room)


def timeline_svg(lanes: Sequence[Lane], window: Window, address: Callable[[Window], str]) -> Markup:
    """Draw the part of the lanes that lies in a window.

    Args:
        lanes: from top to bottom.
        window: what is drawn.
        address: of the same drawing of another window.
    """
    drawn, top = [], float(_TOP)
    for lane in lanes:
        bars = [bar for bar in lane.bars if bar.last_s >= window.first_s and bar.first_s <= window.last_s]
        rows = _rows(bars, window) if len(bars) <= MOST_BARS else []
        name = f'<text class="lane" x="0" y="{top + 16:.0f}">{_name(lane, len(bars), address)}</text>'
        if len(bars) <= MOST_BARS and max(rows, default=0) < MOST_ROWS:
            inside = "".join(
                _bar(bar, lane.platform, window, top + _HEADER + row * _ROW)
                for bar, row in zip(bars, rows, strict=True)
            )
            height = _ROW * (max(rows, default=-1) + 1)
        else:
            inside, height = _crowd(bars, lane.platform, window, top + _HEADER, address), _CROWD
        bottom = top + _HEADER + height
        drawn.append(f'<g>{name}<path class="floor" d="M0 {bottom:.0f} H{WIDTH}"/>{inside}</g>')
        top = bottom + _GAP
    height = top + _BOTTOM
    spoken = f"{len(lanes)} cameras from {_moment(window.first_s)} to {_moment(window.last_s)}"
    begin = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="group" aria-label="{spoken}">'
    return Markup("\n".join([begin, f"<defs>{_PATTERNS}</defs>", _axis(window, height), *drawn, "</svg>"]))


def _name(lane: Lane, num_bars: int, address: Callable[[Window], str]) -> str:
    """The camera, which leads to the time of all whom it saw."""
    mark = "●" if lane.platform is Platform.GROUND else "▲"
    many = f"{num_bars:,} of {len(lane.bars):,} in view"
    camera, whole = f'<tspan dx="8">{escape(lane.camera)}</tspan>', whole_window([lane])
    if whole is not None:
        camera = f'<a href="{escape(address(whole))}" data-view-link>{camera}<title>show all of this camera</title></a>'
    return (
        f'<tspan class="platform {lane.platform}">{mark} {lane.platform}</tspan>{camera}'
        f'<tspan class="many" dx="8">{many}</tspan>'
    )


def _rows(bars: Sequence[Bar], window: Window) -> list[int]:
    """The first row in which each bar, from left to right, hides no other; bars keep their order."""
    least_s = (_LEAST_WIDTH + 1) / WIDTH * window.seconds
    ends: list[float] = []
    rows = [0] * len(bars)
    for place in sorted(range(len(bars)), key=lambda one: bars[one].first_s):
        bar = bars[place]
        row = next((row for row, end in enumerate(ends) if end < bar.first_s), len(ends))
        end = max(bar.last_s, bar.first_s + least_s)
        if row == len(ends):
            ends.append(end)
        ends[row] = end
        rows[place] = row
    return rows


def _bar(bar: Bar, platform: Platform, window: Window, top: float) -> str:
    left, right = max(window.x(bar.first_s), 0.0), min(window.x(bar.last_s), float(WIDTH))
    width = max(right - left, _LEAST_WIDTH)
    rect = f'x="{min(left, WIDTH - width):.1f}" y="{top:.0f}" width="{width:.1f}" height="{_BAR}" rx="2"'
    style = f'class="{_style(platform, bar.is_decided)}" {_fill(platform, bar.is_decided)}'
    return f'<a href="{escape(bar.href)}"><rect {style}{rect}><title>{escape(bar.words)}</title></rect></a>'


def _crowd(
    bars: Sequence[Bar], platform: Platform, window: Window, top: float, address: Callable[[Window], str]
) -> str:
    """How many were in view in each part of the window: the decided ones below, the open ones on them."""
    decided = presence_counts([bar for bar in bars if bar.is_decided], window, _BINS)
    everybody = presence_counts(bars, window, _BINS)
    most = max(int(everybody.max()), 1)
    floor, width = top + _CROWD, WIDTH / _BINS

    def steps(low: Int64[np.ndarray, " bin"], high: Int64[np.ndarray, " bin"], is_decided: bool) -> str:
        parts = []
        for place in np.flatnonzero(high > low):
            bottom, peak = (floor - count[place] / most * _CROWD for count in (low, high))
            parts.append(f"M{place * width:.1f} {bottom:.1f} V{peak:.1f} h{width:.1f} V{bottom:.1f} z")
        style = f'class="{_style(platform, is_decided)} crowd" {_fill(platform, is_decided)}'
        return f'<path {style}d="{" ".join(parts)}"/>' if parts else ""

    links = []
    for start in range(0, _BINS, _BINS_A_LINK):
        inside = everybody[start : start + _BINS_A_LINK]
        if inside.any():
            low, high = (window.first_s + part / _BINS * window.seconds for part in (start, start + _BINS_A_LINK))
            part = Window(first_s=low, last_s=high)
            words = f"up to {inside.max()} at once, from {_moment(low)}: show this part"
            rect = f'x="{start * width:.1f}" y="{top:.0f}" width="{_BINS_A_LINK * width:.1f}" height="{_CROWD}"'
            links.append(
                f'<a href="{escape(address(part))}" data-view-link>'
                f'<rect class="part" {rect}><title>{words}</title></rect></a>'
            )
    most_words = f'<text class="many" x="{WIDTH}" y="{top - 6:.0f}" text-anchor="end">up to {most} at once</text>'
    return steps(np.zeros_like(decided), decided, True) + steps(decided, everybody, False) + most_words + "".join(links)


def presence_counts(bars: Sequence[Bar], window: Window, num_bins: int) -> Int64[np.ndarray, " bin"]:
    """Count the bars that touch each of equal parts of a window."""
    edges = np.zeros(num_bins + 1, dtype=np.int64)
    if bars:
        first, last = (_bins([getattr(bar, name) for bar in bars], window, num_bins) for name in ("first_s", "last_s"))
        np.add.at(edges, first, 1)
        np.add.at(edges, last + 1, -1)
    return np.cumsum(edges)[:num_bins]


def _bins(moments: Sequence[float], window: Window, num_bins: int) -> Int64[np.ndarray, " bar"]:
    share: Float64[np.ndarray, " bar"] = (np.array(moments, dtype=np.float64) - window.first_s) / window.seconds
    return np.clip(np.floor(share * num_bins), 0, num_bins - 1).astype(np.int64)


def _style(platform: Platform, is_decided: bool) -> str:
    return f"seen {platform} {'decided' if is_decided else 'open'}"


def _fill(platform: Platform, is_decided: bool) -> str:
    return "" if is_decided else f'fill="url(#open-{platform})" '


# Hatched, so that what is open is told without colour.
_PATTERNS = "".join(
    f'<pattern id="open-{platform}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<path class="hatch {platform}" d="M0 0 V5"/></pattern>'
    for platform in Platform
)


# The clock.
def _axis(window: Window, height: float) -> str:
    step = next((step for step in _STEPS_S if window.seconds / step <= _MOST_TICKS), _STEPS_S[-1])
    ticks = np.arange(np.ceil(window.first_s / step), np.floor(window.last_s / step) + 1) * step
    drawn, day = [], ""
    for tick in ticks.tolist():
        x, moment = window.x(tick), datetime.fromtimestamp(tick, UTC)
        words = moment.strftime("%H:%M") if step >= 60 else moment.strftime("%H:%M:%S")
        if step < 1:
            words += f".{moment.microsecond // 100_000}"
        anchor = "start" if x < 40 else "end" if x > WIDTH - 40 else "middle"
        if (today := moment.strftime("%Y-%m-%d")) != day:
            day = today
            drawn.append(f'<text class="day" x="{x:.1f}" y="14" text-anchor="{anchor}">{day}</text>')
        drawn.append(
            f'<path class="tick" d="M{x:.1f} {_TOP - 6} V{height - _BOTTOM:.0f}"/>'
            + (f'<text x="{x:.1f}" y="32" text-anchor="{anchor}">{words}</text>' if step < 86_400 else "")
        )
    return "".join(drawn)


def _moment(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
