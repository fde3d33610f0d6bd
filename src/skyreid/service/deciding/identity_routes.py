"""Identities: the list, one of them, merging two, and the decisions that made them."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, HTTPException, Path, Query, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from skyreid.cases.deciding.decision_rows import CONFIRMED
from skyreid.cases.deciding.identities import Show
from skyreid.cases.people import Right
from skyreid.service.access import At, Visit
from skyreid.service.asked import LARGEST_NUMBER, EventId, FormNumber
from skyreid.service.browsing.case_views import decide_pair, shown, undo_decision
from skyreid.service.deciding import identity_views
from skyreid.service.deciding.identity_views import pid_of
from skyreid.service.web_page import to_last_page, web_page

Pid = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
Few = Annotated[list[Annotated[int, Query(ge=1, le=LARGEST_NUMBER)]], Query(max_length=100)]
"""As many as somebody ticked."""


class NewMerge(BaseModel):
    """Two tracklets whose identities become one."""

    first: int = Field(ge=1, le=LARGEST_NUMBER, description="number of a tracklet of the one", examples=[1])
    second: int = Field(ge=1, le=LARGEST_NUMBER, description="number of a tracklet of the other", examples=[4])


def identities_page(visit: At, show: Show = "all", page: Page = 1) -> Response:
    """Who was found more than once."""
    found = identity_views.list_identities(visit, show=show, page=page)
    return to_last_page(page, found.num_pages, {"show": show}) or web_page(
        "identities.html",
        visit,
        at="identities",
        show=show,
        page=page,
        found=found,
        identities=[(one.identity, [shown(seen, CONFIRMED) for seen in one.few]) for one in found.identities],
        asked=urlencode({"show": show}),
    )


def identity_page(visit: At, pid: Pid) -> Response:
    """All of one identity."""
    found = identity_views.show_identity(visit, pid)
    if found.identity.pid != pid:  # it was merged into another one
        return RedirectResponse(_address(visit, found.identity.pid), 303)
    return web_page(
        "identity.html",
        visit,
        at="identities",
        found=found,
        identity=found.identity,
        members=[shown(one, found.identity.state) for one in found.members],
        covers=[shown(one, found.identity.state) for one in found.covers],
        suggestions=[
            {**shown(one.candidate.seen, one.candidate.state), "of": one, "similarity": one.candidate.similarity}
            for one in found.suggestions
        ],
    )


def decide_on_identity(
    visit: At,
    pid: Pid,
    first: FormNumber,
    second: FormNumber,
    decision: Annotated[str, Form(max_length=20)],
    rank: Annotated[int | None, Form(ge=1)] = None,
    similarity: Annotated[float | None, Form(ge=-1.01, le=1.01)] = None,
    model: Annotated[int | None, Form(ge=1)] = None,
) -> Response:
    """Say whether somebody is this person, and come back to the page."""
    decide_pair(visit, first, second, decision, rank=rank, similarity=similarity, model=model, seconds=None)
    return RedirectResponse(_address(visit, pid), 303)


def undo_on_identity(visit: At, pid: Pid, event_id: EventId) -> Response:
    """Take back a decision of one's own, and come back to the page."""
    undo_decision(visit, event_id)
    return RedirectResponse(_address(visit, pid), 303)


def history_page(visit: At, page: Page = 1) -> Response:
    """All decisions that stand."""
    found = identity_views.history(visit, page=page)
    last = to_last_page(page, found.num_pages, {})
    return last or web_page("history.html", visit, at="identities", found=found, page=page)


def decide_in_history(
    visit: At, first: FormNumber, second: FormNumber, decision: Annotated[str, Form(max_length=20)]
) -> Response:
    """See a pair otherwise than somebody else did, and come back to the page."""
    decide_pair(visit, first, second, decision, rank=None, similarity=None, model=None, seconds=None)
    return RedirectResponse(f"/c/{visit.case.case_id}/history", 303)


