"""Footage that is to be looked at: a ledger of jobs in the database; `leases.py` is how workers take them.

A job is one video, looked at in one way: by the hash of the file, the model and the settings; the same is not done
twice.

A video is the unit, not a part of one: whom the tracker follows does not end where a part ends (docs/architecture.md,
"One build"). Recordings of many hours come in pieces, as recorders write them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.building.linking.event_log import check_annotator
from skyreid.building.sources import Source, parse_source
from skyreid.building.video.picture_folder import pictures_sha256
from skyreid.cases.audit import record, utc_now
from skyreid.cases.case import Case
from skyreid.cases.schema import JOBS
from skyreid.cases.sources import Permission, check_authorisation, check_purpose, sources_in
from skyreid.errors import CaseError, RefusedError, SettingError, SourceError
from skyreid.files.regular_file import bytes_sha256, file_sha256
from skyreid.files.strict_json import Json

QUEUED, RUNNING, PAUSED, DONE, FAILED, CANCELLED = "queued", "running", "paused", "done", "failed", "cancelled"
PASSES = ("find people", "cut crops")
"""Steps that go through the whole video: together, nearly all of the work."""


@dataclass(frozen=True, kw_only=True)
class LookSettings:
    """How footage is looked at."""

    detector: str | None = None
    """As of `skyreid build`; None = people are found by their motion."""
    model: str | None = None
    """What tells people apart; None = nobody is embedded, and they cannot be searched yet."""
    interval_s: float = 0.5
    """From one crop of a person to the next."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far one step of a job is."""

    task: str
    done: int
    total: int
    seconds: float
    """Since the step began."""

    @property
    def eta_s(self) -> float | None:
        """Seconds that are left at this speed; None = nobody knows yet."""
        return None if not self.done else self.seconds * (self.total - self.done) / self.done


@dataclass(frozen=True, kw_only=True)
class Job:
    """Footage to be looked at, and how far that is."""

    number: int
    file: str
    source: Source
    """Without its path where that is a URL."""
    where: str
    """Path or URL of the video."""
    sha256: str | None
    """Of an upload in an object store, as it came; None = a file of a disk, which says so itself."""
    permission: Permission
    facts: Mapping[str, Json]
    """What was found out about the video before it came here; {} = nothing."""
    settings: LookSettings
    state: str
    """queued, running, paused, done, failed or cancelled."""
    priority: int
    """The highest comes first."""
    attempt: int
    """Times that a worker took it."""
    reason: str | None
    """Why it failed or waits."""
    steps: tuple[Step, ...]
    became: int | None
    """Number of the source that it became."""
    added_at: str
    added_by: str

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        if self.state == DONE:
            return 1.0
        return sum(step.done / max(1, step.total) for step in self.steps if step.task in PASSES) / len(PASSES)

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        steps = [{"task": s.task, "done": s.done, "total": s.total, "eta_s": s.eta_s} for s in self.steps]
        names = ("number", "file", "state", "priority", "attempt", "reason", "share", "added_at", "added_by")
        told = {name: getattr(self, name) for name in names}
        of_source = {"platform": self.source.platform.value, "camera": self.source.camera, "facts": dict(self.facts)}
        return {**told, **of_source, "purpose": self.permission.purpose, "steps": steps, "model": self.settings.model}


