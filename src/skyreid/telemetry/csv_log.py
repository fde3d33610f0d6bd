"""Tables of flights, one row a moment: Airdata's, those of DJI's flight records, Litchi's, and our own names.

A column is known by its name, its unit by what stands in brackets behind it. A table of a whole flight has a column
that says when a video ran; with one video in it, its first row is the time 0.
"""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from skyreid.errors import TelemetryError
from skyreid.telemetry.checked_log import checked_log
from skyreid.telemetry.flight_log import (
    MOST_RECORDS,
    AltitudeFrom,
    FlightLog,
    FlightRecord,
    clock_in,
    read_text,
)

_COLUMNS = {
    "time_s": "time_s time timestamp_s seconds elapsed_time osd_flytime fly_time offsettime flight_time",
    "time_ms": "time_ms timestamp_ms milliseconds",
    "clock": "clock datetime date_time timestamp utc time_utc datetime_utc datetime_local custom_updatetime",
    "latitude": "latitude lat gps_latitude gps_lat osd_latitude gpslatitude",
    "longitude": "longitude longtitude lon lng long gps_longitude gps_lon gps_long osd_longitude gpslongitude",
    "height_m": "height_m height height_above_takeoff rel_alt relative_altitude relativealtitude osd_height",
    "sea_m": "altitude_above_sealevel altitude_above_sea_level abs_alt absolute_altitude altitude_msl amsl",
    "altitude_m": "altitude_m altitude alt osd_altitude gps_altitude gps_alt",
    "gimbal_yaw": "gimbal_yaw gimbal_heading gimbalyaw gb_yaw camera_yaw",
    "gimbal_pitch": "gimbal_pitch gimbalpitch gb_pitch camera_pitch",
    "gimbal_roll": "gimbal_roll gimbalroll gb_roll camera_roll",
    "aircraft_yaw": "aircraft_yaw compass_heading heading yaw osd_yaw drone_yaw",
    "aircraft_pitch": "aircraft_pitch pitch osd_pitch drone_pitch",
    "aircraft_roll": "aircraft_roll roll osd_roll drone_roll",
    "hfov": "hfov",
    "vfov": "vfov",
    "focal_length_mm": "focal_length_mm",
    "is_video": "isvideo camera_isvideo is_video",
}
"""What we know, and the names that exporters give it, signs and case aside."""
_KNOWN = {name: what for what, names in _COLUMNS.items() for name in names.split()}
_UNITS = {"feet": 0.3048, "ft": 0.3048, "millisecond": 0.001, "milliseconds": 0.001, "ms": 0.001, "rad": 180 / math.pi}
_LAST_SECOND = 253_402_300_799
"""Since 1970, that a date can be made of."""
_NAME = re.compile(r"\s*([^(\[]{1,80}?)\s*(?:[(\[]\s*([^)\]]{0,30})[)\]])?\s*")


def is_flight_table(text: str) -> bool:
    """Tell whether a text begins as a table that has a latitude or a height among its columns."""
    try:
        return bool({"latitude", "height_m", "altitude_m", "sea_m"} & _columns(_header(text)[0]).keys())
    except TelemetryError:
        return False


def read_csv_file(path: Path, *, altitude_from: AltitudeFrom | None = None) -> FlightLog:
    """Read a table of a flight.

    Args:
        path: the file; commas, semicolons or tabs between its columns.
        altitude_from: what a plain altitude counts from; None = as the columns' names tell.

    Raises:
        TelemetryError: it cannot be read, is empty, or no column is known.
    """
    text = read_text(path)
    header, separator, body = _header(text)
    columns = _columns(header)
    if not columns.keys() & {"latitude", "longitude", "height_m", "altitude_m", "sea_m", "gimbal_pitch"}:
        raise TelemetryError(
            f"{path}: is a table without a column of positions, heights or angles such as latitude, longitude, "
            f"height_m; its columns are {', '.join(header)[:200]}"
        )
    rows = csv.reader(io.StringIO(body), delimiter=separator)
    try:
        read = [row for row in islice(rows, MOST_RECORDS + 1) if any(row)]
    except csv.Error as error:
        raise TelemetryError(f"{path}: is no table: {error}") from error
    warnings = []
    whole = [row for row in read if len(row) >= max(columns.values()) + 1]
    if read and read[-1] in whole and not text.endswith(("\n", "\r")) and _is_shorter(whole):
        whole.pop()
    if len(whole) < len(read):
        is_end = read[-1] not in whole
        where = ", among them the last, where the file is cut off" if is_end else ""
        warnings.append(f"{len(read) - len(whole)} rows are cut off and left out{where}")
    read_rows = [_values(row, columns, header) for row in whole]
    start_s, said = _start_of_video(read_rows)
    if "is_video" not in columns and _plain(header[columns.get("time_s", 0)]) != "time_s":
        said.append("the table does not tell when a video began; time_s is the table's own time")
    return checked_log(
        str(path),
        f"table of a flight, columns {', '.join(header[place].strip() for place in sorted(columns.values()))}",
        [_record(values, start_s) for values in read_rows],
        altitude_from="sea" if "sea_m" in columns else altitude_from or "not told",
        warnings=[*warnings, *said],
    )


