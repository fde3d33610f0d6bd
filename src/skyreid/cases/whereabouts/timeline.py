"""When the people of a case were in view, by the clock that all its cameras were put on."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from skyreid.cases.deciding.standing import Standing
from skyreid.cases.sources import sources_in
from skyreid.tracklet import PLATFORMS, Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class InView:
    """A tracklet on the clock, in seconds since 1970."""

    tracklet_id: str
    first_s: float
    last_s: float


@dataclass(frozen=True, kw_only=True)
class CameraTimes:
    """Who was in view of one camera."""

    camera: str
    platform: Platform
    seen: tuple[InView, ...]
    """In the order of their beginnings."""


@dataclass(frozen=True, kw_only=True)
class CaseTimes:
    """All cameras on one clock."""

    cameras: tuple[CameraTimes, ...]
    """By platform, then by name; those without a clock are left out."""
    without_clock: tuple[str, ...]
    """Names of the sources of which nobody knows when they begin."""


def times_in(connection: Connection, standing: Standing, tracklet_ids: Sequence[str] | None = None) -> CaseTimes:
    """Say when tracklets were in view.

    Args:
        connection: of the transaction that gave `standing`.
        standing: who is there.
        tracklet_ids: whose times are wanted; None = everybody's.
    """
    sources = sources_in(connection, with_trash=False)
    cameras = {one.name: (one.platform, one.camera) for one in sources}
    found: dict[tuple[Platform, str], list[InView]] = {}
    if tracklet_ids is None:
        found = {cameras[one.name]: [] for one in sources if one.begins is not None}
    for tracklet_id in standing.presences if tracklet_ids is None else tracklet_ids:
        presence = standing.presences[tracklet_id]
        if presence.clock is None or presence.source not in cameras:
            continue
        first, last = (moment.timestamp() for moment in presence.clock)
        seen = found.setdefault(cameras[presence.source], [])
        seen.append(InView(tracklet_id=tracklet_id, first_s=first, last_s=last))
    return CaseTimes(
        cameras=tuple(
            CameraTimes(camera=camera, platform=platform, seen=tuple(sorted(seen, key=lambda one: one.first_s)))
            for (platform, camera), seen in sorted(found.items(), key=_place)
        ),
        without_clock=_without_clock(standing, tracklet_ids, {one.name for one in sources if one.begins is None}),
    )


def _place(item: tuple[tuple[Platform, str], object]) -> tuple[int, str]:
    (platform, camera), _ = item
    return PLATFORMS.index(platform), camera


def _without_clock(standing: Standing, tracklet_ids: Sequence[str] | None, unset: set[str]) -> tuple[str, ...]:
    asked = unset if tracklet_ids is None else {standing.presences[one].source for one in tracklet_ids} & unset
    return tuple(sorted(asked))
