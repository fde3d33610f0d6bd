"""How workers take jobs, many at once, on many machines: by leases that end by themselves, and are numbered.

Each who takes a job locks its row, and passes over those that others lock (FOR UPDATE SKIP LOCKED; on SQLite one
writes at a time anyway). A lease ends when its worker gives no sign of life, by the clock of the database and not by
those of the machines. Its number, the attempt, is what fences off a worker that was given up and comes back: it finds
that a later attempt has taken its place, and commits nothing. What was found and that the job is done are one
transaction (`worker.py`).
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.audit import record
from skyreid.cases.case import Case
from skyreid.cases.schema import JOBS
from skyreid.cases.work.jobs import DONE, FAILED, PAUSED, QUEUED, RUNNING, Job, Step, as_job
from skyreid.cases.work.room import has_room
from skyreid.processes.workers import LOST, MOST_ATTEMPTS

LEASE_S = 60.0
"""Without a sign of life for so long, a worker counts as lost."""
NO_ROOM = "no room on the disk"


class JobLostError(Exception):
    """The job is another worker's now, or nobody's: it was paused or cancelled. Nothing is committed."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right of one worker to one job."""

    job: Job
    """As it was when it was taken."""

    @property
    def attempt(self) -> int:
        """By which it is known whether the job is still this worker's."""
        return self.job.attempt


def worker_name(process: int) -> str:
    """What the worker in a process of this machine is called, by itself and by whoever sees it die."""
    return f"{socket.gethostname()}:{process}"


def end_leases(case: Case, worker: str) -> None:
    """Let others take the jobs of a worker that is known to have died."""
    with case.database.noting() as connection:
        connection.execute(JOBS.update().where(*_of_worker(worker)).values(lease_until=0.0))


def release_jobs(case: Case, worker: str) -> None:
    """Queue again what a worker holds that asks for this itself; nothing is counted against any of it."""
    with case.database.noting() as connection:
        connection.execute(JOBS.update().where(*_of_worker(worker)).values(state=QUEUED, lease_until=0.0))


