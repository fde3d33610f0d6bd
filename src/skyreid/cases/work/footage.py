"""Footage that can come into a case: what was uploaded to it, and what lies in folders that its server may use.

Files are asked for by a number that follows from their place; no name of a client leads to one. An upload gets its
place (`case_uploads.py`) when all of it is there, is on the disk, and is a video by its content: a child process with
limits decodes its first frame, as it does for a build.
"""

import errno
import hashlib
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from skyreid.building.video.decode import DecodeLimits, probe
from skyreid.cases.audit import record
from skyreid.cases.case import Case
from skyreid.cases.case_uploads import NewUpload, NotedFacts
from skyreid.cases.work.room import room_of
from skyreid.errors import CaseError, RefusedError, SettingError, VideoError
from skyreid.files.strict_json import Json

LARGEST_UPLOAD = 32 * 2**30
"""Bytes of one upload, unless the server says otherwise."""
SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".flv", ".gif", ".h264", ".hevc", ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
)
"""What is listed of a server's folders."""
MOST_LISTED = 2_000
LONGEST_NAME = 100
_PROBE = DecodeLimits(memory_bytes=2**30, cpu_s=60, idle_s=30.0)


@dataclass(frozen=True, kw_only=True)
class FootageFile:
    """A file that could become a source."""

    number: int
    """By which it is asked for."""
    where: str
    """Its path; the URL of an upload that lies in an object store."""
    size: int
    """In bytes."""
    folder: str
    """Of the server, by its name; empty = it was uploaded."""
    changed: float
    """Seconds since 1970."""

    @property
    def name(self) -> str:
        """What people call it."""
        return Path(self.where).name

    @property
    def stem(self) -> str:
        """The same without its ending."""
        return Path(self.where).stem


