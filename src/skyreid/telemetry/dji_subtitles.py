"""Subtitles that drones write beside or inside their videos: DJI's `.SRT` of every style, and Autel's.

There is no standard. A cue holds some of

    [latitude: 41.42] [longtitude: 2.23] [rel_alt: 1.3 abs_alt: 132.8] [gb_yaw: 8 gb_pitch: -20 gb_roll: 0]
    GPS (-121.7458, 48.0771, 17), D 221.21m, H 200.70m, F.PRY (2.7°, -7.0°, 110.1°), G.PRY (-24.4°, 0.0°, 110.4°)
    HOME(149.0251,-20.2532) 2017.8.5 14:11:51
    GPS(149.0251,-20.2533,16) Hb:1.9 Hs:1.9

within tags or not, with any encoding, decimal points or commas. So every value is looked for by its name, in whatever
style. What `GPS(a, b, c)` means differs: longitude, latitude and satellites, or latitude, longitude and altitude. The
file decides (`_order_of`); where it does not, positions are left out and the caller is asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Literal, TypeAlias, get_args

from skyreid.errors import TelemetryError
from skyreid.telemetry.checked_log import checked_log, is_possible_clock
from skyreid.telemetry.flight_log import (
    MOST_RECORDS,
    AltitudeFrom,
    FlightLog,
    FlightRecord,
    clock_in,
    distance_m,
    read_text,
)

GpsOrder: TypeAlias = Literal["lat-lon", "lon-lat"]
"""Which of the two stands first in `GPS(a, b, c)`."""
SUBTITLES = "drone subtitles"
"""With which the style of their logs begins."""
_MOST_CHARACTERS = 1500
"""Of one cue that are looked at; the longest known have 500."""
_MOST_SATELLITES = 64
_FAR_M = 30.0
"""From the place of take-off, for its distance to tell the order."""
_FEET_M = 0.3048

_TIMES = re.compile(
    r"\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,6})\s*-->\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,6})"
)
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|$)")
_TAG = re.compile(r"<[^<>]{0,200}>|<[^<>]{0,200}$|\{\\[^{}]{0,200}\}")
_NUMBER = r"(?:[-+]?\d{1,25}(?:[.,]\d{1,25})?|(?i:\bnan\b|[-+]?\binf(?:inity)?\b))"
_WHOLE_NUMBER = re.compile(_NUMBER)
_BRACKET = re.compile(r"\[([^\[\]]{1,400})\]")
_ENTRY = re.compile(r"(?<![\w.])([A-Za-z][A-Za-z_.]{0,30}(?: [A-Za-z_]{1,20})?) ?: ?([^\s:]{1,40})(?: ([SW])(?!\w))?")
_GROUP = re.compile(r"\b(GPS|RTK|HOME|BAROMETER|F\.PRY|G\.PRY) {0,3}\(([^()]{0,120})\)", re.IGNORECASE)
_LENGTH = re.compile(rf"(?<![\w.])(D|H|Hb|BAROMETER) {{0,3}}:? {{0,3}}({_NUMBER}) ?(m|ft)?(?![\w/])", re.IGNORECASE)
_PART = re.compile(rf"(?:([NSEW]) ?:? ?)?({_NUMBER})\s*(°|m|ft)?(?: ?([NSEW]))?", re.IGNORECASE)
_EXPOSURE = re.compile(r"\bISO\b.*\b(?:SS|EV|TV|shutter)\b", re.IGNORECASE | re.DOTALL)
"""What a drone without a position still tells."""

_ENTRIES = {
    "latitude": "latitude",
    "lat": "latitude",
    "longitude": "longitude",
    "longtitude": "longitude",
    "lon": "longitude",
    "lng": "longitude",
    "rel_alt": "height_m",
    "relative_altitude": "height_m",
    "abs_alt": "sea_m",
    "absolute_altitude": "sea_m",
    "altitude": "altitude_m",
    "alt": "altitude_m",
    "focal_len": "focal_len",
    "dzoom_ratio": "dzoom_ratio",
    "fnum": "fnum",
    **{
        f"{prefix}_{angle}": f"{what}_{angle}"
        for what, prefixes in (
            ("gimbal", ("gb", "gimbal", "camera")),
            ("aircraft", ("drone", "flight", "aircraft", "uav")),
        )
        for prefix in prefixes
        for angle in ("yaw", "pitch", "roll")
    },
}
"""Names that stand before a colon, in brackets mostly, and what we call them."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    number: int
    """Among all cues, from 1."""
    start_s: float | None
    """None where the file has no times."""
    text: str


