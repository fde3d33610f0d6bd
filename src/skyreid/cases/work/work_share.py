"""How much of the footage of a case is looked at already: what a search of it does not know yet."""

from dataclasses import dataclass

from skyreid.cases.case import Case
from skyreid.cases.sources import read_sources
from skyreid.cases.work.jobs import CANCELLED, DONE, FAILED, read_jobs


@dataclass(frozen=True, kw_only=True)
class WorkShare:
    """How much of the footage of a case is looked at already."""

    total: int
    """Sources that are there or will be; what failed or was cancelled is not among them."""
    left: int
    """Of these, the ones that are not done."""
    share: float
    """Of all the work, from 0 to 1."""

    def in_words(self) -> str:
        """Say it to a reader."""
        are = "source is" if self.total == 1 else "sources are"
        return f"{self.left} of {self.total} {are} still being processed ({self.share:.0%})".replace("%", " %")


def read_work_share(case: Case) -> WorkShare:
    """Say how much of the footage is looked at."""
    jobs = [job for job in read_jobs(case) if job.state not in (FAILED, CANCELLED)]
    came_built = {source.number for source in read_sources(case)} - {job.became for job in jobs}
    total = len(jobs) + len(came_built)
    left = sum(job.state != DONE for job in jobs)
    share = (sum(job.share for job in jobs) + len(came_built)) / max(1, total)
    return WorkShare(total=total, left=left, share=share)
