"""The jobs of a case on the workers of a cluster, each of whom takes the one that comes next.

The ledger of the case stays the only truth: whoever takes a job holds it by a lease, whatever became of the others. The
case is opened by every worker: its folder, and its footage, lie where all machines see them.
"""

import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from skyreid.cases.case import Case, open_case
from skyreid.cases.work.jobs import QUEUED, read_jobs
from skyreid.cases.work.leases import end_leases, is_work_waiting, worker_name
from skyreid.cases.work.outage import through_outage
from skyreid.cases.work.worker import Embedders, WorkReport, report_of, take_and_do, take_up_where_is_room
from skyreid.errors import LostError, SkyreidError
from skyreid.processes.progress import Progress, silent
from skyreid.processes.workers import Needs, Workers, workers_at


@dataclass(frozen=True, kw_only=True)
class NextJob:
    """The job of `do_next`: to take whatever comes next in a case, and do it."""

    case: Path
    worker: str
    """The name to take it by, which nobody else has."""
    least_room: int | None

    @property
    def name(self) -> str:
        """By which whoever waits hears of it."""
        return self.case.name


def work_on_cluster(case: Case, ray: str, *, least_room: int | None = None, progress: Progress = silent) -> WorkReport:
    """Do all jobs of a case as `work` does, on the workers of a cluster.

    Args:
        case: whose; its folder lies at the same path on all machines.
        ray: HOST:PORT of a Ray cluster.
        least_room: as of `work`.
        progress: hears of how many jobs are done.

    Raises:
        SettingError: the address is none, or one that others can reach without a token and TLS.
        ClusterError: the cluster cannot be used.
    """
    done = 0
    with workers_at(ray) as workers:
        take_up_where_is_room(case, least_room)
        while is_work_waiting(case, least_room=least_room):
            done_now = _round(case, workers, least_room, progress)
            done += done_now.count(True)
            if True not in done_now and False not in done_now:
                break  # what waits, waits for something else
    return report_of(case, done)


def _round(case: Case, workers: Workers, least_room: int | None, progress: Progress) -> list[bool | None]:
    """Let as many be taken as wait; gives what became of each, None where none was left."""
    waiting = [job for job in read_jobs(case) if job.state == QUEUED]
    needs = Needs(has_model=any(job.settings.model for job in waiting))
    caller = f"{worker_name(0)}:{secrets.token_hex(4)}"
    jobs = [
        NextJob(case=case.folder.resolve(), worker=f"{caller}:{number}", least_room=least_room)
        for number in range(max(1, len(waiting)))
    ]
    at_work = {job.worker for job in jobs}
    became: list[bool | None] = []
    try:
        for job, result in workers.finish(do_next, jobs, task="look at footage", needs=needs, progress=progress):
            if isinstance(result, LostError):  # the ledger counts it too
                became.append(False)
                continue
            if isinstance(result, SkyreidError):
                raise result
            at_work.discard(job.worker)
            became.append(result)
    finally:
        for worker in at_work:
            through_outage(lambda worker=worker: end_leases(case, worker))
    return became


def do_next(job: NextJob, progress: Progress) -> bool | None:
    """Take the job that comes next in a case and do it; gives whether it was done, None where there is none.

    Raises:
        CaseError: the case cannot be opened.
    """
    with open_case(job.case) as case:
        # Whoever was begun under this name before is lost, or counts as lost and commits nothing.
        through_outage(lambda: end_leases(case, job.worker))
        return take_and_do(case, job.worker, _embedders(), job.least_room, progress)


@lru_cache(maxsize=1)
def _embedders() -> Embedders:
    """What this worker has loaded."""
    return Embedders(silent)
