"""Who may be found at all: filters over where, when and how large people were seen, before anything is ranked.

A tracklet of which nobody knows what a filter asks for (no time of day, no position) is left out by it, and counted.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skyreid.errors import SettingError
from skyreid.retrieval.sighting import Sighting
from skyreid.telemetry.flight_log import distance_m
from skyreid.tracklet import Tracklet

_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True, kw_only=True)
class Near:
    """A circle on the ground."""

    latitude: float | int
    """Degrees, north positive."""
    longitude: float | int
    """Degrees, east positive."""
    metres: float | int
    """Its radius."""

    def __post_init__(self) -> None:
        if not (abs(self.latitude) <= 90 and abs(self.longitude) <= 180 and 0 <= self.metres < math.inf):
            raise SettingError(
                "near is a latitude up to 90, a longitude up to 180 degrees and a number of metres; got "
                f"{self.latitude:g},{self.longitude:g},{self.metres:g}"
            )

    def __str__(self) -> str:
        return f"{self.latitude:g},{self.longitude:g} within {self.metres:g} m"


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a candidate must fulfil beyond its platform; the defaults let everybody through."""

    cameras: Sequence[str] = ()
    """Names; () = all."""
    after: datetime | float | int | None = None
    """Seen at this moment or later: a time of day, or seconds after the first frame of the video."""
    before: datetime | float | int | None = None
    """Seen at this moment or earlier, as `after`."""
    min_height_px: float | int | None = None
    """Median height of the person's boxes in the frames of the video."""
    near: Near | None = None
    """The tracklet's position (its attributes `latitude` and `longitude`) lies in this circle."""

    def __post_init__(self) -> None:
        if isinstance(self.cameras, str):
            raise SettingError(f"cameras is a list of names; got {self.cameras!r} (did you mean [{self.cameras!r}]?)")
        kinds = {type(one) for one in (self.after, self.before) if one is not None}
        if datetime in kinds and len(kinds) > 1:
            raise SettingError(
                f"after and before are both times of day, or both seconds within a video; got {self.after} and "
                f"{self.before}"
            )
        if self.min_height_px is not None and not 0 < self.min_height_px < math.inf:
            raise SettingError(f"min_height_px must be a positive number of pixels; got {self.min_height_px!r}")


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What one filter did."""

    filter: str
    """Its name and what it asked for, such as "camera gate"."""
    count: int
    """Candidates that it left out, of those that the filters before it had let through."""
    unknown: int = 0
    """Those among them of which nobody knows what the filter asks for."""

    def in_words(self) -> str:
        """Say how many were left out, and how many of them because nobody knows."""
        unknown = f", {self.unknown} of them because it is not known" if self.unknown else ""
        return f"{self.count} left out{unknown}"

    def to_json(self) -> dict[str, str | int]:
        """What a program reads."""
        return {"filter": self.filter, "left_out": self.count, "unknown": self.unknown}


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenColumns:
    """Where, when and how large people were seen, one value a row; NaN where nobody knows."""

    cameras: Int64[np.ndarray, " row"]
    """Places in a list of names."""
    first_s: Float64[np.ndarray, " row"]
    """Of the tracklet, after the video's first frame."""
    last_s: Float64[np.ndarray, " row"]
    begins: Float64[np.ndarray, " row"]
    """Time of day of the first moment as the video's own clock showed it, in seconds from 1970."""
    zone_s: Float64[np.ndarray, " row"]
    """That clock is this much before UTC."""
    height_px: Float64[np.ndarray, " row"]
    """Median of the boxes."""
    latitude: Float64[np.ndarray, " row"]
    longitude: Float64[np.ndarray, " row"]

    @classmethod
    def of(cls, tracklets: Sequence[Tracklet], sightings: Sequence[Sighting], cameras: Sequence[str]) -> "SeenColumns":
        """Gather them from tracklets and where they were seen."""
        places = {camera: place for place, camera in enumerate(cameras)}
        offsets = [sighting.offset_s or (math.nan, math.nan) for sighting in sightings]
        zones = [None if sighting.clock is None else sighting.clock.utcoffset() for sighting in sightings]
        positions = [position_of(tracklet) or (math.nan, math.nan) for tracklet in tracklets]

        def column(values: Iterable[float]) -> Float64[np.ndarray, " row"]:
            return np.fromiter(values, dtype=np.float64, count=len(tracklets))

        return cls(
            cameras=np.array([places.get(sighting.camera, -1) for sighting in sightings], dtype=np.int64),
            first_s=column(first for first, _ in offsets),
            last_s=column(last for _, last in offsets),
            begins=column(wall_seconds(sighting.clock) for sighting in sightings),
            zone_s=column(math.nan if zone is None else zone.total_seconds() for zone in zones),
            height_px=column(median_height(tracklet) for tracklet in tracklets),
            latitude=column(latitude for latitude, _ in positions),
            longitude=column(longitude for _, longitude in positions),
        )


