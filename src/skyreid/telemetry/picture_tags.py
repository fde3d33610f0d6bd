"""Tags of pictures that a drone took: EXIF, and the XMP packet of DJI's cameras."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import ExifTags

from skyreid.errors import TelemetryError
from skyreid.files.picture_file import PictureTags, picture_tags, taken_at
from skyreid.telemetry.checked_log import checked_log, is_possible_clock
from skyreid.telemetry.flight_log import MOST_RECORDS, FlightLog, FlightRecord, clock_in

_DRONE = "{http://www.dji.com/drone-dji/1.0/}"
_NUMBER = re.compile(r"[-+]?(?:\d{1,18}(?:\.\d{1,18})?|nan|inf)", re.IGNORECASE)
_MOST_XMP_BYTES = 2**20
_XMP = {
    "RelativeAltitude": "height_m",
    "AbsoluteAltitude": "altitude_m",
    "GimbalYawDegree": "gimbal_yaw",
    "GimbalPitchDegree": "gimbal_pitch",
    "GimbalRollDegree": "gimbal_roll",
    "FlightYawDegree": "aircraft_yaw",
    "FlightPitchDegree": "aircraft_pitch",
    "FlightRollDegree": "aircraft_roll",
    "GpsLatitude": "latitude",
    "GpsLongitude": "longitude",
    "GpsLongtitude": "longitude",
}
"""DJI's names, a misspelt one among them, and ours."""


def read_pictures(paths: Sequence[Path], name: str, *, times_s: Sequence[float] | None = None) -> FlightLog:
    """Read the tags of one picture, or of a sequence in its order.

    Args:
        paths: of the pictures.
        name: of their folder, or of the one picture.
        times_s: when each is shown in the sequence; None = the cameras' clocks tell.

    Raises:
        TelemetryError: there are too many, or none says where or how it was taken.
        MissingFrameError: one cannot be read.
    """
    if len(paths) > MOST_RECORDS:
        raise TelemetryError(f"{name}: holds more than {MOST_RECORDS:,} pictures")
    warnings, untold, damaged = [], 0, 0
    records = []
    for path in paths:
        tags = picture_tags(path)
        xmp, is_damaged = _xmp_values(tags.xmp)
        values = {**_gps_values(tags.gps), **xmp}
        damaged += is_damaged
        untold += not values
        records.append((_clock(path, tags), _focal_length_mm(tags.exif), values))
    if untold == len(paths):
        raise TelemetryError(f"{name}: no picture says where it was taken, neither in EXIF tags nor in XMP of a drone")
    if damaged:
        warnings.append(f"the XMP packets of {damaged} of {len(paths)} pictures are damaged and left out")
    if times_s is None:
        times_s, said = _times_s([clock for clock, _, _ in records])
        warnings += said
    return checked_log(
        name,
        "tags of pictures" if len(paths) > 1 else "tags of a picture",
        [
            FlightRecord(time_s=time_s, clock=clock, focal_length_mm=focal, **values)
            for time_s, (clock, focal, values) in zip(times_s or [None] * len(records), records, strict=True)
        ],
        altitude_from="sea",
        warnings=warnings,
    )


def _times_s(clocks: Sequence[datetime | None]) -> tuple[list[float] | None, list[str]]:
    known = [clock for clock in clocks if clock is not None and is_possible_clock(clock)]
    if len(known) < len(clocks) or len({clock.tzinfo is None for clock in known}) > 1:
        return None, ["some pictures do not say when they were taken; time_s is left out"]
    return [(clock - known[0]).total_seconds() for clock in known], []


def _clock(path: Path, tags: PictureTags) -> datetime | None:
    """The camera's own clock with its offset, where the tags tell one; else the satellites' time, else without."""
    taken, offset = taken_at(path), str(tags.exif.get(ExifTags.Base.OffsetTimeOriginal, ""))
    if taken is not None and re.fullmatch(r"[+-]\d\d:\d\d", offset.strip("\0 ")):
        return datetime.fromisoformat(taken.isoformat() + offset.strip("\0 "))
    day = str(tags.gps.get(ExifTags.GPS.GPSDateStamp, ""))
    time = [_float(part) for part in _listed(tags.gps.get(ExifTags.GPS.GPSTimeStamp))]
    midnight = clock_in(f"{day.replace(':', '-')} 00:00:00")
    if midnight is not None and len(time) == 3:
        hours, minutes, seconds = time
        if hours is not None and minutes is not None and seconds is not None and 0 <= hours < 24:
            return midnight.replace(tzinfo=UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return taken


def _gps_values(gps: Mapping[int, object]) -> dict[str, float]:
    values = {}
    for name, place, side, negative in (
        ("latitude", ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "S"),
        ("longitude", ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "W"),
    ):
        parts = [_float(part) for part in _listed(gps.get(place))]
        if len(parts) == 3 and None not in parts:
            degrees = sum(part / 60**power for power, part in enumerate(parts) if part is not None)
            values[name] = -degrees if str(gps.get(side, "")).strip("\0 ").upper() == negative else degrees
    altitude = _float(gps.get(ExifTags.GPS.GPSAltitude))
    if altitude is not None:
        below = gps.get(ExifTags.GPS.GPSAltitudeRef)
        values["altitude_m"] = -altitude if below in (1, b"\x01") else altitude
    return values


def _xmp_values(xmp: bytes) -> tuple[dict[str, float], bool]:
    """What DJI's packet tells, and whether it is damaged; its values are attributes or elements."""
    if b"drone-dji" not in xmp:
        return {}, False
    try:
        root: Element = fromstring(xmp[:_MOST_XMP_BYTES].strip(b"\0 \r\n\t"))
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return {}, True
    values = {}
    for element in root.iter():
        for name, text in (*element.attrib.items(), (element.tag, element.text or "")):
            known = _XMP.get(name.removeprefix(_DRONE)) if name.startswith(_DRONE) else None
            if known is not None and _NUMBER.fullmatch(text.strip()):
                values[known] = float(text)
    return values, False


def _focal_length_mm(exif: Mapping[int, object]) -> float | None:
    length = _float(exif.get(ExifTags.Base.FocalLengthIn35mmFilm))
    return length if length and length > 0 else None


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, tuple | list) else ()


def _float(value: object) -> float | None:
    """A number of EXIF, whose fractions may be divided by zero."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None