class Shelf:
    """The folders of a server's machine from which footage may be taken.

    Args:
        folders: of whoever started the server.

    Raises:
        SettingError: one is no folder.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise SettingError(f"{folder}: is no folder, and footage cannot be taken from it (--footage DIR)")
        self.folders = tuple(folder.resolve() for folder in folders)
        self._probed: dict[tuple[str, int, float], dict[str, Json]] = {}

    def list(self, case: Case) -> list[FootageFile]:
        """Give the files that are there now: uploads first, then folder by folder, by name."""
        found = [
            FootageFile(number=_number(one.where), where=one.where, size=one.size, folder="", changed=one.changed)
            for one in case.uploads.all()
        ]
        for folder in self.folders:
            videos = islice(_videos_below(folder), MOST_LISTED)
            found += [_file(path, folder=_place(path, folder)) for path in videos]
        return found

    def find(self, case: Case, number: int) -> FootageFile:
        """Look one up.

        Raises:
            SettingError: there is none of this number, any more.
        """
        found = next((one for one in self.list(case) if one.number == number), None)
        if found is None:
            raise SettingError(
                f"there is no footage {number} here; it may have been moved or removed: load the list anew"
            )
        return found

    def facts(self, case: Case, file: FootageFile) -> dict[str, Json]:
        """Decode the first frame of a file, and say what it holds; or say what it held when it came.

        Raises:
            VideoError: it is no video, or one that needs more than it may.
            StoreError: an object store that has it refuses, or is away.
        """
        key = file.where, file.size, file.changed
        if key not in self._probed:
            noted = case.uploads.facts(file.where)
            self._probed[key] = facts_of(Path(file.where)) if noted is None else noted.facts
        return self._probed[key]


class Upload:
    """Footage on its way into a case; to be used in a `with` block, which leaves nothing of what was not finished.

    Args:
        case: that takes it.
        name: of the file, as whoever sends it calls it.
        size: in bytes, as far as it is told; None = it is not.
        largest: bytes that it may have.

    Raises:
        RefusedError: it is too large, or there is no room for it.
        StoreError: the object store that has the files of the case cannot be asked, or is another one.
    """

    def __init__(self, case: Case, name: str, *, size: int | None, largest: int = LARGEST_UPLOAD) -> None:
        self.name = plain_name(name)
        self._case, self._largest, self._size = case, largest, 0
        self._hash = hashlib.sha256()
        self._stack = ExitStack()
        self._check_size(size or 0)
        case.files.require_place()
        self._new: NewUpload
        self._file: BinaryIO

    def __enter__(self) -> "Upload":
        self._case.uploads.sweep_leftovers()
        self._new = self._stack.enter_context(self._case.uploads.new(uuid4().hex, self.name))
        self._file = self._stack.enter_context(self._new.path.open("xb"))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def write(self, part: bytes) -> None:
        """Take the next bytes.

        Raises:
            RefusedError: they are too many, or there is no room for them.
        """
        self._check_size(self._size + len(part), coming=len(part))
        try:
            self._file.write(part)
        except OSError as error:
            raise _in_words(error, self.name) from error
        self._hash.update(part)
        self._size += len(part)

    def finish(self, *, by: str) -> FootageFile:
        """See that it is a video, and keep it; it is on the disk, or in the store, when this returns.

        Raises:
            VideoError: it is none.
            RefusedError: there is no room for it.
            StoreError: the object store refuses, or is away.
        """
        told: dict[str, Json] = {"size": self._size, "sha256": self._hash.hexdigest()}
        try:
            self._file.close()
            where = self._new.finish(NotedFacts(sha256=self._hash.hexdigest(), facts=facts_of(self._new.path)))
            self._stack.close()
        except OSError as error:
            raise _in_words(error, self.name) from error
        with self._case.database.writing() as connection:
            record(connection, by, "footage uploaded", self.name, told)
        return FootageFile(number=_number(where), where=where, size=self._size, folder="", changed=time.time())

    def _check_size(self, size: int, *, coming: int | None = None) -> None:
        if size > self._largest:
            raise RefusedError(
                f"{self.name}: is larger than {self._largest / 2**20:,.0f} MiB; put it into a folder of the server "
                "(skyreid serve --footage DIR), or allow more (--largest-upload-mb)"
            )
        room = room_of(self._case.folder)
        if room.free - (size if coming is None else coming) < room.least:
            raise RefusedError(
                f"{self.name}: there is no room for it on the disk ({room.free / 2**20:,.0f} MiB are free)"
            )


def facts_of(path: Path) -> dict[str, Json]:
    """Decode the first frame of a video in a process with limits, and say what it holds.

    Raises:
        VideoError: it is no video, or one that needs more than it may; the words name the file and not its folder.
    """
    try:
        facts = asdict(probe(path, limits=_PROBE))
    except VideoError as error:
        raise VideoError(str(error).replace(str(path), path.name)) from error
    return {**facts, "size": path.stat().st_size}


def remove_upload(case: Case, where: str, *, by: str) -> None:
    """Remove an upload that nobody needs.

    Raises:
        CaseError: it lies in a folder of the server, which is not ours to change.
    """
    key, name = case.uploads.key_of(where), Path(where).name
    if key is None:
        raise CaseError(f"{name}: was not uploaded; whoever put it into its folder removes it")
    case.uploads.remove(key)
    with case.database.writing() as connection:
        record(connection, by, "footage removed", name)


def plain_name(name: str) -> str:
    """Make a name of a file that every file system takes and no page stumbles over, of whatever somebody calls it."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = re.sub(r"[^\w.-]+", "_", last).strip("._") or "video"
    stem, dot, suffix = plain.rpartition(".")
    if not dot or len(suffix) > 8:
        stem, dot, suffix = plain, "", ""
    room = LONGEST_NAME - len(f"{dot}{suffix}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}{dot}{suffix}"


def _in_words(error: OSError, name: str) -> OSError | RefusedError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RefusedError(f"{name}: there is no room for it on the disk")
    return error


def _file(path: Path, *, folder: str) -> FootageFile:
    told, where = path.stat(), str(path.resolve())
    return FootageFile(number=_number(where), where=where, size=told.st_size, folder=folder, changed=told.st_mtime)


def _number(where: str) -> int:
    # 48 bits: a number that JavaScript holds exactly.
    return int.from_bytes(hashlib.sha256(os.fsencode(where)).digest()[:6], "big") + 1


def _videos_below(folder: Path) -> Iterator[Path]:
    """Files that look like videos; links are passed over, since they lead out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not Path(parent, name).is_symlink()
        )
        for name in sorted(names):
            path = Path(parent, name)
            is_video = path.suffix.lower() in SUFFIXES and not name.startswith(".")
            if is_video and path.is_file() and not path.is_symlink():
                yield path


def _place(path: Path, folder: Path) -> str:
    return "/".join((folder.name, *path.parent.relative_to(folder).parts))
