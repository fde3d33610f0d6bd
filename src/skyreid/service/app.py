"""The application: the table of routes, each with who may use it, and what goes wrong in words."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from skyreid.cases.work.footage import LARGEST_UPLOAD, Shelf
from skyreid.errors import (
    AwayError,
    DatabaseAwayError,
    MissingFrameError,
    NothingFoundError,
    RefusedError,
    SkyreidError,
    StoreError,
)
from skyreid.service.access import API, GuardedRoute, require_guards
from skyreid.service.administering import admin_routes, export_routes, login_routes, retention_routes
from skyreid.service.browsing import (
    api_routes,
    case_routes,
    map_routes,
    originals_routes,
    picture_routes,
    run_routes,
    timeline_routes,
)
from skyreid.service.deciding import annotate_routes, identity_routes
from skyreid.service.guardrails import LARGEST_PICTURE, Guardrails
from skyreid.service.open_cases import OpenCases
from skyreid.service.search import ask_routes, asked_picture_routes
from skyreid.service.turns import Turns
from skyreid.service.web_page import web_page
from skyreid.service.work import clock_routes, footage_routes, job_routes

ROUTES = (
    *login_routes.ROUTES,
    *case_routes.ROUTES,
    *job_routes.ROUTES,
    *footage_routes.ROUTES,
    *clock_routes.ROUTES,
    *retention_routes.ROUTES,
    *ask_routes.ROUTES,
    *asked_picture_routes.ROUTES,
    *picture_routes.ROUTES,
    *api_routes.ROUTES,
    *admin_routes.ROUTES,
    *identity_routes.ROUTES,
    *timeline_routes.ROUTES,
    *map_routes.ROUTES,
    *run_routes.ROUTES,
    *export_routes.ROUTES,
    *originals_routes.ROUTES,
    *annotate_routes.ROUTES,
)
_logger = logging.getLogger(__name__)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine for itself."""


def make_app(
    folder: Path,
    *,
    names: Iterable[str] = LOOPBACK,
    is_tls: bool = False,
    footage: Sequence[Path] = (),
    largest_upload: int = LARGEST_UPLOAD,
    models: Sequence[str] = (),
    runs: Path | None = None,
    database: str | None = None,
    files: str | None = None,
) -> FastAPI:
    """Make the application of a folder of cases.

    Args:
        folder: with cases, or a case.
        names: by which it may be called; none = any.
        is_tls: whether connections are encrypted.
        footage: folders of this machine that footage may be taken from.
        largest_upload: bytes that footage may have.
        models: as of `OpenCases`.
        runs: folder of training runs that everybody who is logged in may look at; None = there are none.
        database: as of `OpenCases`.
        files: as of `OpenCases`.

    Raises:
        SettingError: a route that does not say who may use it, or a folder of footage that is none.
        CaseError: a case cannot be opened.
    """
    # A picture that somebody asks with stays in memory; what is larger goes to a file without a name.
    MultiPartParser.spool_max_size = LARGEST_PICTURE
    app = FastAPI(title="skyreid", openapi_url=None, docs_url=None, redoc_url=None)
    # What FastAPI puts there itself has no guard.
    app.router.routes.clear()
    app.router.redirect_slashes = False
    for method, path, endpoint, access in ROUTES:
        is_api = path.startswith(API)
        app.router.routes.append(
            GuardedRoute(
                path,
                endpoint,
                access=access,
                methods=[method],
                include_in_schema=is_api,
                response_model=None,
                **({} if is_api else {"response_class": Response}),
            )
        )
    require_guards(app.router.routes)
    shelf = Shelf(footage)
    app.state.cases = OpenCases(
        folder,
        shelf=shelf,
        largest_upload=largest_upload,
        models=models,
        runs=runs,
        database=database,
        files=files,
    )
    app.state.is_tls = is_tls
    app.state.turns = Turns()
    app.state.cases.all(strict=True)
    app.add_middleware(Guardrails, names=tuple(names), is_tls=is_tls, largest_upload=largest_upload)
    app.add_exception_handler(HTTPException, _say_status)
    app.add_exception_handler(RequestValidationError, _say_invalid)
    app.add_exception_handler(SkyreidError, _say_refused)
    return app


def _say_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 401 and _is_page(request):
        return RedirectResponse("/login", 303)
    words = "there is no such page" if error.status_code == 404 else error.detail
    answer = _said(request, error.status_code, words)
    answer.headers.update(error.headers or {})
    return answer


def _say_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [one["loc"] for one in error.errors()]
    if any(place[0] == "path" for place in places):
        return _said(request, 404, "there is no such page")
    first = error.errors()[0]
    return _said(request, 422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")


def _say_refused(request: Request, error: Exception) -> Response:
    """Say what the library refuses, without saying where on this machine things lie."""
    if isinstance(error, StoreError) and not isinstance(error, AwayError):
        _logger.warning("%s", error)
        return _said(request, 503, "the object store of this server refuses; the console of the server says why")
    if isinstance(error, AwayError):
        _logger.warning("%s", error)
        what = "database" if isinstance(error, DatabaseAwayError) else "object store"
        answer = _said(request, 503, f"the {what} of this server cannot be reached; try again in a moment")
        answer.headers["retry-after"] = "2"
        return answer
    kinds = {RefusedError: 409, NothingFoundError: 404, MissingFrameError: 404}
    status = next((status for kind, status in kinds.items() if isinstance(error, kind)), 422)
    return _said(request, status, request.app.state.cases.without_paths(str(error)))


def _said(request: Request, status: int, words: str) -> Response:
    if _is_page(request):
        return web_page("message.html", getattr(request.state, "visit", None), status=status, title=words, code=status)
    return JSONResponse({"error": words}, status)


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith(API) and "text/html" in request.headers.get("accept", "text/html")