def filter_rows(
    filters: Filters, candidates: Bool[np.ndarray, " row"], columns: SeenColumns, *, cameras: Sequence[str]
) -> tuple[Bool[np.ndarray, " row"], tuple[LeftOut, ...]]:
    """Let those candidates through that fulfil every filter.

    Args:
        filters: what is asked for.
        candidates: the rows that are in question.
        columns: where, when and how large they were seen.
        cameras: the names that there are.

    Returns:
        The rows that are left, and what each filter did, in the order in which they were applied.

    Raises:
        SettingError: no camera of a name; or a time of day, where no candidate's video has one.
    """
    left, told = candidates.copy(), []
    clocks = [moment for moment in (filters.after, filters.before) if isinstance(moment, datetime)]
    if clocks and left.any() and np.isnan(columns.begins[left]).all():
        raise SettingError(
            f"{_in_words(clocks[0])}: no candidate's video has a time of day (start_time of a source, skyreid build); "
            "give seconds after the first frame of a video instead, such as 12.5 or 1:02:03"
        )
    for name, asked in _questions(filters, columns, cameras):
        values = np.full(left.shape, np.nan)
        values[left] = asked(np.flatnonzero(left))
        unknown = int(np.count_nonzero(np.isnan(values[left])))
        fulfils = left & (values == 1)
        told.append(LeftOut(filter=name, count=int(left.sum() - fulfils.sum()), unknown=unknown))
        left = fulfils
    return left, tuple(told)


_Question = Callable[[Int64[np.ndarray, " kept"]], Float64[np.ndarray, " kept"]]
"""Whether rows fulfil a filter: 1, 0, or NaN where nobody knows."""


def _questions(filters: Filters, columns: SeenColumns, cameras: Sequence[str]) -> list[tuple[str, _Question]]:
    asked: list[tuple[str, _Question]] = []
    if wanted := filters.cameras:
        if unknown := [name for name in wanted if name not in cameras]:
            raise SettingError(f"no camera is called {unknown[0]!r}; the cameras: {', '.join(cameras)}")
        places = [place for place, name in enumerate(cameras) if name in wanted]
        asked.append((f"camera {', '.join(wanted)}", lambda rows: np.isin(columns.cameras[rows], places) * 1.0))
    if (after := filters.after) is not None:
        asked.append((f"after {_in_words(after)}", lambda rows: _at_least(_times(columns, rows, after, 1), after)))
    if (before := filters.before) is not None:
        asked.append((f"before {_in_words(before)}", lambda rows: _at_most(_times(columns, rows, before, 0), before)))
    if (height := filters.min_height_px) is not None:
        heights = columns.height_px
        asked.append((f"height of at least {height:g} px", lambda rows: _at_least(heights[rows], height)))
    if (near := filters.near) is not None:
        asked.append((f"near {near}", lambda rows: _at_most(_metres(columns, rows, near), near.metres)))
    return asked


def _in_words(moment: datetime | float | int) -> str:
    if not isinstance(moment, datetime):
        return f"{moment:g} s within each video"
    zone = "" if moment.tzinfo else " on each video's own clock"
    return f"{moment.isoformat(sep=' ')}{zone}"