def _header(text: str) -> tuple[list[str], str, str]:
    """The columns' names, what stands between them, and the rows; a line `sep=;` and comments may stand before."""
    body = text.removeprefix("\ufeff")
    separator = None
    while True:
        line, _, body = body.partition("\n")
        if line.startswith("sep=") and len(line.strip()) <= 5:
            separator = line.strip()[4:] or "\t"
        elif line.strip() and not line.startswith("#"):
            break
        elif not body:
            raise TelemetryError("a table has a line of names")
    separator = separator or max(",;\t", key=line.count)
    try:
        return next(csv.reader([line[:20_000]], delimiter=separator), []), separator, body
    except csv.Error as error:
        raise TelemetryError(f"a table has a line of names: {error}") from error


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where what we know stands; of two columns for one thing, the first, but metres before feet."""
    found: dict[str, int] = {}
    for place, name in enumerate(header):
        what = _KNOWN.get(_plain(name))
        if what is not None and (what not in found or _unit(header[found[what]]) != 1 == _unit(name)):
            found[what] = place
    return found


def _plain(name: str) -> str:
    match = _NAME.fullmatch(name)
    return re.sub(r"[^a-z0-9]+", "_", match[1].lower()).strip("_") if match else ""


def _unit(name: str) -> float:
    match = _NAME.fullmatch(name)
    return _UNITS.get((match[2] or "").strip().lower(), 1.0) if match else 1.0


def _values(row: Sequence[str], columns: Mapping[str, int], header: Sequence[str]) -> dict[str, float | datetime]:
    values: dict[str, float | datetime] = {}
    for what, place in columns.items():
        text = row[place].strip()
        if what == "clock":
            if (clock := _clock(text, header[place])) is not None:
                values[what] = clock
        elif what == "is_video":
            values[what] = float(text.lower() in ("1", "true", "recording"))
        elif (number := _number(text)) is not None:
            values["time_s" if what == "time_ms" else what] = number * (
                0.001 if what == "time_ms" else _unit(header[place])
            )
    return values


def _clock(text: str, name: str) -> datetime | None:
    seconds = _number(text)
    if seconds is not None:  # since 1970, in seconds or milliseconds
        seconds = seconds / 1000 if seconds > 1e11 else seconds
        return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds <= _LAST_SECOND else None
    try:
        clock = datetime.fromisoformat(text)
    except ValueError:
        clock = clock_in(text)
    if clock is not None and clock.tzinfo is None and "utc" in name.lower():
        return clock.replace(tzinfo=UTC)
    return clock


def _number(text: str) -> float | None:
    if not re.fullmatch(r"[-+]?\d{1,18}(?:[.,]\d{0,18})?(?:[eE][-+]?\d{1,3})?|nan|[-+]?inf(?:inity)?", text.lower()):
        return None
    return float(text.replace(",", "."))


def _is_shorter(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the last value of a table has fewer decimals than the one above, and so may be cut off."""
    if len(rows) < 2 or len(rows[-1]) > len(rows[-2]):
        return False
    last, above = rows[-1][-1], rows[-2][len(rows[-1]) - 1]
    return len(last.partition(".")[2]) < len(above.partition(".")[2])


def _start_of_video(rows: Sequence[Mapping[str, object]]) -> tuple[float, list[str]]:
    """When the video began, by the table's own time, and what is to be said of that."""
    starts = [
        place
        for place, row in enumerate(rows)
        if row.get("is_video") and not (place and rows[place - 1].get("is_video"))
    ]
    if not starts:
        return 0.0, []
    if len(starts) > 1:
        numbers = ", ".join(str(place + 1) for place in starts[:5])
        return 0.0, [
            f"the table has {len(starts)} recordings, which begin in rows {numbers}; time_s is the table's own time: "
            "keep the rows of one video"
        ]
    start_s = rows[starts[0]].get("time_s")
    if not isinstance(start_s, float):
        return 0.0, []
    return start_s, [f"time_s counts from row {starts[0] + 1}, where the table says that a video begins"]


def _record(values: Mapping[str, float | datetime], start_s: float) -> FlightRecord:
    numbers = {name: value for name, value in values.items() if isinstance(value, float)}
    clock, time_s = values.get("clock"), numbers.pop("time_s", None)
    altitude_m = numbers.pop("sea_m", None)
    numbers.pop("is_video", None)
    if altitude_m is not None:
        numbers["altitude_m"] = altitude_m
    return FlightRecord(
        time_s=None if time_s is None else round(time_s - start_s, 6),
        clock=clock if isinstance(clock, datetime) else None,
        corners=None,
        **numbers,
    )
