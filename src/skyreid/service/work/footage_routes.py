"""Footage comes into a case: uploads, files of the server's folders, what is said of them, the jobs they become."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Form, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from skyreid.cases.people import Right
from skyreid.cases.work.describing import Description, best_at_hand, end_of_day, moment
from skyreid.cases.work.footage import remove_upload
from skyreid.errors import SkyreidError
from skyreid.service.access import At, Visit
from skyreid.service.asked import LARGEST_NUMBER, Number
from skyreid.service.web_page import web_page
from skyreid.service.work import footage_views
from skyreid.service.work.uploads import Parts
from skyreid.tracklet import Platform

MOST_AT_ONCE = 50
_Number = Annotated[int, Query(ge=1, le=LARGEST_NUMBER)]
_Text = Annotated[str, Form(max_length=1_000)]
_Side = Literal["ground", "aerial"]


class NewFootage(BaseModel):
    """A file, and what is said of it."""

    number: int = Field(ge=1, le=LARGEST_NUMBER, description="of GET /api/c/{case_id}/footage, or of an upload")
    platform: Platform
    camera: str = Field(max_length=200, examples=["gate"])
    purpose: str = Field(max_length=1_000, description="why the people in it are looked at")
    start_time: datetime | None = Field(None, description="of the first frame, with its zone")
    authorisation: str | None = Field(None, max_length=1_000)
    authorised_until: datetime | None = Field(None, description="nobody sees the footage from then on")
    detector: str | None = Field(
        default_factory=lambda: best_at_hand("detector"),
        max_length=100,
        description="absent = the best in the cache; null = people are found by their motion",
    )
    model: str | None = Field(
        default_factory=lambda: best_at_hand("encoder"),
        max_length=100,
        description="absent = the best in the cache; null = nobody can be searched yet",
    )
    is_simulated: bool = False


def footage_page(visit: At, f: Annotated[list[_Number], Query(max_length=MOST_AT_ONCE)] = []) -> Response:  # noqa: B006 - FastAPI copies it
    """Choose footage, or say what is chosen."""
    return _page(visit, numbers=f)


def describe(
    visit: At,
    f: Annotated[list[int], Form(max_length=MOST_AT_ONCE)],
    platform: Annotated[list[_Side], Form()],
    camera: Annotated[list[str], Form()],
    start: Annotated[list[str], Form()],
    zone: _Text = "",
    purpose: _Text = "",
    authorisation: _Text = "",
    until: _Text = "",
    detector: _Text = "",
    model: _Text = "",
    simulated: Annotated[bool, Form()] = False,
) -> Response:
    """Add what was chosen, from a form."""
    form = {"zone": zone, "purpose": purpose, "authorisation": authorisation, "until": until}
    form |= {"detector": detector, "model": model, "simulated": "yes" if simulated else ""}
    if not len(f) == len(platform) == len(camera) == len(start):
        raise HTTPException(422, "each file has a platform, a camera and a start time; load the page anew")
    try:
        said = [
            (
                number,
                Description(
                    platform=Platform(side),
                    camera=name,
                    start_time=moment(begins, zone.strip()),
                    purpose=purpose,
                    authorisation=authorisation.strip() or None,
                    authorised_until=end_of_day(until),
                    detector=detector or None,
                    model=model or None,
                    is_simulated=simulated,
                ),
            )
            for number, side, name, begins in zip(f, platform, camera, start, strict=True)
        ]
        footage_views.describe(visit, said)
    except SkyreidError as error:
        of_files = {
            number: {"platform": side, "camera": name, "start": begins}
            for number, side, name, begins in zip(f, platform, camera, start, strict=True)
        }
        return _page(visit, numbers=f, problems=[visit.cases.without_paths(str(error))], form=form, of_files=of_files)
    return RedirectResponse(f"/c/{visit.case.case_id}/jobs", 303)


async def upload(request: Request, visit: At) -> Response:
    """Take files from a form without a script."""
    parts: Parts = request.state.parts if hasattr(request.state, "parts") else Parts(request)
    numbers, problems = [], []
    async for name, content in parts.files():
        try:
            numbers.append((await footage_views.take(visit, name, content, size=None)).number)
        except SkyreidError as error:
            problems.append(visit.cases.without_paths(str(error)))
            async for _ in content:
                pass
    if not numbers and not problems:
        raise HTTPException(422, "no file came; choose one")
    if problems:
        return await run_in_threadpool(_page, visit, numbers=numbers, problems=problems)
    return RedirectResponse(_address(visit, numbers), 303)


def remove(visit: At, number: Number) -> Response:
    """Remove an upload that nobody described, from a form."""
    _remove(visit, number)
    return RedirectResponse(_address(visit, []), 303)


def footage(visit: At) -> JSONResponse:
    """List uploads that nobody described yet, the videos in the folders of the server, and what can look at them."""
    files = [one.to_json() for one in footage_views.offered(visit)]
    return JSONResponse({"files": files, **footage_views.choices()})


def probed(visit: At, number: Number) -> JSONResponse:
    """Decode the first frame of a file and say what it holds."""
    file = visit.cases.shelf.find(visit.case.case, number)
    return JSONResponse({"number": number, "file": file.name, **visit.cases.shelf.facts(visit.case.case, file)})


def add(visit: At, new: NewFootage) -> JSONResponse:
    """Put a file into the queue."""
    said = Description(**{name: value for name, value in new if name != "number"})
    (job,) = footage_views.describe(visit, [(new.number, said)])
    return JSONResponse(job.to_json(), 201)


async def upload_by_program(
    request: Request, visit: At, name: Annotated[str, Query(min_length=1, max_length=500)]
) -> JSONResponse:
    """Upload a file: its bytes are the body; its name is not used as a path."""
    size = int(request.headers["content-length"])
    file = await footage_views.take(visit, name, _whole(request.stream(), size), size=size)
    facts = await run_in_threadpool(visit.cases.shelf.facts, visit.case.case, file)
    return JSONResponse({"number": file.number, "file": file.name, **facts}, 201)


def remove_by_program(visit: At, number: Number) -> JSONResponse:
    """Remove an upload that nobody described."""
    _remove(visit, number)
    return JSONResponse({"removed": number})


async def _whole(parts: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    async for part in parts:
        size -= len(part)
        yield part
    if size:
        raise HTTPException(422, "the file did not arrive whole; send it again")


def _remove(visit: Visit, number: int) -> None:
    waiting = {one.file.number for one in footage_views.offered(visit) if one.job is None}
    if number not in waiting:
        raise HTTPException(422, f"there is no upload {number} that waits to be described")
    case = visit.case.case
    remove_upload(case, visit.cases.shelf.find(case, number).where, by=visit.user)


def _address(visit: Visit, numbers: list[int]) -> str:
    asked = "&".join(f"f={number}" for number in numbers)
    return f"/c/{visit.case.case_id}/footage" + (f"?{asked}" if asked else "")


def _page(
    visit: Visit,
    *,
    numbers: list[int],
    problems: list[str] | None = None,
    form: dict[str, str] | None = None,
    of_files: dict[int, dict[str, str]] | None = None,
) -> Response:
    choices = footage_views.choices()
    chosen = footage_views.chosen(visit, numbers)
    nothing_said = dict.fromkeys(("zone", "purpose", "authorisation", "until", "simulated"), "")
    usual = nothing_said | {"detector": choices["detector"] or "", "model": choices["model"] or ""}
    return web_page(
        "footage.html",
        visit,
        at="sources",
        status=422 if problems else 200,
        problems=problems or [],
        chosen=[
            (
                one,
                {"platform": "", "camera": one.file.stem, "start": ""} | (of_files or {}).get(one.file.number, {}),
            )
            for one in chosen
        ],
        num_usable=sum(not one.problem for one in chosen),
        offered=[] if numbers else footage_views.offered(visit),
        has_folders=bool(visit.cases.shelf.folders),
        largest=visit.cases.largest_upload,
        choices=choices,
        form=form or usual,
    )


ROUTES = (
    ("GET", "/c/{case_id}/footage", footage_page, Right.MANAGE),
    ("POST", "/c/{case_id}/footage", describe, Right.MANAGE),
    ("POST", "/c/{case_id}/footage/{number}/remove", remove, Right.MANAGE),
    ("POST", "/c/{case_id}/uploads", upload, Right.MANAGE),
    ("GET", "/api/c/{case_id}/footage", footage, Right.MANAGE),
    ("GET", "/api/c/{case_id}/footage/{number}", probed, Right.MANAGE),
    ("POST", "/api/c/{case_id}/footage", add, Right.MANAGE),
    ("POST", "/api/c/{case_id}/footage/{number}/remove", remove_by_program, Right.MANAGE),
    ("POST", "/api/c/{case_id}/uploads", upload_by_program, Right.MANAGE),
)