def merge_page(visit: At, t: Few = [], pid: Few = []) -> Response:  # noqa: B006 - FastAPI copies it
    """What merging two identities would do."""
    first, second = _two(visit, t, pid)
    found = identity_views.show_merge(visit, first, second)
    return web_page(
        "merge.html",
        visit,
        at="identities",
        found=found,
        sides_shown=[(side, shown(side.cover, side.identity.state), side.asked) for side in (found.keeps, found.gives)],
    )


def merge(visit: At, first: FormNumber, second: FormNumber) -> Response:
    """Merge two identities."""
    return RedirectResponse(_address(visit, _merge(visit, first, second)), 303)


def _merge(visit: Visit, first: int, second: int) -> int:
    """Confirm two tracklets of two identities as one person; gives the pid of the first one's identity."""
    identity_views.show_merge(visit, first, second)
    decide_pair(visit, first, second, CONFIRMED, rank=None, similarity=None, model=None, seconds=None)
    return pid_of(visit, first)


def _two(visit: Visit, tracklets: list[int], pids: list[int]) -> tuple[int, int]:
    """Give a tracklet of each of two people."""
    if len(tracklets) + len(pids) != 2:
        raise HTTPException(422, f"a merge takes two identities; {len(tracklets) + len(pids)} were chosen")
    first, second = *tracklets, *(identity_views.number_in(visit, pid) for pid in pids)
    return first, second


def _address(visit: Visit, pid: int) -> str:
    return f"/c/{visit.case.case_id}/identities/{pid}"


# What programs ask.
def api_identities(visit: At, show: Show = "all", page: Page = 1) -> JSONResponse:
    """List who was found more than once, a page at a time, and what contradicts itself."""
    return JSONResponse(identity_views.list_identities(visit, show=show, page=page).to_json())


def api_identity(visit: At, pid: Pid) -> JSONResponse:
    """Describe the identity that has now what was built with a pid, and who else it may be."""
    return JSONResponse(identity_views.show_identity(visit, pid).to_json())


def api_history(visit: At, page: Page = 1) -> JSONResponse:
    """List the decisions that stand, the newest first."""
    return JSONResponse(identity_views.history(visit, page=page).to_json())


def api_merge_preview(visit: At, t: Few = [], pid: Few = []) -> JSONResponse:  # noqa: B006 - FastAPI copies it
    """Say what merging two identities would do: give two of t (numbers of tracklets) and pid together."""
    return JSONResponse(identity_views.show_merge(visit, *_two(visit, t, pid)).to_json())


def api_merge(visit: At, new: NewMerge) -> JSONResponse:
    """Merge the identities of two tracklets; taken back by undoing the decision."""
    return JSONResponse({"pid": _merge(visit, new.first, new.second)}, 201)


ROUTES = (
    ("GET", "/c/{case_id}/identities", identities_page, Right.SEE),
    ("GET", "/c/{case_id}/identities/{pid}", identity_page, Right.SEE),
    ("POST", "/c/{case_id}/identities/{pid}/decisions", decide_on_identity, Right.DECIDE),
    ("POST", "/c/{case_id}/identities/{pid}/undo", undo_on_identity, Right.DECIDE),
    ("GET", "/c/{case_id}/history", history_page, Right.SEE),
    ("POST", "/c/{case_id}/history", decide_in_history, Right.DECIDE),
    ("GET", "/c/{case_id}/merge", merge_page, Right.SEE),
    ("POST", "/c/{case_id}/merge", merge, Right.DECIDE),
    ("GET", "/api/c/{case_id}/identities", api_identities, Right.SEE),
    ("GET", "/api/c/{case_id}/identities/{pid}", api_identity, Right.SEE),
    ("GET", "/api/c/{case_id}/history", api_history, Right.SEE),
    ("GET", "/api/c/{case_id}/merge", api_merge_preview, Right.SEE),
    ("POST", "/api/c/{case_id}/merge", api_merge, Right.DECIDE),
)
