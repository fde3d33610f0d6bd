"""Where the people of a server of cases are kept: a file beside its cases, or PostgreSQL, which several servers share.

people.sqlite            users, their roles, sessions, waits after wrong passwords, the log of the server; or
people.json              where all of that is known. What people.sqlite held until then is brought along, and it goes
"""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.audit import begin_audit
from skyreid.cases.database import Database
from skyreid.cases.elsewhere import Elsewhere, checked_url, read_elsewhere
from skyreid.cases.migrating import Upgrade, bring_up_to_date, note_version, require_version
from skyreid.cases.people import People
from skyreid.cases.schema import PEOPLE, USERS
from skyreid.errors import CaseError

PEOPLE_FILE, PEOPLE_ELSEWHERE = "people.sqlite", "people.json"


def open_people(folder: Path, *, database: str | None = None, clock: Callable[[], float] | None = None) -> People:
    """Open the users of the server of a folder of cases; the first time there are none.

    Args:
        folder: with the cases.
        database: URL of the PostgreSQL database that has them from now on; None = wherever they are.
        clock: seconds since 1970; None = that of the database.

    Raises:
        CaseError: they are in another database, it cannot be had, or another skyreid wrote it.
    """
    database = None if database is None else checked_url(database)
    if database is not None and not (folder / PEOPLE_ELSEWHERE).exists():
        _move(folder, database)
    url = people_url(folder)
    if database not in (None, url):
        raise CaseError(f"{folder}: its people are in {url} already ({PEOPLE_ELSEWHERE} says so); got {database}")
    found = _at(folder)
    try:
        require_version(found, "people", of=folder)
    except BaseException:
        found.close()
        raise
    return People(found, clock)


def upgrade_people(folder: Path) -> Upgrade:
    """Bring the tables of the people of a server up to date while no server runs.

    Raises:
        CaseError: they cannot be had.
    """
    database = _at(folder)
    try:
        return bring_up_to_date(database, "people")
    finally:
        database.close()


def has_people(folder: Path) -> bool:
    """Tell whether somebody ever served a folder of cases."""
    return any((folder / name).exists() for name in (PEOPLE_FILE, PEOPLE_ELSEWHERE))


def people_url(folder: Path) -> str | None:
    """Tell in which PostgreSQL database the people of a server are; None = in a file.

    Raises:
        CaseError: the file that says it cannot be read.
    """
    told = folder / PEOPLE_ELSEWHERE
    return read_elsewhere(told, kind="people").url if told.exists() else None


def _at(folder: Path) -> Database:
    told = folder / PEOPLE_ELSEWHERE
    if not told.exists():
        return _file_of(folder)
    if (folder / PEOPLE_FILE).exists():  # somebody was killed who had brought them along
        Database(folder / PEOPLE_FILE).drop()
    return read_elsewhere(told, kind="people").database()


def _file_of(folder: Path) -> Database:
    """The file, with the tables of today where there are none; of several who open it at once, one makes them."""
    path = folder / PEOPLE_FILE
    path.touch(mode=0o600)
    database = Database(path)
    with database.writing() as connection:
        if not sa.inspect(connection).has_table(USERS.name):
            PEOPLE.create_all(connection)
            note_version(connection, "people")
            begin_audit(connection)
    return database


def _move(folder: Path, url: str) -> None:
    """Bring the people of a folder, as far as there are any, into PostgreSQL: all at once, and for all servers."""
    elsewhere = Elsewhere(url=url, namespace=f"people_{uuid4().hex}")
    before = _file_of(folder) if (folder / PEOPLE_FILE).exists() else None
    database = elsewhere.database()
    try:
        if before is not None:
            require_version(before, "people", of=folder)
        database.create(PEOPLE)
        try:
            with database.writing() as connection:
                if before is None:
                    note_version(connection, "people")
                    begin_audit(connection)
                else:
                    _copy(before, connection)
            elsewhere.note(folder / PEOPLE_ELSEWHERE)
        except FileExistsError:  # another server was faster
            database.drop()
        except BaseException:
            database.drop()
            raise
    finally:
        database.close()
        if before is not None:
            before.close()


def _copy(before: Database, new: Connection) -> None:
    """Bring every row along, while nobody else changes one."""
    with before.writing() as old:
        for table in PEOPLE.sorted_tables:
            rows = [row._asdict() for row in old.execute(sa.select(table))]
            if rows:
                new.execute(table.insert(), rows)
