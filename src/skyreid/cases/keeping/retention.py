"""What goes, when, and the proof that it is gone: trash, purge, dates, and the hold that stops all of it.

A source goes into the trash by hand or when its retention date passes. There nobody finds it; for seven days it can be
brought back. Then it is purged: rows, vectors, crops, caches, the video where it was uploaded, and what the database
had written over. When its authorisation ends, nobody sees it from that moment on, and it is purged without those days.
Decisions on its people stay in the history, as ids that name nobody; so does the log.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.building.linking.event_log import check_annotator
from skyreid.cases.audit import read_audit, record, utc_now
from skyreid.cases.case import CACHE, WORK, Case, next_revision
from skyreid.cases.case_uploads import FOOTAGE
from skyreid.cases.database import in_parts
from skyreid.cases.keeping.upload_retention import sweep_uploads
from skyreid.cases.schema import CASE, JOBS, MODELS, REMOVED, SOURCES, TRACKLETS, VECTORS
from skyreid.cases.sources import CaseSource, as_utc, check_authorisation, source_named, sources_in, touch_tracklets
from skyreid.cases.work.attempts import given_up_attempts, sweep_attempts
from skyreid.cases.work.importing import SOURCE_PURGED, crops_of_nobody, sweep_crops
from skyreid.errors import CaseError, RefusedError, SettingError
from skyreid.files.atomic_file import sweep_leftovers
from skyreid.files.strict_json import Json

TRASH_DAYS = 7
PACKING = "export"
"""Names the folder in `work` in which an export is packed."""
KEEPER = "skyreid"
"""Stands in the log where a date decided."""


@dataclass(frozen=True, kw_only=True)
class RetentionReport:
    """What was done because its time had come."""

    trashed: tuple[str, ...]
    """Sources whose retention or authorisation had ended."""
    purged: tuple[str, ...]
    waiting: tuple[str, ...]
    """In the trash, and when they go: a sentence each."""

    def lines(self) -> list[str]:
        """Say it to a reader."""
        told = [f"{name}: is in the trash now; 'skyreid case restore' brings it back" for name in self.trashed]
        told += [f"{name}: purged" for name in self.purged]
        return [*told, *self.waiting] or ["nothing is due, and the trash is empty"]

    def to_json(self) -> dict[str, Json]:
        """Say it to a program."""
        return {"trashed": list(self.trashed), "purged": list(self.purged), "waiting": list(self.waiting)}


def hold(case: Case, reason: str | None, *, by: str) -> None:
    """Let nothing be deleted any more, by hand or by date, and say why; None ends that.

    Raises:
        SettingError: no reason.
    """
    check_annotator(by)
    if reason is not None and not reason.strip():
        raise SettingError("a legal hold has a reason")
    with case.database.writing() as connection:
        connection.execute(CASE.update().values(legal_hold=reason))
        record(connection, by, "hold" if reason else "hold ended", reason or "")


def trash_source(case: Case, name: str, *, by: str) -> None:
    """Put a source into the trash: it is not found any more, and purged after seven days.

    Raises:
        CaseError: there is no such source, or it is there already.
        RefusedError: the case is on legal hold.
    """
    check_annotator(by)
    source = source_named(case, name)
    with case.database.writing() as connection:
        _refuse_on_hold(connection)
        _trash(connection, source, by=by, why="by hand")


def restore_source(case: Case, name: str, *, by: str) -> None:
    """Bring a source back from the trash.

    Raises:
        CaseError: there is no such source, or it is not in the trash.
        RefusedError: its authorisation has ended.
    """
    check_annotator(by)
    source = source_named(case, name)
    if source.authorised_until is not None and source.authorised_until <= utc_now():
        raise RefusedError(f"source {name!r}: its authorisation ended at {source.authorised_until}")
    with case.database.writing() as connection:
        where = SOURCES.c.number == source.number, SOURCES.c.trashed_at.is_not(None)
        if connection.execute(SOURCES.update().where(*where).values(trashed_at=None, trashed_by=None)).rowcount == 0:
            raise CaseError(f"source {name!r} is not in the trash")
        touch_tracklets(connection, source.number)
        record(connection, by, "source restored", name)


def authorise(case: Case, name: str, authorisation: str | None, until: datetime | None, *, by: str) -> None:
    """Say who allowed that a source is looked at, and until when; from then on nobody sees it, and it is purged.

    Raises:
        CaseError: there is no such source, or the time has no zone.
        RefusedError: it would have ended already.
    """
    check_annotator(by)
    check_authorisation(until)
    source = source_named(case, name)
    told = None if until is None else as_utc(until)
    with case.database.writing() as connection:
        where = SOURCES.c.number == source.number
        values = {"authorisation": authorisation, "authorised_until": told}
        connection.execute(SOURCES.update().where(where).values(**values))
        touch_tracklets(connection, source.number)
        record(connection, by, "source authorisation", name, {"authorisation": authorisation, "until": told})


def set_retention(case: Case, days: int, *, by: str) -> None:
    """Say for how many days footage is kept that is added from now on.

    Raises:
        CaseError: less than one.
    """
    check_annotator(by)
    if days < 1:
        raise CaseError(f"footage is kept for at least one day; got {days}")
    with case.database.writing() as connection:
        connection.execute(CASE.update().values(retention_days=days))
        record(connection, by, "case retention", str(days))


def purge_source(case: Case, name: str, *, by: str) -> None:
    """Remove a source that lies in the trash, now.

    Raises:
        CaseError: there is no such source, or it is not in the trash.
        RefusedError: the case is on legal hold.
    """
    check_annotator(by)
    source = source_named(case, name)
    if source.trashed_at is None:
        raise CaseError(f"source {name!r} is not in the trash; only what lies there for a moment is purged")
    with case.database.writing() as connection:
        _refuse_on_hold(connection)
        _delete_rows(case, connection, source, by=by)
    _leave_nothing(case)


def keep_until(case: Case, name: str, until: datetime, *, by: str) -> None:
    """Set the day on which a source goes into the trash by itself.

    Raises:
        CaseError: there is no such source, or the time has no zone.
    """
    check_annotator(by)
    if until.tzinfo is None:
        raise CaseError(f"a date of retention has a zone, such as 2026-05-04T00:00:00+02:00; got {until.isoformat()}")
    source = source_named(case, name)
    with case.database.writing() as connection:
        where = SOURCES.c.number == source.number
        connection.execute(SOURCES.update().where(where).values(retain_until=as_utc(until)))
        record(connection, by, "source retention", name, {"until": as_utc(until)})


def purge_due(case: Case, *, by: str = KEEPER, at: datetime | None = None) -> RetentionReport:
    """Do what is due: into the trash what may not stay, out of it what was there for seven days.

    Killed at any moment, it ends its work when it runs again.

    Args:
        case: whose.
        by: who asks.
        at: the time to go by; None = now.

    Raises:
        RefusedError: the case is on legal hold.
    """
    at = datetime.now(UTC) if at is None else at
    with case.database.writing() as connection:
        _refuse_on_hold(connection)
        there = [source for source in sources_in(connection, with_trash=True) if source.trashed_at is None]
        due = [source for source in there if _is_due(source, at)]
        for source in due:
            _trash(connection, source, by=by, why="retention or authorisation ended")
        trash = [one for one in sources_in(connection, with_trash=True) if one.trashed_at is not None]
        ripe = [one for one in trash if _leaves_trash(one) <= at or _may_not_stay(one, at)]
        for source in ripe:
            _delete_rows(case, connection, source, by=by)
    if ripe or _has_remains(case):
        _leave_nothing(case)
    sweep_uploads(case, at=at)
    return RetentionReport(
        trashed=tuple(source.name for source in due if not _may_not_stay(source, at)),
        purged=tuple(source.name for source in ripe),
        waiting=tuple(
            f"{one.name}: in the trash, purged after {_leaves_trash(one).isoformat(timespec='minutes')}"
            for one in trash
            if one not in ripe
        ),
    )


def remains(case: Case, name: str) -> list[str]:
    """Look for what is left of a purged source, a sentence for each find; [] is the proof that nothing is.

    Raises:
        CaseError: no source of this name was ever purged.
        StoreError: the object store that has the files of the case cannot be asked, or is another one.
    """
    case.files.require_place()
    with case.database.reading() as connection:
        told = [row.details for row in read_audit(connection) if (row.action, row.subject) == (SOURCE_PURGED, name)]
        if not told:
            raise CaseError(f"{case.folder}: no source {name!r} was purged (it may never have been there)")
        found: list[str] = []
        for details in told:
            numbers, crops = details["numbers"], str(details["crops"])
            assert isinstance(numbers, list)
            if connection.execute(sa.select(SOURCES.c.number).where(SOURCES.c.crops == crops)).first():
                found.append("the source is still listed")
            for table, column in ((TRACKLETS, TRACKLETS.c.number), (VECTORS, VECTORS.c.tracklet)):
                count = _count_in(connection, column, numbers)
                found += [f"{count} rows of {table.name}"] if count else []
            if case.files.has_crops(crops):
                found.append(f"its crops in {case.files.crops}{crops}")
            if details.get("upload") and case.uploads.has(str(details["upload"])):
                found.append(f"the video that was uploaded, in {case.files.root}/{FOOTAGE}/{details['upload']}")
            found += [f"rows in {path}" for path in _caches_with(case, numbers)]
    found += [f"an export in work, or one that was cut short, in {path}" for path in _packages(case)]
    return found + [f"what a killed worker had built, in {path}" for path in given_up_attempts(case)]


def _refuse_on_hold(connection: Connection) -> None:
    reason = connection.execute(sa.select(CASE.c.legal_hold)).scalar_one()
    if reason is not None:
        raise RefusedError(f"the case is on legal hold ({reason}): nothing is deleted (skyreid case hold CASE --end)")


def _is_due(source: CaseSource, at: datetime) -> bool:
    return datetime.fromisoformat(source.retain_until) <= at or _may_not_stay(source, at)


def _may_not_stay(source: CaseSource, at: datetime) -> bool:
    """Whether nobody allows any more that it is there, not even in the trash."""
    return source.authorised_until is not None and datetime.fromisoformat(source.authorised_until) <= at


def _leaves_trash(source: CaseSource) -> datetime:
    return datetime.fromisoformat(str(source.trashed_at)) + timedelta(days=TRASH_DAYS)


def _trash(connection: Connection, source: CaseSource, *, by: str, why: str) -> None:
    where = SOURCES.c.number == source.number, SOURCES.c.trashed_at.is_(None)
    if connection.execute(SOURCES.update().where(*where).values(trashed_at=utc_now(), trashed_by=by)).rowcount == 0:
        raise CaseError(f"source {source.name!r} is in the trash already")
    touch_tracklets(connection, source.number)
    record(connection, by, "source trashed", source.name, {"why": why})


def _delete_rows(case: Case, connection: Connection, source: CaseSource, *, by: str) -> None:
    of_source = TRACKLETS.c.source == source.number
    numbers = list(connection.execute(sa.select(TRACKLETS.c.number).where(of_source)).scalars())
    mine = sa.select(TRACKLETS.c.number).where(of_source)
    revision = next_revision(connection)
    connection.execute(REMOVED.delete().where(REMOVED.c.tracklet.in_(mine)))
    models = connection.execute(sa.select(MODELS.c.number)).scalars().all()
    gone = [{"tracklet": number, "model": model, "revision": revision} for number in numbers for model in models]
    if gone:
        connection.execute(REMOVED.insert(), gone)
    connection.execute(VECTORS.delete().where(VECTORS.c.tracklet.in_(mine)))
    connection.execute(TRACKLETS.delete().where(of_source))
    connection.execute(JOBS.delete().where(JOBS.c.source == source.number))
    connection.execute(SOURCES.delete().where(SOURCES.c.number == source.number))
    upload = None if source.path is None else case.uploads.key_of(source.path)
    told: dict[str, Json] = {"sha256": source.sha256, "crops": source.crops, "numbers": numbers, "upload": upload}
    record(connection, by, SOURCE_PURGED, source.name, told)


def _leave_nothing(case: Case) -> None:
    """Remove what the database no longer names, and what it wrote over."""
    sweep_crops(case)
    sweep_uploads(case, at=datetime.now(UTC))
    sweep_leftovers(case.folder / WORK)  # of exports that were cut short
    sweep_attempts(case)
    shutil.rmtree(case.folder / CACHE, ignore_errors=True)  # the next search writes it anew
    case.database.leave_nothing_behind()


def _has_remains(case: Case) -> bool:
    """Whether somebody was killed between the rows and the files."""
    with case.database.reading() as connection:
        gone = connection.execute(sa.select(REMOVED.c.tracklet)).scalars().all()
    case.files.sweep_leftovers()
    here = _caches_with(case, gone) or _packages(case) or given_up_attempts(case)
    return bool(here) or bool(crops_of_nobody(case))


def _packages(case: Case) -> list[Path]:
    """Where exports are packed, or were when somebody was killed."""
    return sorted((case.folder / WORK).glob(f".{PACKING}.*"))


def _caches_with(case: Case, numbers: Sequence[int]) -> list[str]:
    paths = sorted((case.folder / CACHE).glob("*/rows.npy"))
    return [str(path) for path in paths if np.isin(np.load(path, allow_pickle=False)["number"], list(numbers)).any()]


def _count_in(connection: Connection, column: sa.Column[int], numbers: Sequence[int]) -> int:
    count = sa.select(sa.func.count())
    return sum(connection.execute(count.where(column.in_(part))).scalar_one() for part in in_parts(numbers))