def add_job(
    case: Case,
    source: str,
    *,
    by: str,
    purpose: str,
    settings: LookSettings | None = None,
    priority: int = 0,
    folder: Path | None = None,
    authorisation: str | None = None,
    authorised_until: datetime | None = None,
    is_simulated: bool = False,
    facts: Mapping[str, Json] | None = None,
    url: str | None = None,
) -> Job:
    """Put footage into the queue; the same file in the same way is put there once, and again after it failed.

    Args:
        case: that it is for.
        source: as of `skyreid build`: FILE,platform=…,camera=…[,…].
        by: who asks.
        purpose: why the people in it are looked at.
        settings: how.
        priority: the highest comes first.
        folder: that relative paths count from; None = where this process runs.
        authorisation: who allowed it, or by which paper.
        authorised_until: when that ends; nobody sees the footage from then on.
        is_simulated: whether a program drew it.
        facts: what is known of the video already.
        url: of the video, where it was uploaded to an object store; `source` begins with its name then.

    Raises:
        SourceError: a source that cannot be read.
        VideoError: an upload that is gone.
        RefusedError: nobody says what for, it is allowed no longer, or the camera has another video of this name.
        OSError: the file is not there.
    """
    check_annotator(by)
    check_purpose(purpose)
    check_authorisation(authorised_until)
    settings = settings or LookSettings()
    if not settings.interval_s > 0:
        raise SettingError(f"interval_s must be a positive number of seconds; got {settings.interval_s!r}")
    folder = Path.cwd() if folder is None else folder
    spec: dict[str, Json] = {
        "source": source,
        "folder": str(folder.resolve()),
        "authorisation": authorisation,
        "authorised_until": None if authorised_until is None else authorised_until.isoformat(),
        "is_simulated": is_simulated,
        "facts": dict(facts or {}),
    }
    if url is not None:
        spec |= {"url": url, "sha256": _upload_hash(case, url)}
    new_source = source_in(spec)
    path = new_source.path
    sha256 = spec.get("sha256") or _file_hash(path)
    key = bytes_sha256(json.dumps([sha256, source.partition(",")[2], vars(settings)], sort_keys=True).encode())
    with case.database.writing() as connection:
        known = connection.execute(sa.select(JOBS).where(JOBS.c.key == key)).first()
        if known is None:
            _refuse_taken(connection, new_source, key)
            new = {"key": key, "spec": spec, "settings": vars(settings), "purpose": purpose, "priority": priority}
            told = {"state": QUEUED, "attempt": 0, "accidents": 0, "lease_until": 0.0, "steps": []}
            insert = JOBS.insert().values(**new, **told, added_at=utc_now(), added_by=by)
            number = connection.execute(insert.returning(JOBS.c.number)).scalar_one()
            record(connection, by, "job add", path.name, {"job": number, "sha256": sha256, "purpose": purpose})
        else:
            number = known.number
            if known.state in (FAILED, CANCELLED):  # it may lie elsewhere by now, and be allowed anew
                connection.execute(JOBS.update().where(JOBS.c.number == number).values(spec=spec, purpose=purpose))
                _queue_again(connection, number)
        return as_job(connection.execute(sa.select(JOBS).where(JOBS.c.number == number)).one())


def read_jobs(case: Case) -> list[Job]:
    """List all jobs, in the order in which they were added."""
    with case.database.reading() as connection:
        rows = connection.execute(sa.select(JOBS).order_by(JOBS.c.number))
        return [as_job(row) for row in rows]


def pause(case: Case, number: int, *, by: str) -> None:
    """Let a job wait until it is retried; a worker that is at it stops, and it begins anew.

    Raises:
        CaseError: there is no such job, or it has ended.
    """
    _set_state(case, number, PAUSED, by=by, only_from=(QUEUED, RUNNING), reason=f"paused by {by}")


def cancel(case: Case, number: int, *, by: str) -> None:
    """End a job that is not done.

    Raises:
        CaseError: there is no such job, or it has ended.
    """
    _set_state(case, number, CANCELLED, by=by, only_from=(QUEUED, RUNNING, PAUSED), reason=f"cancelled by {by}")


def retry(case: Case, number: int, *, by: str) -> None:
    """Queue a job again that was paused, was cancelled or failed.

    Raises:
        CaseError: there is no such job, or it needs none.
        RefusedError: its camera has got another video of this name.
    """
    _set_state(case, number, QUEUED, by=by, only_from=(PAUSED, CANCELLED, FAILED), reason=None)


