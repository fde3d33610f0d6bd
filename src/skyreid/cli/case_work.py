"""`skyreid case work`, `case jobs`: the videos of a case that are to be looked at."""

from typing import TYPE_CHECKING

from skyreid.cli.terminal import DONE_IN_PART, Bars, File, Note, print_notice, show_result, who
from skyreid.errors import CaseError

if TYPE_CHECKING:
    from skyreid.cases.work.jobs import Job


def case_work(
    case: File,
    *,
    wait: bool = False,
    least_room_mb: int | None = None,
    ray: str | None = None,
    json: bool = False,
) -> int:
    """Look at the videos of a case that wait for it; several at once, when it is run several times.

    What is finished can be searched while the rest is still in work.

    Args:
        case: whose videos; with --wait also a folder of cases.
        wait: go on for more when nothing is left, until Ctrl-C: on machines that only work.
        least_room_mb: megabytes that stay free on the disk; below that, the work waits; when not given, 2048 or a
            twentieth of the disk, whichever is more.
        ray: HOST:PORT of a Ray cluster whose machines do it; the case and its footage lie where all of them see them.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.work.worker import work
    from skyreid.cases.work.worker_process import RARELY_ASK_S, work_on_all

    least_room = None if least_room_mb is None else least_room_mb * 2**20
    if ray is not None and wait:
        raise CaseError("--ray ends when nothing is left; --wait is for workers without it, as many as one wants")
    if wait:
        if not case.is_dir():
            raise CaseError(f"{case}: is no folder; name a case, or a folder of cases")
        print_notice(f"waits for work in {case} and does it (Ctrl-C ends it)")
        with Bars() as bars:
            work_on_all(case, idle_s=None, ask_s=RARELY_ASK_S, least_room=least_room, progress=bars)
        return 0
    with open_case(case) as opened, Bars() as bars:
        if ray is None:
            report = work(opened, least_room=least_room, progress=bars)
        else:
            from skyreid.cases.work.cluster_work import work_on_cluster

            report = work_on_cluster(opened, ray, least_room=least_room, progress=bars)
    show_result(report, json=json)
    return DONE_IN_PART if report.failed or report.waiting else 0


def case_jobs(
    case: File,
    *,
    pause: int | None = None,
    cancel: int | None = None,
    retry: int | None = None,
    by: str | None = None,
    json: bool = False,
) -> None:
    """List the work on a case, with what is left of each step; pause, cancel or retry a job.

    Args:
        case: whose work.
        pause: number of a job that waits until it is retried.
        cancel: number of a job that is not to be done.
        retry: number of a job to be done after all.
        by: who asks.
        json: print JSON.
    """
    from skyreid.cases.case import open_case
    from skyreid.cases.work import jobs

    with open_case(case) as opened:
        for change, number in ((jobs.pause, pause), (jobs.cancel, cancel), (jobs.retry, retry)):
            if number is not None:
                change(opened, number, by=who(by))
        found = jobs.read_jobs(opened)
    said = [line for job in found for line in _job_lines(job)]
    show_result(Note(said or ["no job yet"], [job.to_json() for job in found]), json=json)


def _job_lines(job: "Job") -> list[str]:
    why = "" if job.reason is None else f": {job.reason}"
    steps = [
        f"  {step.task}: {step.done} of {step.total}" + ("" if step.eta_s is None else f", {step.eta_s:.0f} s left")
        for step in job.steps
        if job.state == "running"
    ]
    return [f"job {job.number}: {job.file} of {job.source.camera}, {job.state}{why}", *steps]
