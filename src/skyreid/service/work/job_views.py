"""What the page of jobs and the JSON API say of the work on footage."""

from dataclasses import dataclass
from typing import Literal

from skyreid.cases.work.jobs import CANCELLED, FAILED, PAUSED, QUEUED, RUNNING, Job, cancel, pause, read_jobs, retry
from skyreid.cases.work.work_share import WorkShare, read_work_share
from skyreid.files.strict_json import Json
from skyreid.service.access import Visit

Change = Literal["pause", "resume", "cancel", "retry"]
_CHANGES: dict[str, tuple[Change, ...]] = {
    QUEUED: ("pause", "cancel"),
    RUNNING: ("pause", "cancel"),
    PAUSED: ("resume", "cancel"),
    FAILED: ("retry",),
    CANCELLED: ("retry",),
}
_DO = {"pause": pause, "resume": retry, "cancel": cancel, "retry": retry}


@dataclass(frozen=True, kw_only=True)
class JobList:
    """The work on a case, as one moment of it shows."""

    jobs: tuple[Job, ...]
    """The newest first, but before them those that are at work or wait."""
    share: WorkShare
    visit: Visit

    @property
    def is_busy(self) -> bool:
        """Whether anything will change by itself."""
        return any(job.state in (QUEUED, RUNNING) for job in self.jobs)

    def reason(self, job: Job) -> str | None:
        """Why a job failed or waits, without where its file lies."""
        if job.reason is None:
            return None
        words = job.reason.replace(job.where, job.file).replace(f"{job.where.rpartition('/')[0]}/", "")
        return self.visit.cases.without_paths(words)

    def changes(self, job: Job) -> tuple[Change, ...]:
        """What can be done with a job as it stands."""
        return _CHANGES.get(job.state, ())

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return {
            "jobs": [
                {**job.to_json(), "reason": self.reason(job), "changes": list(self.changes(job))} for job in self.jobs
            ],
            "sources": self.share.total,
            "left": self.share.left,
            "share": self.share.share,
            "busy": self.is_busy,
        }


def job_list(visit: Visit) -> JobList:
    """List the jobs of a case."""
    case = visit.case.case
    order = {RUNNING: 0, QUEUED: 1, PAUSED: 1}
    jobs = sorted(read_jobs(case), key=lambda job: -job.number)
    jobs.sort(key=lambda job: (order.get(job.state, 2), -job.priority if job.state == QUEUED else 0))
    return JobList(jobs=tuple(jobs), share=read_work_share(case), visit=visit)


def change_job(visit: Visit, number: int, change: Change) -> None:
    """Pause, resume, cancel or retry a job; the log says who did."""
    _DO[change](visit.case.case, number, by=visit.user)


def eta_words(seconds: float | None) -> str:
    """Say how long something still takes, as people say it."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"
