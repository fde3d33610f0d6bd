"""Clocks of cameras: when a source begins, how far its clock goes wrong, and two sources side by side to see it by."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, HTTPException, Query, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from skyreid.cases.people import Right
from skyreid.cases.sources import CaseSource, read_sources, set_clock
from skyreid.cases.whereabouts.same_moment import SeenNear, begins_with, seen_near, usual_moment
from skyreid.cases.work.describing import moment
from skyreid.errors import SettingError
from skyreid.files.strict_json import Json
from skyreid.service.access import At, Visit
from skyreid.service.asked import LARGEST_NUMBER, Number
from skyreid.service.web_page import web_page

MOST_OFFSET_S = 10 * 365 * 86_400.0
"""Cameras that were never set begin in 2015 or so."""
_Offset = Annotated[float, Form(ge=-MOST_OFFSET_S, le=MOST_OFFSET_S, allow_inf_nan=False)]
_Source = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)]
_Moment = Annotated[str, Query(max_length=40)]
_Try = Annotated[float | None, Query(ge=-MOST_OFFSET_S, le=MOST_OFFSET_S, allow_inf_nan=False)]
NUDGES = (-10.0, -1.0, -0.1, 0.1, 1.0, 10.0)


class NewClock(BaseModel):
    """When a source begins."""

    start_time: datetime | None = Field(description="of the first frame by the camera's clock; null = nobody knows")
    offset_s: float = Field(ge=-MOST_OFFSET_S, le=MOST_OFFSET_S, allow_inf_nan=False, description="added to that clock")


@dataclass(frozen=True, kw_only=True)
class Side:
    """A source at the moment."""

    source: CaseSource
    offset_s: float
    near: tuple[SeenNear, ...]

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        begins = begins_with(self.source, self.offset_s)
        return {
            "source": self.source.number,
            "name": self.source.name,
            "offset_s": self.offset_s,
            "begins": None if begins is None else begins.isoformat(),
            "near": [
                {"number": one.seen.number, "place": one.place, "after_s": round(one.after_s, 3)} for one in self.near
            ],
        }


@dataclass(frozen=True, kw_only=True)
class SameMoment:
    """Two sources side by side."""

    sources: tuple[CaseSource, ...]
    """All that can be chosen."""
    sides: tuple[Side, Side] | None
    """None = there are no two sources."""
    at: datetime | None
    """By the common clock; None = the first one has no clock."""

    def address(self, *, later_s: float = 0.0, nudge_s: float = 0.0) -> str:
        """Lead to the same sources at another moment, or with another offset of the second one."""
        assert self.sides is not None and self.at is not None
        first, second = self.sides
        asked: dict[str, int | float | str] = {"a": first.source.number, "b": second.source.number}
        asked["at"] = (self.at + timedelta(seconds=later_s)).isoformat(timespec="milliseconds")
        asked["offset"] = round(second.offset_s + nudge_s, 3)
        return f"?{urlencode(asked)}"


def clock_page(visit: At, a: _Source = None, b: _Source = None, at: _Moment = "", offset: _Try = None) -> Response:
    """Two sources side by side, at one moment; an offset of the second one is tried before it is kept."""
    shown = _same_moment(visit, a, b, at, offset)
    return web_page("clock.html", visit, at="sources", shown=shown, nudges=NUDGES)


def keep_clock(
    visit: At,
    number: Number,
    offset: _Offset,
    start: Annotated[str, Form(max_length=40)] = "",
    zone: Annotated[str, Form(max_length=60)] = "",
    other: Annotated[int | None, Form(ge=1, le=LARGEST_NUMBER)] = None,
) -> Response:
    """Keep a start time and an offset, from a form."""
    found = _source(visit, number)
    begins = moment(start, zone.strip()) if start else found.start_time
    set_clock(visit.case.case, found.name, by=visit.user, start_time=begins, offset_s=offset)
    pair = {} if other is None else {"a": other}
    return RedirectResponse(f"/c/{visit.case.case_id}/clock?{urlencode(pair | {'b': number})}", 303)


def same_moment(visit: At, a: _Source = None, b: _Source = None, at: _Moment = "", offset: _Try = None) -> JSONResponse:
    """Give those whom two sources show at one moment of the common clock."""
    shown = _same_moment(visit, a, b, at, offset)
    sides = [] if shown.sides is None else [one.to_json() for one in shown.sides]
    return JSONResponse({"at": None if shown.at is None else shown.at.isoformat(), "sides": sides})


def keep_clock_by_program(visit: At, number: Number, clock: NewClock) -> JSONResponse:
    """Keep a start time and an offset."""
    found = _source(visit, number)
    set_clock(visit.case.case, found.name, by=visit.user, start_time=clock.start_time, offset_s=clock.offset_s)
    begins = _source(visit, number).begins
    return JSONResponse({"source": number, "begins": None if begins is None else begins.isoformat()})


def _same_moment(visit: Visit, a: int | None, b: int | None, at: str, offset: float | None) -> SameMoment:
    case = visit.case.case
    sources = read_sources(case)
    if len(sources) < 2 and not (a and b):
        return SameMoment(sources=tuple(sources), sides=None, at=None)
    first = _source(visit, a) if a else next(one for one in sources if one.number != b)
    second = _source(visit, b) if b else _closest([one for one in sources if one.number != first.number], first)
    asked = _moment(at)
    chosen = (asked or usual_moment(case, first, second)) if first.begins is not None else None
    sides = []
    for source, tried in ((first, None), (second, offset)):
        by = source.clock_offset_s if tried is None else tried
        is_shown = chosen is not None and source.start_time is not None
        near = seen_near(case, source, chosen, offset_s=by) if is_shown and chosen is not None else ()
        sides.append(Side(source=source, offset_s=by, near=tuple(near)))
    if near_any := [one.seen.tracklet.tracklet_id for side in sides for one in side.near]:
        visit.log("tracklet seen", " ".join(near_any))
    return SameMoment(sources=tuple(sources), sides=(sides[0], sides[1]), at=chosen)


def _closest(others: list[CaseSource], first: CaseSource) -> CaseSource:
    """Choose what is compared first: the other platform, and what begins nearest."""

    def farness(one: CaseSource) -> tuple[bool, float]:
        if one.begins is None or first.begins is None:
            return one.platform is first.platform, float("inf")
        return one.platform is first.platform, abs((one.begins - first.begins).total_seconds())

    return min(others, key=farness)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise SettingError(f"a moment has a zone, such as 2026-05-04T09:00:00+02:00; got {text!r:.60}")
    return found


def _source(visit: Visit, number: int) -> CaseSource:
    found = next((one for one in read_sources(visit.case.case) if one.number == number), None)
    if found is None:
        raise HTTPException(404, f"there is no source {number}")
    return found


ROUTES = (
    ("GET", "/c/{case_id}/clock", clock_page, Right.SEE),
    ("POST", "/c/{case_id}/sources/{number}/clock", keep_clock, Right.MANAGE),
    ("GET", "/api/c/{case_id}/clock", same_moment, Right.SEE),
    ("POST", "/api/c/{case_id}/sources/{number}/clock", keep_clock_by_program, Right.MANAGE),
)
