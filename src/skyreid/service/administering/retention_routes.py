"""New cases, and what goes when: retention, authorisation, trash, purge, and the hold that stops them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Form, HTTPException, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from skyreid.cases.case import RETENTION_DAYS
from skyreid.cases.keeping.retention import (
    TRASH_DAYS,
    authorise,
    hold,
    keep_until,
    purge_source,
    restore_source,
    set_retention,
    trash_source,
)
from skyreid.cases.people import Right
from skyreid.cases.sources import CaseSource, read_sources
from skyreid.cases.work.describing import end_of_day
from skyreid.errors import RefusedError, SettingError, SkyreidError
from skyreid.files.strict_json import Json
from skyreid.service.access import At, Everyone, Visit
from skyreid.service.asked import Number
from skyreid.service.web_page import web_page

MOST_DAYS = 3_650
Action = Literal["trash", "restore", "purge", "keep", "authorise"]
_Days = Annotated[int, Form(ge=1, le=MOST_DAYS)]
_Text = Annotated[str, Form(max_length=1_000)]


class NewCase(BaseModel):
    """A case that is to be made."""

    name: str = Field(min_length=1, max_length=100, examples=["Square, 4 May"])
    retention_days: int = Field(RETENTION_DAYS, ge=1, le=MOST_DAYS, description="how long footage is kept")


class Retention(BaseModel):
    """How long footage is kept that is added from now on."""

    days: int = Field(ge=1, le=MOST_DAYS)


class Hold(BaseModel):
    """A legal hold: nothing is deleted."""

    reason: str | None = Field(max_length=1_000, description="null ends it")


class ChangeOfSource(BaseModel):
    """What is to become of a source."""

    action: Action
    typed_name: str = Field("", max_length=300, description="of the source, for a purge")
    until: str = Field("", max_length=40, description="the last day, for keep and authorise", examples=["2026-05-04"])
    authorisation: str = Field("", max_length=1_000, description="for authorise")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A source and when it goes."""

    source: CaseSource

    @property
    def state(self) -> str:
        """Where it is on its way out."""
        return "in the trash" if self.source.trashed_at else "expired" if self.source.is_expired else "open"

    @property
    def purged_at(self) -> str | None:
        """When it leaves the trash; None = it is not there."""
        if self.source.trashed_at is None:
            return None
        return (datetime.fromisoformat(self.source.trashed_at) + timedelta(days=TRASH_DAYS)).isoformat(
            timespec="minutes"
        )

    @property
    def days(self) -> int:
        """How many it is kept from now."""
        return max(0, (datetime.fromisoformat(self.source.retain_until) - datetime.now(UTC)).days)

    @property
    def last_authorised_day(self) -> str:
        """As a form takes it; empty = the authorisation says nothing of its end."""
        return _last_day(self.source.authorised_until)

    @property
    def last_kept_day(self) -> str:
        """As a form takes it."""
        return _last_day(self.source.retain_until)

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        one = self.source
        told = {"number": one.number, "name": one.name, "state": self.state, "retain_until": one.retain_until}
        allowed = {"authorisation": one.authorisation, "authorised_until": one.authorised_until}
        return {**told, **allowed, "days": self.days, "purged_at": self.purged_at}


def new_case_page(visit: At) -> Response:
    """Ask what a new case is called."""
    return web_page("new_case.html", visit, problem="", name="", days=RETENTION_DAYS, most_days=MOST_DAYS)


def new_case(visit: At, name: Annotated[str, Form(min_length=1, max_length=100)], days: _Days) -> Response:
    """Make a case, from a form."""
    try:
        made = visit.cases.create(name, by=visit.user, retention_days=days)
    except SkyreidError as error:
        problem = visit.cases.without_paths(str(error))
        values = {"problem": problem, "name": name, "days": days, "most_days": MOST_DAYS}
        return web_page("new_case.html", visit, status=422, **values)
    return RedirectResponse(f"/c/{made.case_id}/sources", 303)


def retention_page(visit: At) -> Response:
    """What goes when."""
    return _page(visit)


def set_days(visit: At, days: _Days) -> Response:
    """Say how long footage is kept, from a form."""
    set_retention(visit.case.case, days, by=visit.user)
    return _back(visit)


def set_hold(visit: At, reason: _Text = "", end: Annotated[bool, Form()] = False) -> Response:
    """Begin or end a legal hold, from a form."""
    if not (reason.strip() or end):
        raise HTTPException(422, "a legal hold has a reason")
    hold(visit.case.case, None if end else reason, by=visit.user)
    return _back(visit)


