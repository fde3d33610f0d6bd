"""What an extraction has embedded so far, beside the table that it is to become: a killed one goes on from there.

    table.npz.clips     one JSON line that says what makes the embeddings, then one line for each batch:
                        its clips, each with the hash of its tracklet's pictures, and their embeddings

A batch is taken from the file when exactly its clips stand there, in their order: nobody's bits hang on where a run was
killed. A line that was cut off is embedded again. The file goes when the table is complete.
"""

import base64
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from skyreid.clips.clip_loader import ClipRequest
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.errors import SettingError
from skyreid.files.atomic_file import naming, try_lock
from skyreid.files.strict_json import Json, parse_json
from skyreid.tracklet import Tracklet

logger = logging.getLogger(__name__)


class CommittedClips:
    """Batches that are embedded; `committed_clips` opens them."""

    def __init__(self, file: BufferedRandom, embed_dim: int) -> None:
        self._file = file
        self._embed_dim = embed_dim
        self._batches: dict[str, bytes] = {}
        self._pictures: dict[str, str | None] = {}

    def __len__(self) -> int:
        return len(self._batches)

    def find(self, batch: Sequence[ClipRequest]) -> Float32[Tensor, "clip embed"] | None:
        """Give the embeddings of these clips; None = they are still to be made."""
        found = self._batches.get(_key(batch))
        if found is None:
            return None
        return torch.from_numpy(np.frombuffer(found, dtype=np.float32).reshape(len(batch), -1).copy())

    def add(self, batch: Sequence[ClipRequest], embeddings: Float32[Tensor, "clip embed"]) -> None:
        """Commit a batch: from now on it is there whenever this process is killed."""
        told = base64.b64encode(embeddings.numpy().tobytes()).decode()
        self._file.write(f'{{"clips": {_key(batch)}, "embeddings": "{told}"}}\n'.encode())
        self._file.flush()

    def changed(self, tracklets: Sequence[Tracklet]) -> list[str]:
        """Name the tracklets that were embedded from other pictures than they have now."""
        return [
            tracklet.tracklet_id
            for tracklet in tracklets
            if self._pictures.get(tracklet.tracklet_id, now := pictures_sha256(tracklet)) != now
        ]

    def read(self, header: bytes) -> None:
        """Read what is there, up to the first line that is cut off; what was made otherwise is thrown away."""
        self._file.seek(0)
        first = self._file.readline()
        end = len(first) if first == header else 0
        if first and first != header:
            logger.warning(
                "%s: what an earlier run embedded was made by another model or otherwise (%s); all is embedded again",
                self._file.name,
                _difference(first, header),
            )
        for line in self._file if end else ():
            if not line.endswith(b"\n") or not self._take(line):
                break
            end += len(line)
        self._file.seek(end)
        self._file.truncate()
        if not end:
            self._file.write(header)
            self._file.flush()

    def _take(self, line: bytes) -> bool:
        try:
            told = parse_json(line)
            clips, embeddings = told["clips"], base64.b64decode(told["embeddings"], validate=True)
            pictures = {str(clip[0]): clip[1] for clip in clips}
        except (ValueError, TypeError, LookupError):
            return False
        if len(embeddings) != 4 * self._embed_dim * len(clips):
            return False
        self._batches[json.dumps(clips)] = embeddings
        self._pictures |= pictures
        return True


@contextmanager
def committed_clips(path: Path, made_by: Mapping[str, Json], *, embed_dim: int) -> Iterator[CommittedClips]:
    """Open the file of what is committed, or begin one; when the block ends without an error, it goes.

    Args:
        path: of the file.
        made_by: all that a bit of an embedding may hang on, besides its batch.
        embed_dim: length of one embedding.

    Raises:
        SettingError: another process is writing it.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        if not _is_ours(file):
            raise SettingError(f"{path}: another run is embedding into this table; wait for it, or name another table")
        committed = CommittedClips(file, embed_dim)
        committed.read(json.dumps(made_by, sort_keys=True).encode() + b"\n")
        yield committed
    path.unlink(missing_ok=True)


def _is_ours(file: BufferedRandom) -> bool:
    try:
        return try_lock(file.fileno())
    except OSError:  # without locks nobody is kept out
        return True


def _key(batch: Sequence[ClipRequest]) -> str:
    return json.dumps(
        [
            [clip.tracklet.tracklet_id, pictures_sha256(clip.tracklet), clip.tracklet.platform.number, clip.frames]
            for clip in batch
        ]
    )


def _difference(before: bytes, now: bytes) -> str:
    try:
        told, wanted = parse_json(before), parse_json(now)
        return ", ".join(
            f"{name} {told.get(name)} and {wanted[name]}" for name in wanted if told.get(name) != wanted[name]
        )
    except (ValueError, AttributeError):
        return "its first line is damaged"
