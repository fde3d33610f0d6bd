"""A flight log: records of where a camera was, how it looked and when; what they tell at a time.

Nothing is guessed: a value that the file does not tell, or that cannot be (`checked_log.py`), is None.
"""

import codecs
import json
import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from skyreid.errors import TelemetryError
from skyreid.files.regular_file import read_regular

MOST_RECORDS = 120_000
"""Of a log: more than an hour with 30 a second, half an hour with 60; recorders begin a new file long before."""
EARTH_RADIUS_M = 6_371_008.8
LONGEST_GAP_S = 3.0
"""Between two records that are interpolated; over a longer gap nobody knows where the camera was."""
AltitudeFrom: TypeAlias = Literal["sea", "ellipsoid", "take-off", "not told"]
"""What an altitude counts from."""
MOST_BYTES = 2**26
"""Of a text file of telemetry; 120,000 records have about 40 million."""
_CLOCK = re.compile(
    r"(?<!\d)(\d{4})[-./](\d{1,2})[-./](\d{1,2})[ T]+(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,:](\d{1,6}))?(?:[.,](\d{3}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightRecord:
    """What is known of one moment; None = not told."""

    time_s: float | None = None
    """In the video, after its first frame."""
    clock: datetime | None = None
    """By the recorder; without a zone it is local time of nobody knows where."""
    latitude: float | None = None
    """Degrees north, WGS 84."""
    longitude: float | None = None
    """Degrees east."""
    height_m: float | None = None
    """Above the place of take-off, or of a fixed camera above the ground."""
    altitude_m: float | None = None
    """As the file states it; what it counts from is `FlightLog.altitude_from`."""
    gimbal_yaw: float | None = None
    """Degrees from north, clockwise: where the camera looks."""
    gimbal_pitch: float | None = None
    """Degrees above the horizon; -90 looks straight down."""
    gimbal_roll: float | None = None
    """Degrees; positive lowers the right side of the camera."""
    aircraft_yaw: float | None = None
    aircraft_pitch: float | None = None
    aircraft_roll: float | None = None
    hfov: float | None = None
    """Degrees from the left to the right edge of the picture."""
    vfov: float | None = None
    focal_length_mm: float | None = None
    """Of a full-frame camera with the same view, zoom included."""
    slant_range_m: float | None = None
    """From the camera to what its middle shows."""
    centre_latitude: float | None = None
    """Of what the middle of the picture shows."""
    centre_longitude: float | None = None
    ground_altitude_m: float | None = None
    """Of that place, counted as `altitude_m`."""
    corners: tuple[tuple[float, float], ...] | None = None
    """Latitude and longitude of the picture's corners on the ground, upper left and clockwise; None with a sky."""

    @property
    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude."""
        if self.latitude is None or self.longitude is None:
            return None
        return self.latitude, self.longitude

    def to_json(self) -> dict[str, object]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "clock": None if self.clock is None else self.clock.isoformat()}


_ANGLES = (
    *("gimbal_yaw", "gimbal_pitch", "gimbal_roll", "aircraft_yaw", "aircraft_pitch", "aircraft_roll"),
    *("longitude", "centre_longitude"),
)
_NUMBERS = (
    *("latitude", "height_m", "altitude_m", "hfov", "vfov", "focal_length_mm"),
    *("slant_range_m", "centre_latitude", "ground_altitude_m"),
)


@dataclass(frozen=True, kw_only=True)
class FlightLog:
    """All records of a file, in its order."""

    name: str
    """The file."""
    style: str
    """What it was recognised as, in words."""
    records: tuple[FlightRecord, ...]
    altitude_from: AltitudeFrom = "not told"
    warnings: tuple[str, ...] = ()

    def at(self, time_s: float) -> FlightRecord | None:
        """Tell where the camera was at a time of the video, between two records that are near enough; else None.

        Before the first record, and for as long after the last as records are apart, that record holds. Records whose
        time goes back are passed over.
        """
        known = self._in_order
        place = bisect_right(known, time_s, key=time_of)
        before = known[place - 1] if place else None
        after = known[place] if place < len(known) else None
        if before is None or after is None:
            near = before or after
            return near if near is not None and abs(time_of(near) - time_s) <= min(LONGEST_GAP_S, self.step_s) else None
        if time_s == before.time_s:
            return before
        if time_of(after) - time_of(before) > max(LONGEST_GAP_S, 2 * self.step_s):
            return None
        return _between(before, after, (time_s - time_of(before)) / (time_of(after) - time_of(before)), time_s)

    @cached_property
    def step_s(self) -> float:
        """How far records are usually apart; 1 where there are fewer than two."""
        steps = [time_of(after) - time_of(before) for before, after in pairwise(self._in_order)]
        return median(steps) if steps else 1.0

    def started_at(self) -> datetime | None:
        """When the video began, with its time zone; None where the log does not tell both."""
        starts = [
            (record.clock - timedelta(seconds=record.time_s)).astimezone(UTC)
            for record in self.records
            if record.clock is not None and record.clock.tzinfo is not None and record.time_s is not None
        ]
        if not starts:
            return None
        first = min(starts)
        offset = median((start - first).total_seconds() for start in starts)
        zone = next(record.clock.tzinfo for record in self.records if record.clock and record.clock.tzinfo)
        return (first + timedelta(seconds=offset)).astimezone(zone)

    @cached_property
    def _in_order(self) -> Sequence[FlightRecord]:
        found: list[FlightRecord] = []
        for record in self.records:
            if record.time_s is not None and (not found or record.time_s > time_of(found[-1])):
                found.append(record)
        return found

    def lines(self) -> Sequence[str]:
        """What a human reads."""
        times = [record.time_s for record in self.records if record.time_s is not None]
        span = f", from {min(times):.2f} s to {max(times):.2f} s, one every {self.step_s:.3g} s" if times else ""
        lines = [
            f"{self.name}: {self.style}",
            f"records     {len(self.records)}{span}",
            f"clock       {self._clocks()}",
        ]
        north, east = self._range("latitude"), self._range("longitude")
        if north and east:
            lines.append(
                f"position    latitude {_decimal(north[0])} to {_decimal(north[1])}, "
                f"longitude {_decimal(east[0])} to {_decimal(east[1])}"
            )
        if height := self._range("height_m"):
            lines.append(f"height      {height[0]:.1f} to {height[1]:.1f} m above take-off")
        if altitude := self._range("altitude_m"):
            counted = {"sea": "above the sea", "ellipsoid": "above the WGS 84 ellipsoid", "take-off": "above take-off"}
            what = counted.get(self.altitude_from, "as the file states it; from what it counts is not told")
            lines.append(f"altitude    {altitude[0]:.1f} to {altitude[1]:.1f} m {what}")
        for name, words in (("gimbal_pitch", "pitch"), ("hfov", "view")):
            if found := self._range(name):
                lines.append(f"{words:11} {found[0]:.1f} to {found[1]:.1f} degrees")
        wanted = ("position", "latitude"), ("height", "height_m"), ("altitude", "altitude_m"), ("pitch", "gimbal_pitch")
        missing = [words for words, name in (*wanted, ("yaw", "gimbal_yaw")) if self._range(name) is None]
        if missing:
            lines.append(f"not told    {', '.join(missing)}")
        return [*lines, *(f"warning: {warning}" for warning in self.warnings)]

    def to_json(self) -> object:
        """What a program reads."""
        start = self.started_at()
        return {
            "file": self.name,
            "style": self.style,
            "start_time": None if start is None else start.isoformat(),
            "altitude_from": self.altitude_from,
            "records": [record.to_json() for record in self.records],
            "warnings": list(self.warnings),
        }

    def _clocks(self) -> str:
        clocks = [record.clock for record in self.records if record.clock is not None]
        if not clocks:
            return "not told"
        zone = "" if clocks[0].tzinfo else "; local time of a zone that is not told (--time-zone says it)"
        return f"{clocks[0].isoformat(' ')} to {clocks[-1].isoformat(' ')}{zone}"

    def _range(self, name: str) -> tuple[float, float] | None:
        values = [value for record in self.records if (value := getattr(record, name)) is not None]
        return (min(values), max(values)) if values else None


def in_zone(log: FlightLog, zone: tzinfo) -> FlightLog:
    """Give local times of no zone their zone; times that it has twice or never, when clocks change, are named."""
    records, odd = [], []
    for place, record in enumerate(log.records, start=1):
        clock = record.clock
        if clock is not None and clock.tzinfo is None:
            clock = clock.replace(tzinfo=zone)
            if clock.utcoffset() != clock.replace(fold=1).utcoffset():
                odd.append(place)
        records.append(replace(record, clock=clock))
    warnings = list(log.warnings)
    if odd:
        warnings.append(
            f"{len(odd)} clock times, from record {odd[0]} on, occur twice or never: clocks in {zone} change"
        )
    return replace(log, records=tuple(records), warnings=tuple(warnings))


def zone_of(text: str) -> tzinfo:
    """Read a time zone such as `Europe/Madrid`, `+02:00` or `UTC`.

    Raises:
        TelemetryError: there is none of this name.
    """
    if text.upper() in ("UTC", "Z"):
        return UTC
    with_sign = text[:1] in "+-" and len(text) == 6
    try:
        if with_sign:
            hours, minutes = int(text[1:3]), int(text[4:6])
            offset = timedelta(hours=hours, minutes=minutes)
            return timezone(-offset if text[0] == "-" else offset)
        return ZoneInfo(text)
    except (ValueError, KeyError, OSError) as error:
        raise TelemetryError(
            f"a time zone is a name such as Europe/Madrid (as far as this system knows it) or an offset such as "
            f"+02:00; got {text!r:.80}"
        ) from error


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres over the ground between two places, latitude and longitude in degrees, of a sphere (haversine).

    It is right to half a percent.

    >>> round(distance_m((48.0, 11.0), (48.001, 11.0)), 1)
    111.2
    """
    north = math.radians(other[0] - one[0])
    east = math.radians(other[1] - one[1])
    across = math.cos(math.radians(one[0])) * math.cos(math.radians(other[0])) * math.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(math.sin(north / 2) ** 2 + across)))


