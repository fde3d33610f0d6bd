"""The pages of cases, and what their forms do; whatever they show or do, `api_routes` gives to programs."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from skyreid.cases.people import Right
from skyreid.service.access import At, Everyone
from skyreid.service.asked import BeforeRow, EventId, FormNumber, Number, Wanted, WantedOfAddress
from skyreid.service.browsing import case_views
from skyreid.service.web_page import to_last_page, web_page


def cases_page(visit: At) -> Response:
    """The cases that who asks has a role in."""
    return web_page("cases.html", visit, cards=case_views.case_cards(visit))


def sources_page(visit: At) -> Response:
    """The footage of a case."""
    return web_page(
        "sources.html",
        visit,
        at="sources",
        sources=case_views.sources_with_days(visit.case),
        waiting=case_views.without_vector(visit.case),
    )


def browse_page(visit: At, wanted: WantedOfAddress) -> Response:
    """Everybody who was found, as a grid."""
    grid = case_views.browse(visit.case, wanted)
    usual = vars(Wanted())
    asked = {name: value for name, value in vars(wanted).items() if name != "page" and value != usual[name]}
    return to_last_page(wanted.page, grid.num_pages, asked) or web_page(
        "browse.html",
        visit,
        at="browse",
        wanted=wanted,
        grid=grid,
        cards=case_views.stacked([case_views.shown(seen, told) for seen, told in grid.tracklets], grid.stacks),
        asked=urlencode(asked),
        other_way=urlencode({**asked, "each": not wanted.each}),
    )


def tracklet_page(visit: At, number: Number, place: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> Response:
    """One tracklet."""
    (seen,) = case_views.tracklets_by_number(visit.case, [number])
    state, pid, others = case_views.person_of(visit.case, seen)
    visit.log("tracklet seen", seen.tracklet.tracklet_id)
    return web_page(
        "tracklet.html",
        visit,
        at="browse",
        one=case_views.shown(seen, state),
        place=min(place, len(seen.tracklet.frames) - 1),
        pid=pid,
        source=seen.source,
        others=[case_views.shown(one, state) for one in others],
    )


def decide(
    visit: At,
    first: FormNumber,
    second: FormNumber,
    decision: Annotated[str, Form(max_length=20)],
    rank: Annotated[int | None, Form(ge=1)] = None,
    similarity: Annotated[float | None, Form(ge=-1.01, le=1.01)] = None,
    model: Annotated[int | None, Form(ge=1)] = None,
) -> Response:
    """Confirm, reject or leave open, from a page without a script."""
    case_views.decide_pair(visit, first, second, decision, rank=rank, similarity=similarity, model=model, seconds=None)
    return RedirectResponse(f"/c/{visit.case.case_id}/search?t={first}&decided=true", 303)


def undo(visit: At, event_id: EventId = "") -> Response:
    """Take a decision back, from a page without a script."""
    case_views.undo_decision(visit, event_id or None)
    return RedirectResponse(f"/c/{visit.case.case_id}/history", 303)


def audit_log_page(visit: At, before: BeforeRow = None) -> Response:
    """Who did what in a case."""
    return web_page("audit.html", visit, at="audit", log=case_views.audit_page(visit.case.case.database, before=before))


def api_page(request: Request, visit: At) -> Response:
    """What programs can ask."""
    return web_page("api.html", visit, paths=request.app.openapi()["paths"])


def patterns_page(visit: At) -> Response:
    """What pages are made of, for those who draw them."""
    return web_page("patterns.html", visit)


ROUTES = (
    ("GET", "/", cases_page, Everyone.LOGGED_IN),
    ("GET", "/api", api_page, Everyone.LOGGED_IN),
    ("GET", "/patterns", patterns_page, Everyone.LOGGED_IN),
    ("GET", "/c/{case_id}/sources", sources_page, Right.SEE),
    ("GET", "/c/{case_id}/tracklets", browse_page, Right.SEE),
    ("GET", "/c/{case_id}/tracklets/{number}", tracklet_page, Right.SEE),
    ("POST", "/c/{case_id}/decisions", decide, Right.DECIDE),
    ("POST", "/c/{case_id}/undo", undo, Right.DECIDE),
    ("GET", "/c/{case_id}/audit", audit_log_page, Right.AUDIT),
)
