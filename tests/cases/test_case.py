from uuid import uuid4

import pytest
import sqlalchemy as sa

from skyreid.cases.audit import audit_damage
from skyreid.cases.case import create_case, list_cases, open_case
from skyreid.cases.schema import AUDIT
from skyreid.cases.sources import read_sources
from skyreid.errors import CaseError, SourceError
from tests.cases.conftest import POSTGRES, new_case


def test_a_new_case_is_empty_says_who_made_it_and_is_opened_again(empty):
    with open_case(empty.folder) as case:
        facts = case.facts()
        assert (facts.name, facts.created_by, facts.legal_hold) == ("case", "anna", None)
        assert read_sources(case) == []
        with case.database.reading() as connection:
            assert connection.execute(sa.select(AUDIT.c.action)).scalars().all() == ["case new"]
            assert list(audit_damage(connection)) == []


def test_only_its_owner_may_look_into_the_folder(tmp_path):
    with create_case(tmp_path / "case", by="anna") as case:
        assert case.folder.stat().st_mode & 0o077 == 0


def test_cases_are_listed_and_a_case_lists_itself(tmp_path):
    for name in ("square", "gate"):
        create_case(tmp_path / name, by="anna").close()
    (tmp_path / "else").mkdir()
    assert [path.name for path in list_cases(tmp_path)] == ["gate", "square"]
    assert list_cases(tmp_path / "gate") == [tmp_path / "gate"]
    assert list_cases(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"retention_days": 0}, "at least one day"),
        ({"name": " square"}, "visible characters"),
        ({"database": "mysql://host/name"}, r"postgresql\+psycopg://USER@HOST/NAME"),
        ({"database": "postgresql+asyncpg://host/name"}, r"given as postgresql\+psycopg://USER@HOST/NAME; got"),
        (
            {"database": "postgresql://127.0.0.1:1/name"},
            r"cannot be reached .*; see that its server runs and lets this",
        ),
        ({"database": "postgresql+psycopg://anna:secret@host/name"}, "a password does not belong"),
    ],
)
def test_what_no_case_can_be_is_refused_and_leaves_no_folder(tmp_path, settings, refusal):
    with pytest.raises((CaseError, SourceError), match=refusal):
        create_case(tmp_path / "case", by="anna", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_taken(tmp_path):
    (tmp_path / "case").mkdir()
    with pytest.raises(CaseError, match="is there already; a case begins in a new folder"):
        create_case(tmp_path / "case", by="anna")


@pytest.mark.parametrize("url", ["s3://bucket/square", "postgresql+psycopg://db.example/skyreid"])
def test_a_url_is_no_folder(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaseError, match="is a URL, and a case is a folder of this machine; --database and --files"):
        create_case(url, by="anna")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_case_is_refused(tmp_path):
    with pytest.raises(CaseError, match=r"must be a case \('skyreid case new' makes one\); it is an empty folder"):
        open_case(tmp_path)


def test_a_damaged_database_is_named(copied):
    with (copied / "case.sqlite").open("r+b") as file:
        file.write(b"no database at all")
    with pytest.raises(CaseError, match=r"the database of the case is damaged .*; take it from a backup"):
        open_case(copied)


def test_what_a_case_forgot_by_a_failure_was_never_there(case):
    with pytest.raises(RuntimeError), case.database.writing() as connection:
        connection.execute(AUDIT.delete())
        raise RuntimeError
    with case.database.reading() as connection:
        assert list(audit_damage(connection)) == []


def test_who_may_only_read_a_case_is_told_who_can_let_them_write(tmp_path):
    with (
        create_case(tmp_path / "case", by="anna") as case,
        pytest.raises(CaseError, match="this user may not write there"),
        case.database.writing() as connection,
    ):
        connection.exec_driver_sql("PRAGMA query_only=1")  # as SQLite is with a file of somebody else
        connection.execute(AUDIT.delete())


@pytest.mark.skipif(not POSTGRES, reason="SKYREID_TEST_POSTGRES is not set")
def test_a_database_that_cannot_hold_every_name_is_refused_and_no_folder_is_left(tmp_path):
    server = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    latin = f"latin_{uuid4().hex}"
    with server.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {latin} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        with pytest.raises(CaseError, match="must be encoded in UTF8, so that it holds every name; it is in LATIN1"):
            create_case(tmp_path / "square", by="anna", database=POSTGRES.replace("/postgres?", f"/{latin}?"))
        connection.exec_driver_sql(f"DROP DATABASE {latin}")
    server.dispose()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not POSTGRES, reason="SKYREID_TEST_POSTGRES is not set")
def test_a_server_that_answers_before_the_disk_has_it_is_told_to_wait(tmp_path):
    hasty = f"{POSTGRES}&options=-csynchronous_commit%3Doff"
    with new_case(tmp_path / "case", hasty) as case, case.database.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
        assert connection.exec_driver_sql("SHOW fsync").scalar_one() == "on"
