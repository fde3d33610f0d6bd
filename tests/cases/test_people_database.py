"""People in a file come into PostgreSQL when a server is told to keep them there."""

import json

import pytest

from skyreid.cases.audit import audit_damage, read_audit
from skyreid.cases.people import Role
from skyreid.cases.people_database import has_people, open_people, people_url
from skyreid.errors import CaseError
from tests.cases.conftest import POSTGRES

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.skipif(not POSTGRES, reason="SKYREID_TEST_POSTGRES is not set")


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    if (tmp_path / "people.json").exists():
        open_people(tmp_path).database.drop()


def test_everybody_comes_along_with_role_session_and_log_and_no_password_stays_behind(folder):
    before = open_people(folder)
    before.add("anna", PASSWORD, by="anna", is_admin=True)
    before.set_role("anna", "1" * 32, Role.VIEWER, by="anna")
    session = before.log_in("anna", PASSWORD, address="::1")
    before.close()
    (moved, again) = (open_people(folder, database=POSTGRES), open_people(folder))
    for people in (moved, again):
        assert [user.name for user in people.users()] == ["anna"] and not people.database.is_file
        assert people.session(session.token).csrf == session.csrf
        assert people.roles("1" * 32) == {"anna": Role.VIEWER}
        with people.database.reading() as connection:
            assert [row.action for row in read_audit(connection)] == ["user added", "role", "login"]
            assert list(audit_damage(connection)) == []
        people.close()
    assert sorted(path.name for path in folder.iterdir()) == ["people.json"]
    assert people_url(folder) == POSTGRES and has_people(folder)


def test_who_was_killed_after_bringing_them_along_leaves_no_password_behind(folder):
    open_people(folder, database=POSTGRES).close()
    (folder / "people.sqlite").write_bytes(b"what a killed server left")
    open_people(folder).close()
    assert sorted(path.name for path in folder.iterdir()) == ["people.json"]


def test_people_are_in_one_database_and_a_file_that_says_nothing_is_named(folder):
    open_people(folder, database=POSTGRES).close()
    other = "postgresql+psycopg://anna@elsewhere/people"
    with pytest.raises(
        CaseError, match=r"its people are in postgresql.* already \(people.json says so\); got .*elsewhere"
    ):
        open_people(folder, database=other)
    told = (folder / "people.json").read_text()
    (folder / "people.json").write_text(json.dumps({"url": POSTGRES, "namespace": "public"}))
    with pytest.raises(CaseError, match="must hold url and namespace"):
        open_people(folder)
    (folder / "people.json").write_text(told)
