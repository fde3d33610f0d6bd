"""Pictures of a case: drawn from crops whose faces are covered, found by number, never by a name of a file."""

from fastapi import Response

from skyreid.cases.people import Right
from skyreid.pages.frame_strip import draw_film, draw_frame_strip
from skyreid.service.access import At
from skyreid.service.asked import Number
from skyreid.service.browsing.case_views import FILM_CELLS, tracklets_by_number

FILM_CELL = (96, 192)
"""Width and height in pixels: drawn at half of it, sharp on a phone."""
LARGE_CELL = (176, 352)
"""Where pictures are shown large."""


def film(visit: At, number: Number, large: bool = False) -> Response:
    """Frames of a tracklet, one beside the other in cells of one size."""
    (seen,) = tracklets_by_number(visit.case, [number])
    drawn = draw_film(seen.tracklet, cell=LARGE_CELL if large else FILM_CELL, most=FILM_CELLS)
    return Response(drawn.strip.jpeg, media_type="image/jpeg")


def strip(visit: At, number: Number) -> Response:
    """Frames of a tracklet, large."""
    (seen,) = tracklets_by_number(visit.case, [number])
    return Response(draw_frame_strip(seen.tracklet, height=280, width=1100).jpeg, media_type="image/jpeg")


ROUTES = (
    ("GET", "/c/{case_id}/films/{number}.jpg", film, Right.SEE),
    ("GET", "/c/{case_id}/strips/{number}.jpg", strip, Right.SEE),
)
