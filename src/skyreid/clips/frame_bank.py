"""Training frames, decoded and resized once, in one mapped file that all processes of a machine share.

    a line that says what is in it | a mark for every frame | the frames, [frame, height, width, channel]

A run reads the same frames some hundred times, and decoding costs ten times what reading decoded ones does. A frame is
decoded when it is first asked for, or when the bank is filled; its mark is written after its pixels and holds their
checksum. What a killed process left therefore has no mark, what a machine lost that failed has a wrong one, and both
are decoded again. The first line names the hash of the very pictures: a file that is about others is made anew.

The file shows people, as the crops do. Only its owner may read it, it lies in the folder of its run, and goes when the
training ends (docs/decisions/0010-frame-bank.md).
"""

import errno
import hashlib
import json
import logging
import mmap
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL
from jaxtyping import Int64, UInt8
from PIL import features

from skyreid.clips.frame_reading import read_resized
from skyreid.files.atomic_file import naming
from skyreid.files.picture_file import sweep_pictures
from skyreid.files.regular_file import open_in_place, open_regular
from skyreid.files.strict_json import Json, parse_json
from skyreid.processes.progress import Progress, silent
from skyreid.tracklet import Frame

logger = logging.getLogger(__name__)

_NAME = "training_frames_"
_FORMAT = 1
_LINE_BYTES = 4096
"""That the first line is padded to."""
_MARK_BYTES = 8
_DECODED = 1 << 32
"""Added to a checksum, so that a mark is never 0."""
_A_TASK = 8
"""Frames that a thread decodes before it takes others."""
_SHARE_OF_FREE = 0.5
"""Of the free disk: the run writes its states there, too."""


