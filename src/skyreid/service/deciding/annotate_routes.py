"""Annotating in pairs: one question after the other, how well two people agree, and the four-eyes switch."""

from typing import Annotated

from fastapi import Form, Query, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from skyreid.cases.deciding.agreement import kappa_in_words, read_agreement
from skyreid.cases.deciding.decision_rows import WORDS
from skyreid.cases.deciding.decisions import require
from skyreid.cases.people import Right
from skyreid.cases.tracklets import CaseTracklet, tracklet_numbers
from skyreid.errors import RefusedError
from skyreid.pages.spans import seconds_in_words
from skyreid.service.access import At, Visit
from skyreid.service.asked import LARGEST_NUMBER, FormNumber
from skyreid.service.browsing.case_views import decide_pair, shown, undo_decision
from skyreid.service.deciding import annotate_views
from skyreid.service.web_page import web_page

MOST_PEOPLE = 5
Again = Annotated[list[Annotated[int, Query(ge=1, le=LARGEST_NUMBER)]], Query(max_length=2)]
"""Numbers of two tracklets to be asked about first."""


class Eyes(BaseModel):
    """How many people must confirm a pair before it counts."""

    people: int = Field(ge=1, le=MOST_PEOPLE, description="1 = whoever decides; 2 = four eyes", examples=[2])


def annotate_page(visit: At, t: Again = [], scores: bool = False) -> Response:  # noqa: B006 - FastAPI copies it
    """The pair that is worth most to ask about."""
    return _page(visit, t, scores=scores)


def annotate(
    visit: At,
    first: FormNumber,
    second: FormNumber,
    decision: Annotated[str, Form(max_length=20)],
    scores: Annotated[bool, Form()] = False,
    similarity: Annotated[float | None, Form(ge=-1.01, le=1.01)] = None,
    model: Annotated[int | None, Form(ge=1)] = None,
    seconds: Annotated[float | None, Form(ge=0, le=86_400)] = None,
) -> Response:
    """Take an answer, and ask the next question."""
    try:
        decide_pair(visit, first, second, decision, rank=None, similarity=similarity, model=model, seconds=seconds)
    except RefusedError as refusal:
        problem = visit.cases.without_paths(str(refusal))
        return _page(visit, [first, second], scores=scores, problem=problem, status=409)
    return RedirectResponse(_address(visit, scores=scores), 303)


def undo_annotation(visit: At, scores: Annotated[bool, Form()] = False) -> Response:
    """Take the last answer back, and ask that question again."""
    undone = undo_decision(visit, None)
    with visit.case.case.database.reading() as connection:
        numbers = tracklet_numbers(connection, undone.tracklet_ids)
    again = "".join(f"&t={number}" for number in numbers.values()) if len(numbers) == 2 else ""
    return RedirectResponse(_address(visit, scores=scores) + again, 303)


def _page(visit: Visit, again: list[int], *, scores: bool, problem: str = "", status: int = 200) -> Response:
    found = annotate_views.questions(visit, count=1, again=again)
    asked = found.pairs[0] if found.pairs else None
    if asked is not None:
        both = f"{asked.first.tracklet.tracklet_id} {asked.second.tracklet.tracklet_id}"
        visit.log("pair seen", both, similarity=asked.similarity if scores else None)
    return web_page(
        "annotate.html",
        visit,
        status=status,
        at="annotate",
        found=found,
        asked=asked,
        sides=() if asked is None else [_side(one, asked.state) for one in (asked.first, asked.second)],
        apart="" if asked is None else seconds_in_words(asked.seconds_apart).lstrip("+-"),
        last=None if found.last is None else (found.last, WORDS[found.last.decision]),
        scores=scores,
        refusal=problem,
    )


def _side(seen: CaseTracklet, state: str) -> dict[str, object]:
    """A tracklet, with the frame to begin with: the one that shows the most of the person."""
    boxes = [one.box or (0.0, 0.0, 0.0, 0.0) for one in seen.tracklet.frames]
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
    return {**shown(seen, state), "place": areas.index(max(areas))}


def _address(visit: Visit, *, scores: bool) -> str:
    return f"/c/{visit.case.case_id}/annotate?scores={'true' if scores else 'false'}"


def agreement_page(visit: At) -> Response:
    """How well the people of a case agree, and how many must."""
    found = read_agreement(visit.case.case, person=visit.user)
    with visit.case.case.database.reading() as connection:
        numbers = tracklet_numbers(connection, {one for pair in found.disagreements for one in pair})
    return web_page(
        "agreement.html",
        visit,
        at="annotate",
        found=found,
        kappas=[(two, kappa_in_words(two)) for two in found.agreement],
        disagreements=[(pair, [numbers.get(one) for one in pair]) for pair in found.disagreements],
    )


def set_eyes(visit: At, people: Annotated[int, Form(ge=1, le=MOST_PEOPLE)]) -> Response:
    """Set how many people must confirm a pair."""
    require(visit.case.case, people, annotator=visit.user)
    return RedirectResponse(f"/c/{visit.case.case_id}/agreement", 303)


# What programs ask.
def api_annotate(visit: At, k: Annotated[int, Query(ge=1, le=200)] = 10, scores: bool = False) -> JSONResponse:
    """Give the pairs that are worth most to ask who asks about; similarities only where they are asked for."""
    return JSONResponse(annotate_views.questions(visit, count=k).to_json(with_scores=scores))


def api_agreement(visit: At) -> JSONResponse:
    """Say how well the people of a case agree, over the pairs that both decided blind."""
    return JSONResponse(read_agreement(visit.case.case, person=visit.user).to_json())


def api_set_eyes(visit: At, eyes: Eyes) -> JSONResponse:
    """Set how many people must confirm a pair before it counts and may leave the case."""
    require(visit.case.case, eyes.people, annotator=visit.user)
    return JSONResponse({"required": annotate_views.required(visit)})


ROUTES = (
    ("GET", "/c/{case_id}/annotate", annotate_page, Right.DECIDE),
    ("POST", "/c/{case_id}/annotate", annotate, Right.DECIDE),
    ("POST", "/c/{case_id}/annotate/undo", undo_annotation, Right.DECIDE),
    ("GET", "/c/{case_id}/agreement", agreement_page, Right.SEE),
    ("POST", "/c/{case_id}/agreement", set_eyes, Right.MANAGE),
    ("GET", "/api/c/{case_id}/annotate", api_annotate, Right.DECIDE),
    ("GET", "/api/c/{case_id}/agreement", api_agreement, Right.SEE),
    ("POST", "/api/c/{case_id}/agreement", api_set_eyes, Right.MANAGE),
)
