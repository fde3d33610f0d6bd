"""A case: a directory with one database as the only truth, and files that the database names or that follow from it.

case.sqlite              everything that is known; or
database.json            where it is known, when PostgreSQL holds it
crops/KEY/AB/HASH.jpg    what the tracklets show, by the hash of the bytes, faces covered
footage/KEY/NAME         videos that were uploaded; these two in an object store, where the database says so
cache/                   what makes searching fast, derived from the database
work/                    of jobs that run, and of exports that are packed
"""

import re
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.arguments import path_of
from skyreid.building.linking.event_log import check_annotator
from skyreid.cases.audit import begin_audit, record, utc_now
from skyreid.cases.case_files import CaseFiles, FolderFiles, StoreFiles, crop_name
from skyreid.cases.case_uploads import CaseUploads, FolderUploads, StoreUploads
from skyreid.cases.database import Database
from skyreid.cases.elsewhere import Elsewhere, checked_url, read_elsewhere
from skyreid.cases.migrating import Upgrade, bring_up_to_date, note_version, require_version
from skyreid.cases.schema import CASE, TABLES
from skyreid.errors import CaseError
from skyreid.files.atomic_file import new_folder
from skyreid.files.file_kinds import CASE as CASE_KIND
from skyreid.files.file_kinds import require_kind
from skyreid.files.object_store import checked_url as checked_store
from skyreid.files.strict_json import Json

DATABASE_FILE = "case.sqlite"
DATABASE_ELSEWHERE = "database.json"
CACHE, WORK = "cache", "work"
RETENTION_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """What is true of a case as a whole."""

    case_id: str
    name: str
    created_at: str
    created_by: str
    retention_days: int
    """How long a source is kept that says nothing else."""
    legal_hold: str | None
    """Why nothing may be deleted; None = it may."""

    def to_json(self) -> dict[str, Json]:
        """What a program reads."""
        return asdict(self)


class Case:
    """An open case; `create_case` and `open_case` give one. To be used in a `with` block, or closed.

    Args:
        folder: of the case.
        database: of the case.
        store_place: URL of the place in an object store that has its files; None = they lie in the folder.
    """

    def __init__(self, folder: Path, database: Database, *, store_place: str | None) -> None:
        self.folder = folder
        self.database = database
        self.store_place = store_place

    def __enter__(self) -> "Case":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Case({str(self.folder)!r})"

    def close(self) -> None:
        """End its connections."""
        self.database.close()

    @cached_property
    def files(self) -> CaseFiles:
        """Its crops, wherever they lie."""
        return FolderFiles(self.folder) if self.store_place is None else StoreFiles(self.store_place)

    @cached_property
    def uploads(self) -> CaseUploads:
        """Videos that were uploaded to it, wherever they lie."""
        if self.store_place is None:
            return FolderUploads(self.folder)
        return StoreUploads(self.store_place, self.folder / WORK)

    def facts(self) -> CaseFacts:
        """What is true of it as a whole."""
        with self.database.reading() as connection:
            row = connection.execute(sa.select(CASE)).one()
        return CaseFacts(
            case_id=row.case_id,
            name=row.name,
            created_at=row.created_at,
            created_by=row.created_by,
            retention_days=row.retention_days,
            legal_hold=row.legal_hold,
        )

    def crop_path(self, crops: str, sha256: str) -> str:
        """Where a crop lies, by the key of its source's crops and the hash of its bytes."""
        # A list has thousands, and a Path takes 20 times as long to put together.
        return f"{self.files.crops}{crops}/{crop_name(sha256)}"


# Put together once: SQLAlchemy takes as long to put a statement together as SQLite to answer it.
_REVISION = sa.select(CASE.c.revision)


def revision_of(connection: Connection) -> int:
    """Tell the number of the last transaction that changed what can be searched."""
    return connection.execute(_REVISION).scalar_one()


def next_revision(connection: Connection) -> int:
    """Number this transaction, which changes what can be searched."""
    return connection.execute(
        CASE.update().values(revision=CASE.c.revision + 1).returning(CASE.c.revision)
    ).scalar_one()


