"""Everybody whom a build found, on one page: by camera and time, each with who resembles them elsewhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from skyreid.building.scenes import Scene
from skyreid.pages.page import packaged_text, render, write_page
from skyreid.pages.ranked_list import in_minutes, moment_in_words
from skyreid.pages.sighting_shown import SIGHTING_STYLE, shown_sighting
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.everybody import Everybody
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Platform, Tracklet

NOTICE = "Who resembles whom is a matter of appearance only: a similarity is not an identification."
_LONGEST_PAUSE_S = 300.0
"""Time in which nobody is seen for longer than this is left out of the timeline."""
_BREAK = 0.02
"""Share of the timeline that stands for time left out."""
_DEGREE_M = 111_195.0
"""Metres from one degree of latitude to the next."""
_MAP_PX, _MAP_MARGIN_PX, _SMALLEST_MAP_M = 640, 30, 20.0
_FEWEST_S = 1.0
"""The timeline is at least so long."""


def write_browse_page(
    out: Path,
    everybody: Everybody,
    scenes: Mapping[str, Scene],
    *,
    folder: Path,
    title: str,
    warnings: Sequence[str] = (),
    remarks: Sequence[str] = (),
    by_video: Sequence[str] = (),
    progress: Progress = silent,
) -> None:
    """Write one HTML file, pictures inside, that opens without network or server.

    Args:
        out: the .html file; an older one is replaced.
        everybody: of the build.
        scenes: the whole frame around them, by tracklet id, as far as the videos are at hand.
        folder: of the build.
        title: heading of the page.
        warnings: which videos could not be used, or only in part: a line each, before everything else.
        remarks: how people were found and compared, and who was not: a line each.
        by_video: what was left out of each video: a line each, shown when asked for.
        progress: hears of tracklets.

    Raises:
        MissingFrameError: a crop is missing or is no picture.
    """
    together: dict[int, list[int]] = {}
    for row, stands_for in enumerate(everybody.stands_for):
        together.setdefault(stands_for, []).append(row)
    shown = sorted(together)
    cards = []
    for row in shown:
        cards.append(_card(row, together[row], everybody, scenes, folder))
        progress("page", len(cards), len(shown))
    groups = [
        {"camera": camera, "platform": platform, "cards": list(of_camera)}
        for (platform, camera), of_camera in groupby(cards, key=lambda card: (card["platform"], card["camera"]))
    ]
    is_masked = everybody.manifest.info.get("faces_masked") is not False
    write_page(
        out,
        title=title,
        lead=_lead(everybody, len(shown)),
        notice=None,
        body=render(
            "browse.html",
            groups=groups,
            map=_map(cards),
            timeline=_timeline(everybody.tracklets, everybody.sightings, everybody.stands_for),
            elsewhere=_elsewhere(everybody),
            is_compared=everybody.resembling is not None,
            knows_unmasked=everybody.seen_unmasked,
            is_masked=is_masked,
            has_scenes=bool(scenes),
            warnings=warnings,
            remarks=remarks,
            by_video=by_video,
        ),
        footer=render("sightings_footer.html", notice=NOTICE, is_masked=is_masked),
        style=packaged_text(SIGHTING_STYLE) + packaged_text("browse.css"),
        script=packaged_text("browse.js"),
    )


def _lead(everybody: Everybody, num_shown: int) -> str:
    cameras = {sighting.camera for sighting in everybody.sightings}
    count = len(everybody.tracklets)
    words = f"{count:,} sighting{'s' * (count != 1)} by {len(cameras)} camera{'s' * (len(cameras) != 1)}"
    if num_shown == count:
        return f"{words}."
    return f"{words}, {count - num_shown:,} of them nearly the same as another and shown with it."


def _elsewhere(everybody: Everybody) -> str:
    platforms = {tracklet.platform for tracklet in everybody.tracklets}
    return "on the other platform" if len(platforms) > 1 else "before other cameras"


def _card(
    row: int, together: Sequence[int], everybody: Everybody, scenes: Mapping[str, Scene], folder: Path
) -> dict[str, object]:
    tracklet, sighting = everybody.tracklets[row], everybody.sightings[row]
    found = () if everybody.resembling is None else everybody.resembling[row]
    best: dict[int, float] = {}
    for one in found:  # the one that stands for somebody is shown once, by its best similarity
        best.setdefault(everybody.stands_for[one.row], one.similarity)
    return {
        **shown_sighting(tracklet, sighting, scenes.get(tracklet.tracklet_id), folder),
        "row": row,
        "platform": tracklet.platform,
        "camera": sighting.camera,
        "when": _when(sighting),
        "begins": _begins(sighting),
        "together": [everybody.tracklets[other].tracklet_id for other in together if other != row],
        "resembling": " ".join(f"{other}:{similarity:.3f}" for other, similarity in best.items()),
    }


def _when(sighting: Sighting) -> str:
    """The time of day, else the moment in the video."""
    if sighting.clock is not None:
        return f"{sighting.clock:%H:%M:%S}"
    return in_minutes(sighting.offset_s[0]) if sighting.offset_s else ""


def _begins(sighting: Sighting) -> float:
    """For sorting: seconds of the clock, else of the video."""
    if sighting.clock is not None:
        return sighting.clock.timestamp()
    return sighting.offset_s[0] if sighting.offset_s else 0.0


def _map(cards: Sequence[Mapping[str, object]]) -> dict[str, object] | None:
    """Where people stood, north up and in metres, as far as telemetry places them; no map is fetched to lie below."""
    placed = []
    for card in cards:
        tracklet = card["tracklet"]
        assert isinstance(tracklet, Tracklet)
        known = tracklet.attributes
        if "latitude" in known and "longitude" in known:
            error = float(known.get("position error, m", 0.0))
            placed.append((card, float(known["latitude"]), float(known["longitude"]), error))
    if not placed:
        return None
    south, west = min(latitude for _, latitude, _, _ in placed), min(longitude for _, _, longitude, _ in placed)
    east_m = _DEGREE_M * math.cos(math.radians(south))
    spots = [
        (card, (longitude - west) * east_m, (latitude - south) * _DEGREE_M, error)
        for card, latitude, longitude, error in placed
    ]
    extent = max(max(x for _, x, _, _ in spots), max(y for _, _, y, _ in spots), _SMALLEST_MAP_M)
    scale = (_MAP_PX - 2 * _MAP_MARGIN_PX) / extent
    bar_m = max(m * 10**power for m in (1, 2, 5) for power in range(6) if m * 10**power <= extent / 3)
    height = max(y for _, _, y, _ in spots) * scale + 2 * _MAP_MARGIN_PX
    return {
        "width": _MAP_PX,
        "height": round(height),
        "bar": {"px": round(bar_m * scale), "metres": bar_m},
        "unplaced": len(cards) - len(placed),
        "spots": [
            {
                "row": card["row"],
                "platform": card["platform"],
                "tracklet": card["tracklet"],
                "x": round(_MAP_MARGIN_PX + x * scale, 1),
                "y": round(height - _MAP_MARGIN_PX - y * scale, 1),
                "error": round(error * scale, 1),
            }
            for card, x, y, error in spots
        ],
    }


@dataclass(frozen=True)
class _Axis:
    """Time from left to right, with time in which nobody is seen left out."""

    spans: tuple[tuple[float, float], ...]
    """First and last second of each stretch in which somebody is seen."""

    @classmethod
    def over(cls, moments: Sequence[tuple[float, float]]) -> "_Axis":
        spans: list[tuple[float, float]] = []
        for begin, end in sorted(moments):
            if spans and begin - spans[-1][1] <= _LONGEST_PAUSE_S:
                spans[-1] = spans[-1][0], max(spans[-1][1], end)
            else:
                spans.append((begin, end))
        return cls(tuple((begin, max(end, begin + _FEWEST_S)) for begin, end in spans))

    def share(self, moment: float) -> float:
        """Where a moment stands, 0 to 1."""
        seen = sum(end - begin for begin, end in self.spans)
        room = 1 - _BREAK * (len(self.spans) - 1)
        left = 0.0
        for begin, end in self.spans:
            if moment <= end:
                return left + room * (max(moment, begin) - begin) / seen
            left += room * (end - begin) / seen + _BREAK
        return 1.0


def _timeline(
    tracklets: Sequence[Tracklet], sightings: Sequence[Sighting], stands_for: Sequence[int]
) -> dict[str, object] | None:
    """One lane for each camera, by the clock where it is known of all, else by the time in each video.

    Every sighting has its bar, which leads to the card that it is shown with.
    """
    by_clock = all(sighting.clock is not None for sighting in sightings)
    placed = [(row, sighting) for row, sighting in enumerate(sightings) if sighting.offset_s is not None]
    if not placed:
        return None
    moments = [_span(sighting, by_clock=by_clock) for _, sighting in placed]
    axis = _Axis.over([*moments, *_starts(moments, [sighting for _, sighting in placed])])
    lanes: dict[tuple[Platform, str], list[dict[str, object]]] = {}
    free_from: dict[tuple[Platform, str], list[float]] = {}
    for (place, sighting), (begin, end) in sorted(zip(placed, moments, strict=True), key=lambda one: one[1]):
        tracklet = tracklets[place]
        lane = tracklet.platform, sighting.camera
        rows = free_from.setdefault(lane, [])
        row = next((number for number, free in enumerate(rows) if free <= begin), len(rows))
        rows[row : row + 1] = [end]
        left = axis.share(begin)
        lanes.setdefault(lane, []).append(
            {
                "row": stands_for[place],
                "tracklet": tracklet,
                "moment": moment_in_words(sighting),
                "place": f"left:{left:.2%};width:{axis.share(end) - left:.2%};--row:{row}",
            }
        )
    zone = next((sighting.clock.tzinfo for _, sighting in placed if sighting.clock is not None), None)
    ticks = [
        (
            f"{axis.share(moment):.2%}",
            f"{datetime.fromtimestamp(moment, zone):%H:%M:%S}" if by_clock else in_minutes(moment),
        )
        for moment in _ticks(axis)
    ]
    shown = [
        (lane, len(free_from[lane]), lanes[lane])
        for lane in dict.fromkeys((t.platform, s.camera) for t, s in zip(tracklets, sightings, strict=True))
        if lane in lanes
    ]
    return {"lanes": shown, "ticks": ticks, "by_clock": by_clock}


def _span(sighting: Sighting, *, by_clock: bool) -> tuple[float, float]:
    assert sighting.offset_s is not None
    begin, end = sighting.offset_s
    if not by_clock or sighting.clock is None:
        return begin, end
    return sighting.clock.timestamp(), sighting.clock.timestamp() + end - begin


def _starts(moments: Sequence[tuple[float, float]], sightings: Sequence[Sighting]) -> set[tuple[float, float]]:
    """When the videos begin, so that time before the first sighting is seen to have passed."""
    starts = {begin - s.offset_s[0] for (begin, _), s in zip(moments, sightings, strict=True) if s.offset_s is not None}
    return {(round(start, 3), round(start, 3)) for start in starts}


def _ticks(axis: _Axis) -> list[float]:
    """Where each stretch begins; of a single one also its quarters."""
    if len(axis.spans) > 1:
        return [begin for begin, _ in axis.spans]
    return [begin + (end - begin) * quarter / 4 for begin, end in axis.spans for quarter in range(4)]
