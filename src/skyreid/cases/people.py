"""Who may do what on a server of cases: users, their roles, their sessions. Whatever nobody allowed is denied.

Passwords are kept as scrypt hashes, sessions by the hash of their token. A server begins without any user: whoever
starts it gets a token that makes the first one, once. Several servers of one folder share all of it, waits after wrong
passwords included, when it lies in PostgreSQL (`people_database.py`).
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.building.linking.event_log import check_annotator
from skyreid.cases.audit import record, utc_now
from skyreid.cases.case import Case
from skyreid.cases.database import Database
from skyreid.cases.passwords import NOBODY, hash_new_password, password_matches
from skyreid.cases.schema import ATTEMPTS, ROLES, SESSIONS, SETUP, USERS
from skyreid.errors import CaseError, RefusedError

IDLE_S, LONGEST_S = 3600.0, 12 * 3600.0
"""A session ends when nothing was done for so long, and whatever is done after so long."""
FREE_TRIES = 5
"""Wrong passwords before the first wait; each further one doubles it."""
LONGEST_WAIT_S = 900.0
_NOT_IN = "wrong name or password, or too many tries in a short time"
"""One message for all, so that nobody learns which names there are."""
_USED_EVERY_S = 60.0
"""A session's last use is noted no more often."""


class Role(StrEnum):
    """What a person is in a case."""

    VIEWER = "viewer"
    ANNOTATOR = "annotator"
    EXAMINER = "examiner"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Right(StrEnum):
    """What can be allowed."""

    SEE = "see"
    """Footage with covered faces, tracklets, searches, identities."""
    DECIDE = "decide"
    SEE_ORIGINALS = "see originals"
    """With a reason, which the log keeps."""
    EXPORT = "export"
    MANAGE = "manage"
    """Sources, jobs, retention, roles."""
    AUDIT = "audit"
    """The log."""


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.SEE}),
    Role.ANNOTATOR: frozenset({Right.SEE, Right.DECIDE}),
    Role.EXAMINER: frozenset({Right.SEE, Right.DECIDE, Right.SEE_ORIGINALS, Right.EXPORT}),
    Role.ADMIN: frozenset(Right),
    Role.AUDITOR: frozenset({Right.AUDIT}),  # and no footage
}


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who can log in."""

    name: str
    is_admin: bool
    """May add users and cases, and is admin of every case."""
    is_disabled: bool
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Session:
    """Somebody who is logged in."""

    user: User
    csrf: str
    """Goes with every request that changes something."""


@dataclass(frozen=True, kw_only=True)
class RunningSession:
    """A session as others may know of it."""

    user: str
    begun: str
    used: str
    """When something was done last, to a minute."""


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """What the browser of somebody who logged in is told, once."""

    token: str
    csrf: str


class People:
    """The users of a server; `open_people` gives them.

    Args:
        database: with their tables.
        clock: seconds since 1970; None = that of the database, which all servers share.
    """

    def __init__(self, database: Database, clock: Callable[[], float] | None = None) -> None:
        self.database = database
        self._clock = clock

    def close(self) -> None:
        """End the connections."""
        self.database.close()

    def setup_token(self) -> str | None:
        """Give a token for the first user, which takes the place of an earlier one; None = there are users."""
        with self.database.writing() as connection:
            if connection.execute(sa.select(USERS.c.name)).first() is not None:
                return None
            token = secrets.token_urlsafe(32)
            connection.execute(SETUP.delete())
            connection.execute(SETUP.insert().values(token_sha256=_hashed(token)))
        return token

    def add_first(self, token: str, name: str, password: str) -> None:
        """Make the first user, an administrator, by the token that the server printed when it began.

        Raises:
            RefusedError: the token is another one, or was used.
            SettingError: a password that is too easy.
            SourceError: a name that cannot be shown.
        """
        password = hash_new_password(name, password)
        with self.database.writing() as connection:
            where = SETUP.c.token_sha256 == _hashed(token)
            if connection.execute(SETUP.delete().where(where)).rowcount != 1:
                raise RefusedError("this token is not the one that the server printed when it began")
            _insert_user(connection, name, password, is_admin=True, by=name)

    def add(self, name: str, password: str, *, by: str, is_admin: bool = False) -> None:
        """Make a user, who has no role in any case yet.

        Raises:
            CaseError: there is one of this name.
            SettingError: a password that is too easy.
            SourceError: a name that cannot be shown.
        """
        password = hash_new_password(name, password)
        with self.database.writing() as connection:
            _refuse_taken(connection, name)
            _insert_user(connection, name, password, is_admin=is_admin, by=by)

    def check_name(self, name: str, *, is_new: bool) -> None:
        """Say before a password is asked for whether a user can be added, or is there.

        Raises:
            CaseError: there is one of this name already, or none.
            SourceError: a name that cannot be shown.
        """
        check_annotator(name)
        with self.database.reading() as connection:
            (_refuse_taken if is_new else _require_user)(connection, name)

    def set_password(self, name: str, password: str, *, by: str) -> None:
        """Change a password; all sessions of this user end.

        Raises:
            CaseError: there is no such user.
            SettingError: a password that is too easy.
        """
        password = hash_new_password(name, password)
        with self.database.writing() as connection:
            _change(connection, name, by, "password", password=password)

    def change_own_password(self, name: str, old: str, new: str, *, address: str) -> None:
        """Change one's own password; all of one's sessions end.

        Raises:
            RefusedError: the old one is wrong, or tried too often.
            SettingError: a password that is too easy.
        """
        self._require_password(name, old, address=address, otherwise="password refused")
        self.set_password(name, new, by=name)

    def disable(self, name: str, *, by: str) -> None:
        """Let a user in no more; all sessions end. The name stays, since the logs of cases speak of it.

        Raises:
            CaseError: there is no such user, or nobody else could add users then.
        """
        with self.database.writing() as connection:
            can_add = sa.select(USERS.c.name).where(USERS.c.is_admin, USERS.c.is_disabled.is_(False))
            if connection.execute(can_add.where(USERS.c.name != name)).first() is None:
                raise CaseError(f"{name!r} is the last administrator")
            _change(connection, name, by, "user disabled", is_disabled=True)

    def enable(self, name: str, *, by: str) -> None:
        """Let a user in again who was disabled.

        Raises:
            CaseError: there is no such user.
        """
        with self.database.writing() as connection:
            _change(connection, name, by, "user enabled", is_disabled=False)

    def set_role(self, name: str, case_id: str, role: Role | None, *, by: str) -> None:
        """Give a user a role in a case, or take it; None = none.

        Raises:
            CaseError: there is no such user.
        """
        with self.database.writing() as connection:
            _require_user(connection, name)
            connection.execute(ROLES.delete().where(ROLES.c.user == name, ROLES.c.case_id == case_id))
            if role is not None:
                connection.execute(ROLES.insert().values(user=name, case_id=case_id, role=role.value))
            record(connection, by, "role", name, {"case": case_id, "role": None if role is None else role.value})

    def role(self, name: str, case_id: str) -> Role | None:
        """Tell what a user is in a case; None = nobody."""
        with self.database.reading() as connection:
            user = _user(connection, name)
            if user is None or user.is_disabled:
                return None
            where = ROLES.c.user == name, ROLES.c.case_id == case_id
            told = connection.execute(sa.select(ROLES.c.role).where(*where)).scalar_one_or_none()
        if user.is_admin:
            return Role.ADMIN
        return None if told is None else Role(told)

    def may(self, name: str, case_id: str, right: Right) -> bool:
        """Tell whether a user may do something in a case."""
        role = self.role(name, case_id)
        return role is not None and right in RIGHTS[role]

    def roles(self, case_id: str) -> dict[str, Role]:
        """List who has a role in a case; administrators of the server have all without one."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(ROLES).where(ROLES.c.case_id == case_id).order_by(ROLES.c.user))
            return {row.user: Role(row.role) for row in rows}

    def users(self) -> list[User]:
        """List the users, those who are not let in too."""
        with self.database.reading() as connection:
            return [_as_user(row) for row in connection.execute(sa.select(USERS).order_by(USERS.c.name))]

    def log_in(self, name: str, password: str, *, address: str) -> NewSession:
        """Let somebody in who knows the password; every failure lets the next wait longer, also after a restart.

        Raises:
            RefusedError: it is wrong, or tried too often; the message does not tell which.
        """
        self._require_password(name, password, address=address, otherwise="login refused")
        made = NewSession(token=secrets.token_urlsafe(32), csrf=secrets.token_urlsafe(32))
        with self.database.writing() as connection:
            now = self._now(connection)
            told = {"token_sha256": _hashed(made.token), "user": name, "csrf": made.csrf}
            connection.execute(SESSIONS.insert().values(**told, begun=now, used=now))
            record(connection, name, "login", details={"address": address})
        return made

    def session(self, token: str) -> Session | None:
        """Tell who is logged in with a token; None = nobody, or no more."""
        with self.database.reading() as connection:
            now = self._now(connection)
            found = connection.execute(sa.select(SESSIONS).where(SESSIONS.c.token_sha256 == _hashed(token))).first()
            user = None if found is None else _user(connection, found.user)
        if found is None or user is None or user.is_disabled:
            return None
        if now - found.used > IDLE_S or now - found.begun > LONGEST_S:
            self.log_out(token)
            return None
        if now - found.used > _USED_EVERY_S:
            with self.database.writing() as connection:
                where = SESSIONS.c.token_sha256 == found.token_sha256
                connection.execute(SESSIONS.update().where(where).values(used=now))
        return Session(user=user, csrf=found.csrf)

    def log_out(self, token: str) -> None:
        """End a session; one that is not there stays so."""
        with self.database.writing() as connection:
            connection.execute(SESSIONS.delete().where(SESSIONS.c.token_sha256 == _hashed(token)))

    def sessions(self) -> list[RunningSession]:
        """List the sessions that have not ended, by user."""
        with self.database.reading() as connection:
            now = self._now(connection)
            running = SESSIONS.c.used >= now - IDLE_S, SESSIONS.c.begun >= now - LONGEST_S
            rows = connection.execute(sa.select(SESSIONS).where(*running).order_by(SESSIONS.c.user, SESSIONS.c.begun))
            return [RunningSession(user=row.user, begun=_moment(row.begun), used=_moment(row.used)) for row in rows]

    def end_sessions(self, name: str, *, by: str) -> None:
        """End all sessions of a user.

        Raises:
            CaseError: there is no such user.
        """
        with self.database.writing() as connection:
            _change(connection, name, by, "sessions ended")

    def _now(self, connection: Connection) -> float:
        return self.database.now(connection) if self._clock is None else self._clock()

    def _require_password(self, name: str, password: str, *, address: str, otherwise: str) -> None:
        """See that a password is right, and note in the log by which words it was not."""
        keys = [_hashed(f"name {name}"), _hashed(f"address {address}")]
        with self.database.writing() as connection:
            now = self._now(connection)
            waits = connection.execute(sa.select(ATTEMPTS.c.blocked_until).where(ATTEMPTS.c.key.in_(keys))).scalars()
            if any(until > now for until in waits):
                raise RefusedError(_NOT_IN)
            # Counted before it is looked at: of many that come at once, no more are let through than one by one.
            for key in keys:
                _count_failure(connection, key, now)
            stored = connection.execute(
                sa.select(USERS.c.password).where(USERS.c.name == name, USERS.c.is_disabled.is_(False))
            ).scalar_one_or_none()
        # Whoever is not there costs as much as whoever is.
        is_right = password_matches(password, NOBODY if stored is None else stored) and stored is not None
        with self.database.writing() as connection:
            if is_right:
                connection.execute(ATTEMPTS.delete().where(ATTEMPTS.c.key.in_(keys)))
            else:
                who = "somebody" if stored is None else name
                record(connection, who, otherwise, details={"address": address})
        if not is_right:
            raise RefusedError(_NOT_IN)


