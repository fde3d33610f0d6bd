"""How long an upload stays in a case: while its source, its job, or somebody who may describe it, needs it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from skyreid.cases.case import Case
from skyreid.cases.schema import SOURCES
from skyreid.cases.work.footage import FOOTAGE, FootageFile, remove_upload, upload_key, uploads_in
from skyreid.cases.work.jobs import CANCELLED, FAILED, RUNNING, Job, read_jobs
from skyreid.files.atomic_file import sweep_leftovers

WAITING_DAYS = 7
"""So long an upload waits for somebody who describes it."""
_DESCRIBED = (0, 0)


def mark_described(case: Case, file: FootageFile) -> None:
    """Note on the folder of an upload that it waits for nobody: it goes at once when no source and no job needs it."""
    if upload_key(case, file.path) is not None:
        os.utime(file.path.parent, _DESCRIBED)


def sweep_uploads(case: Case, *, at: datetime) -> None:
    """Remove the uploads that nobody needs any more, or may have."""
    sweep_leftovers(case.folder / FOOTAGE)
    uploads = uploads_in(case)
    if not uploads:
        return
    days, jobs = case.facts().retention_days, read_jobs(case)
    with case.database.reading() as connection:
        named = {Path(path) for path in connection.execute(sa.select(SOURCES.c.path)).scalars() if path is not None}
    needed = named | {job.source.path for job in jobs if not _has_ended(job, at, days)}
    described = {job.source.path for job in jobs}
    for path in (path.resolve() for path in uploads):
        waits = path not in described and _begun(path.parent) + timedelta(days=WAITING_DAYS) > at
        if path not in needed and not waits:
            remove_upload(case, path, by="skyreid")


def _has_ended(job: Job, at: datetime, days: int) -> bool:
    """Whether nobody takes a job up again: its authorisation has ended, or it failed or was cancelled long ago."""
    if job.state == RUNNING:
        return False
    if job.permission.until is not None and job.permission.until <= at:
        return True
    return job.state in (FAILED, CANCELLED) and datetime.fromisoformat(job.added_at) + timedelta(days=days) <= at


def _begun(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
