"""What takes jobs one after the other: builds a video in a folder of its own and brings what was found into the case.

Whatever happens to a worker, a job is done or is not: tracklets, crops, vectors and the word "done" come by one
transaction. The build runs in `work/`; what killed workers left there is removed by the next attempt. A database that
is away for a while is waited for, and what was built meanwhile is not lost.
"""

import errno
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from skyreid.building.build import build
from skyreid.building.crops.cropping import TrackletEmbedder
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.cases.case import WORK, Case
from skyreid.cases.sources import check_authorisation
from skyreid.cases.work.attempts import sweep_attempts
from skyreid.cases.work.importing import bring_build
from skyreid.cases.work.jobs import FAILED, PAUSED, Job, Step, read_jobs
from skyreid.cases.work.leases import (
    JobLostError,
    Lease,
    fail_job,
    finish_job,
    give_back,
    is_done_by,
    keep_lease,
    queue_those_without_room,
    release_jobs,
    take_job,
    wait_for_room,
    worker_name,
)
from skyreid.cases.work.outage import through_outage
from skyreid.cases.work.room import has_room, room_for_last_words, room_of
from skyreid.errors import AwayError, DatabaseAwayError, SkyreidError, VideoError
from skyreid.files.atomic_file import sweep_leftovers
from skyreid.files.object_store import is_object
from skyreid.files.regular_file import file_sha256
from skyreid.files.strict_json import Json
from skyreid.processes.progress import Progress, silent

BEAT_S = 2.0
"""From one sign of life to the next, which also tells how far a job is: people look on."""
_logger = logging.getLogger(__name__)


class NoRoomError(Exception):
    """The disk became too full while a job was at work."""


