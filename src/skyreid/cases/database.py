"""One database, and the only file that knows which: SQLite in a file, or PostgreSQL.

Who writes is alone: a transaction takes the case's lock when it begins, so that revisions and the audit log come in the
order in which they are committed, on both. When `writing` ends, its changes survive a power cut (SQLite flushes its
log, synchronous=FULL; PostgreSQL its own). Who reads sees one moment and waits for nobody.
"""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from skyreid.errors import CaseError

_WAIT_S = 60
_WRITES = "skyreid_writes"
_AT_A_TIME = 5_000
"""Values of a statement: what both databases take."""
Value = TypeVar("Value")


def in_parts(values: Sequence[Value]) -> Iterator[list[Value]]:
    """Split values that are more than a statement takes."""
    for start in range(0, len(values), _AT_A_TIME):
        yield list(values[start : start + _AT_A_TIME])


class Database:
    """The tables of one case.

    Args:
        where: an SQLite file, or the URL of a PostgreSQL database.
        namespace: of the tables in PostgreSQL, where several cases share a database.
    """

    def __init__(self, where: Path | str, *, namespace: str = "") -> None:
        self._where, self._namespace = where, namespace
        self._path = where if isinstance(where, Path) else None
        url = f"sqlite:///{where}" if isinstance(where, Path) else where
        # A writer of SQLite waits in the database, not in Python.
        arguments = {"timeout": _WAIT_S, "check_same_thread": False} if self._path else {}
        self._engine: Engine = sa.create_engine(url, connect_args=arguments)
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", self._begin)

    @property
    def is_file(self) -> bool:
        """Whether it is SQLite in a file of the case."""
        return self._path is not None

    def create(self, tables: sa.MetaData) -> None:
        """Make the tables in an empty database."""
        with self.writing() as connection:
            if not self.is_file:
                connection.execute(sa.schema.CreateSchema(self._namespace))
            tables.create_all(connection)

    def drop(self) -> None:
        """Remove all of it."""
        if self._path is None:
            with self.writing() as connection:
                connection.execute(sa.schema.DropSchema(self._namespace, cascade=True))
        self.close()
        if self._path is not None:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See one moment of the database."""
        with self._said(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Change it: all that is done inside, or nothing; on the disk when this ends.

        Raises:
            CaseError: somebody else writes for too long, or the database is damaged.
            OSError: the disk is full, or fails.
        """
        with self._said(), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def damage(self) -> list[str]:
        """What the database finds wrong with itself, a sentence each."""
        if self._path is None:
            return []  # PostgreSQL checks what it reads
        with self.reading() as connection:
            found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
            foreign = connection.exec_driver_sql("PRAGMA foreign_key_check")
            found += [f"a row of {row[0]} names what is not there" for row in foreign]
        return [one for one in found if one != "ok"]

    def leave_nothing_behind(self) -> None:
        """Overwrite what was deleted, in the file and in its log."""
        with self._said():
            raw = self._engine.raw_connection()
            try:
                if self._path is None:
                    raw.driver_connection.autocommit = True  # pyright: ignore[reportOptionalMemberAccess]
                    raw.cursor().execute(f'VACUUM "{self._namespace}"."vectors"')
                else:
                    cursor = raw.cursor()
                    cursor.execute("VACUUM")
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.invalidate()

    def close(self) -> None:
        """End all connections."""
        self._engine.dispose()

    def _prepare(self, raw: Any, _: object) -> None:
        cursor = raw.cursor()
        if self._path is None:
            cursor.execute(f'SET search_path TO "{self._namespace}"')
            raw.commit()
        else:
            raw.isolation_level = None  # we begin transactions, not the driver
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def _begin(self, connection: Connection) -> None:
        writes = bool(connection.get_execution_options().get(_WRITES))
        if self._path is not None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
        elif writes:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT_S}s'")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._namespace,))
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Say in our words what a database complains of that is nobody's fault here."""
        try:
            yield
        except DBAPIError as error:
            name = str(getattr(error.orig, "sqlite_errorname", ""))
            if name == "SQLITE_FULL" or getattr(error.orig, "sqlstate", None) == "53100":
                raise self._full() from error
            if name.startswith("SQLITE_IOERR"):
                raise (self._full() if self._has_no_room() else self._failing()) from error
            if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
                raise CaseError(
                    f"{self._where}: the database of the case is damaged ({error.orig}); take it from a backup"
                ) from error
            if name.startswith("SQLITE_BUSY") or getattr(error.orig, "sqlstate", None) == "55P03":
                raise CaseError(f"{self._where}: somebody else has written for {_WAIT_S} s; try again") from error
            if isinstance(error, OperationalError):
                raise CaseError(f"{self._where}: {str(error.orig).splitlines()[0]}") from error
            raise

    def _full(self) -> OSError:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._where))

    def _failing(self) -> OSError:
        return OSError(errno.EIO, os.strerror(errno.EIO), str(self._where))

    def _has_no_room(self) -> bool:
        return self._path is not None and shutil.disk_usage(self._path.parent).free < 2**16
