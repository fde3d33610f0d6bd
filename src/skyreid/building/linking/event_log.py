"""The decisions of people, as events in a file of the build folder: appended to, flushed to the disk, never rewritten.

An event is one line of JSON, of one of four kinds. Two processes never interleave: who appends holds a lock on the file
from reading it to the end of writing. An append is one write and one flush; once it returns, its events survive a power
cut. Work cut off before that moment leaves at most whole events and, at the very end, a piece of one: that piece was
never acknowledged, so it is named, ignored, and removed by the next append. Any other damage is refused.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

from skyreid.errors import ManifestError, SourceError
from skyreid.files.atomic_file import flush, wait_for_lock
from skyreid.files.regular_file import MOST_BYTES, open_in_place, open_regular
from skyreid.files.strict_json import parse_json

Pair: TypeAlias = tuple[str, str]
"""Two tracklet ids, the smaller one first."""


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


_LONGEST_NAME = 100


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


LINKS_FILE = "links.jsonl"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LinkLog:
    """The events of a folder, read and checked."""

    events: tuple[LinkEvent, ...]
    sha256: str | None
    """Of the whole events as the file has them; None = there are none."""
    torn_bytes: int
    """Length of the piece of an event at the end; 0 = the file ends as it should."""


class OpenLog:
    """The log while this process holds its lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._content = _content(descriptor)
        self.log = _parse(path, self._content)

    def append(self, events: Sequence[LinkEvent]) -> None:
        """Add events; when this returns they are on the disk.

        Raises:
            SourceError: the disk does not take them; none of them was added.
        """
        if not events:
            return
        kept = self._content[: len(self._content) - self.log.torn_bytes]
        if self.log.torn_bytes:
            _logger.warning(
                "%s: the last %d bytes are a piece of an event that was never acknowledged; removed",
                self._path,
                self.log.torn_bytes,
            )
        seam = b"" if not kept or kept.endswith(b"\n") else b"\n"
        added = seam + b"".join(map(event_to_line, events))
        try:
            os.ftruncate(self._descriptor, len(kept))
            _write_all(self._descriptor, added)
            os.fsync(self._descriptor)
            if not kept:
                flush(self._path.parent)  # the file's name
        except OSError as error:
            os.ftruncate(self._descriptor, len(kept))
            raise SourceError(f"{self._path}: the decisions could not be stored: {error.strerror}") from error
        self._content = kept + added
        self.log = LinkLog(events=(*self.log.events, *events), sha256=_sha256(self._content), torn_bytes=0)


def read_log(out_dir: Path) -> LinkLog:
    """Read the events of a folder; one without the file has none.

    Raises:
        ManifestError: the file is damaged; the message names the line.
    """
    path = out_dir / LINKS_FILE
    try:
        file = open_regular(path, most_bytes=MOST_BYTES)
    except FileNotFoundError:
        return _parse(path, b"")
    with file:
        wait_for_lock(file.fileno(), shared=True)
        return _parse(path, _content(file.fileno()))


@contextmanager
def locked_log(out_dir: Path) -> Iterator[OpenLog]:
    """Hold the log alone, from reading to writing; waits for whoever holds it.

    Raises:
        ManifestError: the file is damaged; the message names the line.
        SourceError: it cannot be written.
    """
    path = out_dir / LINKS_FILE
    try:
        descriptor = open_in_place(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND)
    except OSError as error:
        raise SourceError(f"{path}: decisions cannot be stored here: {error.strerror}") from error
    try:
        wait_for_lock(descriptor)
        yield OpenLog(path, descriptor)
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _parse(path: Path, content: bytes) -> LinkLog:
    *lines, last = content.split(b"\n")
    events = [event_from_line(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]
    torn = 0
    if last and _is_piece(last):
        torn = len(last)
    elif last:
        events.append(event_from_line(last, f"{path}, line {len(lines) + 1}"))
    seen: set[str] = set()
    for event in events:
        if event.event_id in seen:
            raise ManifestError(f"{path}: event ids must be unique; {event.event_id!r} stands twice")
        seen.add(event.event_id)
    whole = content[: len(content) - torn]
    return LinkLog(events=tuple(events), sha256=_sha256(whole) if events else None, torn_bytes=torn)


def _is_piece(last: bytes) -> bool:
    """Whether bytes without a line end are cut: a piece of a JSON object is never JSON, a whole one is."""
    try:
        parse_json(last)
    except ValueError:
        return True
    return False


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# An event as a line.
_UNDO, _REQUIRE, _REBUILT = "undo", "require", "rebuilt"
_SHARED_KEYS = {"event", "time", "annotator", "decision"}
_KEYS = {_UNDO: {"undoes"}, _REQUIRE: {"annotators"}, _REBUILT: {"moved"}}
_DECISION_KEYS = {"tracklets", "fingerprints"}
_OPTIONAL_KEYS = {"rank", "similarity", "seconds"}


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
