"""One database, and the only file that knows which: SQLite in a file, or PostgreSQL.

Who writes is alone: a transaction takes the case's lock when it begins, so that revisions and the audit log come in the
order in which they are committed, on both. `noting` is for what touches neither, such as leases: on PostgreSQL only
rows are locked then, and a sign of life waits for nobody's import. When they end, changes survive a power cut (SQLite
flushes its log, synchronous=FULL; PostgreSQL its own). Who reads sees one moment and waits for nobody.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from skyreid.errors import CaseError, DatabaseAwayError, SettingError

_WAIT_S = 60
_LONGEST_PAUSE_S = 600
"""Between two statements of somebody who writes: who stops for longer, and keeps all others out, is cut off."""
_KIND, _WRITES, _NOTES = "skyreid_kind", "writes", "notes"
"""Of a transaction; it reads where nothing is said."""
_REACH_POSTGRES = {
    "connect_timeout": 10,
    # A server, or the way to it, that is gone without a word is noticed within a minute, and not after hours.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_KEPT_HANDLES = 10
"""On a file that stay open in a process."""
_KEPT_CONNECTIONS = 2
"""That wait open in a process, for each case: a PostgreSQL server allows 100 for all, unless it is told otherwise."""
_GONE = ("08", "57P")
"""How states of PostgreSQL begin that tell of a connection or a server that ended, or does not take anybody yet."""
_AT_A_TIME = 5_000
"""Values of a statement: what both databases take."""
Value = TypeVar("Value")


def in_parts(values: Sequence[Value]) -> Iterator[list[Value]]:
    """Split values that are more than a statement takes."""
    for start in range(0, len(values), _AT_A_TIME):
        yield list(values[start : start + _AT_A_TIME])


def is_among(connection: Connection, column: sa.ColumnElement[int], numbers: Sequence[int]) -> sa.ColumnElement[bool]:
    """Say to the database of a connection that a column is one of some numbers, of which there may be any many."""
    if not numbers:
        return sa.false()
    if connection.dialect.name == "sqlite":
        told = sa.func.json_each(json.dumps(list(numbers))).table_valued("value")
        return column.in_(sa.select(told.c.value))
    return column == sa.any_(sa.literal(list(numbers), ARRAY(sa.BigInteger)))


class Database:
    """The tables of one case.

    Args:
        where: an SQLite file, or the URL of a PostgreSQL database.
        namespace: of the tables in PostgreSQL, where several cases share a database.
    """

    def __init__(self, where: Path | str, *, namespace: str = "") -> None:
        self._where, self._namespace = where, namespace
        self._path = where if isinstance(where, Path) else None
        if isinstance(where, Path):
            # A writer of SQLite waits in the database for other processes: it asks again, ever more rarely.
            waits = {"timeout": _WAIT_S, "check_same_thread": False}
            self._engine: Engine = sa.create_engine(
                f"sqlite:///{where}", connect_args=waits, pool_size=_KEPT_HANDLES, max_overflow=40
            )
        else:
            self._engine = _postgres(where)
        self._alone = Lock()
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", self._begin)

    @property
    def where(self) -> Path | str:
        """The file, or the URL."""
        return self._where

    @property
    def is_file(self) -> bool:
        """Whether it is SQLite in a file of the case."""
        return self._path is not None

    def create(self, tables: sa.MetaData) -> None:
        """Make the tables in an empty database.

        Raises:
            CaseError: a database of PostgreSQL whose texts are not in UTF-8, and hold no name of every script.
        """
        with self.writing() as connection:
            if not self.is_file:
                encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
                if encoding != "UTF8":
                    raise CaseError(
                        f"{self._where}: the database must be encoded in UTF8, so that it holds every name; it is in "
                        f"{encoding} (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
                    )
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
            DatabaseAwayError: its server does not answer.
            OSError: the disk is full, or fails.
        """
        with self._changing(_WRITES) as connection:
            yield connection

    @contextmanager
    def noting(self) -> Iterator[Connection]:
        """Change rows that neither a revision nor the log tells of, beside whoever writes; otherwise as `writing`."""
        with self._changing(_NOTES) as connection:
            yield connection

    def now(self, connection: Connection) -> float:
        """Tell the time by the one clock of all who use this database, in seconds since 1970."""
        if self._path is not None:
            return time.time()
        return connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar_one()

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
            for name, seconds in (("idle", 30), ("interval", 10)):  # the server notices that we are gone, too
                cursor.execute(f"SET tcp_keepalives_{name} = {seconds}")
            cursor.execute("SET tcp_keepalives_count = 3")
            # Whoever set the server up to answer before the disk has it did not know of us.
            is_off = "current_setting('synchronous_commit') = 'off'"
            cursor.execute(f"SELECT set_config('synchronous_commit', 'on', false) WHERE {is_off}")
            raw.commit()
        else:
            raw.isolation_level = None  # we begin transactions, not the driver
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def _begin(self, connection: Connection) -> None:
        kind = connection.get_execution_options().get(_KIND)
        if self._path is not None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if kind else "BEGIN")
        elif kind is None:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        else:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT_S}s'")
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{_LONGEST_PAUSE_S}s'")
            if kind == _WRITES:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._namespace,))

    @contextmanager
    def _changing(self, kind: str) -> Iterator[Connection]:
        with self._in_turn(), self._said(), self._engine.connect() as plain:
            connection = plain.execution_options(**{_KIND: kind})
            with connection.begin():
                yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Of the threads of this process that write to a file, let one after the other begin, and none ask in vain."""
        if self._path is None:
            yield
            return
        if not self._alone.acquire(timeout=_WAIT_S):
            raise self._taken()
        try:
            yield
        finally:
            self._alone.release()

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Say in our words what a database complains of that is nobody's fault here."""
        try:
            yield
        except DBAPIError as error:
            name = str(getattr(error.orig, "sqlite_errorname", ""))
            state = getattr(error.orig, "sqlstate", None)
            if name == "SQLITE_FULL" or state == "53100":
                raise self._full() from error
            if name.startswith("SQLITE_IOERR"):
                raise (self._full() if self._has_no_room() else self._failing()) from error
            if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
                raise CaseError(
                    f"{self._where}: the database of the case is damaged ({error.orig}); take it from a backup"
                ) from error
            if name.startswith("SQLITE_BUSY") or state == "55P03":
                raise self._taken() from error
            if name.startswith("SQLITE_READONLY"):
                raise CaseError(
                    f"{self._where}: this user may not write there; reading is allowed, and whoever owns the folder of "
                    "the case lets others write it and all files in it"
                ) from error
            if self._path is None and self._is_away(error, state):
                said = str(error.orig).strip().splitlines()
                raise DatabaseAwayError(
                    f"{self._where}: the database cannot be reached ({said[0] if said else 'the connection was cut'}); "
                    "see that its server runs and lets this user in, and try again"
                ) from error
            if state == "42501":
                raise CaseError(
                    f"{self._where}: this user may not do that ({str(error.orig).splitlines()[0]}); cases and people "
                    "each get a schema of their own: GRANT CREATE ON DATABASE … TO … lets it make them, and whoever "
                    "made one changes it"
                ) from error
            if isinstance(error, OperationalError):
                raise CaseError(f"{self._where}: {str(error.orig).splitlines()[0]}") from error
            raise

    def _is_away(self, error: DBAPIError, state: str | None) -> bool:
        """Whether a connection was cut, or there is none to be had; a server that is full (53300) has none either."""
        cannot_connect = state is None and isinstance(error, OperationalError)
        return error.connection_invalidated or cannot_connect or state == "53300" or str(state).startswith(_GONE)

    def _taken(self) -> CaseError:
        return CaseError(f"{self._where}: somebody else has written for {_WAIT_S} s; try again")

    def _full(self) -> OSError:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._where))

    def _failing(self) -> OSError:
        return OSError(errno.EIO, os.strerror(errno.EIO), str(self._where))

    def _has_no_room(self) -> bool:
        return self._path is not None and shutil.disk_usage(self._path.parent).free < 2**16


def _postgres(url: str) -> Engine:
    try:
        # Asked before it is used, whether it is still there: the server may have been started anew.
        return sa.create_engine(
            url, connect_args=_REACH_POSTGRES, pool_pre_ping=True, pool_size=_KEPT_CONNECTIONS, max_overflow=40
        )
    except ImportError as error:
        raise SettingError(f"a case in PostgreSQL needs psycopg: pip install 'skyreid[postgres]' ({error})") from error
