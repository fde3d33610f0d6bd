"""Who may be found in a table at all, decided before anything is ranked, with the number that each rule left out.

Two sightings cannot be one person when they are two places in one picture, or farther apart than anybody gets
meanwhile. Whatever is not known rules nothing out. Cameras that look at one place at one moment are what is searched
here, so two cameras rule each other out only by positions on the ground and times of day.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import hypot, inf
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from skyreid.arguments import kind_of
from skyreid.datasets.manifest import Manifest, read_manifest
from skyreid.errors import NothingFoundError, SettingError, TableError
from skyreid.retrieval.filters import Filters, LeftOut, SeenColumns, filter_rows, position_of, seen_until
from skyreid.retrieval.manifest_agreement import tracklets_of
from skyreid.retrieval.sighting import Sighting, camera_names, find_sighting
from skyreid.retrieval.table_rows import TableRows, platform_counts
from skyreid.telemetry.flight_log import distance_m
from skyreid.tracklet import Frame, Platform, Tracklet

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
    middle, other_middle = middle_moment(one.sighting), middle_moment(other.sighting)
    if place is None or other_place is None or middle is None or other_middle is None:
        return None
    metres = distance_m(place, other_place)
    nearest = max(
        0.0, metres - hypot(told_uncertainty_m(one.tracklet.attributes), told_uncertainty_m(other.tracklet.attributes))
    )
    seconds = abs((middle - other_middle).total_seconds())
    if nearest <= max_speed * seconds:
        return None
    if seconds < 1:
        return f"at the same moment {metres:.0f} m away"
    return f"{metres:.0f} m away {seconds:.0f} s apart: {nearest / seconds:.0f} m/s or faster"


def middle_moment(sighting: Sighting) -> datetime | None:
    """Give the moment that a sighting's position counts for; None where nobody knows."""
    begins, ends = sighting.clock, seen_until(sighting)
    if begins is None or ends is None or begins.tzinfo is None:  # without a zone, two clocks cannot be compared
        return None
    return begins + (ends - begins) / 2


def told_uncertainty_m(attributes: Mapping[str, object]) -> float:
    """Metres by which the position in a tracklet's attributes may be wrong."""
    error_m = told_error_m(attributes)
    return UNTOLD_UNCERTAINTY_M if error_m is None else error_m


def told_error_m(attributes: Mapping[str, object]) -> float | None:
    """Give the radius that holds the position in a tracklet's attributes with 95 %; None = nobody said."""
    told = attributes.get(_ERROR)
    return float(told) if isinstance(told, int | float) else None


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which tracklets of a table a search may find."""

    platform: Platform | None = None
    """None = both."""
    exclude: Collection[str | int] = ()
    """Ids of tracklets that must not be found, such as those rejected before."""
    filters: Filters = field(default_factory=Filters)
    possible_only: bool = False
    """Whether candidates are left out that cannot be the person of a tracklet that was asked with."""
    max_speed: float | int = MAX_SPEED
    """Of a person, in metres a second."""

    def __post_init__(self) -> None:
        if isinstance(self.exclude, str):
            raise TableError(f"exclude is a list of tracklet ids; got {kind_of(self.exclude)}")

    @property
    def needs_manifest(self) -> bool:
        """Whether the table alone cannot tell who fulfils it."""
        return self.possible_only or self.filters != Filters()


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenRows:
    """Where and when the tracklets of a table were seen, row by row."""

    manifest: Manifest
    tracklets: tuple[Tracklet, ...]
    sightings: tuple[Sighting, ...]

    @classmethod
    def of(cls, table: TableRows, manifest: Manifest, videos: Mapping[str, Path]) -> "SeenRows":
        """Look the tracklets of a table up in its manifest.

        Args:
            table: whose rows.
            manifest: of it.
            videos: by file name, those to link to.

        Raises:
            TableError: a tracklet of the table is not in the manifest.
            ManifestError: `info` names cameras or sources in another way than `skyreid build` does.
        """
        tracklets = tuple(tracklets_of(table, manifest.tracklets))
        sightings = tuple(find_sighting(tracklet, manifest, videos) for tracklet in tracklets)
        return cls(manifest=manifest, tracklets=tracklets, sightings=sightings)

    def __getitem__(self, row: int) -> Seen:
        return Seen(tracklet=self.tracklets[row], sighting=self.sightings[row])


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The rows of a table that a search compares."""

    rows: Bool[np.ndarray, " row"]
    left_out: tuple[LeftOut, ...]
    """What each rule left out, in the order in which they were applied."""
    impossible: Mapping[int, str]
    """Why a candidate cannot be the person of a tracklet that was asked with, by row. They are among the candidates,
    unless they were to be left out."""


