"""The footage of a case: which video, of which camera, why it is looked at, and how long it stays."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.audit import record, utc_now
from skyreid.cases.case import Case, next_revision
from skyreid.cases.schema import CAMERAS, CASE, SOURCES, TRACKLETS
from skyreid.errors import CaseError, RefusedError
from skyreid.files.strict_json import Json
from skyreid.tracklet import Platform


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Why the people in footage are looked at, and who allowed it until when."""

    purpose: str
    authorisation: str | None = None
    until: datetime | None = None
    """When the authorisation ends; None = it says nothing of that."""


@dataclass(frozen=True, kw_only=True)
class NewSource:
    """What is known of footage that comes into a case."""

    name: str
    """Of its tracklets: `NAME-0001`, …"""
    platform: Platform
    camera: str
    file: str
    path: str | None
    """Where the video lies; the URL of an upload in an object store."""
    sha256: str
    crops: str
    """The folder of its crops."""
    start_time: datetime | None
    purpose: str
    """Why the people in it are looked at."""
    facts: Mapping[str, Json]
    settings: Mapping[str, Json]
    is_simulated: bool
    authorisation: str | None = None
    authorised_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CaseSource:
    """Footage of a case."""

    number: int
    name: str
    platform: Platform
    camera: str
    camid: int
    file: str
    path: str | None
    """Where it lay when it was added; None = nobody said."""
    sha256: str
    crops: str
    start_time: datetime | None
    """Of the first frame, by the camera's clock."""
    clock_offset_s: float
    """To be added to that clock."""
    purpose: str
    authorisation: str | None
    authorised_until: str | None
    retain_until: str
    facts: Mapping[str, Json]
    settings: Mapping[str, Json]
    is_simulated: bool
    added_at: str
    added_by: str
    trashed_at: str | None
    """When it was put into the trash; None = it is not there."""
    num_tracklets: int

    @property
    def begins(self) -> datetime | None:
        """Time of day of the first frame, by the common clock; None = nobody knows."""
        return None if self.start_time is None else self.start_time + timedelta(seconds=self.clock_offset_s)

    @property
    def is_expired(self) -> bool:
        """Whether its authorisation has ended, by which nobody may see it any more."""
        return self.authorised_until is not None and self.authorised_until <= utc_now()

    @property
    def is_open(self) -> bool:
        """Whether it can be seen and searched."""
        return self.trashed_at is None and not self.is_expired

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        start = None if self.start_time is None else self.start_time.isoformat()
        return {**asdict(self), "platform": self.platform.value, "start_time": start}


def read_sources(case: Case, *, with_trash: bool = False) -> list[CaseSource]:
    """List the footage of a case that can be seen, in the order in which it came; or all that is there."""
    with case.database.reading() as connection:
        return sources_in(connection, with_trash=with_trash)


def source_named(case: Case, name: str) -> CaseSource:
    """Look one up, in the trash too.

    Raises:
        CaseError: there is none of this name.
    """
    sources = read_sources(case, with_trash=True)
    found = next((source for source in sources if source.name == name), None)
    if found is None:
        names = ", ".join(source.name for source in sources) or "none yet"
        raise CaseError(f"{case.folder}: has no source {name!r}; its sources: {names}")
    return found


def set_clock(case: Case, name: str, *, by: str, start_time: datetime | None, offset_s: float | int) -> None:
    """Say when a source begins, and how far its camera's clock goes wrong.

    Raises:
        CaseError: there is no such source, or the time has no zone.
    """
    if start_time is not None and start_time.tzinfo is None:
        raise CaseError(f"a start time has a zone, such as 2026-05-04T09:00:00+02:00; got {start_time.isoformat()}")
    source = source_named(case, name)
    told = None if start_time is None else start_time.isoformat()
    with case.database.writing() as connection:
        connection.execute(
            SOURCES.update().where(SOURCES.c.number == source.number).values(start_time=told, clock_offset_s=offset_s)
        )
        touch_tracklets(connection, source.number)
        record(connection, by, "source clock", name, {"start_time": told, "clock_offset_s": offset_s})


def sources_in(connection: Connection, *, with_trash: bool) -> list[CaseSource]:
    """List the footage, in a transaction that runs."""
    found = connection.execute(_ALL) if with_trash else connection.execute(_SEEN, {"now": utc_now()})
    return [
        CaseSource(
            number=row.number,
            name=row.name,
            platform=Platform(row.platform),
            camera=row.camera,
            camid=row.camid,
            file=row.file,
            path=row.path,
            sha256=row.sha256,
            crops=row.crops,
            start_time=None if row.start_time is None else datetime.fromisoformat(row.start_time),
            clock_offset_s=row.clock_offset_s,
            purpose=row.purpose,
            authorisation=row.authorisation,
            authorised_until=row.authorised_until,
            retain_until=row.retain_until,
            facts=row.facts,
            settings=row.settings,
            is_simulated=row.is_simulated,
            added_at=row.added_at,
            added_by=row.added_by,
            trashed_at=row.trashed_at,
            num_tracklets=row.num_tracklets,
        )
        for row in found
    ]


