"""The manifest: tracklets as one file of JSON lines with a hash, which jobs and programs pass to each other.

The first line is a header: format, version, number of tracklets, and the sha256 of all bytes after it. The second
is `info`, a free object. Every further line is a tracklet; the paths of its frames are relative to the manifest's
folder, with forward slashes, and never leave it, and each frame has the sha256 of its file.

Version 1 had `info` in the header, outside the hash, and knew no hashes of frames; it is read all the same.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path, PureWindowsPath

from skyreid.datasets.data_hash import data_sha256
from skyreid.errors import ManifestError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.file_kinds import BUILD, MANIFEST, require_kind
from skyreid.files.regular_file import bytes_sha256, read_regular
from skyreid.files.strict_json import parse_json
from skyreid.tracklet import Frame, Platform, Tracklet

MANIFEST_FILE = "manifest.jsonl"
"""Its name in every folder that we write."""
FORMAT_NAME = "skyreid manifest"
FORMAT_VERSION = 2
_HEADER_KEYS = {1: {"format", "version", "num_tracklets", "sha256", "info"}}
_HEADER_KEYS[2] = _HEADER_KEYS[1] - {"info"}
_TRACKLET_KEYS = {"tracklet_id", "pid", "camid", "platform", "frames"}
_OPTIONAL_KEYS = {"attributes"}
_FRAME_KEYS = {"path", "index", "time_s", "box", "sha256"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 2**31
"""Of a manifest: some ten million crops."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest, read and checked."""

    tracklets: tuple[Tracklet, ...]
    sha256: str
    """Of `info` and the tracklets, as the file has them: tells whether the file is whole."""
    info: Mapping[str, object]

    def __repr__(self) -> str:
        return f"Manifest({len(self.tracklets)} tracklets, sha256 {self.sha256[:12]})"

    @cached_property
    def data_sha256(self) -> str | None:
        """The data hash of the tracklets; None where it lists no hashes of pictures, as in version 1."""
        is_hashed = all(frame.sha256 is not None for tracklet in self.tracklets for frame in tracklet.frames)
        return data_sha256(self.tracklets) if is_hashed else None