@dataclass(slots=True)
class _Told:
    """What one cue says, before the meaning of its pair of coordinates is known."""

    cue: Cue
    clock: datetime | None
    values: dict[str, float]
    gps: "_Pair | None"
    home: "_Pair | None"
    distance_m: float | None


@dataclass(frozen=True, slots=True)
class _Pair:
    first: float
    second: float
    order: GpsOrder | None
    """As letters such as N and W say."""
    third: float | None
    third_is: Literal["satellites", "metres", "unknown"]


def read_subtitle_file(
    path: Path, *, gps_order: GpsOrder | None = None, altitude_from: AltitudeFrom | None = None
) -> FlightLog:
    """Read a subtitle file beside a video.

    Args:
        path: the file.
        gps_order: of `GPS(a, b, c)`; None = as the file shows.
        altitude_from: what `[altitude: …]` counts from; None = as the file shows.

    Raises:
        TelemetryError: it cannot be read, is empty, or holds no telemetry.
    """
    text = read_text(path)
    cues = list(islice(_cues(text), MOST_RECORDS + 1))
    return read_cues(cues, str(path), gps_order=gps_order, altitude_from=altitude_from)


def read_cues(
    cues: Sequence[Cue],
    name: str,
    *,
    gps_order: GpsOrder | None = None,
    altitude_from: AltitudeFrom | None = None,
) -> FlightLog:
    """Make a log of subtitles, those of a stream too.

    Args:
        cues: in their order.
        name: of the file, for messages.
        gps_order: as `read_subtitle_file`.
        altitude_from: as `read_subtitle_file`.

    Raises:
        TelemetryError: none of them holds telemetry.
    """
    if len(cues) > MOST_RECORDS:
        raise TelemetryError(f"{name}: holds more than {MOST_RECORDS:,} subtitles; cut it into parts")
    warnings = []
    cut = [cue for cue in cues[:-1] if _is_torn(cue.text)]
    if cut:
        numbers = ", ".join(str(cue.number) for cue in cut[:3]) + (" and others" if len(cut) > 3 else "")
        warnings.append(f"left out, since they are cut off in their middle: {len(cut)} records, numbers {numbers}")
    if cues and (_is_torn(cues[-1].text) or _is_beginning(cues[-1], cues[-20:-1])):
        cut.append(cues[-1])
        warnings.append(f"the file ends in the middle of record {cues[-1].number}, which is left out")
    torn = {cue.number for cue in cut}
    told = [found for cue in cues if cue.number not in torn and (found := _told(cue)) is not None]
    if not told:
        shown = next((cue.text.strip() for cue in cues), "")
        if not cues:
            raise TelemetryError(f"{name}: is neither a file of subtitles nor a table of a flight")
        raise TelemetryError(
            f"{name}: holds {len(cues)} subtitles without a complete record of telemetry among them"
            + (f"; the first says {shown!r:.80}" if shown else "")
        )
    if (speechless := len(cues) - len(torn) - len(told)) > 0:
        warnings.append(f"{speechless} of {len(cues)} subtitles hold no telemetry")
    order, order_said, said = _order_of(told, gps_order, name)
    warnings += said
    has_times = any(one.cue.start_s is not None for one in told)
    if not has_times:
        warnings.append("the subtitles have no times; time_s counts the clock from the first record on")
    states_sea = any("sea_m" in one.values for one in told)
    return checked_log(
        name,
        _style(told, order_said),
        list(_records(told, order, has_times=has_times)),
        altitude_from="sea" if states_sea else altitude_from or "not told",
        warnings=warnings,
    )