def create_case(
    folder: str | PathLike[str],
    *,
    by: str,
    name: str | None = None,
    database: str | None = None,
    files: str | None = None,
    retention_days: int = RETENTION_DAYS,
) -> Case:
    """Make an empty case.

    Args:
        folder: a new directory.
        by: who makes it.
        name: that people call it; None = that of the folder.
        database: URL of a PostgreSQL database, without a password (~/.pgpass has it); None = a file in the folder.
        files: s3://BUCKET/PREFIX of an object store that crops and uploads come into (its keys are told by AWS_…
            variables or ~/.aws); None = they lie in the folder.
        retention_days: how long sources are kept that say nothing else.

    Raises:
        CaseError: the folder is there already, or the database cannot be had.
        StoreError: the object store cannot be had, or refuses.
        SourceError: a name that cannot be shown.
    """
    folder = path_of(folder, "the folder of a case")
    check_annotator(by)
    name = check_annotator(folder.resolve().name if name is None else name)
    if retention_days < 1:
        raise CaseError(f"footage is kept for at least one day; got retention_days={retention_days}")
    if re.fullmatch(r"[\w+.-]{2,}:", folder.parts[0] if folder.parts else ""):
        raise CaseError(
            f"{folder}: is a URL, and a case is a folder of this machine; --database and --files say where else its "
            "database and its files are to lie"
        )
    case_id = uuid4().hex
    if folder.exists():
        raise CaseError(f"{folder}: is there already; a case begins in a new folder")
    files = None if files is None else checked_store(files)
    with new_folder(folder) as staging:
        staging.chmod(0o700)
        if files is not None:
            StoreFiles(_place(files, case_id)).begin()
        if database is None:
            made = Database(staging / DATABASE_FILE)
        else:
            elsewhere = Elsewhere(url=checked_url(database), namespace=f"case_{case_id}")
            elsewhere.note(staging / DATABASE_ELSEWHERE)
            made = elsewhere.database()
        try:
            made.create(TABLES)
            with made.writing() as connection:
                connection.execute(
                    CASE.insert().values(
                        number=1,
                        case_id=case_id,
                        name=name,
                        created_at=utc_now(),
                        created_by=by,
                        retention_days=retention_days,
                        revision=0,
                        files=files,
                    )
                )
                note_version(connection, "case")
                begin_audit(connection)
                record(connection, by, "case new", name, {"retention_days": retention_days})
        finally:
            made.close()
    return open_case(folder)


def open_case(folder: str | PathLike[str]) -> Case:
    """Open a case; where it is a file, tables of an older skyreid are brought up to date.

    Raises:
        CaseError: the folder is none, is damaged, was written by a later skyreid, or by an earlier one in a database
            that others may be using (`upgrade_case`).
        StoreError: the database names no place in an object store where its files should be.
    """
    folder = path_of(folder, "the folder of a case")
    database = _database_of(folder)
    try:
        require_version(database, "case", of=folder)
        with database.reading() as connection:
            told = connection.execute(sa.select(CASE.c.case_id, CASE.c.files)).one()
        # By its id, so that no two cases have the same place, whatever somebody copies.
        place = None if told.files is None else _place(checked_store(told.files), told.case_id)
    except BaseException:
        database.close()
        raise
    return Case(folder, database, store_place=place)


def upgrade_case(folder: str | PathLike[str]) -> Upgrade:
    """Bring the tables of a case up to date while nobody uses it.

    Raises:
        CaseError: the folder is none, is damaged, or somebody uses it.
    """
    with closing(_database_of(path_of(folder, "the folder of a case"))) as database:
        return bring_up_to_date(database, "case")


def list_cases(folder: str | PathLike[str]) -> list[Path]:
    """Find the cases in a folder, by name; or the folder itself, if it is one."""
    folder = path_of(folder, "a folder of cases")
    candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())] if folder.is_dir() else []
    return [path for path in candidates if is_case(path)]


def cases_there(folder: str | PathLike[str]) -> list[tuple[Path, int]]:
    """Find the cases in a folder, each with a number that tells it from another one in its place.

    It is that of the file of its database, which the disk gives to no other as long as somebody has it open.
    """
    there: list[tuple[Path, int]] = []
    for path in list_cases(folder):
        for name in (DATABASE_ELSEWHERE, DATABASE_FILE):
            with suppress(FileNotFoundError):  # of the two it has one; or it was just removed
                there.append((path, (path / name).stat().st_ino))
                break
    return there


def is_case(folder: Path) -> bool:
    """Whether a folder holds a case."""
    return any((folder / name).is_file() for name in (DATABASE_FILE, DATABASE_ELSEWHERE))


def _database_of(folder: Path) -> Database:
    require_kind(folder, CASE_KIND, error=CaseError)
    if (folder / DATABASE_ELSEWHERE).exists():
        return read_elsewhere(folder / DATABASE_ELSEWHERE, kind="case").database()
    return Database(folder / DATABASE_FILE)


def _place(store: str, case_id: str) -> str:
    if re.fullmatch(r"[0-9a-f]{32}", case_id) is None:  # of a stranger, whose case would lead to another's files
        raise CaseError(f"the id of a case is 32 hexadecimal digits; got {case_id!r:.80}")
    return f"{store}/case_{case_id}"
