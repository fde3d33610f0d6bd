"""Who may use a route. Every route says it; whoever is asked for nothing else is let in nowhere.

Who asks is checked before anything of a request is read but its head; where it changes something, its form is read
then, or, of an upload, the first field of it.
"""

import re
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from skyreid.cases.audit import record
from skyreid.cases.people import RIGHTS, Right, Role, Session
from skyreid.errors import SettingError
from skyreid.service.open_cases import OpenCase, OpenCases
from skyreid.service.work.uploads import Parts, is_upload_path

SESSION_COOKIE, FORM_COOKIE = "skyreid_session", "skyreid_form"
"""The second one belongs to forms of whoever is not logged in yet."""
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
API = "/api/"
SAFE = ("GET", "HEAD")


class Everyone(Enum):
    """Whom a route is for that belongs to no case."""

    PUBLIC = auto()
    LOGGED_IN = auto()
    ADMIN = auto()
    """Administrators of the server."""


Access = Right | Everyone
"""A right is one in the case that the path names."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Who asks, and of which case."""

    cases: OpenCases
    token: str | None
    session: Session | None
    form_token: str | None
    """Of a browser in which nobody is logged in."""
    role: Role | None
    opened: OpenCase | None

    @property
    def user(self) -> str:
        """The name of who is logged in."""
        assert self.session is not None
        return self.session.user.name

    @property
    def case(self) -> OpenCase:
        """The case that the path names."""
        assert self.opened is not None
        return self.opened

    @property
    def csrf(self) -> str | None:
        """What a request must bring that changes something."""
        return self.form_token if self.session is None else self.session.csrf

    def may(self, right: Right) -> bool:
        """Whether who asks has a right in the case."""
        return self.role is not None and right in RIGHTS[self.role]

    def log(self, action: str, subject: str = "", **details: str | int | float | None) -> None:
        """Note an act in the log of the case."""
        with self.case.case.database.writing() as connection:
            record(connection, self.user, action, subject, details)


def visit_of(request: Request) -> Visit:
    """Give what the guard found out."""
    return request.state.visit


At = Annotated[Visit, Depends(visit_of)]


class GuardedRoute(APIRoute):
    """A route with who may use it.

    Raises:
        SettingError: nobody says who may use it, or it speaks of a case without a right in it, or the other way round.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], *, access: Access, **settings: Any) -> None:
        if not isinstance(access, Right | Everyone):
            raise SettingError(f"route {path}: must say who may use it; got access={access!r}")
        if isinstance(access, Right) is not ("{case_id}" in path):
            raise SettingError(f"route {path}: a right is one in the case of the path, and a case needs one")
        self.access = access
        super().__init__(path, endpoint, **settings)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the guard before the endpoint."""
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            visit = request.state.visit = await run_in_threadpool(_admit, request, self.access)
            if request.method not in SAFE:
                sent = await _sent_csrf(request)
                await run_in_threadpool(_require_same_site, visit, request, sent)
            if self.access is Everyone.PUBLIC or is_upload_path(request.url.path):  # a body may come for hours
                return await answer(request)
            async with request.app.state.turns.turn(visit.user):
                return await answer(request)

        return guarded


def require_guards(routes: list[Any]) -> None:
    """See that every route says who may use it.

    Raises:
        SettingError: one does not.
    """
    for route in routes:
        if not isinstance(route, GuardedRoute):
            raise SettingError(f"route {getattr(route, 'path', route)}: must say who may use it (GuardedRoute)")


async def _sent_csrf(request: Request) -> str:
    if token := request.headers.get(CSRF_HEADER):
        return token
    kind = request.headers.get("content-type", "")
    if is_upload_path(request.url.path):
        if request.url.path.startswith(API) or not kind.startswith("multipart/form-data"):
            return ""
        request.state.parts = Parts(request)
        return await request.state.parts.first_field(CSRF_FIELD)
    if kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        value = (await request.form()).get(CSRF_FIELD)
        return value if isinstance(value, str) else ""
    return ""


def _admit(request: Request, access: Access) -> Visit:
    cases: OpenCases = request.app.state.cases
    token = request.cookies.get(SESSION_COOKIE)
    session = cases.people.session(token) if token else None
    if access is not Everyone.PUBLIC and session is None:
        raise HTTPException(401, "log in first")
    opened, role = _case(request, cases, session) if isinstance(access, Right) else (None, None)
    visit = Visit(
        cases=cases,
        token=token,
        session=session,
        form_token=request.cookies.get(FORM_COOKIE),
        role=role,
        opened=opened,
    )
    if access is Everyone.ADMIN and not (session and session.user.is_admin):
        _refuse(visit, request, "only an administrator of the server may do this")
    if isinstance(access, Right) and not visit.may(access):
        _refuse(visit, request, f"a {role} may not {access}")
    return visit


def _case(request: Request, cases: OpenCases, session: Session | None) -> tuple[OpenCase, Role]:
    """Find the case of the path; one of others looks as one that is not there."""
    case_id = request.path_params["case_id"]
    opened = cases.find(case_id) if re.fullmatch("[0-9a-f]{32}", case_id) else None
    role = None if opened is None or session is None else cases.people.role(session.user.name, case_id)
    if opened is None or role is None:
        raise HTTPException(404, "there is no such page")
    return opened, role


def _require_same_site(visit: Visit, request: Request, sent: str) -> None:
    """A request that changes something comes from our own page, with what only our own page knows."""
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if request.headers.get("origin") != own:
        _refuse(visit, request, "the request came from another page; its Origin must be this server")
    if not visit.csrf or not secrets.compare_digest(visit.csrf.encode(), sent.encode("utf-8", "replace")):
        _refuse(visit, request, "the form is out of date; load the page again")


def _refuse(visit: Visit, request: Request, reason: str) -> None:
    """Say no; what somebody who is logged in was refused stands in the log of the server."""
    if visit.session is not None:
        told = {"method": request.method, "reason": reason}
        with visit.cases.people.database.writing() as connection:
            record(connection, visit.user, "refused", request.url.path[:200], told)
    raise HTTPException(403, reason)