def _cues(text: str) -> Iterator[Cue]:
    """Split a subtitle file at the lines that begin a cue: a number alone, times, or both."""
    number, start_s, lines = 0, None, list[str]()
    is_begun, after_blank = False, True
    for match in _LINE.finditer(text.removeprefix("\ufeff")):
        line = match[1]
        times = _TIMES.match(line)
        begins = after_blank and line.strip().isdecimal()
        if begins or (times is not None and any(lines)):
            if is_begun:
                yield Cue(number, start_s, "\n".join(lines)[:_MOST_CHARACTERS])
            number, start_s, lines, is_begun = number + 1, None, [], True
        if times is not None:
            if not is_begun:
                number, is_begun = number + 1, True
            start_s = _seconds(times)
        elif not begins and line.strip() and sum(map(len, lines)) < _MOST_CHARACTERS:
            lines.append(line[:_MOST_CHARACTERS])
        after_blank = not line.strip()
    if is_begun:
        yield Cue(number, start_s, "\n".join(lines))


def _seconds(times: re.Match[str]) -> float:
    hours, minutes, seconds, part = times.group(1, 2, 3, 4)
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(part) / 10 ** len(part)


def _is_torn(text: str) -> bool:
    """Whether brackets were opened and never closed."""
    return text.count("[") != text.count("]") or text.count("(") != text.count(")")


def _is_beginning(cue: Cue, others: Sequence[Cue]) -> bool:
    """Whether a cue is the beginning of what others hold, numbers aside, and then nothing."""
    if any(_shape(cue.text, with_decimals=True) == _shape(other.text, with_decimals=True) for other in others):
        return False
    begun = _shape(re.sub(r"[-+\d.,]+$", "", cue.text))
    return any(_shape(other.text).startswith(begun) for other in others)


def _shape(text: str, *, with_decimals: bool = False) -> str:
    """A text without its tags, its numbers as signs, with so many decimals as they have."""
    plain = re.sub(_NUMBER, lambda number: "#" + "d" * _decimals(number[0]) * with_decimals, _TAG.sub("", text))
    return " ".join(plain.split())


def _decimals(number: str) -> int:
    return len(re.split("[.,]", number)[1]) if re.search("[.,]", number) else 0


def _told(cue: Cue) -> _Told | None:
    """Look for every value that has a name; None where there is none."""
    text = _TAG.sub(" ", cue.text) if "<" in cue.text or "{" in cue.text else cue.text
    values: dict[str, float] = {}
    for name, value, side in _ENTRY.findall("\n".join(_BRACKET.findall(text)) or text):
        known = _known(name)
        if known is not None and (number := _number(value)) is not None:
            values[known] = -abs(number) if side else number
    groups = {group[1].upper(): group[2] for group in _GROUP.finditer(text)} if "(" in text else {}
    for prefix, what in (("F.PRY", "aircraft"), ("G.PRY", "gimbal")):
        angles = [part[1] for part in _parts(groups.get(prefix, ""))]
        if len(angles) == 3:
            values |= zip((f"{what}_pitch", f"{what}_roll", f"{what}_yaw"), map(_float, angles), strict=True)
    lengths = {
        name.upper(): _float(number) * (_FEET_M if unit.lower() == "ft" else 1)
        for name, number, unit in ([] if values and not groups else _LENGTH.findall(text))
        if unit or name.upper() in ("HB", "BAROMETER")
    }
    if (pressure := _parts(groups.get("BAROMETER", ""))) and len(pressure) == 1:
        lengths["BAROMETER"] = _float(pressure[0][1])
    height_m = next((lengths[name] for name in ("H", "BAROMETER", "HB") if name in lengths), None)
    if height_m is not None:
        values.setdefault("height_m", height_m)
    gps = _pair(groups.get("GPS", groups.get("RTK", "")))
    clock = clock_in(text)
    if not values and gps is None and not lengths and not _EXPOSURE.search(text):
        return None  # a time alone is what people talk about, too
    return _Told(cue, clock, values, gps, _pair(groups.get("HOME", "")), lengths.get("D"))


@lru_cache(maxsize=256)
def _known(name: str) -> str | None:
    return _ENTRIES.get(name.lower().replace(" ", "_"))