def set_role_in_case(people: People, case: Case, name: str, role: Role | None, *, by: str) -> None:
    """Give a user a role in a case, or take it, and tell the log of the case too: whoever watches it sees who may look.

    Raises:
        CaseError: there is no such user.
    """
    people.set_role(name, case.facts().case_id, role, by=by)
    with case.database.writing() as connection:
        record(connection, by, "role", name, {"role": None if role is None else role.value})


def _change(connection: Connection, name: str, by: str, action: str, **values: str | bool) -> None:
    """Change a user, whose sessions all end."""
    _require_user(connection, name)
    if values:
        connection.execute(USERS.update().where(USERS.c.name == name).values(**values))
    connection.execute(SESSIONS.delete().where(SESSIONS.c.user == name))
    record(connection, by, action, name)


def _require_user(connection: Connection, name: str) -> None:
    if _user(connection, name) is None:
        raise CaseError(f"there is no user {name!r}")


def _refuse_taken(connection: Connection, name: str) -> None:
    if _user(connection, name) is not None:
        raise CaseError(f"there is a user {name!r} already")


def _insert_user(connection: Connection, name: str, password: str, *, is_admin: bool, by: str) -> None:
    connection.execute(SETUP.delete())  # whoever holds the token of a first start makes nobody any more
    told = {"name": name, "password": password, "is_admin": is_admin, "is_disabled": False}
    connection.execute(USERS.insert().values(**told, created_at=utc_now(), created_by=by))
    record(connection, by, "user added", name, {"is_admin": is_admin})


def _user(connection: Connection, name: str) -> User | None:
    row = connection.execute(sa.select(USERS).where(USERS.c.name == name)).first()
    return None if row is None else _as_user(row)


def _as_user(row: Any) -> User:
    return User(name=row.name, is_admin=row.is_admin, is_disabled=row.is_disabled, created_at=row.created_at)


def _count_failure(connection: Connection, key: str, now: float) -> None:
    known = connection.execute(sa.select(ATTEMPTS.c.failures).where(ATTEMPTS.c.key == key)).scalar_one_or_none()
    failures = (known or 0) + 1
    wait_s = 0.0 if failures < FREE_TRIES else min(LONGEST_WAIT_S, 2.0 ** (failures - FREE_TRIES))
    connection.execute(ATTEMPTS.delete().where(ATTEMPTS.c.key == key))
    connection.execute(ATTEMPTS.insert().values(key=key, failures=failures, blocked_until=now + wait_s))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="minutes")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
