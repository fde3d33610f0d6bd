"""The map of a case: where people stood, on a plain grid."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import JSONResponse

from skyreid.cases.deciding.decision_rows import CONFIRMED
from skyreid.cases.deciding.identities import CaseIdentities
from skyreid.cases.deciding.standing import Members
from skyreid.cases.people import Right
from skyreid.cases.whereabouts.places import CasePlaces, Place, places_in
from skyreid.errors import SettingError
from skyreid.files.strict_json import Json
from skyreid.pages.place_drawing import EARTH_M, Area, Mark, fitted, places_svg, projected, whole_area
from skyreid.service.access import At, Visit
from skyreid.service.asked import LARGEST_NUMBER
from skyreid.service.browsing.case_views import states_of
from skyreid.service.browsing.timeline_routes import View
from skyreid.service.web_page import web_page

Of = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)]
"""The pid of the identity that is shown alone; None = everybody."""
_FARTHEST = 4 * EARTH_M
"""Beyond the edge of every map."""


@dataclass(frozen=True, kw_only=True)
class CaseMap:
    """Places, and who is who at them."""

    found: CasePlaces
    states: Mapping[str, str]
    """By tracklet id."""
    pids: Mapping[str, int]
    pid: int | None
    """Of the identity that is shown alone."""
    people: Members
    """Of the moment that this is of."""

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "places": [
                {
                    "tracklet_id": one.tracklet_id,
                    "number": one.number,
                    "platform": one.platform.value,
                    "camera": one.camera,
                    "latitude": one.latitude,
                    "longitude": one.longitude,
                    "error_m": one.error_m,
                    "pid": self.pids[one.tracklet_id],
                    "state": self.states[one.tracklet_id],
                }
                for one in self.found.places
            ],
            "without_place": self.found.num_unknown,
        }

    def marks(self, home: str) -> list[Mark]:
        """Give what is drawn; `home` is the address of the case. Those of a whole case are kept."""
        return self._marks(home) if self.pid else self.people.once("marks", lambda: self._marks(home))

    def _marks(self, home: str) -> list[Mark]:
        marks = []
        for one in self.found.places:
            east, north = projected(one.latitude, one.longitude)
            error = "" if one.error_m is None else f", within {one.error_m:.0f} m"
            marks.append(
                Mark(
                    east=east,
                    north=north,
                    platform=one.platform,
                    is_decided=self.states[one.tracklet_id] == CONFIRMED,
                    error_m=one.error_m,
                    href=f"{home}/tracklets/{one.number}",
                    words=f"{one.tracklet_id}, {one.camera}{error}, {self.states[one.tracklet_id]}",
                )
            )
        return marks

    def trails(self) -> list[list[tuple[float, float]]]:
        """Give the way of each identity, as far as its places have times."""
        return self._trails() if self.pid else self.people.once("trails", self._trails)

    def _trails(self) -> list[list[tuple[float, float]]]:
        ways: defaultdict[int, list[Place]] = defaultdict(list)
        for one in self.found.places:
            if one.when_s is not None and self.states[one.tracklet_id] == CONFIRMED:
                ways[self.pids[one.tracklet_id]].append(one)
        return [
            [projected(one.latitude, one.longitude) for one in sorted(way, key=lambda one: one.when_s or 0.0)]
            for way in ways.values()
            if len(way) > 1
        ]


def case_map(visit: Visit, pid: int | None) -> CaseMap:
    """Give the places of everybody, or of one identity.

    Raises:
        NothingFoundError: there is no such identity.
    """
    with visit.case.case.database.reading() as connection:
        standing = visit.case.kept.whole(connection)
        found = standing.people.once("places", lambda: places_in(connection, standing))
    if pid is not None:
        identity = CaseIdentities(standing).identity(pid)
        own = tuple(one for one in found.places if one.tracklet_id in identity.members)
        found = CasePlaces(places=own, num_unknown=len(identity.members) - len(own))
        pid = identity.pid
        visit.log("map seen", str(pid), tracklets=len(own))
    return CaseMap(
        found=found, states=states_of(standing), pids=standing.identities.pids, pid=pid, people=standing.people
    )


def map_page(visit: At, pid: Of = None, view: View = "") -> Response:
    """Where people stood."""
    found = case_map(visit, pid)
    home = f"/c/{visit.case.case_id}"
    here = f"{home}/map" + ("" if found.pid is None else f"?pid={found.pid}")
    marks = found.marks(home)
    area = whole_area(marks) if not view else _area(view)

    def address(one: Area) -> str:
        return f"{here}{'&' if '?' in here else '?'}view={one.left:.2f},{one.top:.2f},{one.right:.2f},{one.bottom:.2f}"

    return web_page(
        "map.html",
        visit,
        at="timeline",
        found=found,
        here=here,
        area=area,
        drawing=places_svg(marks, found.trails(), area, address) if marks and area else None,
        moves=()
        if area is None
        else [
            ("West", "←", address(area.moved(-0.4, 0.0))),
            ("East", "→", address(area.moved(0.4, 0.0))),
            ("North", "↑", address(area.moved(0.0, -0.4))),
            ("South", "↓", address(area.moved(0.0, 0.4))),
            ("Zoom in", "+", address(area.zoomed(0.5))),
            ("Zoom out", "−", address(area.zoomed(2.0))),  # noqa: RUF001 - a minus sign
        ],
    )


def _area(view: str) -> Area:
    try:
        left, top, right, bottom = map(float, view.split(","))
    except ValueError:
        left = top = right = bottom = float("nan")
    edges = (left, top, right, bottom)
    if not (all(isfinite(one) and abs(one) <= _FARTHEST for one in edges) and left < right and bottom < top):
        raise SettingError(
            f"a view is left, top, right and bottom in metres of Web Mercator, such as 925000,5955000,925100,5954900; "
            f"got {view!r:.60}"
        )
    return fitted(left, top, right, bottom)


def api_map(visit: At, pid: Of = None) -> JSONResponse:
    """Say where everybody stood, or one identity, as far as it is known."""
    return JSONResponse(case_map(visit, pid).to_json())


ROUTES = (
    ("GET", "/c/{case_id}/map", map_page, Right.SEE),
    ("GET", "/api/c/{case_id}/map", api_map, Right.SEE),
)