def _pair(text: str) -> _Pair | None:
    parts = _parts(text)
    if len(parts) not in (2, 3):
        return None
    letters, numbers = [], []
    for before, number, _, after in parts[:2]:
        letter = (before or after or "").upper()
        letters.append(letter)
        value = _float(number)
        numbers.append(-abs(value) if letter in ("S", "W") and letter else value)
    kinds = ["lat" if letter in ("N", "S") else "lon" if letter else "" for letter in letters]
    order: GpsOrder | None = {"latlon": "lat-lon", "lonlat": "lon-lat"}.get("".join(kinds))  # type: ignore[assignment]
    third, third_is = None, "unknown"
    if len(parts) == 3:
        _, number, unit, _ = parts[2]
        third = _float(number) * (_FEET_M if unit and unit.lower() == "ft" else 1)
        if unit and unit.lower() in ("m", "ft"):
            third_is = "metres"
        elif number.isdecimal() and int(number) <= _MOST_SATELLITES:
            third_is = "satellites"
    return _Pair(numbers[0], numbers[1], order, third, third_is)  # type: ignore[arg-type]


def _parts(text: str) -> list[tuple[str | None, str, str | None, str | None]]:
    """The numbers of a group: letter before, number, unit, letter after; none where one is no number."""
    if not text:
        return []
    if ";" in text:
        pieces = text.split(";")
    elif re.search(r",\s", text) and not all("." in piece for piece in text.split(",")[:2]):
        pieces = re.split(r",\s+", text)
    else:
        pieces = text.split(",")
        if len(pieces) == 5 and all(re.fullmatch(r"\s*[-+]?\d+\s*", piece) for piece in pieces):
            pieces = [f"{pieces[0]}.{pieces[1]}", f"{pieces[2]}.{pieces[3]}", pieces[4]]  # commas for points, too
    found = [_PART.fullmatch(piece.strip()) for piece in pieces]
    if not all(found):
        return []
    return [(match[1], match[2], match[3], match[4]) for match in found if match is not None]


def _number(text: str) -> float | None:
    text = text.rstrip(",;")
    return _float(text) if _WHOLE_NUMBER.fullmatch(text) else None


def _float(text: str) -> float:
    return float(text.replace(",", "."))


def _order_of(told: Sequence[_Told], asked: GpsOrder | None, name: str) -> tuple[GpsOrder | None, str, list[str]]:
    """Tell which of the two coordinates stands first, by what, and what is to be said of that.

    Raises:
        TelemetryError: what was asked for contradicts the values.
    """
    first = next((one.gps for one in told if one.gps is not None), None)
    if first is None:
        unused = "no GPS(a, b, …) is in the file, whose order --gps-order could say; it is not used"
        return None, "", [] if asked is None else [unused]
    shown, because = _evidence(told)
    if asked is not None:
        latitudes = [pair.first if asked == "lat-lon" else pair.second for pair in _pairs(told)]
        if wide := [degrees for degrees in latitudes if 90 < abs(degrees) <= 180]:
            raise TelemetryError(f"{name}: cannot be of the order {asked}: a latitude would be {wide[0]:g} degrees")
        against = f"GPS(a, b, …) is read as {_in_words(asked)}, as --gps-order asks; the file shows {{}}, {because}"
        doubts = [] if shown in (asked, None) else [against.format(_in_words(shown))]
        return asked, f"{_in_words(asked)}, as was asked for", doubts
    if shown is not None:
        return shown, f"{_in_words(shown)}, {because}", []
    untold = (
        f"nothing tells whether latitude or longitude stands first in GPS({first.first:g}, {first.second:g}, …); "
        f"positions are left out; {' or '.join(f'--gps-order {order}' for order in get_args(GpsOrder))} says it"
    )
    return None, "", [because or untold]


def _pairs(told: Sequence[_Told]) -> list[_Pair]:
    return [pair for one in told for pair in (one.gps, one.home) if pair is not None]


def _evidence(told: Sequence[_Told]) -> tuple[GpsOrder | None, str]:
    """The order that the file itself shows, and by what, or why not; the strongest evidence decides."""
    pairs = _pairs(told)
    lettered: set[GpsOrder] = {pair.order for pair in pairs if pair.order is not None}
    if len(lettered) == 1:
        (order,) = lettered
        return order, "as their letters say"
    wide_first = any(90 < abs(pair.first) <= 180 for pair in pairs)
    wide_second = any(90 < abs(pair.second) <= 180 for pair in pairs)
    if wide_first is not wide_second:
        return ("lon-lat" if wide_first else "lat-lon"), "since one exceeds 90 degrees"
    if wide_first:
        return None, "either number of GPS(a, b, …) exceeds 90 degrees somewhere; positions are left out"
    if (by_distance := _order_by_distance(told)) is not None:
        return by_distance, "as the distance from HOME shows"
    kinds = {one.gps.third_is for one in told if one.gps is not None}
    if kinds == {"satellites"}:
        return "lon-lat", "as where the third number counts satellites"
    if kinds == {"metres"}:
        return "lat-lon", "as where the third number is in metres"
    return None, ""


