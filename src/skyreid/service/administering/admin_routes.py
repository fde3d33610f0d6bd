"""Pages of whoever administers a server, and everybody's own account; the same for programs."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from skyreid.cases.people import Role
from skyreid.errors import SkyreidError
from skyreid.service.access import At, Everyone, Visit
from skyreid.service.administering.admin_views import RoleName, give_role, known_users, server_state
from skyreid.service.administering.login_routes import address_of, let_in
from skyreid.service.asked import BeforeRow
from skyreid.service.browsing import case_views
from skyreid.service.web_page import web_page

Word = Annotated[str, Form(max_length=1_000)]
JsonWord = Annotated[str, Field(max_length=1_000)]


class NewUser(BaseModel):
    """Who is to be let in."""

    name: JsonWord
    password: JsonWord
    is_admin: bool = Field(False, description="of the server: may add users, and is admin of every case")


class NewPassword(BaseModel):
    """A password that takes the place of another; all sessions of the user end."""

    name: JsonWord
    password: JsonWord


class LetIn(BaseModel):
    """Whether a user is let in."""

    name: JsonWord
    is_disabled: bool


class NamedUser(BaseModel):
    """A user."""

    name: JsonWord


class GivenRole(BaseModel):
    """What a user is in a case."""

    name: JsonWord
    case: JsonWord = Field(description="its id")
    role: RoleName


class OwnPassword(BaseModel):
    """One's own password, old and new."""

    old: JsonWord
    new: JsonWord


# Pages.
def users_page(visit: At) -> Response:
    """Everybody who can log in."""
    return _users(visit)


def add_user(visit: At, name: Word = "", password: Word = "", is_admin: Annotated[bool, Form()] = False) -> Response:
    """Make a user."""
    return _done(visit, lambda: visit.cases.people.add(name, password, by=visit.user, is_admin=is_admin))


def new_password(visit: At, name: Word = "", password: Word = "") -> Response:
    """Give a user another password."""
    return _done(visit, lambda: visit.cases.people.set_password(name, password, by=visit.user))


def let_user_in(visit: At, name: Word = "", is_disabled: Annotated[bool, Form()] = False) -> Response:
    """Disable a user, or let one in again."""
    return _done(visit, lambda: _let_in(visit, name, is_disabled=is_disabled))


def end_sessions(visit: At, name: Word = "") -> Response:
    """Log a user out everywhere."""
    return _done(visit, lambda: visit.cases.people.end_sessions(name, by=visit.user))


def set_role(visit: At, role: Annotated[RoleName, Form()], name: Word = "", case: Word = "") -> Response:
    """Give a user a role in a case, or take it."""
    return _done(visit, lambda: give_role(visit, name, case, role))


def server_page(visit: At) -> Response:
    """Models and room on the disk."""
    return web_page("admin_server.html", visit, at="server", server=server_state(visit))


def log_page(visit: At, before: BeforeRow = None) -> Response:
    """The log of the server: logins, users, roles, refusals."""
    log = case_views.audit_page(visit.cases.people.database, before=before)
    return web_page("admin_log.html", visit, at="log", log=log)


def account_page(visit: At) -> Response:
    """One's own account."""
    return web_page("account.html", visit, at="account", problem="")


def own_password(request: Request, visit: At, old: Word = "", password: Word = "", again: Word = "") -> Response:
    """Change one's own password, and stay logged in here alone."""
    try:
        if password != again:
            return web_page("account.html", visit, at="account", problem="the two new passwords differ", status=422)
        session = _change_own(request, visit, old, password)
    except SkyreidError as error:
        return web_page("account.html", visit, at="account", problem=str(error), status=422)
    return let_in(request, RedirectResponse("/", 303), session)


# For programs.
def api_users(visit: At) -> JSONResponse:
    """List everybody who can log in, with roles and sessions."""
    return JSONResponse([one.to_json() for one in known_users(visit)])


def api_add_user(visit: At, new: NewUser) -> JSONResponse:
    """Make a user, who has no role in any case yet."""
    visit.cases.people.add(new.name, new.password, by=visit.user, is_admin=new.is_admin)
    return JSONResponse({"user": new.name}, 201)