def choose_candidates(
    table: TableRows, scope: Scope, *, asked: Sequence[int], seen: SeenRows | None = None
) -> Candidates:
    """Tell who may be found.

    Args:
        table: what is searched.
        scope: who may be found.
        asked: rows of the tracklets that ask; they never find themselves.
        seen: where and when they were seen; None = it is looked up when the scope needs it.

    Raises:
        TableError: an id to exclude that is not in the table, or a table that names no manifest where one is needed.
        ManifestError: the manifest is gone or damaged.
        NothingFoundError: nobody is left.
        SettingError: no such camera, no time of day where one is asked for, or no tracklet asked for `possible_only`.
    """
    rows = np.ones(len(table), dtype=bool)
    rows[list(asked)] = False
    for tracklet_id in scope.exclude:
        found = table.tracklet_ids == tracklet_id
        if not np.any(found):
            raise TableError(f"cannot exclude tracklet {tracklet_id!r}: the table has no such id")
        rows &= ~found
    told: list[LeftOut] = []
    if scope.platform is not None:
        on_platform = table.platforms == scope.platform.number
        told.append(LeftOut(filter=f"platform {scope.platform}", count=int(np.count_nonzero(rows & ~on_platform))))
        rows &= on_platform
    if seen is None and scope.needs_manifest:
        seen = _looked_up(table)
    impossible: dict[int, str] = {}
    if seen is not None:
        cameras = camera_names(seen.manifest)
        columns = SeenColumns.of(seen.tracklets, seen.sightings, cameras)
        rows, by_filters = filter_rows(scope.filters, rows, columns, cameras=cameras)
        told += by_filters
        asking = [seen[row] for row in asked]
        impossible = impossible_rows(asking, rows, seen.tracklets, seen.sightings, max_speed=scope.max_speed)
    if scope.possible_only:
        if not asked:
            raise SettingError(
                "who is possible is told by when and where the query was seen; ask with a tracklet of the table too"
            )
        rows[list(impossible)] = False
        told.append(LeftOut(filter=f"possible at {scope.max_speed:g} m/s", count=len(impossible)))
        impossible = {}
    if not rows.any():
        raise NothingFoundError(_nobody_left(table, scope, told))
    return Candidates(rows=rows, left_out=tuple(told), impossible=impossible)


def _looked_up(table: TableRows) -> SeenRows:
    if table.manifest is None:
        raise TableError(
            "where and when its tracklets were seen stands in the manifest that a table names; this one names none; "
            "embed a folder of 'skyreid build'"
        )
    return SeenRows.of(table, read_manifest(Path(table.manifest)), {})


def _nobody_left(table: TableRows, scope: Scope, told: Sequence[LeftOut]) -> str:
    wanted = "other" if scope.platform is None else scope.platform
    filters = [f"{one.filter}: {one.in_words()}" for one in told if one.count and not one.filter.startswith("platform")]
    return f"no {wanted} tracklet is left to search: the table has {platform_counts(table)}, {len(scope.exclude)} " + (
        f"excluded; {'; '.join(filters)}"
        if filters
        else "excluded; search the other platform, or a table of more footage"
    )