class FrameBank:
    """Frames at one size, by their number.

    Args:
        folder: of the run; it is made.
        frames: what is in it. Every one knows its hash when the bank is prepared.
        image_size: (height, width) in pixels.
        capacity_bytes: of decoded frames that are kept; the frames beyond are decoded whenever they are asked for.
        machine: number of the machine: each has a file of its own, since several may share the folder.
    """

    def __init__(
        self,
        folder: Path,
        frames: Sequence[Frame],
        image_size: tuple[int, int],
        *,
        capacity_bytes: int,
        machine: int = 0,
    ) -> None:
        self.path = folder / f"{_NAME}{machine}.bin"
        self._frames = frames
        self.image_size = image_size
        self._shape = (*image_size, 3)
        self._frame_bytes = 3 * image_size[0] * image_size[1]
        self._num_kept = min(len(frames), capacity_bytes // self._frame_bytes)
        self._marks = np.zeros(0, dtype=np.uint64)
        self._kept = np.zeros((0, *self._shape), dtype=np.uint8)
        self._decoders = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")

    def prepare(self) -> None:
        """Make the file, or see what an earlier process left in it, and open it; by one process, before the others.

        Raises:
            OSError: it cannot be written.
        """
        if self._num_kept == 0:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with naming(self.path):
            if self._kept_in_file() is None:
                self._make()
        self.open()
        self._decode_all(self._drop_damaged, np.flatnonzero(self._marks).tolist())

    def open(self) -> None:
        """Map the file that another process of this machine prepared."""
        if self._num_kept == 0:
            return
        kept = self._kept_in_file()
        assert kept is not None, f"{self.path} was not prepared"
        self._num_kept = kept
        with open(self.path, "r+b", opener=open_in_place) as file:
            mapped = mmap.mmap(file.fileno(), self._file_bytes(kept))
        self._marks = np.frombuffer(mapped, np.uint64, kept, offset=_LINE_BYTES)
        pixels = np.frombuffer(mapped, np.uint8, kept * self._frame_bytes, offset=_LINE_BYTES + self._marks.nbytes)
        self._kept = pixels.reshape(kept, *self._shape)

    def gather(
        self, numbers: Int64[np.ndarray, " frame"], into: UInt8[np.ndarray, "frame height width channel"]
    ) -> None:
        """Copy frames; decode those that are not there. Safe to call from several threads, by several processes.

        Args:
            numbers: of the frames, in any order; one may stand twice.
            into: what they are copied into.

        Raises:
            MissingFrameError, ChangedFrameError: a picture is not what it was when it was listed.
        """
        is_kept = numbers < self._num_kept
        missing = np.unique(numbers[is_kept])
        self._decode_all(self._keep, missing[self._marks[missing] == 0].tolist())
        if is_kept.all():
            np.take(self._kept, numbers, axis=0, out=into, mode="clip")  # other modes copy twice
            return
        into[is_kept] = self._kept[numbers[is_kept]]

        def decode(place: int) -> None:
            into[place] = read_resized(self._frames[int(numbers[place])], self.image_size)

        self._decode_all(decode, np.flatnonzero(~is_kept).tolist())

    def fill(self, numbers: Sequence[int], *, progress: Progress = silent) -> None:
        """Decode those of some frames that are kept and not there yet, on all cores.

        Args:
            numbers: of the frames.
            progress: told after every few hundred.

        Raises:
            MissingFrameError, ChangedFrameError: as `gather`.
        """
        missing = [number for number in numbers if number < self._num_kept and self._marks[number] == 0]
        sweep_pictures(missing, self._keep, task="decode training frames", progress=progress)

    def remove(self) -> None:
        """Remove the frames of every machine that trained in the folder, and close this bank."""
        self._marks, self._kept = self._marks[:0].copy(), self._kept[:0].copy()  # Windows removes no mapped file
        for path in self.path.parent.glob(f"{_NAME}*"):
            path.unlink(missing_ok=True)

    def _decode_all(self, decode: Callable[[int], None], numbers: Sequence[int]) -> None:
        """Decode in threads, a few frames a task: one each would cost a fifth more."""

        def decode_some(begin: int) -> None:
            for number in numbers[begin : begin + _A_TASK]:
                decode(number)

        for _ in self._decoders.map(decode_some, range(0, len(numbers), _A_TASK)):
            pass

    def _keep(self, number: int) -> None:
        pixels = read_resized(self._frames[number], self.image_size)
        self._kept[number] = pixels
        self._marks[number] = _mark(pixels)

    def _drop_damaged(self, number: int) -> None:
        """Forget a frame whose pixels are not those that were decoded."""
        if self._marks[number] != _mark(self._kept[number]):
            self._marks[number] = 0

    def _kept_in_file(self) -> int | None:
        """How many frames the file has room for; None where there is none, or one of other frames."""
        try:
            with open_regular(self.path) as file:
                line = file.read(_LINE_BYTES)
                num_bytes = os.fstat(file.fileno()).st_size
            content = parse_json(line)
        except (FileNotFoundError, ValueError):
            return None
        kept = content.get("kept") if isinstance(content, dict) else None
        is_ours = isinstance(kept, int) and num_bytes == self._file_bytes(kept)
        return kept if is_ours and content == {**self._content(), "kept": kept} else None

    def _make(self) -> None:
        self.path.unlink(missing_ok=True)
        free = shutil.disk_usage(self.path.parent).free
        kept = min(self._num_kept, int(free * _SHARE_OF_FREE) // (self._frame_bytes + _MARK_BYTES))
        if kept < self._num_kept:
            logger.warning(
                "%s: decoded training frames would take %.1f GB, and %.1f GB are free: %d of %d frames are kept, the "
                "others are decoded whenever they are used",
                self.path.parent,
                self._file_bytes(self._num_kept) / 1e9,
                free / 1e9,
                kept,
                self._num_kept,
            )
        line = json.dumps({**self._content(), "kept": kept}).encode()
        with open(self.path, "x+b", opener=_for_the_owner) as file:
            _reserve(file.fileno(), self._file_bytes(kept))
            file.write(line.ljust(_LINE_BYTES - 1) + b"\n")

    def _file_bytes(self, kept: int) -> int:
        return _LINE_BYTES + kept * (_MARK_BYTES + self._frame_bytes)

    def _content(self) -> dict[str, Json]:
        """What the file says of itself, but for the room in it."""
        digest = hashlib.sha256()
        for frame in self._frames:
            assert frame.sha256 is not None, f"{frame.path} was not hashed"
            digest.update(bytes.fromhex(frame.sha256))
        return {
            "skyreid training frames": _FORMAT,
            "frames": len(self._frames),
            "sha256": digest.hexdigest(),
            "image_size": [*self.image_size],
            "filter": "bicubic",
            "decoder": f"Pillow {PIL.__version__}, libjpeg {features.version('jpg')}",
        }


def _mark(pixels: UInt8[np.ndarray, "height width channel"]) -> int:
    return _DECODED + zlib.crc32(pixels.data)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _reserve(descriptor: int, num_bytes: int) -> None:
    """Take the room on the disk now: where it runs out under a mapped file, the process is killed."""
    os.ftruncate(descriptor, num_bytes)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, num_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of file systems that cannot
                raise