def change_source(
    visit: At,
    number: Number,
    action: Annotated[Action, Form()],
    typed_name: _Text = "",
    until: _Text = "",
    authorisation: _Text = "",
) -> Response:
    """Trash, restore, purge, keep or authorise a source, from a form."""
    asked = ChangeOfSource(action=action, typed_name=typed_name, until=until[:40], authorisation=authorisation)
    try:
        _change(visit, number, asked)
    except SkyreidError as error:
        return _page(visit, problem=visit.cases.without_paths(str(error)), status=409)
    return _back(visit)


def new_case_by_program(visit: At, new: NewCase) -> JSONResponse:
    """Make a case."""
    made = visit.cases.create(new.name, by=visit.user, retention_days=new.retention_days)
    return JSONResponse(made.facts().to_json(), 201)


def retention(visit: At) -> JSONResponse:
    """Say what goes when."""
    facts = visit.case.facts()
    told = [kept.to_json() for kept in _kept(visit)]
    return JSONResponse({"days": facts.retention_days, "legal_hold": facts.legal_hold, "sources": told})


def set_days_by_program(visit: At, what: Retention) -> JSONResponse:
    """Say how long footage is kept that is added from now on."""
    set_retention(visit.case.case, what.days, by=visit.user)
    return retention(visit)


def set_hold_by_program(visit: At, what: Hold) -> JSONResponse:
    """Begin or end a legal hold."""
    hold(visit.case.case, what.reason, by=visit.user)
    return retention(visit)


def change_source_by_program(visit: At, number: Number, what: ChangeOfSource) -> JSONResponse:
    """Trash, restore, purge, keep or authorise a source."""
    _change(visit, number, what)
    return retention(visit)


def _change(visit: Visit, number: int, what: ChangeOfSource) -> None:
    case, by = visit.case.case, visit.user
    found = next((one for one in read_sources(case, with_trash=True) if one.number == number), None)
    if found is None:
        raise SettingError(f"there is no source {number}; load the page anew")
    match what.action:
        case "trash":
            trash_source(case, found.name, by=by)
        case "restore":
            restore_source(case, found.name, by=by)
        case "purge":
            if what.typed_name.strip() != found.name:
                raise RefusedError(f"nothing was purged: type the name of the source, which is {found.name}")
            purge_source(case, found.name, by=by)
        case "keep":
            until = end_of_day(what.until)
            if until is None:
                raise SettingError("say until which day the source is kept")
            keep_until(case, found.name, until, by=by)
        case "authorise":
            authorise(case, found.name, what.authorisation.strip() or None, end_of_day(what.until), by=by)


def _kept(visit: Visit) -> list[Kept]:
    return [Kept(source=one) for one in read_sources(visit.case.case, with_trash=True)]


def _page(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    values = {"sources": _kept(visit), "problem": problem, "most_days": MOST_DAYS, "trash_days": TRASH_DAYS}
    return web_page("retention.html", visit, at="sources", status=status, **values)


def _back(visit: Visit) -> Response:
    return RedirectResponse(f"/c/{visit.case.case_id}/retention", 303)


def _last_day(end: str | None) -> str:
    return "" if end is None else (datetime.fromisoformat(end) - timedelta(seconds=1)).date().isoformat()


ROUTES = (
    ("GET", "/new-case", new_case_page, Everyone.ADMIN),
    ("POST", "/new-case", new_case, Everyone.ADMIN),
    ("GET", "/c/{case_id}/retention", retention_page, Right.MANAGE),
    ("POST", "/c/{case_id}/retention", set_days, Right.MANAGE),
    ("POST", "/c/{case_id}/hold", set_hold, Right.MANAGE),
    ("POST", "/c/{case_id}/sources/{number}", change_source, Right.MANAGE),
    ("POST", "/api/cases", new_case_by_program, Everyone.ADMIN),
    ("GET", "/api/c/{case_id}/retention", retention, Right.MANAGE),
    ("POST", "/api/c/{case_id}/retention", set_days_by_program, Right.MANAGE),
    ("POST", "/api/c/{case_id}/hold", set_hold_by_program, Right.MANAGE),
    ("POST", "/api/c/{case_id}/sources/{number}", change_source_by_program, Right.MANAGE),
)
