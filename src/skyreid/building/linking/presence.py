"""When a tracklet was in front of which camera, and what follows from that for two of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from skyreid.building.linking.event_log import Pair, make_pair
from skyreid.errors import ManifestError
from skyreid.tracklet import Tracklet

ClockSeconds: TypeAlias = tuple[Float64[np.ndarray, " tracklet"], Float64[np.ndarray, " tracklet"]]
"""First and last moment of some tracklets, in seconds since 1970; NaN where a clock is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """The time from a tracklet's first to its last frame."""

    source: str
    """Name of the video."""
    seconds: tuple[float, float] | None
    """In the video; None = the frames have no times."""
    video_start: datetime | None
    """None = the camera's clock is not known."""

    @property
    def clock(self) -> tuple[datetime, datetime] | None:
        """First and last moment by the clock, where it is known."""
        if self.seconds is None or self.video_start is None:
            return None
        first, last = (self.video_start + timedelta(seconds=second) for second in self.seconds)
        return first, last


@dataclass(frozen=True, kw_only=True)
class OverlapConflict:
    """Two tracklets of one identity that one camera saw at the same time: they cannot be one person."""

    pid: int
    tracklets: Pair


def presences(tracklets: Sequence[Tracklet], info: Mapping[str, object]) -> dict[str, Presence]:
    """Tracklet id to presence, by the sources that the manifest's `info` lists.

    Raises:
        ManifestError: the sources or a start time are not as `skyreid build` writes them, or a tracklet is of
            none of them.
    """
    starts = _video_starts(info)
    found = {}
    for tracklet in tracklets:
        source = tracklet.tracklet_id.rpartition("-")[0]
        if source not in starts:
            raise ManifestError(
                f"tracklet {tracklet.tracklet_id!r} is of none of the manifest's sources {sorted(starts)}; "
                "only a folder that 'skyreid build' made can be linked"
            )
        times = [frame.time_s for frame in tracklet.frames if frame.time_s is not None]
        found[tracklet.tracklet_id] = Presence(
            source=source, seconds=(min(times), max(times)) if times else None, video_start=starts[source]
        )
    return found


def plausibilities(
    ones: ClockSeconds, others: ClockSeconds, *, clock_tolerance_s: float
) -> Float64[np.ndarray, " tracklet"]:
    """How well the times of two tracklets go with one person, 0 to 1, pair by pair; NaN where a clock is not known.

        plausibility = 2 ** (-gap / clock_tolerance_s)

    with `gap` the seconds between the two presences. Seen at the same time, gap 0, gives 1: a drone and a
    ground camera look at the same place, and so may two ground cameras. Gone for `clock_tolerance_s` gives
    one half, for twice as long a quarter.
    """
    (first_s, last_s), (other_first_s, other_last_s) = ones, others
    gap = np.maximum(np.maximum(first_s - other_last_s, other_first_s - last_s), 0.0)
    return np.exp2(-gap / clock_tolerance_s)


def overlap_conflicts(tracklets: Sequence[Tracklet], found: Mapping[str, Presence]) -> list[OverlapConflict]:
    """Find the pairs of one pid and one camera with a moment in common.

    Videos of one camera are compared by its clock; without one, only tracklets of the same video are.

    Args:
        tracklets: with resolved pids.
        found: by `presences`.
    """
    together: defaultdict[tuple[int, int], list[Tracklet]] = defaultdict(list)
    for tracklet in tracklets:
        together[tracklet.pid, tracklet.camid].append(tracklet)
    return [
        OverlapConflict(pid=pid, tracklets=make_pair(first.tracklet_id, second.tracklet_id))
        for (pid, _), group in sorted(together.items())
        for first, second in combinations(group, 2)
        if _overlap(found[first.tracklet_id], found[second.tracklet_id])
    ]


def _overlap(first: Presence, second: Presence) -> bool:
    if first.source == second.source:
        return first.seconds is not None and second.seconds is not None and _meet(first.seconds, second.seconds)
    return first.clock is not None and second.clock is not None and _meet(_stamps(first.clock), _stamps(second.clock))


def _meet(first: tuple[float, float], second: tuple[float, float]) -> bool:
    # Ends included: two crops of the same moment are two people.
    return first[0] <= second[1] and second[0] <= first[1]


def _stamps(clock: tuple[datetime, datetime]) -> tuple[float, float]:
    return clock[0].timestamp(), clock[1].timestamp()


def clock_seconds(side: Sequence[Presence]) -> ClockSeconds:
    """Give the first and last moment of each."""
    unknown = (float("nan"), float("nan"))
    stamps = [unknown if presence.clock is None else _stamps(presence.clock) for presence in side]
    array = np.array(stamps, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _video_starts(info: Mapping[str, object]) -> dict[str, datetime | None]:
    sources = info.get("sources")
    if not isinstance(sources, list):
        raise ManifestError("the manifest lists no sources; only a folder that 'skyreid build' made can be linked")
    starts = {}
    for source in sources:
        if not isinstance(source, dict) or not isinstance(source.get("name"), str):
            raise ManifestError(f"a source of the manifest has a name; got {source!r:.200}")
        starts[source["name"]] = _start(source["name"], source.get("start_time"))
    return starts


def _start(name: str, value: object) -> datetime | None:
    if value is None:
        return None
    try:
        start = datetime.fromisoformat(str(value))
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise ManifestError(f"source {name!r}: start_time must be ISO 8601 with a zone; got {value!r}")
    return start
