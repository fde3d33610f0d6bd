"""What attempts at jobs have in `work` of the machine that makes them, and what killed ones left there.

JOB-ATTEMPT        what is built of a video
JOB-ATTEMPT-room   room for last words
"""

import re
import shutil
from pathlib import Path

from skyreid.cases.case import WORK, Case
from skyreid.cases.work.jobs import RUNNING, read_jobs

_ATTEMPT = re.compile(r"(\d+)-(\d+)(?:-room)?")


def given_up_attempts(case: Case) -> list[Path]:
    """What attempts left here that nobody is at, also at jobs that this machine never sees again."""
    left = [(path, found) for path in (case.folder / WORK).glob("*-*") if (found := _ATTEMPT.fullmatch(path.name))]
    if not left:
        return []
    at_work = {(job.number, job.attempt) for job in read_jobs(case) if job.state == RUNNING}
    return sorted(path for path, found in left if (int(found[1]), int(found[2])) not in at_work)


def sweep_attempts(case: Case) -> None:
    """Remove it."""
    for path in given_up_attempts(case):
        shutil.rmtree(path, ignore_errors=True)