def prioritise(case: Case, number: int, priority: int, *, by: str) -> None:
    """Say how early a job comes: the highest first.

    Raises:
        CaseError: there is no such job.
    """
    with case.database.writing() as connection:
        where = JOBS.c.number == number
        if connection.execute(JOBS.update().where(where).values(priority=priority)).rowcount == 0:
            raise CaseError(f"{case.folder}: has no job {number}")
        record(connection, by, "job priority", str(number), {"priority": priority})


def source_in(spec: Mapping[str, Any]) -> Source:
    """Read a source as it was added, its relative paths from where that was; an upload in a store has but its name."""
    source, folder = parse_source(spec["source"]), Path() if spec.get("url") else Path(spec["folder"])
    return replace(
        source,
        path=folder / source.path,
        annotations=None if source.annotations is None else folder / source.annotations,
        telemetry=folder / source.telemetry if isinstance(source.telemetry, Path) else source.telemetry,
        is_simulated=bool(spec.get("is_simulated")),
    )


def _file_hash(path: Path) -> str:
    if not path.exists():
        raise SourceError(f"{path}: there is no such file")
    return pictures_sha256(path) if path.is_dir() else file_sha256(path)


def _upload_hash(case: Case, url: str) -> str:
    noted = case.uploads.facts(url)
    if noted is None:
        raise SourceError(f"{url}: there is no such upload")
    return noted.sha256


def _set_state(case: Case, number: int, state: str, *, by: str, only_from: tuple[str, ...], reason: str | None) -> None:
    check_annotator(by)
    with case.database.writing() as connection:
        found = connection.execute(sa.select(JOBS.c.state).where(JOBS.c.number == number)).scalar_one_or_none()
        if found not in only_from:
            there = f"has no job {number}" if found is None else f"job {number} is {found}"
            raise CaseError(f"{case.folder}: {there}; only what is {' or '.join(only_from)} can become {state}")
        if state == QUEUED:
            _queue_again(connection, number)
        else:
            connection.execute(JOBS.update().where(JOBS.c.number == number).values(state=state, reason=reason))
        record(connection, by, f"job {state}", str(number))


def _queue_again(connection: Connection, number: int) -> None:
    row = connection.execute(sa.select(JOBS.c.spec, JOBS.c.key).where(JOBS.c.number == number)).one()
    _refuse_taken(connection, source_in(row.spec), row.key)
    values = {"state": QUEUED, "reason": None, "accidents": 0}
    connection.execute(JOBS.update().where(JOBS.c.number == number).values(**values))


def _refuse_taken(connection: Connection, source: Source, key: str) -> None:
    """Two sources of a case differ in their names; said here, and not after hours of work."""
    others = sa.and_(JOBS.c.key != key, JOBS.c.state.in_((QUEUED, RUNNING, PAUSED)))
    waiting = connection.execute(sa.select(JOBS.c.number, JOBS.c.spec).where(others))
    taken = [f"job {row.number}" for row in waiting if source_in(row.spec).name == source.name]
    taken += ["a source" for one in sources_in(connection, with_trash=True) if one.name == source.name]
    if taken:
        raise RefusedError(
            f"{source.path.name}: this camera has a video of that name already ({source.name}, {taken[0]}); give the "
            "camera, or the file, another name, or purge that one"
        )


def as_job(row: Any) -> Job:
    """Read a row of the ledger."""
    source = source_in(row.spec)
    return Job(
        number=row.number,
        file=source.path.name,
        source=source,
        where=spec_url if (spec_url := row.spec.get("url")) else str(source.path),
        sha256=row.spec.get("sha256"),
        permission=Permission(
            purpose=row.purpose,
            authorisation=row.spec.get("authorisation"),
            until=datetime.fromisoformat(row.spec["authorised_until"]) if row.spec.get("authorised_until") else None,
        ),
        facts=row.spec.get("facts", {}),
        settings=LookSettings(**row.settings),
        state=row.state,
        priority=row.priority,
        attempt=row.attempt,
        reason=row.reason,
        steps=tuple(Step(**step) for step in row.steps),
        became=row.source,
        added_at=row.added_at,
        added_by=row.added_by,
    )
