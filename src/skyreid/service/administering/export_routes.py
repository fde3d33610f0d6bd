"""What leaves a case through the pages: one archive at a time, under a name that nobody typed."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Form, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from skyreid.cases.exports.exporting import FORMATS, Format, package_case, past_exports
from skyreid.cases.exports.papers import LEAD, Papers, fill_in_papers
from skyreid.cases.people import Right
from skyreid.service.access import At, Visit
from skyreid.service.web_page import web_page

_CHUNK = 256 * 1024
_TOLD: tuple[tuple[str, tuple[tuple[Format, str, str], ...]], ...] = (
    (
        "To be read",
        (
            (
                "pdf",
                "Report (PDF)",
                "Who was confirmed, with pictures, times, who decided, models and hashes.",
            ),
            ("csv", "Decisions (CSV)", "One line a decision, those that were taken back too, for a spreadsheet."),
        ),
    ),
    (
        "For programs",
        (
            (
                "json",
                "Everything but pictures (JSON)",
                "Sources, tracklets, identities, decisions; the log too, for those who may see it.",
            ),
            ("build", "Folder of a build", "With crops, vectors and decisions: every command of skyreid takes it."),
            ("table", "Vectors (.npz)", "Of the model with the most, as skyreid embed writes them."),
        ),
    ),
    (
        "Benchmarks of re-identification",
        (
            ("g2a", "Layout of G2A-VReID", "People confirmed on both platforms, divided into training and test."),
            ("mars", "Layout of MARS", "The same, with people of the air only as distractors."),
        ),
    ),
    (
        "Boxes with identities",
        (
            ("mot", "MOTChallenge", "One text file a source, the same number for a person in all of them."),
            ("cvat", "CVAT for video (XML)", "The same for CVAT; FiftyOne reads it as CVATVideoDataset."),
            ("label-studio", "Label Studio (JSON)", "The same for Label Studio, while the videos lie where they were."),
        ),
    ),
)
"""Groups of the page: format, what it is called, what it holds."""


class NewExport(BaseModel):
    """What is to leave the case."""

    format: Format
    tracklet: str | None = Field(None, max_length=500, description="id of the one that the pdf is about")


def exports_page(visit: At) -> Response:
    """What can be taken out, and what was."""
    return web_page("exports.html", visit, at="exports", groups=_TOLD, past=past_exports(visit.case.case))


def export(
    visit: At, format: Annotated[Format, Form()], tracklet: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Give an archive."""
    return _export(visit, format, tracklet.strip() or None)


def api_exports(visit: At) -> JSONResponse:
    """List the formats, and what was taken out, the last first."""
    return JSONResponse({"formats": list(FORMATS), "past": [dict(one) for one in past_exports(visit.case.case)]})


def api_export(visit: At, what: NewExport) -> Response:
    """Give an archive (ZIP): what was asked for, and the hash of every file in it."""
    return _export(visit, what.format, what.tracklet)


def _export(visit: Visit, format: Format, tracklet: str | None) -> Response:
    """Write an archive and send it; the log is in it only for those who may see it on its page."""
    with_log = visit.may(Right.AUDIT)
    package = package_case(visit.case.case, format, by=visit.user, tracklet=tracklet, with_log=with_log)

    def parts() -> Iterator[bytes]:
        with package.file as file:
            while part := file.read(_CHUNK):
                yield part

    headers = {"content-disposition": f'attachment; filename="{package.name}"', "content-length": str(package.size)}
    return StreamingResponse(parts(), media_type="application/zip", headers=headers)


def papers_page(visit: At) -> Response:
    """An information sheet and drafts of impact assessments, filled in from the case."""
    papers = _papers(visit)
    return web_page("papers.html", visit, at="exports", papers=papers, sheets=papers.sheets, lead=LEAD)


def api_papers(visit: At) -> JSONResponse:
    """Give the same, with null where a person must fill something in."""
    return JSONResponse(_papers(visit).to_json())


def _papers(visit: Visit) -> Papers:
    papers = fill_in_papers(visit.case.case, roles=visit.cases.people.roles(visit.case.case_id))
    visit.log("papers")
    return papers


ROUTES = (
    ("GET", "/c/{case_id}/papers", papers_page, Right.MANAGE),
    ("GET", "/api/c/{case_id}/papers", api_papers, Right.MANAGE),
    ("GET", "/c/{case_id}/exports", exports_page, Right.EXPORT),
    ("POST", "/c/{case_id}/exports", export, Right.EXPORT),
    ("GET", "/api/c/{case_id}/exports", api_exports, Right.EXPORT),
    ("POST", "/api/c/{case_id}/exports", api_export, Right.EXPORT),
)
