"""Timelines: who was in view of which camera when, of a whole case and of one identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import JSONResponse, RedirectResponse

from skyreid.cases.deciding.decision_rows import CONFIRMED
from skyreid.cases.deciding.identities import CaseIdentities, Identity
from skyreid.cases.deciding.standing import OPEN, Members
from skyreid.cases.people import Right
from skyreid.cases.whereabouts.timeline import CaseTimes, InView, times_in
from skyreid.errors import SettingError
from skyreid.files.strict_json import Json
from skyreid.pages.timeline_drawing import Bar, Lane, Window, timeline_svg, whole_window
from skyreid.service.access import At, Visit
from skyreid.service.browsing.case_views import states_of
from skyreid.service.deciding.identity_routes import Pid
from skyreid.service.deciding.identity_views import suggestions_for
from skyreid.service.web_page import web_page

View = Annotated[str, Query(max_length=100)]
"""The part that is shown: its ends in seconds since 1970, with a comma; empty = all."""
_LEAST_S = 0.5
"""Nobody looks closer than that."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Cameras with those in view, and how they are decided on."""

    times: CaseTimes
    states: Mapping[str, str]
    """By tracklet id."""
    numbers: Mapping[str, int]
    identity: Identity | None
    """None = of the whole case."""
    people: Members
    """Of the moment that this is of."""

    def lanes(self, home: str) -> list[Lane]:
        """Give what is drawn; `home` is the address of the case. Those of a whole case are kept."""
        return self._lanes(home) if self.identity else self.people.once("lanes", lambda: self._lanes(home))

    def _lanes(self, home: str) -> list[Lane]:
        return [
            Lane(
                camera=one.camera,
                platform=one.platform,
                bars=[self._bar(seen, home) for seen in one.seen if seen.tracklet_id in self.numbers],
            )
            for one in self.times.cameras
        ]

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "cameras": [
                {
                    "camera": one.camera,
                    "platform": one.platform.value,
                    "tracklets": [
                        {
                            "tracklet_id": seen.tracklet_id,
                            "number": self.numbers.get(seen.tracklet_id),
                            "first": _moment(seen.first_s),
                            "last": _moment(seen.last_s),
                            "state": self.states[seen.tracklet_id],
                        }
                        for seen in one.seen
                    ],
                }
                for one in self.times.cameras
            ],
            "without_clock": list(self.times.without_clock),
        }

    def _bar(self, seen: InView, home: str) -> Bar:
        state = self.states[seen.tracklet_id]
        span = f"{_moment(seen.first_s)[11:19]} to {_moment(seen.last_s)[11:19]}"
        return Bar(
            first_s=seen.first_s,
            last_s=seen.last_s,
            is_decided=state == CONFIRMED,
            href=f"{home}/tracklets/{self.numbers[seen.tracklet_id]}",
            words=f"{seen.tracklet_id}, {span}, {state}",
        )


def case_timeline(visit: Visit) -> Timeline:
    """Give everybody of the case."""
    with visit.case.case.database.reading() as connection:
        standing = visit.case.kept.whole(connection)
        times = standing.people.once("times", lambda: times_in(connection, standing))
    states = states_of(standing)
    return Timeline(times=times, states=states, numbers=standing.numbers, identity=None, people=standing.people)


def identity_timeline(visit: Visit, pid: int) -> Timeline:
    """Give the sightings of an identity, and who is suggested for it, as open.

    Raises:
        NothingFoundError: there is none.
    """
    with visit.case.case.database.reading() as connection:
        standing = visit.case.kept.whole(connection).seen_by(visit.user)
    identity = CaseIdentities(standing).identity(pid)
    suggested, _, _ = suggestions_for(visit, identity)
    states = {one.seen.tracklet.tracklet_id: OPEN for one in suggested} | dict.fromkeys(identity.members, CONFIRMED)
    shown = [one for one in states if one in standing.presences]
    with visit.case.case.database.reading() as connection:
        times = times_in(connection, standing, shown)
    visit.log("timeline seen", str(identity.pid), tracklets=len(shown))
    return Timeline(times=times, states=states, numbers=standing.numbers, identity=identity, people=standing.people)


def case_timeline_page(visit: At, view: View = "") -> Response:
    """The whole case on one clock."""
    return _page(visit, case_timeline(visit), view, f"/c/{visit.case.case_id}/timeline")


def identity_timeline_page(visit: At, pid: Pid, view: View = "") -> Response:
    """One identity on one clock."""
    found = identity_timeline(visit, pid)
    assert found.identity is not None
    here = f"/c/{visit.case.case_id}/identities/{found.identity.pid}/timeline"
    if found.identity.pid != pid:  # it was merged into another one
        return RedirectResponse(here, 303)
    return _page(visit, found, view, here)


def _page(visit: Visit, found: Timeline, view: str, here: str) -> Response:
    lanes = found.lanes(f"/c/{visit.case.case_id}")
    whole = whole_window(lanes)
    window = whole if not view or whole is None else _window(view)

    def address(one: Window) -> str:
        return f"{here}?view={one.first_s:.2f},{one.last_s:.2f}"

    return web_page(
        "timeline.html",
        visit,
        at="timeline",
        identity=found.identity,
        without_clock=found.times.without_clock,
        drawing=None if window is None else timeline_svg(lanes, window, address),
        window=window,
        here=here,
        moves=()
        if window is None
        else [
            ("Earlier", "←", address(window.moved(-0.5))),
            ("Later", "→", address(window.moved(0.5))),
            ("Zoom in", "+", address(window.zoomed(max(0.5, _LEAST_S / window.seconds)))),
            ("Zoom out", "−", address(window.zoomed(2.0))),  # noqa: RUF001 - a minus sign
        ],
    )


def _window(view: str) -> Window:
    try:
        first, last = map(float, view.split(","))
    except ValueError:
        first = last = float("nan")
    if not (
        isfinite(first) and isfinite(last) and 0 <= first < last <= 253_000_000_000 and last - first >= _LEAST_S / 2
    ):
        raise SettingError(
            f"a view is two moments in seconds since 1970, such as 1777881600,1777885200; got {view!r:.60}"
        )
    return Window(first_s=first, last_s=last)


def _moment(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).isoformat(timespec="milliseconds")


def api_case_timeline(visit: At) -> JSONResponse:
    """Say when everybody was in view, by camera."""
    return JSONResponse(case_timeline(visit).to_json())


def api_identity_timeline(visit: At, pid: Pid) -> JSONResponse:
    """Say when an identity was in view, by camera; who is suggested for it is open."""
    return JSONResponse(identity_timeline(visit, pid).to_json())


ROUTES = (
    ("GET", "/c/{case_id}/timeline", case_timeline_page, Right.SEE),
    ("GET", "/c/{case_id}/identities/{pid}/timeline", identity_timeline_page, Right.SEE),
    ("GET", "/api/c/{case_id}/timeline", api_case_timeline, Right.SEE),
    ("GET", "/api/c/{case_id}/identities/{pid}/timeline", api_identity_timeline, Right.SEE),
)
