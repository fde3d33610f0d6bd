import pytest
import sqlalchemy as sa

from skyreid.cases.audit import audit_damage, audit_head, read_audit, record
from skyreid.cases.schema import AUDIT, AUDIT_HEAD


@pytest.fixture
def log(empty):
    with empty.database.writing() as connection:
        for number in range(5):
            record(connection, "anna", "look", f"person {number}", {"number": number})
    return empty


def damage(case):
    with case.database.reading() as connection:
        return list(audit_damage(connection))


def change(case, *statements):
    with case.database.writing() as connection:
        for statement in statements:
            connection.execute(statement)


def test_an_untouched_log_has_no_damage_and_comes_back(log):
    assert damage(log) == []
    with log.database.reading() as connection:
        rows = read_audit(connection, after=1)
        assert [(row.seq, row.who, row.subject, row.details["number"]) for row in rows] == [
            (number + 2, "anna", f"person {number}", number) for number in range(5)
        ]
        assert audit_head(connection) == f"6:{rows[-1].hash}"


@pytest.mark.parametrize("column", ["time", "who", "action", "subject", "details", "previous", "hash"])
def test_a_row_that_was_edited_is_named(log, column):
    change(log, AUDIT.update().where(AUDIT.c.seq == 3).values({column: "x"}))
    assert any("row 3 (" in one and "was edited or moved" in one for one in damage(log))


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_row_that_was_removed_is_named(log, seq):
    change(log, AUDIT.delete().where(AUDIT.c.seq == seq))
    assert damage(log)[0] == f"audit log: row {seq} is missing"


def test_rows_that_were_removed_at_the_end_are_named(log):
    change(log, AUDIT.delete().where(AUDIT.c.seq > 4))
    assert damage(log) == ["audit log: rows 5 to 6 were removed"]
    change(log, AUDIT_HEAD.update().values(seq=4))
    assert damage(log) == ["audit log: row 4, the last one, is not the one that was written"]


def test_rows_that_changed_places_are_named(log):
    change(
        log,
        AUDIT.update().where(AUDIT.c.seq == 2).values(seq=20),
        AUDIT.update().where(AUDIT.c.seq == 4).values(seq=2),
        AUDIT.update().where(AUDIT.c.seq == 20).values(seq=4),
    )
    told = damage(log)
    assert all(any(f"row {seq} (" in one for one in told) for seq in (2, 4))


def test_a_row_that_was_written_anew_with_its_hash_does_not_fit_the_next(log):
    with log.database.writing() as connection:
        connection.execute(AUDIT.delete().where(AUDIT.c.seq == 6))
        before = connection.execute(sa.select(AUDIT).where(AUDIT.c.seq == 4)).one()
        last = connection.execute(sa.select(AUDIT).where(AUDIT.c.seq == 5)).one()
        connection.execute(AUDIT.delete().where(AUDIT.c.seq == 5))
        connection.execute(AUDIT_HEAD.update().values(seq=4, hash=before.hash))
        record(connection, "mallory", "look", "nobody")  # a chain of its own from here on
        connection.execute(AUDIT_HEAD.update().values(seq=last.seq, hash=last.hash))
    assert damage(log) == ["audit log: row 5, the last one, is not the one that was written"]