def can_be_seen(now: sa.BindParameter[str] | None = None) -> sa.ColumnElement[bool]:
    """Say to the database which sources are neither in the trash nor without authorisation, now."""
    until = SOURCES.c.authorised_until
    valid = until > (utc_now() if now is None else now)
    return sa.and_(SOURCES.c.trashed_at.is_(None), sa.or_(until.is_(None), valid))


# Put together once: SQLAlchemy takes as long to put a statement together as SQLite to answer it.
_ALL = (
    sa.select(SOURCES, CAMERAS.c.platform, CAMERAS.c.name.label("camera"))
    .join(CAMERAS, CAMERAS.c.camid == SOURCES.c.camid)
    .order_by(SOURCES.c.number)
)
_SEEN = _ALL.where(can_be_seen(sa.bindparam("now")))


def insert_source(connection: Connection, new: NewSource, *, by: str) -> int:
    """Add footage, in the transaction of whoever adds what was found in it; gives its number.

    Raises:
        RefusedError: nobody says what for, or drawn people would stand among real ones.
        CaseError: its camera is on the other platform.
    """
    check_purpose(new.purpose)
    check_together(sources_in(connection, with_trash=True), new.file, is_simulated=new.is_simulated)
    days = connection.execute(sa.select(CASE.c.retention_days)).scalar_one()
    values = {
        "name": new.name,
        "camid": _camid(connection, new.camera, new.platform),
        "file": new.file,
        "path": new.path,
        "sha256": new.sha256,
        "crops": new.crops,
        "start_time": None if new.start_time is None else new.start_time.isoformat(),
        "clock_offset_s": 0.0,
        "purpose": new.purpose,
        "authorisation": new.authorisation,
        "authorised_until": None if new.authorised_until is None else as_utc(new.authorised_until),
        "retain_until": (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds"),
        "facts": dict(new.facts),
        "settings": dict(new.settings),
        "is_simulated": new.is_simulated,
        "num_tracklets": 0,
        "added_at": utc_now(),
        "added_by": by,
    }
    number = connection.execute(SOURCES.insert().values(values).returning(SOURCES.c.number)).scalar_one()
    told: dict[str, Json] = {"file": new.file, "sha256": new.sha256, "purpose": new.purpose}
    record(connection, by, "source add", new.name, told)
    return number


def check_purpose(purpose: str) -> None:
    """Refuse footage of people that nobody says the purpose of.

    Raises:
        RefusedError: it is empty.
    """
    if not purpose.strip():
        raise RefusedError("every source has a purpose: why are the people in it looked at? (--purpose TEXT)")


def as_utc(moment: datetime) -> str:
    """Write a moment so that moments can be compared as texts."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def check_authorisation(until: datetime | None) -> None:
    """Refuse footage whose authorisation has ended, or ends at a time without a zone.

    Raises:
        RefusedError: it may not be looked at any more.
        CaseError: the time has no zone.
    """
    if until is None:
        return
    if until.tzinfo is None:
        raise CaseError(f"an authorisation ends at a time with a zone, such as 2026-05-04T00:00:00Z; got {until}")
    if until <= datetime.now(UTC):
        raise RefusedError(f"the authorisation of this footage ended at {until.isoformat()}: it may not be looked at")


def check_together(sources: Sequence[CaseSource], file: str, *, is_simulated: bool) -> None:
    """Keep drawn people apart from real ones, as a build does.

    Raises:
        RefusedError: one is simulated and one is not.
    """
    if any(source.is_simulated is not is_simulated for source in sources):
        raise RefusedError(
            f"{file}: simulated and filmed people do not come into one case, so that nobody takes the ones for the "
            "others; make another case"
        )


def touch_tracklets(connection: Connection, source: int) -> None:
    """Number a transaction that changes what can be searched of a source."""
    revision = next_revision(connection)
    connection.execute(TRACKLETS.update().where(TRACKLETS.c.source == source).values(revision=revision))


def _camid(connection: Connection, name: str, platform: Platform) -> int:
    """Look a camera up, or add it."""
    row = connection.execute(sa.select(CAMERAS).where(CAMERAS.c.name == name)).one_or_none()
    if row is not None:
        if row.platform != platform.value:
            raise CaseError(
                f"camera {name!r} cannot be on the ground and in the air; it is {row.platform} in this case"
            )
        return row.camid
    camid = connection.execute(sa.select(sa.func.count()).select_from(CAMERAS)).scalar_one()
    connection.execute(CAMERAS.insert().values(camid=camid, name=name, platform=platform.value))
    return camid
