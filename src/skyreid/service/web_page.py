"""A page as an answer: the template, who is logged in, and where in the case one is."""

from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import version
from urllib.parse import urlencode

from fastapi.responses import HTMLResponse, RedirectResponse

from skyreid.cases.people import Right
from skyreid.cases.sources import read_sources
from skyreid.cases.work.room import room_of
from skyreid.cases.work.work_share import read_work_share
from skyreid.pages.page import render
from skyreid.service.access import Visit

SIMILARITY_ONLY = "Similarity of appearance only – not proof of identity"  # noqa: RUF001 - an en dash between words
_version = cache(version)  # each call reads a file


def web_page(template: str, visit: Visit | None, *, status: int = 200, **values: object) -> HTMLResponse:
    """Fill in a template of `templates/service/`.

    Args:
        template: its file.
        visit: who asks; None = nobody knows.
        status: of the answer.
        values: what the template takes.
    """
    session = None if visit is None else visit.session
    opened = None if visit is None else visit.opened
    page = render(
        f"service/{template}",
        user=None if session is None else session.user,
        csrf=None if visit is None else visit.csrf,
        case=None if opened is None else opened.facts(),
        may=frozenset() if visit is None else frozenset(right.name for right in Right if visit.may(right)),
        room=None if opened is None else room_of(opened.case.folder),
        work=None if opened is None else partial(read_work_share, opened.case),
        similarity_only=SIMILARITY_ONLY,
        has_runs=visit is not None and visit.cases.runs is not None,
        version=_version("skyreid"),
        **{"at": "", "is_simulated": _is_simulated(visit), **values},
    )
    return HTMLResponse(str(page), status)


def to_last_page(page: int, num_pages: int, asked: Mapping[str, object]) -> RedirectResponse | None:
    """Lead who asks for a page behind the last one of a list to the last one; None = the page is there.

    Args:
        page: that is asked for, from 1.
        num_pages: that there are.
        asked: what else the address asks.
    """
    return RedirectResponse(f"?{urlencode({**asked, 'page': num_pages})}", 303) if page > num_pages else None


def _is_simulated(visit: Visit | None) -> bool:
    """Whether a page is about drawn people: those of its case, or, outside of one, of all cases of the server."""
    if visit is None or visit.session is None:
        return False
    asked = visit.cases.all() if visit.opened is None else [visit.opened]
    of_cases = [read_sources(one.case) for one in asked]
    return any(of_cases) and all(source.is_simulated for sources in of_cases for source in sources)
