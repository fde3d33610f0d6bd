"""A flight log of what a file holds, after a look at it: what cannot be is left out and named, what is odd is named.

Left out is what no recorder can have seen: a place or an angle that does not exist, a height that nobody flies, a clock
that was never set, a place or a height where no drone was between two others. What merely contradicts itself, so that
nobody knows which part is wrong, stays as it was written.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

from skyreid.errors import TelemetryError
from skyreid.telemetry.flight_log import (
    LONGEST_GAP_S,
    MOST_RECORDS,
    AltitudeFrom,
    FlightLog,
    FlightRecord,
    distance_m,
    time_of,
)

SMALL_DRONE_M_S = 100.0
"""No drone that writes subtitles is faster, level or falling."""
LARGE_DRONE_M_S = 350.0
"""Nor one that writes MISB."""
_EARLIEST_YEAR = 2001
"""Clocks that were never set begin in 1970, 1980 or 2000."""
_NOT_LATER_YET = datetime(2027, 1, 1)
"""What is earlier is not called the future, since the clock of this machine may be behind, too."""
_CLOCK_JUMP_S = 1.5
"""Clocks of whole seconds beside exact times differ by up to one."""
_SLACK_M = 20.0
"""That a position or a height may jump within no time: a receiver corrects itself by so much."""
_MOST_COARSE = 3
"""Decimals of a degree: a step of coordinates of fewer is no excuse for a leap."""
_AGREE = 2 / 3
"""Share of the records that must agree for the others to be called wrong."""
_TOLD = 3
"""Places of one kind that a warning names."""
_YAW, _PITCH, _VIEW = (-360.0, 360.0, "degrees"), (-180.0, 180.0, "degrees"), (0.001, 179.999, "degrees")
_POSSIBLE: dict[str, tuple[str, tuple[float, float, str]]] = {
    # No cliff is higher than 1,500 m, no drone has flown at 30,000.
    "height_m": ("a height", (-1_500.0, 30_000.0, "m")),
    "altitude_m": ("an altitude", (-1_500.0, 30_000.0, "m")),
    "ground_altitude_m": ("an altitude of the ground", (-900.0, 9_000.0, "m")),
    **{f"{what}_yaw": (f"a yaw of the {what}", _YAW) for what in ("gimbal", "aircraft")},
    **{f"{what}_pitch": (f"a pitch of the {what}", _PITCH) for what in ("gimbal", "aircraft")},
    **{f"{what}_roll": (f"a roll of the {what}", _YAW) for what in ("gimbal", "aircraft")},
    "hfov": ("a horizontal view", _VIEW),
    "vfov": ("a vertical view", _VIEW),
    "focal_length_mm": ("a focal length", (0.1, 10_000.0, "mm")),
    "slant_range_m": ("a distance to what is shown", (0.0, 5_000_000.0, "m")),
    "time_s": ("a time in the video", (-1e7, 1e7, "s")),
}
"""What a human calls each number, and between which ends it lies."""


def checked_log(
    name: str,
    style: str,
    records: Iterable[FlightRecord],
    *,
    altitude_from: AltitudeFrom = "not told",
    warnings: Iterable[str] = (),
    fastest_m_s: float = SMALL_DRONE_M_S,
) -> FlightLog:
    """Make a log of what a file holds: what cannot be becomes None, and that and what is odd a warning.

    Raises:
        TelemetryError: there is no record, or there are more than `MOST_RECORDS`.
    """
    told, kept = list(warnings), list(records)
    if not kept:
        raise TelemetryError(f"{name}: holds no record of telemetry")
    if len(kept) > MOST_RECORDS:
        raise TelemetryError(f"{name}: holds more than {MOST_RECORDS:,} records; cut it into parts")
    told += [said for look in (_no_places, _no_clocks, _no_numbers) for said in look(kept)]
    if without := sum(record.place is None for record in kept):
        whole = without == len(kept)
        told.append("no record has a position" if whole else f"{without} of {len(kept)} records have no position")
    altitudes = any(record.altitude_m is not None for record in kept)
    if altitudes and altitude_from == "not told":
        told.append(
            "the file does not tell what its altitude counts from (take-off or the sea differs from drone to drone); "
            "--altitude-from says it"
        )
    if altitude_from == "take-off":
        kept = [replace(one, height_m=one.altitude_m if one.height_m is None else one.height_m) for one in kept]
    told += [warning for look in (_backwards, _gaps, _clock_jumps) if (warning := look(kept))]
    told += [said for what in _leaping(kept) for said in _leaps(kept, what, fastest_m_s)]
    return FlightLog(name=name, style=style, records=tuple(kept), altitude_from=altitude_from, warnings=tuple(told))


def is_possible_clock(clock: datetime) -> bool:
    """Tell whether a recorder's clock can have been set; one that is a day ahead of every zone's cannot."""
    latest = max(datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2), _NOT_LATER_YET)
    return clock.year >= _EARLIEST_YEAR and clock.replace(tzinfo=None) <= latest


def _no_places(kept: list[FlightRecord]) -> list[str]:
    told = []
    for reason, is_bad in _NO_POSITION.items():
        bad = [number for number, record in enumerate(kept) if (place := record.place) and is_bad(place)]
        for number in bad:
            kept[number] = replace(kept[number], latitude=None, longitude=None)
        if bad:
            told.append(f"{len(bad)} of {len(kept)} records have {reason}; their position is left out")
    odd = [number for number, record in enumerate(kept) if not _is_on_earth(record)]
    for number in odd:
        kept[number] = replace(kept[number], centre_latitude=None, centre_longitude=None, corners=None)
    if odd:
        told.append(f"{len(odd)} of {len(kept)} records show a ground that is not on the earth; it is left out")
    return told


_NO_POSITION: dict[str, Callable[[tuple[float, float]], bool]] = {
    "latitude and longitude 0, which says that there was no fix": lambda place: max(map(abs, place)) < 1e-4,
    "a position that is no number": lambda place: not all(map(math.isfinite, place)),
    "a latitude beyond 90 or a longitude beyond 180 degrees": lambda place: not _exists(place),
}


def _exists(place: tuple[float, float]) -> bool:
    return abs(place[0]) <= 90 and abs(place[1]) <= 180


def _is_on_earth(record: FlightRecord) -> bool:
    centre = record.centre_latitude, record.centre_longitude
    return (None in centre or _exists(centre)) and all(map(_exists, record.corners or ()))  # pyright: ignore[reportArgumentType]


def _no_clocks(kept: list[FlightRecord]) -> list[str]:
    bad = [number for number, one in enumerate(kept) if one.clock is not None and not is_possible_clock(one.clock)]
    if not bad:
        return []
    example = kept[bad[0]].clock
    for number in bad:
        kept[number] = replace(kept[number], clock=None)
    return [
        f"{len(bad)} of {len(kept)} records have a date that cannot be, such as {example:%Y-%m-%d} (before "
        f"{_EARLIEST_YEAR} or in the future: a clock that was never set); it is left out"
    ]


def _no_numbers(kept: list[FlightRecord]) -> list[str]:
    told = []
    for name, (words, (low, high, unit)) in _POSSIBLE.items():
        bad = [
            number
            for number, one in enumerate(kept)
            if (value := getattr(one, name)) is not None and not low <= value <= high
        ]
        if not bad:
            continue
        example = getattr(kept[bad[0]], name)
        for number in bad:
            kept[number] = replace(kept[number], **{name: None})
        told.append(
            f"{len(bad)} of {len(kept)} records have {words} that cannot be, {example:g} {unit} in record "
            f"{bad[0] + 1}; it is left out"
        )
    return told


def _backwards(records: Sequence[FlightRecord]) -> str | None:
    steps = [
        f"from {time_of(before):.3f} s to {time_of(after):.3f} s at record {place}"
        for (_, before), (place, after) in pairwise(_timed(records))
        if time_of(after) < time_of(before)
    ]
    return _listed("times go back", steps)


def _gaps(records: Sequence[FlightRecord]) -> str | None:
    steps = [(time_of(after) - time_of(before), place) for (_, before), (place, after) in pairwise(_timed(records))]
    longest = max(LONGEST_GAP_S, 5 * median(step for step, _ in steps)) if steps else 0
    return _listed(
        "there are gaps", [f"of {step:.1f} s before record {place}" for step, place in steps if step > longest]
    )


def _clock_jumps(records: Sequence[FlightRecord]) -> str | None:
    jumps = []
    clocked = [(place, one, one.clock) for place, one in _timed(records) if one.clock is not None]
    for (_, before, clock_before), (place, after, clock) in pairwise(clocked):
        if (clock_before.tzinfo is None) is not (clock.tzinfo is None):
            continue
        step_s = (clock - clock_before).total_seconds() - (time_of(after) - time_of(before))
        if abs(step_s) > _CLOCK_JUMP_S:
            jumps.append(f"by {step_s:+.1f} s at record {place} ({time_of(after):.2f} s)")
    return _listed("the clock jumps against the video's time", jumps)


@dataclass(frozen=True, kw_only=True)
class _Leaping:
    """What cannot be somewhere else at once."""

    words: str
    fields: tuple[str, ...]
    way_m: Callable[[FlightRecord, FlightRecord], float]
    slack_m: float


def _leaping(records: Sequence[FlightRecord]) -> Sequence[_Leaping]:
    degrees = [one.latitude for one in records[:1000] if one.latitude is not None]
    decimals = max((len(repr(value).partition(".")[2]) for value in degrees), default=_MOST_COARSE)
    step_m = 111_320 / 10 ** max(decimals, _MOST_COARSE)
    return (
        _Leaping(
            words="position",
            fields=("latitude", "longitude"),
            way_m=lambda one, other: distance_m(one.place, other.place) if one.place != other.place else 0.0,  # pyright: ignore[reportArgumentType]
            slack_m=max(_SLACK_M, 2 * step_m),
        ),
        _Leaping(
            words="height",
            fields=("height_m",),
            way_m=lambda one, other: abs(other.height_m - one.height_m),  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
            slack_m=_SLACK_M,
        ),
        _Leaping(
            words="altitude",
            fields=("altitude_m",),
            way_m=lambda one, other: abs(other.altitude_m - one.altitude_m),  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
            slack_m=_SLACK_M,
        ),
    )


def _leaps(kept: list[FlightRecord], what: _Leaping, fastest_m_s: float) -> list[str]:
    """Name where something is faster than a drone; leave out what the most of the records contradict."""
    known = [(place, one) for place, one in _timed(kept) if all(getattr(one, name) is not None for name in what.fields)]

    def is_leap(before: FlightRecord, after: FlightRecord) -> bool:
        most_m = what.slack_m + fastest_m_s * max(0.0, time_of(after) - time_of(before))
        return what.way_m(before, after) > most_m

    runs, leaps = [known[:1]], []
    for (_, before), (place, after) in pairwise(known):
        if is_leap(before, after):
            way_m, step_s = what.way_m(before, after), time_of(after) - time_of(before)
            leaps.append(f"by {way_m:.0f} m within {step_s:.2f} s at record {place}")
            runs.append([])
        runs[-1].append((place, after))
    if not leaps:
        return []
    agreeing = _agreeing(runs, is_leap)
    doubted = [place for place, _ in known if place not in agreeing]
    said = _listed(f"the {what.words} leaps", leaps) or ""
    if len(known) - len(doubted) < _AGREE * len(known):
        return [f"{said}; nothing tells which part of the log is wrong"]
    for place in doubted:
        kept[place - 1] = replace(kept[place - 1], **dict.fromkeys(what.fields))
    return [f"{said}; the {what.words} of {len(doubted)} records, which the others contradict, is left out"]


_Run = list[tuple[int, FlightRecord]]


def _agreeing(runs: Sequence[_Run], is_leap: Callable[[FlightRecord, FlightRecord], bool]) -> set[int]:
    """Records of the longest run between leaps, and of those that can be reached from it, one after the other."""
    middle = max(range(len(runs)), key=lambda place: len(runs[place]))
    before, after = [runs[middle]], [runs[middle]]
    for run in reversed(runs[:middle]):
        if not is_leap(run[-1][1], before[-1][0][1]):
            before.append(run)
    for run in runs[middle + 1 :]:
        if not is_leap(after[-1][-1][1], run[0][1]):
            after.append(run)
    return {place for run in (*before, *after) for place, _ in run}


def _timed(records: Sequence[FlightRecord]) -> list[tuple[int, FlightRecord]]:
    """Those with a time, and their numbers from 1."""
    return [(place, record) for place, record in enumerate(records, start=1) if record.time_s is not None]


def _listed(what: str, places: Sequence[str]) -> str | None:
    if not places:
        return None
    more = f" and {len(places) - _TOLD} more" if len(places) > _TOLD else ""
    return f"{what} {', '.join(places[:_TOLD])}{more}"