def write_manifest(path: Path, tracklets: Sequence[Tracklet], info: Mapping[str, object] | None = None) -> str:
    """Write a manifest next to its frames, atomically; returns the hash of the file's content.

    Raises:
        ManifestError: a frame lies outside the manifest's folder, an id stands twice, or `info` or a number
            cannot be written as JSON.
    """
    guard = _FolderGuard(path.parent)
    lines = [_line(info or {})]
    seen: set[str] = set()
    for tracklet in tracklets:
        if tracklet.tracklet_id in seen:
            raise ManifestError(f"{path}: tracklet ids must be unique; {tracklet.tracklet_id!r} stands twice")
        seen.add(tracklet.tracklet_id)
        lines.append(_line(_record(tracklet, guard.relative)))
    sha256 = bytes_sha256(b"".join(lines))
    header = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "num_tracklets": len(tracklets),
        "sha256": sha256,
    }
    write_atomically(path, [_line(header), *lines])
    return sha256


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, all of it or nothing. Whether the frames are there is not checked.

    Raises:
        ManifestError: the file is missing, cut, edited, counted wrong or of another format, or a frame's path
            is absolute, not in POSIX form, or leaves the manifest's folder (by `..` or by a link).
    """
    require_kind(path, MANIFEST, error=ManifestError)
    try:
        content = read_regular(path, most_bytes=_MOST_BYTES)
    except OSError as error:
        raise ManifestError(f"{path} must be a manifest; it cannot be read: {error.strerror}") from error
    first, newline, body = content.partition(b"\n")
    header = _parse(first, f"{path}: header")
    version = header.get("version")
    if header.get("format") != FORMAT_NAME or type(version) is not int or version not in _HEADER_KEYS:
        raise ManifestError(
            f"{path} must be of the format {FORMAT_NAME!r}, version {' or '.join(map(str, _HEADER_KEYS))}; got "
            f"{header.get('format')!r:.80}, version {version!r:.80}"
        )
    if set(header) != _HEADER_KEYS[version] or not newline:
        raise ManifestError(f"{path}: header must have the keys {sorted(_HEADER_KEYS[version])}; got {sorted(header)}")
    sha256 = bytes_sha256(body)
    if header["sha256"] != sha256:
        raise ManifestError(
            f"{path} was cut or edited: what follows its header has the sha256 {sha256}, the header says "
            f"{header['sha256']!r:.80}"
        )
    lines = body.splitlines()
    info = header["info"] if version == 1 else _parse(lines.pop(0) if lines else b"", f"{path}: line 2")
    if not isinstance(info, dict):
        raise ManifestError(f"{path}: info must be an object; got {info!r:.80}")
    if header["num_tracklets"] != len(lines):
        raise ManifestError(
            f"{path} was counted wrong: it holds {len(lines)} tracklets, its header says {header['num_tracklets']}"
        )
    guard = _FolderGuard(path.parent)
    tracklets = tuple(
        _tracklet(_parse(line, f"{path}: line {number}"), guard, f"{path}: line {number}")
        for number, line in enumerate(lines, start=version + 1)  # info has a line of its own since version 2
    )
    ids: set[str] = set()
    for tracklet in tracklets:
        if tracklet.tracklet_id in ids:
            raise ManifestError(f"{path}: tracklet ids must be unique; {tracklet.tracklet_id!r} stands twice")
        ids.add(tracklet.tracklet_id)
    return Manifest(tracklets=tracklets, sha256=sha256, info=info)


def read_built_folder(folder: Path) -> Manifest:
    """Read the manifest of a folder that skyreid built.

    Raises:
        ManifestError: it is something else, or as `read_manifest`.
    """
    require_kind(folder, BUILD, error=ManifestError)
    return read_manifest(folder / MANIFEST_FILE)


def _record(tracklet: Tracklet, relative: Callable[[str], str]) -> dict[str, object]:
    frames = []
    for frame in tracklet.frames:
        path = relative(frame.path)
        if not _is_clean(path):
            raise ManifestError(f"a frame's name must be plain on every system; got {frame.path!r}")
        record: dict[str, object] = {"path": path}
        optional = (("index", frame.index), ("time_s", frame.time_s), ("box", frame.box), ("sha256", frame.sha256))
        for key, value in optional:
            if value is not None:
                record[key] = value
        frames.append(record)
    record: dict[str, object] = {
        "tracklet_id": tracklet.tracklet_id,
        "pid": tracklet.pid,
        "camid": tracklet.camid,
        "platform": tracklet.platform.value,
        "frames": frames,
    }
    if tracklet.attributes:
        record["attributes"] = dict(tracklet.attributes)
    return record


def _line(record: Mapping[str, object]) -> bytes:
    try:
        # ASCII, so that no other program splits a line at a Unicode line separator.
        return json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except (TypeError, ValueError) as error:
        raise ManifestError(f"a manifest holds JSON only; {error} in {str(record)[:200]}") from error


def _parse(line: bytes, where: str) -> dict[str, object]:
    try:
        record = parse_json(line)
    except ValueError as error:
        raise ManifestError(f"{where} must be a JSON object; {error}") from error
    if not isinstance(record, dict):
        raise ManifestError(f"{where} must be a JSON object; got {line[:80]!r}")
    return record


def _tracklet(record: Mapping[str, object], guard: "_FolderGuard", where: str) -> Tracklet:
    if set(record) - _OPTIONAL_KEYS != _TRACKLET_KEYS:
        raise ManifestError(
            f"{where}: a tracklet has the keys {sorted(_TRACKLET_KEYS)} and may have {sorted(_OPTIONAL_KEYS)}; "
            f"got {sorted(record)}"
        )
    tracklet_id, pid, camid, platform, frames = (
        record[key] for key in ("tracklet_id", "pid", "camid", "platform", "frames")
    )
    if not isinstance(tracklet_id, str) or type(pid) is not int or type(camid) is not int:
        raise ManifestError(f"{where}: tracklet_id is a text, pid and camid are whole numbers")
    if platform not in tuple(Platform):
        raise ManifestError(f"{where}: platform is one of {[p.value for p in Platform]}; got {platform!r}")
    if not isinstance(frames, list) or not frames:
        raise ManifestError(f"{where}: a tracklet has at least one frame")
    return Tracklet(
        tracklet_id=tracklet_id,
        frames=tuple(_frame(frame, guard, where) for frame in frames),
        pid=pid,
        camid=camid,
        platform=Platform(platform),
        attributes=_attributes(record.get("attributes", {}), where),
    )


def _attributes(record: object, where: str) -> dict[str, str | float]:
    if not isinstance(record, dict):
        raise ManifestError(f"{where}: attributes are an object of texts and numbers; got {record!r}")
    for name, value in record.items():
        if not isinstance(value, str) and not _is_number(value):
            raise ManifestError(f"{where}: the attribute {name!r} is a text or a number; got {value!r}")
    return record


def _frame(record: object, guard: "_FolderGuard", where: str) -> Frame:
    if not isinstance(record, dict) or "path" not in record or not set(record) <= _FRAME_KEYS:
        raise ManifestError(f"{where}: a frame has a path and may have index, time_s, box and sha256; got {record!r}")
    path, index, time_s, box, sha256 = (record.get(key) for key in ("path", "index", "time_s", "box", "sha256"))
    if not isinstance(path, str) or not _is_clean(path):
        raise ManifestError(
            f"{where}: a frame's path is relative to the manifest's folder, with forward slashes and without "
            f"'..'; got {path!r}"
        )
    if index is not None and type(index) is not int:
        raise ManifestError(f"{where}: a frame's index is a whole number; got {index!r}")
    if time_s is not None and not _is_number(time_s):
        raise ManifestError(f"{where}: a frame's time_s is a number; got {time_s!r}")
    if box is not None and not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        raise ManifestError(f"{where}: a frame's box is four numbers; got {box!r}")
    if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        raise ManifestError(f"{where}: a frame's sha256 is 64 hexadecimal digits; got {sha256!r}")
    return Frame(
        guard.inside(path, where),
        index=index,
        time_s=None if time_s is None else float(time_s),
        box=None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        sha256=sha256,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_clean(path: str) -> bool:
    """Say whether a path is relative, in POSIX form, and made of plain names on every system."""
    return (
        "\\" not in path
        and "\0" not in path
        and not PureWindowsPath(path).drive
        and all(part not in ("", ".", "..") for part in path.split("/"))
    )


class _FolderGuard:
    """Turns paths into paths relative to a folder and back, and refuses those that leave it.

    Looks into each folder once, so that a million frames do not cost a million system calls.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real_root = root.resolve()
        self._folders: dict[str, "_Folder"] = {}

    def relative(self, path: str) -> str:
        """Give a frame's path from the root, in POSIX form.

        Raises:
            ManifestError: the frame lies elsewhere.
        """
        folder, name = os.path.split(path)
        seen = self._look(folder)
        if seen.below is None or name in seen.links_out:
            raise ManifestError(f"frames must lie in the manifest's folder {self._root}; got {path!r}")
        return name if seen.below == "." else f"{seen.below}/{name}"

    def inside(self, relative: str, where: str) -> str:
        """Give the path of a frame that is named from the root.

        Raises:
            ManifestError: a link leads out of the root; the message starts with `where`.
        """
        folder, _, name = f"{self._root}/{relative}".rpartition("/")
        seen = self._look(folder)
        if seen.below is None or name in seen.links_out:
            raise ManifestError(f"{where}: {relative!r} leads out of the manifest's folder through a link")
        return f"{folder}/{name}"

    def _look(self, folder: str) -> "_Folder":
        seen = self._folders.get(folder)
        if seen is None:
            real = Path(folder).resolve()
            is_inside = real.is_relative_to(self._real_root)
            seen = self._folders[folder] = _Folder(
                below=real.relative_to(self._real_root).as_posix() if is_inside else None,
                links_out=self._links_out(real) if is_inside else frozenset(),
            )
        return seen

    def _links_out(self, folder: Path) -> frozenset[str]:
        try:
            with os.scandir(folder) as entries:
                return frozenset(
                    entry.name
                    for entry in entries
                    if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self._real_root)
                )
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()


@dataclass(frozen=True)
class _Folder:
    """What was seen of a folder."""

    below: str | None
    """Its real path from the root, in POSIX form; None outside."""
    links_out: frozenset[str]
    """Links in it that lead out of the root."""
