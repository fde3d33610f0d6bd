"""Asking with a picture that is sent, somebody in a frame of a source, or words; the same for programs.

What is sent is decoded apart, held in memory for a while, and never stored. Whatever is shown has its faces covered.
"""

from pathlib import PurePath
from typing import Annotated, Literal

from fastapi import Form, HTTPException, Query, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse
from PIL import Image

from skyreid.building.tracked_boxes import Box
from skyreid.cases.people import Right
from skyreid.cases.search.asked_pictures import HeldPicture
from skyreid.cases.sources import CaseSource, read_sources
from skyreid.files.picture_file import FORMATS
from skyreid.files.regular_file import bytes_sha256
from skyreid.files.strict_json import Json
from skyreid.pages.frame_strip import as_jpeg
from skyreid.service.access import At, Visit
from skyreid.service.asked import Number
from skyreid.service.search import ask_views
from skyreid.service.search.search_asked import WantedSearch
from skyreid.service.web_page import web_page
from skyreid.tracklet import Platform

LARGEST_SHOWN = (1_600, 1_600)
"""Pixels of a whole picture on a page."""
CROP_HEIGHT = 480
_Token = Annotated[str, Query(min_length=1, max_length=60)]
_Seconds = Annotated[float, Query(ge=0, le=1e6)]
_FilmedFrom = Annotated[Literal["unknown", "ground", "aerial"], Form()]


def ask_page(visit: At) -> Response:
    """The ways to ask."""
    asker = visit.case.asker
    return web_page(
        "ask.html",
        visit,
        at="ask",
        why_no_pictures=_said(visit, asker.why_no_pictures()),
        why_no_text=_said(visit, asker.why_no_text()),
        formats=FORMATS,
        sources=read_sources(visit.case.case),
    )


async def send_picture(visit: At, picture: UploadFile, filmed_from: _FilmedFrom = "unknown") -> Response:
    """Take a picture to ask with, from a page."""
    token = await _taken(visit, picture, filmed_from)
    return RedirectResponse(f"/c/{visit.case.case_id}/picture?picture={token}", 303)


def picture_page(visit: At, picture: _Token) -> Response:
    """A picture that was sent, with who was found in it."""
    held = visit.case.held.uploaded(picture, by=visit.user)
    return web_page("picture.html", visit, at="ask", shown=_shown(held), held=held, picture=picture, source=None)


def forget_picture(visit: At, picture: Annotated[str, Form(min_length=1, max_length=60)]) -> Response:
    """Forget a picture now, from a page."""
    visit.case.held.forget(picture, by=visit.user)
    return RedirectResponse(f"/c/{visit.case.case_id}/ask", 303)


def frame_page(visit: At, number: Number, at: _Seconds = 0.0) -> Response:
    """A frame of a source, with who was found in it."""
    source, held = _frame(visit, number, at)
    shown = _shown(held)
    return web_page("picture.html", visit, at="ask", shown=shown, held=held, picture="", source=source, second=at)


def picture(visit: At, wanted: WantedSearch) -> Response:
    """A picture or frame that is asked with, faces covered: all of it, or what a box shows of it."""
    held = _picture_asked(visit, wanted)
    if wanted.source:
        visit.log("frame seen", held.words)
    if wanted.box is None:
        shown = Image.fromarray(held.covered)
        shown.thumbnail(LARGEST_SHOWN)
    else:
        shown = held.crop(wanted.box)
        scale = min(3.0, CROP_HEIGHT / shown.height)
        shown = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
    return Response(as_jpeg(shown), media_type="image/jpeg")


def ways(visit: At) -> JSONResponse:
    """Say what the case can be asked with; an empty reason = it can."""
    asker = visit.case.asker
    told = {"pictures": asker.why_no_pictures(), "text": asker.why_no_text()}
    return JSONResponse({name: {"can": not why, "reason": _said(visit, why)} for name, why in told.items()})