def time_of(record: FlightRecord) -> float:
    assert record.time_s is not None
    return record.time_s


def _between(before: FlightRecord, after: FlightRecord, share: float, time_s: float) -> FlightRecord:
    values: dict[str, float | None] = {}
    for name in (*_ANGLES, *_NUMBERS):
        first, second = getattr(before, name), getattr(after, name)
        if first is None or second is None:
            values[name] = first if share == 0 else None
        elif name in _ANGLES:  # the short way round
            values[name] = (first + share * ((second - first + 180) % 360 - 180) + 180) % 360 - 180
        else:
            values[name] = first + share * (second - first)
    clock = None if before.clock is None else before.clock + timedelta(seconds=time_s - time_of(before))
    nearest = before if share < 0.5 else after
    return FlightRecord(time_s=time_s, clock=clock, corners=nearest.corners, **values)


def _decimal(degrees: float) -> str:
    return f"{degrees:.6f}".rstrip("0").rstrip(".")


def read_text(path: Path) -> str:
    """Read a text file; a letter that is cut off at its end is left out.

    Raises:
        TelemetryError: it cannot be read, is empty or too large, or is no text.
    """
    try:
        content = read_regular(path, most_bytes=MOST_BYTES)
    except OSError as error:
        raise TelemetryError(f"{path}: cannot be read: {error.strerror}") from error
    if not content.strip():
        raise TelemetryError(f"{path}: is empty; a recorder that was switched off early leaves such files")
    # UTF-8, 16 and 32, each with or without its mark.
    encoding = json.detect_encoding(content[:4])
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")  # of old programs on Windows; signs of degrees, mostly
    if "\0" in text:
        raise TelemetryError(f"{path}: is no text")
    return text


def clock_in(text: str) -> datetime | None:
    """Find a date and time in a text, year first, such as `2022-08-07 13:40:40,774,808`; None where there is none."""
    match = _CLOCK.search(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, part, more = match.groups()
    micros = f"{part or ''}{more or ''}"[:6].ljust(6, "0")
    try:
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), int(micros))
    except ValueError:
        return None
