"""What programs ask: the same as the pages, as JSON, described by OpenAPI at /api/openapi.json."""

from typing import Literal

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from skyreid.cases.people import Right
from skyreid.service.access import At, Everyone
from skyreid.service.asked import LARGEST_NUMBER, BeforeRow, Number, WantedOfAddress
from skyreid.service.browsing import case_views


class NewDecision(BaseModel):
    """What somebody says of two tracklets."""

    first: int = Field(ge=1, le=LARGEST_NUMBER, description="number of a tracklet", examples=[1])
    second: int = Field(ge=1, le=LARGEST_NUMBER, description="number of another one", examples=[4])
    decision: Literal["confirmed", "rejected", "unsure"]
    rank: int | None = Field(None, ge=1, description="in the ranking that was shown")
    similarity: float | None = Field(None, ge=-1.01, le=1.01, description="that was shown")
    model: int | None = Field(None, ge=1, description="that the similarity is of")
    seconds: float | None = Field(None, ge=0, le=86_400, description="how long the person looked")


class Undo(BaseModel):
    """What is taken back."""

    event_id: str | None = Field(None, max_length=200, description="of a decision of one's own; null = the last one")


def openapi(request: Request) -> JSONResponse:
    """Describe all of this."""
    return JSONResponse(request.app.openapi())


def cases(visit: At) -> JSONResponse:
    """List the cases that who asks has a role in."""
    return JSONResponse([card.to_json() for card in case_views.case_cards(visit)])


def sources(visit: At) -> JSONResponse:
    """List the footage of a case."""
    return JSONResponse([case_views.source_json(*one) for one in case_views.sources_with_days(visit.case)])


def tracklets(visit: At, wanted: WantedOfAddress) -> JSONResponse:
    """List those who were found, a page at a time."""
    grid = case_views.browse(visit.case, wanted)
    return JSONResponse(
        {
            "tracklets": [case_views.tracklet_json(*one) for one in grid.tracklets],
            "total": grid.total,
            "page": wanted.page,
            "pages": grid.num_pages,
            "stacks": [[first, *others] for first, others in grid.stacks.items()],
            "without_clock": grid.num_without_clock,
        }
    )


def tracklet(visit: At, number: Number) -> JSONResponse:
    """Describe one tracklet."""
    (seen,) = case_views.tracklets_by_number(visit.case, [number])
    state, _, _ = case_views.person_of(visit.case, seen)
    visit.log("tracklet seen", seen.tracklet.tracklet_id)
    return JSONResponse(case_views.tracklet_json(seen, state))


def decide(visit: At, new: NewDecision) -> JSONResponse:
    """Confirm two tracklets as one person, reject that, or be unsure; on the disk when this answers."""
    made = case_views.decide_pair(
        visit,
        new.first,
        new.second,
        new.decision,
        rank=new.rank,
        similarity=new.similarity,
        model=new.model,
        seconds=new.seconds,
    )
    return JSONResponse(made.to_json(), 201)


def undo(visit: At, what: Undo) -> JSONResponse:
    """Take back a decision of one's own."""
    return JSONResponse(case_views.undo_decision(visit, what.event_id).to_json())


def audit(visit: At, before: BeforeRow = None) -> JSONResponse:
    """Give rows of the log, the newest first."""
    return JSONResponse(case_views.audit_page(visit.case.case.database, before=before).to_json())


ROUTES = (
    ("GET", "/api/openapi.json", openapi, Everyone.LOGGED_IN),
    ("GET", "/api/cases", cases, Everyone.LOGGED_IN),
    ("GET", "/api/c/{case_id}/sources", sources, Right.SEE),
    ("GET", "/api/c/{case_id}/tracklets", tracklets, Right.SEE),
    ("GET", "/api/c/{case_id}/tracklets/{number}", tracklet, Right.SEE),
    ("POST", "/api/c/{case_id}/decisions", decide, Right.DECIDE),
    ("POST", "/api/c/{case_id}/undo", undo, Right.DECIDE),
    ("GET", "/api/c/{case_id}/audit", audit, Right.AUDIT),
)
