"""How far apart two sightings are: in time, and whether anybody gets from one to the other meanwhile.

The rule of speed is that of `skyreid search --possible-only` (`retrieval.candidates`), asked of a whole gallery at
once. Whatever is not known, a clock with its zone or a position on the ground, rules nobody out.
"""

from collections.abc import Sequence
from math import inf

import numpy as np
import sqlalchemy as sa
from jaxtyping import Bool, Float64, Int64
from sqlalchemy.engine import Connection

from skyreid.cases.database import in_parts
from skyreid.cases.schema import TRACKLETS
from skyreid.cases.search.search_cache import Gallery
from skyreid.cases.tracklets import CaseTracklet
from skyreid.errors import SettingError
from skyreid.retrieval.candidates import middle_moment, told_uncertainty_m
from skyreid.retrieval.filters import position_of
from skyreid.telemetry.flight_log import EARTH_RADIUS_M


def seconds_between(one: CaseTracklet, other: CaseTracklet) -> float | None:
    """Seconds from the first moment of a sighting to that of another one, negative when it came before.

    None where they have no common clock: they are of two videos, and one of these does not tell the time, or not in
    which zone.
    """
    ours, theirs = one.sighting.clock, other.sighting.clock
    if ours is not None and theirs is not None and (ours.tzinfo is None) == (theirs.tzinfo is None):
        return (theirs - ours).total_seconds()
    if one.source.number != other.source.number or one.sighting.offset_s is None or other.sighting.offset_s is None:
        return None
    return other.sighting.offset_s[0] - one.sighting.offset_s[0]


def unreachable_rows(
    connection: Connection,
    gallery: Gallery,
    rows: Bool[np.ndarray, " row"],
    queries: Sequence[CaseTracklet],
    *,
    max_speed: float,
) -> Bool[np.ndarray, " row"]:
    """Say who was too far away too soon to be the person of a query.

    Args:
        connection: of a transaction that reads.
        gallery: all that can be searched.
        rows: which of it is in question.
        queries: where and when the person was.
        max_speed: metres a second that a person moves at most.

    Raises:
        SettingError: a speed that is none.
    """
    if not 0 < max_speed < inf:
        raise SettingError(f"max_speed must be a positive number of metres a second; got {max_speed!r}")
    far = np.zeros_like(rows)
    columns = gallery.columns
    moments = columns.begins - columns.zone_s + (columns.last_s - columns.first_s) / 2
    for query in queries:
        place, moment = position_of(query.tracklet), middle_moment(query.sighting)
        if place is None or moment is None:
            continue
        metres = _metres(columns.latitude, columns.longitude, place)
        reach = max_speed * np.abs(moments - moment.timestamp())
        # NaN, of whom something is not known, is never larger.
        doubted = np.flatnonzero(rows & ~far & (metres > reach))
        uncertain = _uncertainties(connection, gallery.numbers[doubted])
        around = np.hypot(uncertain, told_uncertainty_m(query.tracklet.attributes))
        far[doubted] = metres[doubted] - around > reach[doubted]
    return far


def _metres(
    latitude: Float64[np.ndarray, " row"], longitude: Float64[np.ndarray, " row"], place: tuple[float, float]
) -> Float64[np.ndarray, " row"]:
    """Metres over the ground to a place, as `flight_log.distance_m`."""
    north, east = np.radians(latitude - place[0]), np.radians(longitude - place[1])
    across = np.cos(np.radians(latitude)) * np.cos(np.radians(place[0])) * np.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(np.sin(north / 2) ** 2 + across)))


def _uncertainties(connection: Connection, numbers: Int64[np.ndarray, " few"]) -> Float64[np.ndarray, " few"]:
    """Metres by which the positions of tracklets may be wrong."""
    query = sa.select(TRACKLETS.c.number, TRACKLETS.c.attributes)
    found: dict[int, float] = {}
    for part in in_parts(numbers.tolist()):
        rows = connection.execute(query.where(TRACKLETS.c.number.in_(part)))
        found |= {row.number: told_uncertainty_m(row.attributes) for row in rows}
    return np.array([found[number] for number in numbers.tolist()], dtype=np.float64)
