"""Who may be found at all: filters over where, when and how large people were seen, before anything is ranked.

A tracklet of which nobody knows what a filter asks for (no time of day, no position) is left out by it, and counted.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import numpy as np
from jaxtyping import Bool

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


def filter_sightings(
    filters: Filters,
    candidates: Bool[np.ndarray, " row"],
    tracklets: Sequence[Tracklet],
    sightings: Sequence[Sighting],
    *,
    cameras: Sequence[str],
) -> tuple[Bool[np.ndarray, " row"], tuple[LeftOut, ...]]:
    """Let those candidates through that fulfil every filter.

    Args:
        filters: what is asked for.
        candidates: the rows that are in question.
        tracklets: of all rows.
        sightings: where and when they were seen.
        cameras: the names that there are.

    Returns:
        The rows that are left, and what each filter did, in the order in which they were applied.

    Raises:
        SettingError: no camera of a name; or a time of day, where no candidate's video has one.
    """
    left, told = candidates.copy(), []
    clocks = [moment for moment in (filters.after, filters.before) if isinstance(moment, datetime)]
    if clocks and left.any() and all(sightings[row].clock is None for row in _rows(left)):
        raise SettingError(
            f"{_in_words(clocks[0])}: no candidate's video has a time of day (start_time of a source, skyreid build); "
            "give seconds after the first frame of a video instead, such as 12.5 or 1:02:03"
        )
    for name, fulfils in _questions(filters, cameras):
        answers = {row: fulfils(tracklets[row], sightings[row]) for row in _rows(left)}
        unknown = [row for row, answer in answers.items() if answer is None]
        for row, answer in answers.items():
            left[row] = answer is True
        out = sum(answer is not True for answer in answers.values())
        told.append(LeftOut(filter=name, count=out, unknown=len(unknown)))
    return left, tuple(told)


def _rows(mask: Bool[np.ndarray, " row"]) -> list[int]:
    return np.flatnonzero(mask).tolist()


_Question = Callable[[Tracklet, Sighting], bool | None]
"""Whether a tracklet fulfils a filter; None = nobody knows."""


def _questions(filters: Filters, cameras: Sequence[str]) -> list[tuple[str, _Question]]:
    asked: list[tuple[str, _Question]] = []
    if wanted := filters.cameras:
        if unknown := [name for name in wanted if name not in cameras]:
            raise SettingError(f"no camera is called {unknown[0]!r}; the cameras: {', '.join(cameras)}")
        asked.append((f"camera {', '.join(wanted)}", lambda _, sighting: sighting.camera in wanted))
    if (after := filters.after) is not None:
        asked.append((f"after {_in_words(after)}", lambda _, sighting: _not_before(sighting, after)))
    if (before := filters.before) is not None:
        asked.append((f"before {_in_words(before)}", lambda _, sighting: _not_after(sighting, before)))
    if (height := filters.min_height_px) is not None:
        asked.append((f"height of at least {height:g} px", lambda tracklet, _: _is_tall(tracklet, height)))
    if (near := filters.near) is not None:
        asked.append((f"near {near}", lambda tracklet, _: _is_near(tracklet, near)))
    return asked


def _in_words(moment: datetime | float | int) -> str:
    if not isinstance(moment, datetime):
        return f"{moment:g} s within each video"
    zone = "" if moment.tzinfo else " on each video's own clock"
    return f"{moment.isoformat(sep=' ')}{zone}"


def _not_before(sighting: Sighting, moment: datetime | float | int) -> bool | None:
    """Whether the sighting's last moment is this one or a later one."""
    if not isinstance(moment, datetime):
        return None if sighting.offset_s is None else sighting.offset_s[1] >= moment
    ends = seen_until(sighting)
    return None if ends is None or not _comparable(ends, moment) else _on_clock(ends, moment) >= moment


def _not_after(sighting: Sighting, moment: datetime | float | int) -> bool | None:
    if not isinstance(moment, datetime):
        return None if sighting.offset_s is None else sighting.offset_s[0] <= moment
    begins = sighting.clock
    return None if begins is None or not _comparable(begins, moment) else _on_clock(begins, moment) <= moment


def _comparable(clock: datetime, moment: datetime) -> bool:
    return clock.tzinfo is not None or moment.tzinfo is None


def _on_clock(clock: datetime, moment: datetime) -> datetime:
    """The clock as the moment was written: without a zone, it is what the video's own clock showed."""
    return clock if moment.tzinfo is not None else clock.replace(tzinfo=None)


def _is_tall(tracklet: Tracklet, height_px: float | int) -> bool | None:
    heights = [frame.box[3] - frame.box[1] for frame in tracklet.frames if frame.box is not None]
    return median(heights) >= height_px if heights else None


def _is_near(tracklet: Tracklet, near: Near) -> bool | None:
    place = position_of(tracklet)
    return None if place is None else distance_m(place, (near.latitude, near.longitude)) <= near.metres


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
