"""Where the people of a case stood, as far as telemetry or a declared camera tells."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.deciding.standing import Standing
from skyreid.cases.schema import TRACKLETS
from skyreid.cases.sources import sources_in
from skyreid.retrieval.candidates import told_error_m
from skyreid.tracklet import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody stood in the middle of a tracklet."""

    tracklet_id: str
    number: int
    platform: Platform
    camera: str
    latitude: float
    """Degrees, WGS 84."""
    longitude: float
    error_m: float | None
    """The radius that holds the place with 95 %; None = nobody said."""
    when_s: float | None
    """Seconds since 1970; None = the clock is not known."""


@dataclass(frozen=True, kw_only=True)
class CasePlaces:
    """All places that are known."""

    places: tuple[Place, ...]
    """By number of the tracklet."""
    num_unknown: int
    """Tracklets without a place."""


def places_in(connection: Connection, standing: Standing) -> CasePlaces:
    """Say where everybody stood, in the transaction that gave `standing`."""
    sources = {one.number: one for one in sources_in(connection, with_trash=False)}
    query = (
        sa.select(*(TRACKLETS.c[name] for name in _COLUMNS))
        .where(TRACKLETS.c.latitude.is_not(None), TRACKLETS.c.longitude.is_not(None))
        .order_by(TRACKLETS.c.number)
    )
    found = []
    for row in connection.execute(query):
        presence, source = standing.presences.get(row.tracklet_id), sources.get(row.source)
        if presence is None or source is None:  # in the trash, or its authorisation has ended
            continue
        found.append(
            Place(
                tracklet_id=row.tracklet_id,
                number=row.number,
                platform=source.platform,
                camera=source.camera,
                latitude=row.latitude,
                longitude=row.longitude,
                error_m=told_error_m(row.attributes),
                when_s=None if presence.clock is None else presence.clock[0].timestamp(),
            )
        )
    return CasePlaces(places=tuple(found), num_unknown=len(standing.presences) - len(found))


_COLUMNS = ("tracklet_id", "number", "source", "latitude", "longitude", "attributes")
