"""Coming in and going out: the first user, logging in, logging out, and what pages are drawn with."""

import secrets
from typing import Annotated

from fastapi import Form, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel

from skyreid.cases.audit import record
from skyreid.cases.people import IDLE_S, LONGEST_S
from skyreid.errors import SkyreidError
from skyreid.pages.page import packaged_text
from skyreid.service.access import FORM_COOKIE, SESSION_COOKIE, At, Everyone, Visit
from skyreid.service.web_page import web_page

STATIC = {
    "page.css": "text/css",
    "sighting.css": "text/css",
    "service.css": "text/css",
    "service.js": "text/javascript",
    "refining.js": "text/javascript",
    "compare.js": "text/javascript",
    "ask.js": "text/javascript",
    "size.js": "text/javascript",
    "keys.js": "text/javascript",
    "view.js": "text/javascript",
    "annotate.js": "text/javascript",
    "footage.js": "text/javascript",
    "first_run.js": "text/javascript",
    "papers.css": "text/css",
    "icon.svg": "image/svg+xml",
}
"""What pages are drawn with, and what it is."""
Field = Annotated[str, Form(max_length=1_000)]


class Login(BaseModel):
    """Who wants to come in."""

    name: str
    password: str


class FirstUser(Login):
    """Who is to be the first administrator."""

    token: str


async def health() -> JSONResponse:
    """Say that the server is there; at once, however many wait for the threads that work."""
    return JSONResponse({"status": "ok"})


def static(name: str) -> Response:
    """Give a style or a script of ours."""
    if name not in STATIC:
        raise HTTPException(404)
    return Response(packaged_text(name), media_type=STATIC[name], headers={"cache-control": "no-cache"})


def login_page(request: Request, visit: At) -> Response:
    """Ask for name and password."""
    if visit.session is not None:
        return RedirectResponse("/", 303)
    if not visit.cases.people.users():
        return RedirectResponse("/first-run", 303)
    return _form(request, visit, "login.html")


def log_in(request: Request, visit: At, name: Field = "", password: Field = "") -> Response:
    """Let somebody in."""
    try:
        token = _log_in(request, visit, name, password)
    except SkyreidError as error:
        return _form(request, visit, "login.html", problem=visit.cases.without_paths(str(error)), status=403)
    return let_in(request, RedirectResponse("/", 303), token)


def first_run_page(request: Request, visit: At) -> Response:
    """Ask for the first administrator."""
    if visit.cases.people.users():
        return RedirectResponse("/login", 303)
    return _form(request, visit, "first_run.html")


def first_run(
    request: Request, visit: At, token: Field = "", name: Field = "", password: Field = "", again: Field = ""
) -> Response:
    """Make the first administrator, and let them in."""
    try:
        if password != again:
            return _form(request, visit, "first_run.html", problem="the two passwords differ", status=422, name=name)
        visit.cases.people.add_first(token, name, password)
        session = _log_in(request, visit, name, password)
    except SkyreidError as error:
        problem = visit.cases.without_paths(str(error))
        return _form(request, visit, "first_run.html", problem=problem, status=403, name=name)
    return let_in(request, RedirectResponse("/", 303), session)


def log_out(visit: At) -> Response:
    """End the session."""
    _log_out(visit)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def api_session(request: Request, visit: At) -> JSONResponse:
    """Say who is logged in, and what a request must bring as X-CSRF-Token that changes something."""
    token = visit.csrf or secrets.token_urlsafe(32)
    answer = JSONResponse({"user": None if visit.session is None else visit.user, "csrf": token})
    if visit.session is None:
        _set_cookie(request, answer, FORM_COOKIE, token, int(IDLE_S))
    return answer


def api_log_in(request: Request, visit: At, login: Login) -> Response:
    """Let somebody in; the session is a cookie."""
    token = _log_in(request, visit, login.name, login.password)
    session = visit.cases.people.session(token)
    assert session is not None
    answer = JSONResponse({"user": session.user.name, "csrf": session.csrf})
    return let_in(request, answer, token)


def api_first_run(visit: At, first: FirstUser) -> JSONResponse:
    """Make the first administrator."""
    visit.cases.people.add_first(first.token, first.name, first.password)
    return JSONResponse({"user": first.name}, 201)


def api_log_out(visit: At) -> JSONResponse:
    """End the session."""
    _log_out(visit)
    return JSONResponse({"user": None})


def _log_in(request: Request, visit: Visit, name: str, password: str) -> str:
    if visit.token:  # whoever logs in anew leaves no session behind
        visit.cases.people.log_out(visit.token)
    return visit.cases.people.log_in(name, password, address=address_of(request)).token


def _log_out(visit: Visit) -> None:
    assert visit.token is not None
    visit.cases.people.log_out(visit.token)
    with visit.cases.people.database.writing() as connection:
        record(connection, visit.user, "logout")


def _form(
    request: Request, visit: Visit, template: str, *, problem: str = "", status: int = 200, name: str = ""
) -> Response:
    """Show a form to whoever is not logged in, with a token of its own."""
    token = visit.form_token or secrets.token_urlsafe(32)
    answer = web_page(template, None, status=status, problem=problem, name=name, form_token=token)
    _set_cookie(request, answer, FORM_COOKIE, token, int(IDLE_S))
    return answer


def address_of(request: Request) -> str:
    """Where a request came from."""
    return "unknown" if request.client is None else request.client.host


def let_in(request: Request, answer: Response, token: str) -> Response:
    """Give a browser its session."""
    _set_cookie(request, answer, SESSION_COOKIE, token, int(LONGEST_S))
    answer.delete_cookie(FORM_COOKIE)
    return answer


def _set_cookie(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(
        name, value, max_age=seconds, httponly=True, samesite="lax", secure=request.app.state.is_tls, path="/"
    )


ROUTES = (
    ("GET", "/health", health, Everyone.PUBLIC),
    ("GET", "/static/{name}", static, Everyone.PUBLIC),
    ("GET", "/login", login_page, Everyone.PUBLIC),
    ("POST", "/login", log_in, Everyone.PUBLIC),
    ("GET", "/first-run", first_run_page, Everyone.PUBLIC),
    ("POST", "/first-run", first_run, Everyone.PUBLIC),
    ("POST", "/logout", log_out, Everyone.LOGGED_IN),
    ("GET", "/api/session", api_session, Everyone.PUBLIC),
    ("POST", "/api/login", api_log_in, Everyone.PUBLIC),
    ("POST", "/api/first-run", api_first_run, Everyone.PUBLIC),
    ("POST", "/api/logout", api_log_out, Everyone.LOGGED_IN),
)