def api_new_password(visit: At, new: NewPassword) -> JSONResponse:
    """Give a user another password."""
    visit.cases.people.set_password(new.name, new.password, by=visit.user)
    return JSONResponse({"user": new.name})


def api_let_user_in(visit: At, what: LetIn) -> JSONResponse:
    """Disable a user, or let one in again."""
    _let_in(visit, what.name, is_disabled=what.is_disabled)
    return JSONResponse({"user": what.name, "is_disabled": what.is_disabled})


def api_end_sessions(visit: At, whose: NamedUser) -> JSONResponse:
    """Log a user out everywhere."""
    visit.cases.people.end_sessions(whose.name, by=visit.user)
    return JSONResponse({"user": whose.name})


def api_set_role(visit: At, given: GivenRole) -> JSONResponse:
    """Give a user a role in a case, or take it."""
    give_role(visit, given.name, given.case, given.role)
    return JSONResponse({"user": given.name, "case": given.case, "role": given.role})


def api_server(visit: At) -> JSONResponse:
    """Tell what the server holds, and the room that is left."""
    return JSONResponse(server_state(visit).to_json())


def api_log(visit: At, before: BeforeRow = None) -> JSONResponse:
    """Give rows of the log of the server, the newest first."""
    return JSONResponse(case_views.audit_page(visit.cases.people.database, before=before).to_json())


def api_own_password(request: Request, visit: At, new: OwnPassword) -> Response:
    """Change one's own password; the answer brings the session that takes the place of all others."""
    session = _change_own(request, visit, new.old, new.new)
    begun = visit.cases.people.session(session)
    assert begun is not None
    return let_in(request, JSONResponse({"user": visit.user, "csrf": begun.csrf}), session)


def _users(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    cases = [(one.case_id, one.facts().name) for one in visit.cases.all()]
    users = known_users(visit)
    return web_page(
        "admin.html", visit, at="users", users=users, cases=cases, roles=list(Role), problem=problem, status=status
    )


def _done(visit: Visit, act: Callable[[], None]) -> Response:
    """Do something and show everybody again, or say why it was not done."""
    try:
        act()
    except SkyreidError as error:
        return _users(visit, problem=visit.cases.without_paths(str(error)), status=422)
    return RedirectResponse("/admin", 303)


def _let_in(visit: Visit, name: str, *, is_disabled: bool) -> None:
    people = visit.cases.people
    (people.disable if is_disabled else people.enable)(name, by=visit.user)


def _change_own(request: Request, visit: Visit, old: str, new: str) -> str:
    """Change the password of who asks; gives the token of a new session."""
    people, address = visit.cases.people, address_of(request)
    people.change_own_password(visit.user, old, new, address=address)
    return people.log_in(visit.user, new, address=address).token


ROUTES = (
    ("GET", "/admin", users_page, Everyone.ADMIN),
    ("POST", "/admin/users", add_user, Everyone.ADMIN),
    ("POST", "/admin/password", new_password, Everyone.ADMIN),
    ("POST", "/admin/disable", let_user_in, Everyone.ADMIN),
    ("POST", "/admin/sessions", end_sessions, Everyone.ADMIN),
    ("POST", "/admin/roles", set_role, Everyone.ADMIN),
    ("GET", "/admin/server", server_page, Everyone.ADMIN),
    ("GET", "/admin/log", log_page, Everyone.ADMIN),
    ("GET", "/account", account_page, Everyone.LOGGED_IN),
    ("POST", "/account", own_password, Everyone.LOGGED_IN),
    ("GET", "/api/admin/users", api_users, Everyone.ADMIN),
    ("POST", "/api/admin/users", api_add_user, Everyone.ADMIN),
    ("POST", "/api/admin/password", api_new_password, Everyone.ADMIN),
    ("POST", "/api/admin/disable", api_let_user_in, Everyone.ADMIN),
    ("POST", "/api/admin/sessions", api_end_sessions, Everyone.ADMIN),
    ("POST", "/api/admin/roles", api_set_role, Everyone.ADMIN),
    ("GET", "/api/admin/server", api_server, Everyone.ADMIN),
    ("GET", "/api/admin/log", api_log, Everyone.ADMIN),
    ("POST", "/api/account/password", api_own_password, Everyone.LOGGED_IN),
)
