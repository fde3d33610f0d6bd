"""Who did what: a log that is only added to, each row with the hash of the one before.

A row that is edited, removed or put elsewhere no longer fits its neighbours, and the last one not the head, which
stands apart. Who rewrites all of it and the head goes unnoticed: keep the head elsewhere, `case verify` prints it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.cases.schema import AUDIT, AUDIT_HEAD
from skyreid.files.regular_file import bytes_sha256
from skyreid.files.strict_json import Json

FIRST = "0" * 64
"""Stands for the hash before the first row."""


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """One act."""

    seq: int
    """From 1."""
    time: str
    who: str
    action: str
    subject: str
    """What it was done to."""
    details: Mapping[str, Json]
    hash: str


def utc_now() -> str:
    """The time to record."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def begin_audit(connection: Connection) -> None:
    """Make the head of an empty log."""
    connection.execute(AUDIT_HEAD.insert().values(number=1, seq=0, hash=FIRST))


def record(
    connection: Connection, who: str, action: str, subject: str = "", details: Mapping[str, Json] | None = None
) -> None:
    """Add a row, in the transaction that does what it tells of."""
    head = connection.execute(sa.select(AUDIT_HEAD)).one()
    row = {
        "seq": head.seq + 1,
        "time": utc_now(),
        "who": who,
        "action": action,
        "subject": subject,
        "details": json.dumps(details or {}, sort_keys=True, separators=(",", ":")),
        "previous": head.hash,
    }
    row["hash"] = _hash(row)
    connection.execute(AUDIT.insert().values(row))
    connection.execute(AUDIT_HEAD.update().values(seq=row["seq"], hash=row["hash"]))


def read_audit(connection: Connection, *, after: int = 0, limit: int | None = None) -> list[AuditRow]:
    """Give the rows after one, the oldest first."""
    rows = connection.execute(sa.select(AUDIT).where(AUDIT.c.seq > after).order_by(AUDIT.c.seq).limit(limit))
    return [
        AuditRow(
            seq=row.seq,
            time=row.time,
            who=row.who,
            action=row.action,
            subject=row.subject,
            details=json.loads(row.details),
            hash=row.hash,
        )
        for row in rows
    ]


def audit_head(connection: Connection) -> str:
    """Number and hash of the last row, as one text to be kept elsewhere."""
    head = connection.execute(sa.select(AUDIT_HEAD)).one()
    return f"{head.seq}:{head.hash}"


def audit_damage(connection: Connection) -> Iterator[str]:
    """Name every row that was edited, removed or put elsewhere, a sentence each."""
    before, previous = 0, FIRST
    for found in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)):
        row = found._asdict()
        if row["seq"] != before + 1:
            missing = f"{before + 1}" if row["seq"] == before + 2 else f"{before + 1} to {row['seq'] - 1}"
            yield f"audit log: row {missing} is missing"
        if row["hash"] != _hash(row):
            yield f"audit log: row {row['seq']} ({row['action']} by {row['who']}, {row['time']}) was edited or moved"
        elif row["seq"] == before + 1 and row["previous"] != previous:
            yield f"audit log: row {row['seq']} does not follow row {before}: one of them was put in its place"
        before, previous = row["seq"], row["hash"]
    head = connection.execute(sa.select(AUDIT_HEAD)).one()
    if head.seq > before:
        last = f"row {head.seq} was" if head.seq == before + 1 else f"rows {before + 1} to {head.seq} were"
        yield f"audit log: {last} removed"
    elif head.seq < before:
        yield f"audit log: rows after {head.seq} were added by hand"
    elif head.hash != previous:
        yield f"audit log: row {before}, the last one, is not the one that was written"


def _hash(row: Mapping[str, object]) -> str:
    told = [row[name] for name in ("seq", "time", "who", "action", "subject", "details", "previous")]
    return bytes_sha256(json.dumps(told, separators=(",", ":")).encode())
