"""How long an upload stays in a case: while its source, its job, or somebody who may describe it, needs it."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from skyreid.cases.case import Case
from skyreid.cases.schema import SOURCES
from skyreid.cases.work.footage import FootageFile, remove_upload
from skyreid.cases.work.jobs import CANCELLED, FAILED, RUNNING, Job, read_jobs

WAITING_DAYS = 7
"""So long an upload waits for somebody who describes it."""


def mark_described(case: Case, file: FootageFile) -> None:
    """Note of an upload that it waits for nobody: it goes at once when no source and no job needs it."""
    if (key := case.uploads.key_of(file.where)) is not None:
        case.uploads.mark_described(key)


def sweep_uploads(case: Case, *, at: datetime) -> None:
    """Remove the uploads that nobody needs any more, or may have."""
    case.uploads.sweep_leftovers()
    uploads = case.uploads.all()
    if not uploads:
        return
    days, jobs = case.facts().retention_days, read_jobs(case)
    with case.database.reading() as connection:
        named = set(connection.execute(sa.select(SOURCES.c.path)).scalars())
    needed = named | {job.where for job in jobs if not _has_ended(job, at, days)}
    described = {job.where for job in jobs}
    for one in uploads:
        since = None if one.where in described else one.waits_since
        waits = since is not None and since + timedelta(days=WAITING_DAYS) > at
        if one.where not in needed and not waits:
            remove_upload(case, one.where, by="skyreid")


def _has_ended(job: Job, at: datetime, days: int) -> bool:
    """Whether nobody takes a job up again: its authorisation has ended, or it failed or was cancelled long ago."""
    if job.state == RUNNING:
        return False
    if job.permission.until is not None and job.permission.until <= at:
        return True
    return job.state in (FAILED, CANCELLED) and datetime.fromisoformat(job.added_at) + timedelta(days=days) <= at
