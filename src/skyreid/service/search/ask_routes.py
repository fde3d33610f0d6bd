"""Asking: the search page, two sightings side by side, and single frames; the same for programs."""

from typing import Annotated

from fastapi import HTTPException, Path, Query, Response
from fastapi.responses import JSONResponse

from skyreid.cases.people import Right
from skyreid.cases.search.searching import Candidate
from skyreid.cases.sources import read_sources
from skyreid.pages.frame_strip import as_jpeg, read_frame
from skyreid.pages.spans import seconds_in_words
from skyreid.service.access import At
from skyreid.service.asked import LARGEST_NUMBER, Number
from skyreid.service.browsing.case_views import shown, stacked, tracklet_json, tracklets_by_number
from skyreid.service.search import ask_views
from skyreid.service.search.search_asked import SearchWanted, WantedSearch
from skyreid.service.web_page import web_page

FRAME_HEIGHT = 480
"""Pixels of a frame that is looked at closely."""
_Asked = Annotated[int, Query(ge=1, le=LARGEST_NUMBER)]
_Place = Annotated[int, Query(ge=0, le=1_000_000)]


def search_page(visit: At, wanted: WantedSearch) -> Response:
    """Who resembles somebody."""
    found = ask_views.search(visit, wanted)
    return web_page(
        "search.html",
        visit,
        at="search",
        wanted=wanted,
        address=wanted.address(),
        other_order=wanted.address(refine=not wanted.refine),
        wider=_wider(wanted),
        cameras=_cameras(visit),
        found=found,
        queries=[shown(seen, state) for seen, state in found.queries],
        asked_with=wanted.asked_with,
        asked_address=wanted.picture_address,
        candidates=stacked([_candidate(found, one) for one in found.shown], found.stacks_shown()),
        other_way=wanted.address(each=not wanted.each),
        ranking=found.ranking,
        problem=found.problem,
    )


def compare_page(
    visit: At,
    a: _Asked,
    b: _Asked,
    at_a: _Place = 0,
    at_b: _Place = 0,
    rank: Annotated[int | None, Query(ge=1)] = None,
    similarity: Annotated[float | None, Query(ge=-1.01, le=1.01)] = None,
    model: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Two sightings side by side, frame by frame."""
    pair = ask_views.compare(visit, (a, b))
    return web_page(
        "compare.html",
        visit,
        at="search",
        first=shown(pair.first, pair.state),
        second=shown(pair.second, pair.state),
        places=(_place(pair.first, at_a), _place(pair.second, at_b)),
        state_of_pair=pair.state,
        apart=seconds_in_words(pair.seconds_apart),
        ranked={"rank": rank, "similarity": similarity, "model": model},
    )


def frame(visit: At, number: Number, place: Annotated[int, Path(ge=0, le=1_000_000)]) -> Response:
    """One frame of a tracklet, large; its face is covered."""
    (seen,) = tracklets_by_number(visit.case, [number])
    frames = seen.tracklet.frames
    if place >= len(frames):
        raise HTTPException(404, f"the tracklet has {len(frames)} frames")
    picture = read_frame(frames[place], seen.tracklet, FRAME_HEIGHT)
    return Response(as_jpeg(picture), media_type="image/jpeg")


def search(visit: At, wanted: WantedSearch) -> JSONResponse:
    """Rank who resembles somebody; several tracklets ask as one."""
    return JSONResponse(ask_views.search(visit, wanted).to_json())


def compare(visit: At, a: _Asked, b: _Asked) -> JSONResponse:
    """Describe two tracklets, how far apart they are in time, and what was decided on them."""
    pair = ask_views.compare(visit, (a, b))
    told = [tracklet_json(one, pair.state) for one in (pair.first, pair.second)]
    return JSONResponse({"tracklets": told, "state": pair.state, "seconds_apart": pair.seconds_apart})


def _candidate(found: ask_views.Found, one: Candidate) -> dict[str, object]:
    """A candidate as templates take it."""
    return {
        **shown(one.seen, one.state),
        "place": one.place,
        "rank": one.rank,
        "similarity": one.similarity,
        "apart": seconds_in_words(found.seconds_from_query(one)),
    }


def _wider(wanted: SearchWanted) -> list[tuple[str, str]]:
    """Ways to widen a search: words, and the address."""
    ways = [
        ("any time", bool(wanted.after or wanted.before), {"after": "", "before": ""}),
        ("all cameras", any(wanted.camera), {"camera": ()}),
        ("however far away", bool(wanted.speed), {"speed": 0.0}),
        ("both platforms", wanted.to != "any", {"to": "any"}),
        ("also those decided on", not wanted.decided, {"decided": True}),
    ]
    return [(words, wanted.address(**changed)) for words, narrows, changed in ways if narrows]


def _cameras(visit: At) -> list[tuple[str, str]]:
    """Names and platforms of the cameras of the case."""
    return sorted({(one.camera, one.platform.value) for one in read_sources(visit.case.case)})


def _place(seen: ask_views.CaseTracklet, asked: int) -> int:
    return min(asked, len(seen.tracklet.frames) - 1)


ROUTES = (
    ("GET", "/c/{case_id}/search", search_page, Right.SEE),
    ("GET", "/c/{case_id}/compare", compare_page, Right.SEE),
    ("GET", "/c/{case_id}/frames/{number}/{place}.jpg", frame, Right.SEE),
    ("GET", "/api/c/{case_id}/search", search, Right.SEE),
    ("GET", "/api/c/{case_id}/compare", compare, Right.SEE),
)
