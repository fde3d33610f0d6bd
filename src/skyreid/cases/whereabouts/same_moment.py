"""Who two sources show at one moment of the common clock: by that, people see whether their clocks agree."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.case import Case
from skyreid.cases.schema import TRACKLETS
from skyreid.cases.sources import CaseSource
from skyreid.cases.tracklets import CaseTracklet, tracklets_in

WITHIN_S = 5.0
"""Who is in view so long before or after a moment is shown beside it."""
MOST_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class SeenNear:
    """Somebody whom a source shows near a moment."""

    seen: CaseTracklet
    place: int
    """Of the frame that is nearest to it, among the tracklet's."""
    after_s: float
    """From the moment to that frame."""


def begins_with(source: CaseSource, offset_s: float) -> datetime | None:
    """When the first frame was taken, if its camera's clock went wrong by this much; None = nobody set it."""
    return None if source.start_time is None else source.start_time + timedelta(seconds=offset_s)


def seen_near(case: Case, source: CaseSource, moment: datetime, *, offset_s: float) -> list[SeenNear]:
    """Give those whom a source shows near a moment, the nearest first.

    Args:
        case: whose.
        source: with a start time.
        moment: by the common clock.
        offset_s: to be added to the camera's clock.
    """
    begins = begins_with(source, offset_s)
    assert begins is not None
    at_s = (moment - begins).total_seconds()
    nearness = sa.case(
        (TRACKLETS.c.first_s > at_s, TRACKLETS.c.first_s - at_s),
        (TRACKLETS.c.last_s < at_s, at_s - TRACKLETS.c.last_s),
        else_=0.0,
    )
    query = (
        sa.select(TRACKLETS.c.number)
        .where(TRACKLETS.c.source == source.number, nearness <= WITHIN_S)
        .order_by(nearness, TRACKLETS.c.number)
        .limit(MOST_SHOWN)
    )
    with case.database.reading() as connection:
        numbers = connection.execute(query).scalars().all()
        found = [_nearest(seen, at_s) for seen in tracklets_in(case, connection, numbers=numbers)]
    return sorted(found, key=lambda one: abs(one.after_s))


def usual_moment(case: Case, first: CaseSource, second: CaseSource) -> datetime | None:
    """Choose a moment at which both show somebody, or the first one does; None = it has no clock, or shows nobody."""
    with case.database.reading() as connection:
        one, other = (_times(connection, source) for source in (first, second))
    both = (max(a[0], b[0]) for a in one for b in other if a[0] <= b[1] and b[0] <= a[1])
    return min(both, default=None) or min((start for start, _ in one), default=None)


def _times(connection: Connection, source: CaseSource) -> list[tuple[datetime, datetime]]:
    """When the first few hundred of a source were in view."""
    begins = source.begins
    if begins is None:
        return []
    query = (
        sa.select(TRACKLETS.c.first_s, TRACKLETS.c.last_s)
        .where(TRACKLETS.c.source == source.number, TRACKLETS.c.first_s.is_not(None))
        .order_by(TRACKLETS.c.first_s)
        .limit(300)
    )
    return [
        (begins + timedelta(seconds=row.first_s), begins + timedelta(seconds=row.last_s))
        for row in connection.execute(query)
    ]


def _nearest(seen: CaseTracklet, at_s: float) -> SeenNear:
    times = [0.0 if frame.time_s is None else frame.time_s for frame in seen.tracklet.frames]
    place = min(range(len(times)), key=lambda one: abs(times[one] - at_s))
    return SeenNear(seen=seen, place=place, after_s=times[place] - at_s)
