"""Which two sightings cannot be one person: two places in one picture, or farther apart than anybody gets meanwhile.

Whatever is not known rules nothing out. Cameras that look at one place at one moment are what is searched here, so
two cameras rule each other out only by positions on the ground and times of day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import hypot, inf

import numpy as np
from jaxtyping import Bool

from skyreid.errors import SettingError
from skyreid.retrieval.filters import position_of, seen_until
from skyreid.retrieval.sighting import Sighting
from skyreid.telemetry.flight_log import distance_m
from skyreid.tracklet import Frame, Tracklet

MAX_SPEED = 10.0
"""Metres a second; who sprints is slower."""
UNTOLD_UNCERTAINTY_M = 20.0
"""Of a position that comes without its error."""
_ERROR = "position error, m"
"""The attribute with the radius that holds the position with 95 % (docs/telemetry.md)."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A tracklet with where and when it was seen."""

    tracklet: Tracklet
    sighting: Sighting


def why_impossible(one: Seen, other: Seen, *, max_speed: float | int = MAX_SPEED) -> str | None:
    """Say why two sightings cannot be one person; None = they can, as far as anybody knows.

    A position counts as that of the middle of its tracklet.

    Args:
        one: of them.
        other: of them.
        max_speed: metres a second that a person moves at most.
    """
    return _two_in_one_picture(one, other) or _too_far(one, other, max_speed)


def impossible_rows(
    asked: Sequence[Seen],
    candidates: Bool[np.ndarray, " row"],
    tracklets: Sequence[Tracklet],
    sightings: Sequence[Sighting],
    *,
    max_speed: float | int = MAX_SPEED,
) -> dict[int, str]:
    """Find the candidates that cannot be the person of one of the asked sightings, with the reason.

    Raises:
        SettingError: a speed that is none.
    """
    if not 0 < max_speed < inf:
        raise SettingError(f"max_speed must be a positive number of metres a second; got {max_speed!r}")
    found: dict[int, str] = {}
    for row in map(int, np.flatnonzero(candidates)):
        candidate = Seen(tracklet=tracklets[row], sighting=sightings[row])
        reasons = (why_impossible(one, candidate, max_speed=max_speed) for one in asked)
        if reason := next(filter(None, reasons), None):
            found[row] = reason
    return found


def _two_in_one_picture(one: Seen, other: Seen) -> str | None:
    if _film(one) is None or _film(one) != _film(other):
        return None
    boxes = {frame.index: frame for frame in one.tracklet.frames if frame.index is not None}
    for frame in other.tracklet.frames:
        if frame.index in boxes and _apart(boxes[frame.index], frame):
            when = "" if frame.time_s is None else f" (at {frame.time_s:.1f} s)"
            return f"two people in one picture{when}"
    return None


def _film(seen: Seen) -> tuple[str, str] | None:
    """The source that a tracklet was cut from, as `build` names it, and its file; None where nobody knows."""
    name = seen.tracklet.tracklet_id.rpartition("-")[0]
    return None if seen.sighting.file is None else (name, seen.sighting.file)


def _apart(one: Frame, other: Frame) -> bool:
    """Whether two boxes of a picture do not touch; those that do may be one person who was found twice."""
    if one.box is None or other.box is None:
        return False
    return (
        one.box[2] < other.box[0] or other.box[2] < one.box[0] or one.box[3] < other.box[1] or other.box[3] < one.box[1]
    )


def _too_far(one: Seen, other: Seen, max_speed: float | int) -> str | None:
    place, other_place = position_of(one.tracklet), position_of(other.tracklet)
    middle, other_middle = _middle(one), _middle(other)
    if place is None or other_place is None or middle is None or other_middle is None:
        return None
    metres = distance_m(place, other_place)
    nearest = max(0.0, metres - hypot(_uncertainty_m(one.tracklet), _uncertainty_m(other.tracklet)))
    seconds = abs((middle - other_middle).total_seconds())
    if nearest <= max_speed * seconds:
        return None
    if seconds < 1:
        return f"at the same moment {metres:.0f} m away"
    return f"{metres:.0f} m away {seconds:.0f} s apart: {nearest / seconds:.0f} m/s or faster"


def _middle(seen: Seen) -> datetime | None:
    begins, ends = seen.sighting.clock, seen_until(seen.sighting)
    if begins is None or ends is None or begins.tzinfo is None:  # without a zone, two clocks cannot be compared
        return None
    return begins + (ends - begins) / 2


def _uncertainty_m(tracklet: Tracklet) -> float:
    told = tracklet.attributes.get(_ERROR)
    return float(told) if isinstance(told, int | float) else UNTOLD_UNCERTAINTY_M
