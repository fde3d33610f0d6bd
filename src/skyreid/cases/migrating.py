"""Which version the tables of a database have, and how older ones become those of today: by Alembic's steps.

All steps are one transaction: whoever is killed leaves the tables as they were. A file is brought up to date when it is
opened: one skyreid uses it, ours. A database that many share is not, since whoever opens it first with a new skyreid
would stop the servers and workers of the old one at their work: `skyreid case upgrade` does it when they are stopped,
and until then it is refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.audit import record
from skyreid.cases.database import Database
from skyreid.cases.schema import CASE_VERSION, PEOPLE_VERSION, VERSION
from skyreid.errors import CaseError

_MIGRATIONS = Path(__file__).with_name("migrations")
Kind = Literal["case", "people"]
_TODAY: dict[Kind, str] = {"case": CASE_VERSION, "people": PEOPLE_VERSION}
_FIRST_TABLE: dict[Kind, str] = {"case": "case_facts", "people": "users"}
"""That was there from the first version on."""


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """What became of the tables of one database."""

    before: str
    """Version, such as 0002."""
    now: str

    def in_words(self) -> str:
        """Say it to a reader."""
        if self.before == self.now:
            return f"its tables are of version {self.now} already"
        return f"its tables were of version {self.before}, and are of {self.now}"


def note_version(connection: Connection, kind: Kind) -> None:
    """Say of tables that were just made that they are those of today."""
    connection.execute(VERSION.insert().values(version_num=_TODAY[kind]))


def require_version(database: Database, kind: Kind, *, of: Path) -> None:
    """See that tables are those of today; those of a file are made so.

    Args:
        database: that is opened.
        kind: of tables.
        of: the folder that it belongs to.

    Raises:
        CaseError: there are none; a later skyreid wrote them; or an earlier one did, and others may use them.
    """
    with database.reading() as connection:
        version = _version_in(connection, kind, where=database.where)
    if version == _TODAY[kind]:
        return
    if version > _TODAY[kind]:
        raise CaseError(
            f"{of}: was written by a later skyreid (version {version} of the tables; ours: {_TODAY[kind]}); "
            "use that one, or a newer one"
        )
    if not database.is_file:
        raise CaseError(
            f"{of}: was written by an earlier skyreid (version {version} of the tables; ours: {_TODAY[kind]}); stop "
            f"all servers and workers that use it, then 'skyreid case upgrade {of}' brings it up to date"
        )
    bring_up_to_date(database, kind)


def bring_up_to_date(database: Database, kind: Kind) -> Upgrade:
    """Make older tables into those of today, all steps or none.

    Raises:
        CaseError: there are none, or somebody else uses them all the while.
    """
    from alembic.migration import MigrationContext  # takes half a second, and is hardly ever needed
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory(str(_MIGRATIONS), version_locations=[str(_MIGRATIONS / kind)])
    with database.writing() as connection:
        before = _version_in(connection, kind, where=database.where)
        if before < _TODAY[kind]:
            context = MigrationContext.configure(connection)
            context.stamp(steps, before)  # of tables that had another place for it, or none
            with Operations.context(context):
                for step in reversed(list(steps.iterate_revisions(_TODAY[kind], before))):
                    step.module.upgrade()
                    context.stamp(steps, step.revision)
                    record(connection, "skyreid", f"{kind} migrated", f"version {step.revision}")
    return Upgrade(before=before, now=max(before, _TODAY[kind]))


def _version_in(connection: Connection, kind: Kind, *, where: Path | str) -> str:
    tables = sa.inspect(connection)
    if tables.has_table(VERSION.name):
        return connection.execute(sa.select(VERSION.c.version_num)).scalar_one()
    if not tables.has_table(_FIRST_TABLE[kind]):
        raise CaseError(
            f"{where}: the database must hold the tables of the {kind} of this folder; they are not there: it is "
            "another database, or a backup of it is still to be brought back"
        )
    if kind == "people":
        return "0001"
    return f"{connection.exec_driver_sql('SELECT schema_version FROM case_facts').scalar_one():04}"