@dataclass(frozen=True, kw_only=True)
class WorkReport:
    """What became of the jobs of a case."""

    done: int
    """By this worker, now."""
    failed: tuple[Job, ...]
    waiting: tuple[Job, ...]
    """Paused, each with its reason."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        told = [f"job {job.number} ({job.file}) failed: {job.reason}" for job in self.failed]
        told += [f"job {job.number} ({job.file}) waits: {job.reason}" for job in self.waiting]
        return [*told, f"{self.done} jobs done"]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        failed, waiting = [job.to_json() for job in self.failed], [job.to_json() for job in self.waiting]
        return {"done": self.done, "failed": failed, "waiting": waiting}


def work(case: Case, *, least_room: int | None = None, progress: Progress = silent) -> WorkReport:
    """Do all jobs of a case, also beside other workers; ends when none is left to take.

    Args:
        case: whose.
        least_room: bytes that stay free on its disk, or jobs wait; None = as `cases/work/room.py` says.
        progress: hears of every step.

    Raises:
        AwayError: the database or the object store was away for longer than anybody waits; the job at work begins anew
            with the next worker.
        KeyboardInterrupt: the job at work was given back and begins anew with the next worker.
    """
    take_up_where_is_room(case, least_room)
    embedders = Embedders(progress)
    done = 0
    worker = worker_name(os.getpid())
    while (is_done := take_and_do(case, worker, embedders, least_room, progress)) is not None:
        done += is_done
    return report_of(case, done)


def take_up_where_is_room(case: Case, least_room: int | None) -> None:
    """Remove what killed workers left here, and queue the jobs that waited for room on the disk, if there is."""
    _sweep_work(case)
    if has_room(case.folder, least_room):
        through_outage(lambda: queue_those_without_room(case))


def _sweep_work(case: Case) -> None:
    """Remove videos that killed workers had fetched, and what given-up attempts had built."""
    sweep_leftovers(case.folder / WORK)
    through_outage(lambda: sweep_attempts(case))


def take_and_do(
    case: Case, worker: str, embedders: "Embedders", least_room: int | None, progress: Progress
) -> bool | None:
    """Take the job that comes next and do it, once; gives whether it was done, None where there is none.

    Args:
        case: whose.
        worker: name of who does it.
        embedders: what is loaded already.
        least_room: as of `work`.
        progress: hears of every step.

    Raises:
        AwayError: as `work`.
        KeyboardInterrupt: as `work`.
    """
    lease = _next(case, worker)
    if lease is None:
        return None
    if not has_room(case.folder, least_room):
        _note(wait_for_room, case, lease, _too_little(case, least_room))
        return False
    return _attempt(case, lease, embedders.named, progress, least_room)


def report_of(case: Case, done: int) -> WorkReport:
    """Say what became of the jobs of a case, of which so many were done now."""
    jobs = through_outage(lambda: read_jobs(case))
    return WorkReport(
        done=done,
        failed=tuple(job for job in jobs if job.state == FAILED),
        waiting=tuple(job for job in jobs if job.state == PAUSED),
    )


def _next(case: Case, worker: str) -> Lease | None:
    try:
        return take_job(case, worker)
    except DatabaseAwayError:

        def again() -> Lease | None:
            release_jobs(case, worker)  # it may have been given a job, and the answer been lost
            return take_job(case, worker)

        return through_outage(again)


def _note(write: Callable[[Case, Lease, str], None], case: Case, lease: Lease, reason: str) -> None:
    """Say what became of an attempt; a second time changes nothing, since it holds the job no longer."""
    through_outage(lambda: write(case, lease, reason))


def _fail(case: Case, lease: Lease, reason: str, *, for_good: bool) -> None:
    words = reason.replace(f"{case.folder / WORK}/", "")
    # Where a video from a store lay for a while says nothing to anybody.
    words = re.sub(r"\.video\.[0-9a-f]+\.partial/new/", "", words)
    _note(lambda *told: fail_job(*told, for_good=for_good), case, lease, words)


def _attempt(
    case: Case,
    lease: Lease,
    embedder: Callable[[str | None], TrackletEmbedder | None],
    progress: Progress,
    least_room: int | None,
) -> bool:
    """Do one job, once; whatever goes wrong is noted with it and stops no other."""
    folder = case.folder / WORK / f"{lease.job.number}-{lease.attempt}"
    for left in (case.folder / WORK).glob(f"{lease.job.number}-*"):
        shutil.rmtree(left, ignore_errors=True)
    last_words = room_for_last_words(folder.with_name(f"{folder.name}-room"))
    try:
        with last_words, _Heart(case, lease, progress, least_room) as heart:
            _do(case, lease, folder, embedder(lease.job.settings.model), heart)
        return True
    except JobLostError as lost:
        _logger.warning("%s", lost)
    except NoRoomError as full:
        shutil.rmtree(folder, ignore_errors=True)
        _note(wait_for_room, case, lease, str(full))
    except KeyboardInterrupt:
        with suppress(DatabaseAwayError):  # then its lease ends by itself
            give_back(case, lease)
        raise
    except AwayError:
        raise
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _note(wait_for_room, case, lease, str(error))
        else:
            _fail(case, lease, str(error), for_good=False)
    except SkyreidError as refusal:
        _fail(case, lease, str(refusal), for_good=True)
    except Exception as fault:
        _logger.exception("job %d", lease.job.number)
        _fail(case, lease, f"a fault of skyreid: {type(fault).__name__}: {fault}", for_good=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return False


def _do(case: Case, lease: Lease, folder: Path, embedder: TrackletEmbedder | None, heart: "_Heart") -> None:
    job = lease.job
    check_authorisation(job.permission.until)
    with ExitStack() as stack:
        video = through_outage(lambda: stack.enter_context(case.uploads.fetched(job.where)))
        if job.sha256 is not None and file_sha256(video) != job.sha256:
            raise VideoError(
                f"{job.file}: another video, or a part of it, lies in the object store than came; its sha256 differs: "
                "send it again"
            )
        build(
            [replace(job.source, path=video)],
            folder,
            interval_s=job.settings.interval_s,
            detector=job.settings.detector,
            masking=MaskingConfig(),
            embedder=embedder,
            progress=heart,
        )
    through_outage(lambda: _bring(case, lease, folder, heart))


def _bring(case: Case, lease: Lease, folder: Path, heart: "_Heart") -> None:
    """Bring in what was built, unless the try before did, and only its answer was lost."""
    if is_done_by(case, lease):
        return
    where = lease.job.where
    if not is_object(where):
        where = str(Path(where).resolve())
    bring_build(
        case,
        folder,
        by=lease.job.added_by,
        permission=lease.job.permission,
        where=where,
        also=lambda connection, source: finish_job(connection, lease, source),
        progress=heart,
    )


class _Heart:
    """Keeps the lease from another thread, and stops the work when the job is no longer ours."""

    def __init__(self, case: Case, lease: Lease, progress: Progress, least_room: int | None) -> None:
        self._case, self._lease, self._progress, self._least_room = case, lease, progress, least_room
        self._steps: dict[str, Step] = {}
        self._begun: dict[str, float] = {}
        self._stopped = threading.Event()
        self._stop: JobLostError | NoRoomError | None = None
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "_Heart":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Hear of progress, as the build tells it."""
        if self._stop is not None:
            raise self._stop
        begun = self._begun.setdefault(task, time.monotonic())
        self._steps[task] = Step(task=task, done=done, total=total, seconds=time.monotonic() - begun)
        self._progress(task, done, total, note or self._lease.job.file)

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_S):
            if not has_room(self._case.folder, self._least_room):
                self._stop = NoRoomError(_too_little(self._case, self._least_room))
                return
            try:
                keep_lease(self._case, self._lease, tuple(self._steps.values()))
            except JobLostError as lost:
                self._stop = lost
                return
            except (OSError, SkyreidError) as error:  # a full disk says so where something is written
                _logger.warning("job %d: no sign of life could be written: %s", self._lease.job.number, error)


class Embedders:
    """Loads a model once for all jobs that want it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._loaded: dict[str, TrackletEmbedder] = {}

    def named(self, model: str | None) -> TrackletEmbedder | None:
        if model is None:
            return None
        if model not in self._loaded:
            from skyreid.extraction.loading import CuttingEmbedder  # loads PyTorch

            self._loaded[model] = CuttingEmbedder(model, progress=self._progress)
        return self._loaded[model]


def _too_little(case: Case, least: int | None) -> str:
    least = room_of(case.folder).least if least is None else least
    return f"less than {least / 2**20:,.0f} MiB are free"
