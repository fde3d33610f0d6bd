"""Tables of an earlier skyreid become those of today, on both databases, and those of a later one are refused.

`old/` has what skyreid wrote when its tables were of version 1, as SQL: a case with four tracklets, their vectors and a
decision, and the people of a server.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from skyreid.cases import migrating
from skyreid.cases.audit import audit_damage, read_audit
from skyreid.cases.case import open_case, upgrade_case
from skyreid.cases.database import Database
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.elsewhere import read_elsewhere
from skyreid.cases.people_database import open_people, upgrade_people
from skyreid.cases.schema import CASE_VERSION, PEOPLE, PEOPLE_VERSION, TABLES, VERSION
from skyreid.cases.tracklets import read_models, read_table
from skyreid.errors import CaseError
from tests.cases.conftest import POSTGRES

OLD = Path(__file__).parent / "old"
KINDS = {"case": (TABLES, CASE_VERSION), "people": (PEOPLE, PEOPLE_VERSION)}


def written(path, kind):
    """The old tables in a file."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript((OLD / f"{kind}_1.sql").read_text())
    return path


def put_elsewhere(file, told, kind):
    """The same tables and rows in PostgreSQL, and where they are."""
    namespace = f"{kind}_{uuid4().hex}"
    told.write_text(json.dumps({"url": POSTGRES, "namespace": namespace}))
    source = sa.create_engine(f"sqlite:///{file}")
    tables = sa.MetaData()
    tables.reflect(source)
    for column in (column for table in tables.sorted_tables for column in table.columns):
        column.type = column.type.as_generic()
    database = Database(POSTGRES, namespace=namespace)
    database.create(tables)
    with source.connect() as old, database.writing() as new:
        for table in tables.sorted_tables:
            rows = [row._asdict() for row in old.execute(sa.select(table))]
            if rows:
                new.execute(table.insert(), rows)
    source.dispose()
    database.close()
    file.unlink()


@pytest.fixture
def old_case(tmp_path, database):
    file = written(tmp_path / "old" / "case.sqlite", "case")
    if database is not None:
        put_elsewhere(file, tmp_path / "old" / "database.json", "case")
    yield tmp_path / "old"
    if database is not None:
        with migrating_case(tmp_path / "old") as case:
            case.database.drop()


@pytest.fixture
def old_people(tmp_path, database):
    file = written(tmp_path / "people.sqlite", "people")
    if database is not None:
        put_elsewhere(file, tmp_path / "people.json", "people")
    yield tmp_path
    if database is not None:
        upgrade_people(tmp_path)
        open_people(tmp_path).database.drop()


def migrating_case(folder):
    upgrade_case(folder)
    return open_case(folder)


def differences(database, tables):
    with database.reading() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), tables)


def test_an_old_case_is_whole_and_as_a_new_one_when_it_is_brought_up_to_date(old_case, empty):
    told = old_case / "database.json"
    before = read_elsewhere(told, kind="case").database() if told.exists() else Database(old_case / "case.sqlite")
    changed = {change[0] for change in differences(before, TABLES) if isinstance(change, tuple)}
    assert changed == {"add_column", "add_index", "remove_index", "remove_column"}
    before.close()
    done = upgrade_case(old_case)
    assert (done.before, done.now) == ("0001", CASE_VERSION)
    assert upgrade_case(old_case).in_words() == f"its tables are of version {CASE_VERSION} already"
    with open_case(old_case) as case:
        assert case.facts().name == "square"
        (model,) = read_models(case)
        assert read_table(case, model).embeddings.shape == (4, 4)
        assert read_standing(case).pair_state("gate-a-0001", "roof-a-0001") == "confirmed"
        with case.database.reading() as connection:
            told = [(row.action, row.subject) for row in read_audit(connection)]
            assert list(audit_damage(connection)) == []
        assert told[-3:] == [("case migrated", f"version {one}") for one in ("0002", "0003", "0004")]
        assert differences(case.database, TABLES) == differences(empty.database, TABLES) == []


@pytest.mark.parametrize("kind", ["case", "people"])
def test_a_database_without_the_tables_is_no_older_one(tmp_path, database, kind):
    empty = Database(tmp_path / "empty.sqlite") if database is None else Database(POSTGRES, namespace=f"{kind}_none")
    for opening in (
        lambda: migrating.require_version(empty, kind, of=tmp_path),
        lambda: migrating.bring_up_to_date(empty, kind),
    ):
        with pytest.raises(CaseError, match=f"must hold the tables of the {kind} of this folder; they are not there"):
            opening()
    empty.close()


def test_people_of_an_old_server_come_along(old_people, tmp_path):
    done = upgrade_people(old_people)
    assert (done.before, done.now) == ("0001", PEOPLE_VERSION)
    people = open_people(old_people)
    assert [user.name for user in people.users()] == ["anna"]
    assert people.log_in("anna", "correct horse battery", address="::1").token
    with people.database.reading() as connection:
        assert list(audit_damage(connection)) == []
    assert differences(people.database, PEOPLE) == []
    people.close()


def test_a_file_is_brought_up_to_date_when_it_is_opened_and_what_many_share_is_not(old_case, database):
    if database is None:
        with open_case(old_case) as case:
            assert differences(case.database, TABLES) == []
        return
    for _ in range(2):
        with pytest.raises(CaseError, match=r"by an earlier .*version 0001 .*; stop all .*'skyreid case upgrade"):
            open_case(old_case)


def test_what_a_later_skyreid_wrote_is_refused_by_its_version(empty, tmp_path, database):
    with empty.database.writing() as connection:
        connection.execute(VERSION.update().values(version_num="0099"))
    with pytest.raises(CaseError, match=r"case: was written by a later .* \(version 0099 of the tables; ours: 0004\)"):
        open_case(empty.folder)
    people = open_people(tmp_path, database=database)
    with people.database.writing() as connection:
        connection.execute(VERSION.update().values(version_num="0099"))
    with pytest.raises(CaseError, match=r"was written by a later skyreid \(version 0099"):
        open_people(tmp_path)
    if database is not None:
        people.database.drop()
    people.close()


def test_steps_that_fail_leave_the_tables_as_they_were(old_case):
    file = old_case / "case.sqlite"
    if not file.exists():
        with pytest.raises(CaseError, match="version 0001"):
            open_case(old_case)
        return
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("DROP TABLE audit_head")  # so that the first step cannot be noted in the log
    for _ in range(2):
        with pytest.raises(CaseError, match="no such table: audit_head"):
            upgrade_case(old_case)
    with closing(sqlite3.connect(file)) as raw:
        names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    assert "ix_tracklets_pid" in names and not names & {"tracklets_by_pid", "alembic_version"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_are_one_line_to_the_version_of_today(kind):
    folder = Path(migrating.__file__).with_name("migrations")
    steps = ScriptDirectory(str(folder), version_locations=[str(folder / kind)])
    assert steps.get_heads() == [KINDS[kind][1]]
    assert [step.revision for step in steps.walk_revisions()] == sorted(
        (f"{number + 1:04}" for number in range(int(KINDS[kind][1]))), reverse=True
    )
