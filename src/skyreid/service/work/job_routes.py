"""Work on footage: how far it is, and what may be done with it."""

from typing import Annotated

from fastapi import Form, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from skyreid.cases.people import Right
from skyreid.cases.work.jobs import PASSES, prioritise
from skyreid.service.access import At
from skyreid.service.asked import Number
from skyreid.service.web_page import web_page
from skyreid.service.work.job_views import Change, change_job, eta_words, job_list

LOWEST, HIGHEST = -100, 100
"""Priorities."""


class ChangeOfJob(BaseModel):
    """What is to become of a job."""

    change: Change | None = None
    priority: int | None = Field(None, ge=LOWEST, le=HIGHEST, description="the highest comes first")


def jobs_page(visit: At) -> Response:
    """The work on the footage of a case."""
    return web_page("jobs.html", visit, at="jobs", list=job_list(visit), eta=eta_words, passes=PASSES)


def change(visit: At, number: Number, change: Annotated[Change, Form()]) -> Response:
    """Pause, resume, cancel or retry, from a page without a script."""
    change_job(visit, number, change)
    return RedirectResponse(f"/c/{visit.case.case_id}/jobs", 303)


def set_priority(visit: At, number: Number, priority: Annotated[int, Form(ge=LOWEST, le=HIGHEST)]) -> Response:
    """Say how early a job comes, from a page without a script."""
    prioritise(visit.case.case, number, priority, by=visit.user)
    return RedirectResponse(f"/c/{visit.case.case_id}/jobs", 303)


def jobs(visit: At) -> JSONResponse:
    """List the work on the footage of a case, with how far each step is."""
    return JSONResponse(job_list(visit).to_json())


def change_by_program(visit: At, number: Number, what: ChangeOfJob) -> JSONResponse:
    """Pause, resume, cancel or retry a job, or say how early it comes."""
    if what.priority is not None:
        prioritise(visit.case.case, number, what.priority, by=visit.user)
    if what.change is not None:
        change_job(visit, number, what.change)
    return JSONResponse(job_list(visit).to_json())


ROUTES = (
    ("GET", "/c/{case_id}/jobs", jobs_page, Right.SEE),
    ("POST", "/c/{case_id}/jobs/{number}", change, Right.MANAGE),
    ("POST", "/c/{case_id}/jobs/{number}/priority", set_priority, Right.MANAGE),
    ("GET", "/api/c/{case_id}/jobs", jobs, Right.SEE),
    ("POST", "/api/c/{case_id}/jobs/{number}", change_by_program, Right.MANAGE),
)