def _times(
    columns: SeenColumns, rows: Int64[np.ndarray, " kept"], moment: datetime | float | int, end: int
) -> Float64[np.ndarray, " kept"]:
    """First or last moments of sightings, as the moment that they are compared with was given."""
    if not isinstance(moment, datetime):
        return (columns.first_s, columns.last_s)[end][rows]
    times = columns.begins[rows]
    if end:
        times = times + (columns.last_s[rows] - columns.first_s[rows])
    # Without a zone, the moment is what the video's own clock showed.
    return times if moment.tzinfo is None else times - columns.zone_s[rows]


def _metres(columns: SeenColumns, rows: Int64[np.ndarray, " kept"], near: Near) -> Float64[np.ndarray, " kept"]:
    places = zip(columns.latitude[rows].tolist(), columns.longitude[rows].tolist(), strict=True)
    center = (float(near.latitude), float(near.longitude))
    return np.array([math.nan if math.isnan(one[0]) else distance_m(one, center) for one in places], dtype=np.float64)


def _at_least(values: Float64[np.ndarray, " kept"], least: datetime | float | int) -> Float64[np.ndarray, " kept"]:
    return np.where(np.isnan(values), np.nan, values >= _seconds(least))


def _at_most(values: Float64[np.ndarray, " kept"], most: datetime | float | int) -> Float64[np.ndarray, " kept"]:
    return np.where(np.isnan(values), np.nan, values <= _seconds(most))


def _seconds(moment: datetime | float | int) -> float:
    if not isinstance(moment, datetime):
        return float(moment)
    return wall_seconds(moment) if moment.tzinfo is None else moment.timestamp()


def wall_seconds(clock: datetime | None) -> float:
    """What a clock shows, whatever its zone, in seconds from 1970; NaN where there is none."""
    return math.nan if clock is None else clock.replace(tzinfo=UTC).timestamp()


def median_height(tracklet: Tracklet) -> float:
    """Median height of a person's boxes, in pixels; NaN where there are none."""
    heights = [frame.box[3] - frame.box[1] for frame in tracklet.frames if frame.box is not None]
    return float(median(heights)) if heights else math.nan


def seen_until(sighting: Sighting) -> datetime | None:
    """Time of day of a sighting's last moment; None where nobody knows."""
    if sighting.clock is None or sighting.offset_s is None:
        return None
    return sighting.clock + timedelta(seconds=sighting.offset_s[1] - sighting.offset_s[0])


def position_of(tracklet: Tracklet) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, by the attributes of these names; None where one of them is missing."""
    latitude, longitude = (tracklet.attributes.get(name) for name in ("latitude", "longitude"))
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    return float(latitude), float(longitude)


def read_moment(text: str) -> datetime | float:
    """Read a time of day of ISO 8601, or an offset within a video: seconds, or as a player shows them, 1:02:03.5.

    >>> read_moment("2:03.5")
    123.5

    Raises:
        SettingError: it is neither.
    """
    if told := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (float(part or 0) for part in told.groups())
        return 3600 * hours + 60 * minutes + seconds
    for read in (float, datetime.fromisoformat):
        try:
            moment = read(text)
        except ValueError:
            continue
        if isinstance(moment, datetime) or math.isfinite(moment):
            return moment
    raise SettingError(
        "a moment is a time of day such as 2026-05-04T09:00:00+02:00, or an offset within a video such as 12.5 or "
        f"1:02:03; got {text!r}"
    )


def read_near(text: str) -> Near:
    """Read `latitude,longitude,metres`.

    Raises:
        SettingError: it is something else.
    """
    try:
        latitude, longitude, metres = map(float, text.split(","))
    except ValueError:
        raise SettingError(f"near is LATITUDE,LONGITUDE,METRES, such as 48.137,11.575,50; got {text!r}") from None
    return Near(latitude=latitude, longitude=longitude, metres=metres)