def _order_by_distance(told: Sequence[_Told]) -> GpsOrder | None:
    """Compare the distance from the place of take-off, as it is written, with both orders."""
    errors: dict[GpsOrder, list[float]] = {"lat-lon": [], "lon-lat": []}
    far = (one for one in told if one.gps and one.home and one.distance_m is not None and one.distance_m >= _FAR_M)
    for one in islice(far, 1000):
        assert one.gps is not None and one.home is not None and one.distance_m is not None
        here, home = (one.gps.first, one.gps.second), (one.home.first, one.home.second)
        errors["lat-lon"].append(abs(distance_m(here, home) / one.distance_m - 1))
        turned_m = distance_m((here[1], here[0]), (home[1], home[0]))
        errors["lon-lat"].append(abs(turned_m / one.distance_m - 1))
    if not errors["lat-lon"]:
        return None
    # Both agree near the equator and along one meridian; then nothing is shown.
    good, bad = sorted(errors, key=lambda order: median(errors[order]))
    return good if median(errors[good]) < 0.05 and median(errors[bad]) > 3 * median(errors[good]) + 0.02 else None


def _in_words(order: GpsOrder) -> str:
    return "longitude before latitude" if order == "lon-lat" else "latitude before longitude"


def _records(told: Sequence[_Told], order: GpsOrder | None, *, has_times: bool) -> Iterator[FlightRecord]:
    first_clock = next((one.clock for one in told if one.clock is not None and is_possible_clock(one.clock)), None)
    # Programs that write whole numbers have hundredths and tenths in mind: 280 is f/2.8, 240 is 24 mm.
    in_tenths = any(one.values.get("fnum", 0) >= 100 for one in told)
    for one in told:
        values = one.values
        latitude, longitude, altitude_m = values.get("latitude"), values.get("longitude"), values.get("altitude_m")
        if one.gps is not None and order is not None:
            pair = one.gps
            latitude, longitude = (pair.first, pair.second) if order == "lat-lon" else (pair.second, pair.first)
        if one.gps is not None and one.gps.third is not None and one.gps.third_is != "satellites":
            altitude_m = one.gps.third
        time_s = one.cue.start_s
        if not has_times and one.clock is not None and first_clock is not None and is_possible_clock(one.clock):
            time_s = (one.clock - first_clock).total_seconds()
        yield FlightRecord(
            time_s=time_s,
            clock=one.clock,
            latitude=latitude,
            longitude=longitude,
            height_m=values.get("height_m"),
            altitude_m=values.get("sea_m", altitude_m),
            corners=None,
            focal_length_mm=_focal_length_mm(values, in_tenths=in_tenths),
            **{name: values[name] for name in values if name.startswith(("gimbal_", "aircraft_"))},
        )


def _focal_length_mm(values: Mapping[str, float], *, in_tenths: bool) -> float | None:
    """The full-frame equivalent, digital zoom included; None where it may be that of the small sensor."""
    length = values.get("focal_len", 0.0) / (10 if in_tenths else 1)
    zoom = values.get("dzoom_ratio", 1.0)
    zoom = zoom / 10_000 if zoom >= 1000 else zoom
    return length * zoom if 18 <= length <= 1000 and zoom > 0 else None


def _style(told: Sequence[_Told], order_said: str) -> str:
    has_brackets = any("[" in one.cue.text for one in told)
    has_home_line = any(re.search(r"^HOME", one.cue.text, re.MULTILINE) for one in told)
    kind = "values in brackets" if has_brackets else "lines of HOME and GPS" if has_home_line else "one line a record"
    return f"{SUBTITLES}, {kind}" + (f"; {order_said}" if order_said else "")
