"""The data hash: who is in a set of tracklets, and what every picture of them is.

It is made of each tracklet's id, pid, camera and platform, and of the sha256 of every crop's bytes. Where the files
lie, what they are called and in which order the tracklets are listed play no part: a folder that moved is the same
data, a build with masked faces and one without are not. Whatever is made from tracklets names the hash of those that
it was made from, and is compared with it when it is used.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

from PIL import Image

from skyreid.datasets.benchmark import Benchmark
from skyreid.errors import ChangedFrameError, DatasetError, MissingFrameError
from skyreid.files.object_store import is_object, read_object
from skyreid.files.picture_file import MAX_BYTES, read_picture, sweep_pictures
from skyreid.files.regular_file import bytes_sha256, file_sha256, read_regular, shortened
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import Frame, Platform, Tracklet

Row: TypeAlias = tuple[str, int, int, Platform, str]
"""Tracklet id, pid, camid, platform, and the hash of the pictures."""


def with_hashes(tracklets: Sequence[Tracklet], *, progress: Progress = silent) -> tuple[Tracklet, ...]:
    """Read every frame's file once: give tracklets whose frames all know the hash of their bytes.

    A frame that a manifest of ours lists knows its hash before, and is compared with it.

    Raises:
        MissingFrameError: a file is missing or cannot be read.
        ChangedFrameError: a file is another picture than the one that was listed.
    """
    frames = [frame for tracklet in tracklets for frame in tracklet.frames]
    hashed = iter(sweep_pictures(frames, _with_hash, task="hash crops", progress=progress))
    return tuple(replace(tracklet, frames=tuple(islice(hashed, len(tracklet.frames)))) for tracklet in tracklets)


def hash_benchmark(benchmark: Benchmark, *, progress: Progress = silent) -> Benchmark:
    """Give the benchmark with the hash of every frame; see `with_hashes`."""
    parts = (benchmark.train, benchmark.query, benchmark.gallery)
    hashed = iter(with_hashes([tracklet for part in parts for tracklet in part], progress=progress))
    train, query, gallery = (tuple(islice(hashed, len(part))) for part in parts)
    return replace(benchmark, train=train, query=query, gallery=gallery)


def pictures_sha256(tracklet: Tracklet) -> str | None:
    """Hash what one tracklet shows: its crops' bytes in their order; None where a crop was never hashed."""
    hashes = [frame.sha256 for frame in tracklet.frames]
    return None if None in hashes else bytes_sha256("".join(filter(None, hashes)).encode())


def data_sha256(tracklets: Iterable[Tracklet]) -> str:
    """Give the data hash of tracklets.

    Raises:
        DatasetError: a crop was never hashed (`with_hashes` mends that).
    """
    rows: list[Row] = []
    for tracklet in tracklets:
        pictures = pictures_sha256(tracklet)
        if pictures is None:
            raise DatasetError(f"the data hash needs that of every crop; tracklet {tracklet.tracklet_id!r} lacks one")
        rows.append((tracklet.tracklet_id, tracklet.pid, tracklet.camid, tracklet.platform, pictures))
    return rows_sha256(rows)


def rows_sha256(rows: Iterable[Row]) -> str:
    """Give the data hash of tracklets that are described by a row each; one that stands twice counts once."""
    digest = hashlib.sha256()
    for row in sorted(set(rows)):
        digest.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def read_unchanged(frame: Frame) -> bytes:
    """Read a crop's file, or the object that a case holds it in, and see that it is the one whose hash the frame knows.

    Raises:
        OSError: it cannot be read, or is a pipe or a device.
        ChangedFrameError: its bytes are others than those that were hashed.
        StoreError: the object store refuses, or is away.
    """
    content = _content(frame.path)
    if frame.sha256 is not None:
        _check(frame, bytes_sha256(content))
    return content


def unchanged_picture(frame: Frame) -> Image.Image:
    """Read a crop as `picture_file.read_picture` does, and see that it is the one whose hash the frame knows.

    Raises:
        MissingFrameError: the file is missing or is no picture; the message begins with its path.
        ChangedFrameError: its bytes are others than those that were hashed.
        StoreError: the object store refuses, or is away.
    """
    try:
        content = read_unchanged(frame)
    except OSError as error:
        if is_object(frame.path):
            raise MissingFrameError(f"{frame.path}: {error.strerror}") from error
        content = None  # what is wrong with the file is said there
    return read_picture(frame.path, content=content)


def crop_sha256(path: str) -> str:
    """Hash the bytes of a crop, which lies in a file or in the object store of a case.

    Raises:
        OSError: it is missing, or cannot be read.
        StoreError: the object store refuses, or is away.
    """
    return bytes_sha256(_content(path)) if is_object(path) else file_sha256(path, most_bytes=MAX_BYTES)


def _content(path: str) -> bytes:
    if is_object(path):
        return read_object(path, most_bytes=MAX_BYTES)
    return read_regular(path, most_bytes=MAX_BYTES)


def _with_hash(frame: Frame) -> Frame:
    try:
        sha256 = crop_sha256(frame.path)
    except FileNotFoundError:
        raise MissingFrameError(f"{frame.path}: is missing (check the folder with 'skyreid data verify')") from None
    except OSError as error:
        raise MissingFrameError(f"{frame.path}: cannot be read: {error.strerror}") from error
    if frame.sha256 is None:
        return replace(frame, sha256=sha256)
    _check(frame, sha256)
    return frame


def _check(frame: Frame, sha256: str) -> None:
    if frame.sha256 != sha256:
        raise ChangedFrameError(
            f"{frame.path} was changed: its bytes have the sha256 {shortened(sha256)}, the manifest lists "
            f"{shortened(str(frame.sha256))}; put the file back, or make the folder again ('skyreid build' cuts "
            "changed crops again)"
        )
