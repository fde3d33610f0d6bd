"""What is recorded when somebody decides: four kinds of event, each one line of JSON, never changed afterwards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

from skyreid.errors import ManifestError, SourceError
from skyreid.strict_json import parse_json

Pair: TypeAlias = tuple[str, str]
"""Two tracklet ids, the smaller one first."""

_UNDO, _REQUIRE, _REBUILT = "undo", "require", "rebuilt"
_SHARED_KEYS = {"event", "time", "annotator", "decision"}
_KEYS = {_UNDO: {"undoes"}, _REQUIRE: {"annotators"}, _REBUILT: {"moved"}}
_DECISION_KEYS = {"tracklets", "fingerprints"}
_OPTIONAL_KEYS = {"rank", "similarity", "seconds"}
_LONGEST_NAME = 100


class Decision(StrEnum):
    """What a person says about two tracklets."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"


@dataclass(frozen=True, kw_only=True)
class _Event:
    event_id: str
    time: datetime
    """With its zone."""
    annotator: str


@dataclass(frozen=True, kw_only=True)
class DecisionEvent(_Event):
    """Somebody decided; an earlier decision of the same person on the same pair is replaced by it."""

    decision: Decision
    tracklets: Pair
    fingerprints: Pair
    """What the two tracklets were at that moment (`link_state.fingerprint`)."""
    rank: int | None = None
    """Place among the suggestions, from 1; None = it was not a suggestion."""
    similarity: float | None = None
    """Cosine that was shown, if one was."""
    seconds: float | None = None
    """How long the person looked."""


@dataclass(frozen=True, kw_only=True)
class UndoEvent(_Event):
    """Somebody took a decision back."""

    undoes: str
    """Id of the decision event."""


@dataclass(frozen=True, kw_only=True)
class RequireEvent(_Event):
    """Somebody set how many people must agree before a link counts."""

    annotators: int


class Seen(NamedTuple):
    """A tracklet as it was at some moment."""

    tracklet_id: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class RebuildEvent(_Event):
    """A build cut sources again; decisions on old tracklets go on with the new ones that show the same people."""

    moved: Mapping[Seen, Seen]
    """Old to new."""


LinkEvent: TypeAlias = DecisionEvent | UndoEvent | RequireEvent | RebuildEvent


def new_event_id() -> str:
    """An id that no other event has, on any machine."""
    return uuid4().hex


def now() -> datetime:
    """The time to record, in UTC."""
    return datetime.now(UTC)


def make_pair(first: str, second: str) -> Pair:
    """Bring two tracklet ids into the order in which a pair is named.

    Raises:
        SourceError: they are the same.
    """
    if first == second:
        raise SourceError(f"a decision is about two tracklets; got {first!r} twice")
    return (first, second) if first < second else (second, first)


def check_annotator(name: str) -> str:
    """Refuse a name that could not be told from another one on a screen.

    Raises:
        SourceError: it is empty, very long, or has invisible characters or blanks around it.
    """
    if not name or name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise SourceError(
            f"an annotator's name has 1 to {_LONGEST_NAME} visible characters and no blanks around it; got {name!r}"
        )
    return name


def event_to_line(event: LinkEvent) -> bytes:
    """One line of JSON with its line end."""
    record: dict[str, object] = {
        "event": event.event_id,
        "time": event.time.isoformat(),
        "annotator": event.annotator,
    }
    match event:
        case UndoEvent():
            record |= {"decision": _UNDO, "undoes": event.undoes}
        case RequireEvent():
            record |= {"decision": _REQUIRE, "annotators": event.annotators}
        case RebuildEvent():
            record |= {"decision": _REBUILT, "moved": [[*old, *new] for old, new in event.moved.items()]}
        case DecisionEvent():
            record |= {
                "decision": event.decision.value,
                "tracklets": list(event.tracklets),
                "fingerprints": list(event.fingerprints),
            }
            optional = {"rank": event.rank, "similarity": event.similarity, "seconds": event.seconds}
            record |= {key: value for key, value in optional.items() if value is not None}
    # ASCII, so that no other program splits a line at a Unicode line separator.
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def event_from_line(line: bytes, where: str) -> LinkEvent:
    """Read a line back; `where` begins the message.

    Raises:
        ManifestError: the line is no event.
    """
    try:
        record = parse_json(line)
    except ValueError:  # of JSON and of UTF-8
        raise ManifestError(f"{where}: must be one event as a JSON object; got {line[:80]!r}") from None
    kind = record.get("decision") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in (*_KEYS, *Decision):
        known = ", ".join((*Decision, *_KEYS))
        raise ManifestError(f"{where}: an event's decision is one of {known}; got {line[:80]!r}")
    wanted = _SHARED_KEYS | _KEYS.get(kind, _DECISION_KEYS)
    optional = set() if kind in _KEYS else _OPTIONAL_KEYS
    if not wanted <= record.keys() <= wanted | optional:
        raise ManifestError(f"{where}: {kind!r} has the keys {sorted(wanted)}; got {sorted(record)}")
    if not all(_is_right(key, value) for key, value in record.items()):
        raise ManifestError(f"{where}: a value is of another kind than its key wants; got {line[:400]!r}")
    return _event(kind, record)


def _event(kind: str, record: dict[str, Any]) -> LinkEvent:
    event_id, time, annotator = record["event"], datetime.fromisoformat(record["time"]), record["annotator"]
    if kind == _UNDO:
        return UndoEvent(event_id=event_id, time=time, annotator=annotator, undoes=record["undoes"])
    if kind == _REQUIRE:
        return RequireEvent(event_id=event_id, time=time, annotator=annotator, annotators=record["annotators"])
    if kind == _REBUILT:
        moved = {Seen(old, then): Seen(new, now) for old, then, new, now in record["moved"]}
        return RebuildEvent(event_id=event_id, time=time, annotator=annotator, moved=moved)
    tracklets, fingerprints = record["tracklets"], record["fingerprints"]
    return DecisionEvent(
        event_id=event_id,
        time=time,
        annotator=annotator,
        decision=Decision(kind),
        tracklets=(tracklets[0], tracklets[1]),
        fingerprints=(fingerprints[0], fingerprints[1]),
        rank=record.get("rank"),
        similarity=record.get("similarity"),
        seconds=record.get("seconds"),
    )


def _is_right(key: str, value: Any) -> bool:
    if key in ("rank", "annotators"):
        return type(value) is int and value >= 1
    if key in ("similarity", "seconds"):
        return type(value) is float and isfinite(value)
    if key in ("tracklets", "fingerprints"):
        is_pair = isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value)
        return is_pair and (key == "fingerprints" or value[0] < value[1])
    if key == "moved":
        return isinstance(value, list) and all(
            isinstance(row, list) and len(row) == 4 and all(isinstance(item, str) for item in row) for row in value
        )
    if key == "time":
        return isinstance(value, str) and _has_zone(value)
    return isinstance(value, str) and value != ""


def _has_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
