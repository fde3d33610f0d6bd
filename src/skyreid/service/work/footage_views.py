"""What the page of new footage and the JSON API say of it, and how an upload is taken."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool

from skyreid.cases.work.describing import Description, add_footage, at_hand, best_at_hand
from skyreid.cases.work.footage import FootageFile, Upload
from skyreid.cases.work.jobs import CANCELLED, FAILED, Job, read_jobs
from skyreid.errors import SkyreidError
from skyreid.files.strict_json import Json
from skyreid.service.access import Visit

PIECE = 2**20
"""Bytes that are written at once."""


@dataclass(frozen=True, kw_only=True)
class Offered:
    """A file that could become a source."""

    file: FootageFile
    job: Job | None
    """That it is already; None = nobody added it."""

    def to_json(self) -> dict[str, Json]:
        """What a program reads; where the file lies is nobody's business."""
        job = None if self.job is None else self.job.number
        told = {"number": self.file.number, "file": self.file.name, "size": self.file.size}
        return {**told, "folder": self.file.folder or None, "job": job}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A file that is to be described, with what its first frame showed."""

    file: FootageFile
    facts: dict[str, Json]
    problem: str
    """Why it cannot be used; empty = it can."""


def offered(visit: Visit) -> list[Offered]:
    """List uploads that nobody described, and what lies in the folders of the server."""
    case = visit.case.case
    jobs = {job.where: job for job in read_jobs(case) if job.state not in (FAILED, CANCELLED)}
    found = [Offered(file=one, job=jobs.get(one.where)) for one in visit.cases.shelf.list(case)]
    return [one for one in found if one.file.folder or one.job is None]


def chosen(visit: Visit, numbers: Sequence[int]) -> list[Chosen]:
    """Look files up and decode the first frame of each."""
    shelf, found = visit.cases.shelf, []
    for number in dict.fromkeys(numbers):
        file = shelf.find(visit.case.case, number)
        try:
            found.append(Chosen(file=file, facts=shelf.facts(visit.case.case, file), problem=""))
        except SkyreidError as error:
            found.append(Chosen(file=file, facts={}, problem=str(error)))
    return found


def describe(visit: Visit, said: Sequence[tuple[int, Description]]) -> list[Job]:
    """Add files as they were described, all that can be; each is looked at before."""
    shelf, case = visit.cases.shelf, visit.case.case
    files = [(shelf.find(case, number), one) for number, one in said]
    looked = [(file, one, shelf.facts(case, file)) for file, one in files]
    return [add_footage(case, file, one, facts=facts, by=visit.user) for file, one, facts in looked]


def choices() -> dict[str, Json]:
    """What can look at footage on this machine, and what is taken when nobody chooses."""
    return {
        "detectors": list(at_hand("detector")),
        "models": list(at_hand("encoder")),
        "detector": best_at_hand("detector"),
        "model": best_at_hand("encoder"),
    }


async def take(visit: Visit, name: str, parts: AsyncIterator[bytes], *, size: int | None) -> FootageFile:
    """Take an upload as it comes; nothing of it stays that is not a video.

    Args:
        visit: who sends it, and to which case.
        name: of the file, as they call it.
        parts: its bytes.
        size: of it, as far as it is told; None = it is not.
    """
    upload = Upload(visit.case.case, name, size=size, largest=visit.cases.largest_upload)
    await run_in_threadpool(upload.__enter__)
    try:
        waiting = bytearray()
        async for part in parts:
            waiting += part
            if len(waiting) >= PIECE:
                await run_in_threadpool(upload.write, bytes(waiting))
                waiting.clear()
        await run_in_threadpool(upload.write, bytes(waiting))
        return await run_in_threadpool(upload.finish, by=visit.user)
    except BaseException as error:
        upload.__exit__(type(error), error, error.__traceback__)
        raise
