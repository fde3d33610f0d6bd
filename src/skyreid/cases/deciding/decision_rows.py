"""Decisions as rows of a case: the events of `skyreid link`, written and read back in their order."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from skyreid.building.linking.event_log import (
    Decision,
    DecisionEvent,
    LinkEvent,
    RebuildEvent,
    RequireEvent,
    Seen,
    UndoEvent,
)
from skyreid.cases.schema import DECISIONS

CONFIRMED, REJECTED, UNSURE = "confirmed", "rejected", "unsure"
WORDS = {Decision.SAME: CONFIRMED, Decision.DIFFERENT: REJECTED, Decision.UNSURE: UNSURE}
"""What a case calls the decisions of `skyreid link`."""
DECISION_CALLED = {word: decision for decision, word in WORDS.items()}
_UNDO, _REQUIRE, _REBUILT = "undo", "require", "rebuilt"


def events_in(connection: Connection) -> list[LinkEvent]:
    """Give the history, in a transaction that runs."""
    return [event for _, event in numbered_events_in(connection)]


def numbered_events_in(connection: Connection, *, after: int = 0) -> list[tuple[int, LinkEvent]]:
    """Give those of the history that come after a row, with the numbers of their rows, which grow."""
    return [(row.seq, _event(row._asdict())) for row in connection.execute(_EVENTS, {"after": after})]


def last_event_in(connection: Connection) -> tuple[int, str]:
    """Give the number of the last row of the history, and the id of its event; 0 and "" = there is none."""
    row = connection.execute(_LAST).one_or_none()
    return (0, "") if row is None else (row.seq, row.event_id)


_EVENTS = sa.select(DECISIONS).where(DECISIONS.c.seq > sa.bindparam("after")).order_by(DECISIONS.c.seq)
_LAST = sa.select(DECISIONS.c.seq, DECISIONS.c.event_id).order_by(DECISIONS.c.seq.desc()).limit(1)


def insert_events(connection: Connection, events: Sequence[LinkEvent], *, model: int | None = None) -> None:
    """Add events, in a transaction that runs.

    Args:
        connection: of a writing transaction.
        events: new ones.
        model: number of the model that their similarities are of.
    """
    for event in events:
        connection.execute(DECISIONS.insert().values(_row(event) | {"model": model}))


def _row(event: LinkEvent) -> dict[str, object]:
    row: dict[str, object] = {
        "event_id": event.event_id,
        "time": event.time.isoformat(),
        "annotator": event.annotator,
    }
    match event:
        case UndoEvent():
            return row | {"kind": _UNDO, "undoes": event.undoes}
        case RequireEvent():
            return row | {"kind": _REQUIRE, "annotators": event.annotators}
        case RebuildEvent():
            return row | {"kind": _REBUILT, "moved": [[*old, *new] for old, new in event.moved.items()]}
        case DecisionEvent():
            first, second = event.tracklets
            return row | {
                "kind": WORDS[event.decision],
                "first": first,
                "second": second,
                "first_fingerprint": event.fingerprints[0],
                "second_fingerprint": event.fingerprints[1],
                "rank": event.rank,
                "similarity": event.similarity,
                "seconds": event.seconds,
            }


def _event(row: Mapping[str, Any]) -> LinkEvent:
    event_id, time, annotator = row["event_id"], datetime.fromisoformat(row["time"]), row["annotator"]
    if row["kind"] == _UNDO:
        return UndoEvent(event_id=event_id, time=time, annotator=annotator, undoes=row["undoes"])
    if row["kind"] == _REQUIRE:
        return RequireEvent(event_id=event_id, time=time, annotator=annotator, annotators=row["annotators"])
    if row["kind"] == _REBUILT:
        moved = {Seen(old, then): Seen(new, at) for old, then, new, at in row["moved"]}
        return RebuildEvent(event_id=event_id, time=time, annotator=annotator, moved=moved)
    return DecisionEvent(
        event_id=event_id,
        time=time,
        annotator=annotator,
        decision=DECISION_CALLED[row["kind"]],
        tracklets=(row["first"], row["second"]),
        fingerprints=(row["first_fingerprint"], row["second_fingerprint"]),
        rank=row["rank"],
        similarity=row["similarity"],
        seconds=row["seconds"],
    )
