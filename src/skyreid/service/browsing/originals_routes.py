"""Originals: frames of one tracklet without covers, for a reason that the log keeps.

A page fetches its picture once, in the session that gave the reason; then it is gone. Nothing is cached, and whoever
wants to look again gives a reason again.
"""

from typing import Annotated

from fastapi import Form, Response
from pydantic import BaseModel, Field

from skyreid.cases.keeping.originals import LONGEST_REASON, check_reason, draw_originals
from skyreid.cases.people import Right
from skyreid.errors import SettingError
from skyreid.service.access import At, Visit
from skyreid.service.asked import Number
from skyreid.service.browsing import case_views
from skyreid.service.web_page import web_page

_LONGEST = LONGEST_REASON + 100
"""What is refused in words rather than as a form that is none."""


class Reason(BaseModel):
    """Why somebody must be seen uncovered."""

    reason: str = Field(max_length=_LONGEST)


def originals_page(visit: At, number: Number, reason: Annotated[str, Form(max_length=_LONGEST)]) -> Response:
    """Frames of a tracklet, uncovered."""
    reason = check_reason(reason)
    tracklet_id, picture = _seen(visit, number, reason)
    visit.cases.originals.put(_owner(visit, number), picture)
    return web_page("originals.html", visit, at="browse", tracklet_id=tracklet_id, number=number, reason=reason)


def original(visit: At, number: Number) -> Response:
    """The picture of that page, once."""
    picture = visit.cases.originals.take(_owner(visit, number))
    if picture is None:
        raise SettingError("no original waits here: it is shown once, after a reason was given")
    return Response(picture, media_type="image/jpeg")


def api_originals(visit: At, number: Number, why: Reason) -> Response:
    """Give frames of a tracklet, uncovered, as one JPEG; the reason stands in the log."""
    _, picture = _seen(visit, number, check_reason(why.reason))
    return Response(picture, media_type="image/jpeg")


def _seen(visit: Visit, number: int, reason: str) -> tuple[str, bytes]:
    """Draw it, and note who saw it and why before anybody does."""
    (seen,) = case_views.tracklets_by_number(visit.case, [number])
    picture = draw_originals(visit.case.case, seen)
    visit.log("original seen", seen.tracklet.tracklet_id, reason=reason)
    return seen.tracklet.tracklet_id, picture


def _owner(visit: Visit, number: int) -> tuple[str | None, str, int]:
    return visit.csrf, visit.case.case_id, number


ROUTES = (
    ("POST", "/c/{case_id}/originals/{number}", originals_page, Right.SEE_ORIGINALS),
    ("GET", "/c/{case_id}/originals/{number}.jpg", original, Right.SEE_ORIGINALS),
    ("POST", "/api/c/{case_id}/originals/{number}", api_originals, Right.SEE_ORIGINALS),
)