async def post_picture(visit: At, picture: UploadFile, filmed_from: _FilmedFrom = "unknown") -> JSONResponse:
    """Take a picture to ask with, as a form of its file; `search` takes its token, with a box of the person."""
    token = await _taken(visit, picture, filmed_from)
    held = visit.case.held.uploaded(token, by=visit.user)
    return JSONResponse({"picture": token, **_told(held)}, 201)


def forget(visit: At, picture: _Token) -> JSONResponse:
    """Forget a picture now."""
    visit.case.held.forget(picture, by=visit.user)
    return JSONResponse({"picture": None})


def frame(visit: At, number: Number, at: _Seconds = 0.0) -> JSONResponse:
    """Say who is in a frame of a source; `search` takes source, at and a box of the person."""
    _, held = _frame(visit, number, at)
    visit.log("frame seen", held.words)
    return JSONResponse(_told(held))


async def _taken(visit: Visit, picture: UploadFile, filmed_from: str) -> str:
    content = await picture.read()
    name = PurePath((picture.filename or "picture").replace("\\", "/")).name[:100] or "picture"
    platform = None if filmed_from == "unknown" else Platform(filmed_from)

    def take() -> str:
        opened = visit.case
        visit.log("picture sent", name, sha256=bytes_sha256(content), bytes=len(content))
        return opened.held.upload(opened.asker, content, name, by=visit.user, platform=platform)

    return await run_in_threadpool(take)


def _frame(visit: Visit, number: int, at: float) -> tuple[CaseSource, HeldPicture]:
    opened = visit.case
    source = next((one for one in read_sources(opened.case) if one.number == number), None)
    if source is None:
        raise HTTPException(404, f"there is no source {number}")
    return source, opened.held.frame(opened.case, opened.asker, number, at)


def _picture_asked(visit: Visit, wanted: WantedSearch) -> HeldPicture:
    held = ask_views.picture_asked(visit, wanted)
    if held is None:
        raise HTTPException(422, "name a picture, or a source and the seconds after its first frame")
    return held


def _shown(held: HeldPicture) -> dict[str, object]:
    height, width = held.pixels.shape[:2]
    known = [{"number": seen.number, "id": seen.tracklet.tracklet_id, "box": _rounded(box)} for seen, box in held.known]
    return {
        "width": width,
        "height": height,
        "people": [_rounded(box) for box in held.people],
        "known": known,
        "whole": _rounded((0.0, 0.0, float(width), float(height))),
    }


def _told(held: HeldPicture) -> dict[str, Json]:
    height, width = held.pixels.shape[:2]
    return {
        "words": held.words,
        "width": width,
        "height": height,
        "people": [dict(_rounded(box)) for box in held.people],
        "known": [{"number": seen.number, **_rounded(box)} for seen, box in held.known],
        "looked_for_people": held.has_detector,
    }


def _rounded(box: Box) -> dict[str, int]:
    left, top, right, bottom = box
    return {"x": round(left), "y": round(top), "w": round(right) - round(left), "h": round(bottom) - round(top)}


def _said(visit: Visit, words: str) -> str:
    return visit.cases.without_paths(words)


ROUTES = (
    ("GET", "/c/{case_id}/ask", ask_page, Right.SEE),
    ("POST", "/c/{case_id}/pictures", send_picture, Right.SEE),
    ("GET", "/c/{case_id}/picture", picture_page, Right.SEE),
    ("POST", "/c/{case_id}/picture/forget", forget_picture, Right.SEE),
    ("GET", "/c/{case_id}/asked.jpg", picture, Right.SEE),
    ("GET", "/c/{case_id}/sources/{number}/frame", frame_page, Right.SEE),
    ("GET", "/api/c/{case_id}/ask", ways, Right.SEE),
    ("POST", "/api/c/{case_id}/pictures", post_picture, Right.SEE),
    ("DELETE", "/api/c/{case_id}/picture", forget, Right.SEE),
    ("GET", "/api/c/{case_id}/sources/{number}/frame", frame, Right.SEE),
)
