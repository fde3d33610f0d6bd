"""The file of events of a build folder: appended to, flushed to the disk, never rewritten.

Two processes never interleave: who appends holds a lock on the file from reading it to the end of writing.
An append is one write and one flush; once it returns, its events survive a power cut. Work cut off before
that moment leaves at most whole events and, at the very end, a piece of one: that piece was never
acknowledged, so it is named, ignored, and removed by the next append. Any other damage is refused.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skyreid.atomic_file import flush
from skyreid.building.linking.events import LinkEvent, event_from_line, event_to_line
from skyreid.errors import ManifestError, SourceError
from skyreid.file_lock import wait_for_lock
from skyreid.regular_file import MOST_BYTES, open_in_place, open_regular
from skyreid.strict_json import parse_json

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