def take_job(case: Case, worker: str) -> Lease | None:
    """Take the job that comes next, or one whose worker was lost; None = there is none.

    A job whose worker was lost three times fails: it may be what kills them.
    """
    with case.database.noting() as connection:
        now = case.database.now(connection)
        lost = sa.and_(JOBS.c.state == RUNNING, JOBS.c.lease_until < now)
        _give_up(connection, sa.and_(lost, JOBS.c.accidents + 1 >= MOST_ATTEMPTS))
        waiting = sa.or_(JOBS.c.state == QUEUED, lost)
        next_one = sa.select(JOBS).where(waiting).order_by(JOBS.c.priority.desc(), JOBS.c.number).limit(1)
        row = connection.execute(next_one.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        accidents = row.accidents + (row.state == RUNNING)
        attempt = row.attempt + 1
        values = {"state": RUNNING, "worker": worker, "attempt": attempt, "accidents": accidents, "steps": []}
        taken = (
            JOBS.update().where(JOBS.c.number == row.number).values(**values, reason=None, lease_until=now + LEASE_S)
        )
        connection.execute(taken)
        return Lease(job=replace(as_job(row), state=RUNNING, attempt=attempt))


def is_work_waiting(case: Case, *, least_room: int | None = None) -> bool:
    """Tell whether a worker would find something to do, without changing anything.

    Args:
        case: whose jobs.
        least_room: bytes that the worker leaves free on its disk; None = as `room.py` says.
    """
    with case.database.reading() as connection:
        waiting = [
            JOBS.c.state == QUEUED,
            sa.and_(JOBS.c.state == RUNNING, JOBS.c.lease_until < case.database.now(connection)),
        ]
        if has_room(case.folder, least_room):
            waiting.append(_waits_for_room())
        return connection.execute(sa.select(JOBS.c.number).where(sa.or_(*waiting)).limit(1)).first() is not None


def keep_lease(case: Case, lease: Lease, steps: tuple[Step, ...]) -> None:
    """Give a sign of life, and say how far the job is.

    Raises:
        JobLostError: the job is no longer this worker's.
    """
    with case.database.noting() as connection:
        until = case.database.now(connection) + LEASE_S
        _update_held(connection, lease, {"lease_until": until, "steps": [vars(step) for step in steps]})


def is_done_by(case: Case, lease: Lease) -> bool:
    """Tell whether this very attempt has brought the job to its end."""
    where = JOBS.c.number == lease.job.number, JOBS.c.attempt == lease.attempt, JOBS.c.state == DONE
    with case.database.reading() as connection:
        return connection.execute(sa.select(JOBS.c.number).where(*where)).first() is not None


def finish_job(connection: Connection, lease: Lease, source: int) -> None:
    """Say in the transaction that brings what was found that the job is done.

    Raises:
        JobLostError: the job is no longer this worker's; the transaction must not be committed.
    """
    _update_held(connection, lease, {"state": DONE, "source": source, "lease_until": 0.0})


def give_back(case: Case, lease: Lease) -> None:
    """Queue a job again that its worker stops at; nothing is counted against it."""
    _release(case, lease, {"state": QUEUED})


def wait_for_room(case: Case, lease: Lease, reason: str) -> None:
    """Pause a job until there is room on the disk again."""
    _release(case, lease, {"state": PAUSED, "reason": f"{NO_ROOM}: {reason}"})


def fail_job(case: Case, lease: Lease, reason: str, *, for_good: bool) -> None:
    """Note that an attempt failed; a job fails at the third accident, or at once where a second look says the same."""
    with case.database.writing() as connection:
        row = connection.execute(sa.select(JOBS.c.accidents).where(JOBS.c.number == lease.job.number)).one()
        has_ended = for_good or row.accidents + 1 >= MOST_ATTEMPTS
        values = {"state": FAILED if has_ended else QUEUED, "reason": reason, "accidents": row.accidents + 1}
        if connection.execute(JOBS.update().where(*_held(lease)).values(**values)).rowcount == 0:
            return  # somebody else's by now
        record(connection, "skyreid", "job failed", str(lease.job.number), {"reason": reason, "ended": has_ended})


def queue_those_without_room(case: Case) -> None:
    """Queue the jobs that waited for room on the disk."""
    with case.database.noting() as connection:
        connection.execute(JOBS.update().where(_waits_for_room()).values(state=QUEUED, reason=None))


def _release(case: Case, lease: Lease, values: Mapping[str, object]) -> None:
    """Let a job go, unless it is somebody else's by now."""
    with case.database.noting() as connection:
        connection.execute(JOBS.update().where(*_held(lease)).values(**values, lease_until=0.0))


def _update_held(connection: Connection, lease: Lease, values: Mapping[str, object]) -> None:
    if connection.execute(JOBS.update().where(*_held(lease)).values(**values)).rowcount == 0:
        raise JobLostError(f"job {lease.job.number} is no longer attempt {lease.attempt}'s")


def _give_up(connection: Connection, which: sa.ColumnElement[bool]) -> None:
    """Fail jobs whose workers were lost too often; one whose row somebody locks is not lost, or comes next time."""
    numbers = connection.execute(sa.select(JOBS.c.number).where(which).with_for_update(skip_locked=True)).scalars()
    connection.execute(JOBS.update().where(JOBS.c.number.in_(numbers.all())).values(state=FAILED, reason=LOST))


def _waits_for_room() -> sa.ColumnElement[bool]:
    return sa.and_(JOBS.c.state == PAUSED, JOBS.c.reason.startswith(NO_ROOM))


def _of_worker(worker: str) -> tuple[sa.ColumnElement[bool], ...]:
    return JOBS.c.state == RUNNING, JOBS.c.worker == worker


def _held(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return JOBS.c.number == lease.job.number, JOBS.c.attempt == lease.attempt, JOBS.c.state == RUNNING
