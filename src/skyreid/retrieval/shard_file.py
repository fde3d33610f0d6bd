"""One of the files of a table that lies in many: safetensors, the columns first and the embeddings behind them.

    length of the header | header (JSON) | pids, camids, platforms, tracklet_ids, pictures | embeddings
    └──────────────────────────── head, which has a hash of its own ────────────────────┘

A table is opened by the heads alone. A file is hashed as a whole when its embeddings are first asked for, and mapped
through the descriptor that was hashed, so that nothing is compared that was not checked. What is written into the
mapped pages of a file later, nobody sees; our own writers never do, they give a new file its name.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from skyreid.errors import TableError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.file_kinds import SHARD_NAME
from skyreid.files.regular_file import open_regular, shortened
from skyreid.files.strict_json import parse_json

_LENGTH = struct.Struct("<Q")
_TYPES = {"F32": "<f4", "F16": "<f2", "I64": "<i8", "U64": "<u8", "U8": "|u1"}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}
_ALIGNMENT = 64
_MOST_HEADER = 2**16
_PIECE_BYTES = 2**24
_COLUMNS = ("pids", "camids", "platforms", "tracklet_ids", "pictures")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """What the index says of one file."""

    file: str
    """Its name in the folder of the table."""
    rows: int
    bytes: int
    sha256: str
    """Of the whole file."""
    head_bytes: int
    """What stands before the embeddings."""
    head_sha256: str

    def __post_init__(self) -> None:
        if not SHARD_NAME.fullmatch(self.file):
            raise TableError(f"a file of a table has a name such as 00000-0123456789ab.safetensors; got {self.file!r}")
        if not 0 < self.head_bytes <= self.bytes or self.rows < 1:
            raise TableError(f"{self.file}: rows and bytes must add up; got {self.rows} rows, {self.bytes} bytes")


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """What stands before the embeddings of one shard, or of all shards of a table."""

    columns: dict[str, Shaped[np.ndarray, " row"]]
    embedding_size: int
    dtype: np.dtype
    """Of the embeddings."""


def write_shard(folder: Path, number: int, arrays: Mapping[str, Shaped[np.ndarray, "row ..."]]) -> Shard:
    """Write some consecutive rows of a table, whole or not at all; the same rows give the same file.

    Many processes may write the shards of one table at once. They are a table when the index names them.

    Args:
        folder: of the table; made if it is not there.
        number: place of the shard among those of the table, from 0.
        arrays: as an .npz table holds them; at least one row.

    Raises:
        OSError: it cannot be written.
    """
    stored = _as_stored(arrays)
    head = _header(stored) + b"".join(array.tobytes() for name, array in stored.items() if name != "embeddings")
    digest = hashlib.sha256(head)
    for piece in _pieces(stored["embeddings"]):
        digest.update(piece)
    sha256 = digest.hexdigest()
    shard = Shard(
        file=f"{number:05d}-{shortened(sha256)}.safetensors",
        rows=len(stored["embeddings"]),
        bytes=len(head) + stored["embeddings"].nbytes,
        sha256=sha256,
        head_bytes=len(head),
        head_sha256=hashlib.sha256(head).hexdigest(),
    )
    write_atomically(folder / shard.file, _chained(head, stored["embeddings"]))
    return shard


def read_head(folder: Path, shard: Shard) -> Head:
    """Read what a shard holds besides its embeddings, after the hash of its head was compared.

    Raises:
        TableError: the file is missing, another one or damaged; the message names it.
    """
    path = folder / shard.file
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(min(shard.head_bytes, size))
    except OSError as error:
        raise _unreadable(path, error) from None
    if size != shard.bytes or hashlib.sha256(head).hexdigest() != shard.head_sha256:
        raise _changed(path, shard, f"{size:,} bytes" if size != shard.bytes else "other columns")
    layout = _layout(path, shard, head)
    columns = {
        name: np.frombuffer(head, dtype, math.prod(shape), start).reshape(shape)
        for name, (dtype, shape, start) in layout.items()
        if name != "embeddings"
    }
    dtype, shape, _ = layout["embeddings"]
    return Head(columns=_as_given(path, columns), embedding_size=shape[1], dtype=dtype)


def map_embeddings(folder: Path, shard: Shard) -> np.memmap:
    """Map the embeddings of a shard, after the hash of the whole file was compared; a change of them stays in memory.

    Raises:
        TableError: the file is missing, another one or damaged; the message names it.
    """
    path = folder / shard.file
    try:
        with open_regular(path) as file:
            if (found := hashlib.file_digest(file, "sha256").hexdigest()) != shard.sha256:
                raise _changed(path, shard, f"the sha256 {shortened(found)}")
            file.seek(0)
            dtype, shape, start = _layout(path, shard, file.read(shard.head_bytes))["embeddings"]
            return np.memmap(file, dtype=dtype, mode="c", offset=start, shape=shape)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> TableError:
    return TableError(
        f"{path}: this file of the table cannot be read: {error.strerror or error}. "
        "Copy it anew, or write the table again"
    )


def _changed(path: Path, shard: Shard, found: str) -> TableError:
    return TableError(
        f"{path} is not the file that the index names: it must have {shard.bytes:,} bytes and the sha256 "
        f"{shortened(shard.sha256)}; it has {found}. Copy it anew, or write the table again"
    )


def _as_stored(arrays: Mapping[str, Shaped[np.ndarray, "row ..."]]) -> dict[str, Shaped[np.ndarray, "row ..."]]:
    """Turn texts into their bytes, one row each, filled up with zeros; all columns are multiples of eight bytes."""
    stored = {}
    for name in (name for name in (*_COLUMNS, "embeddings") if name in arrays):
        array = arrays[name]
        if array.dtype.kind == "U":
            array = np.char.encode(array, "utf-8", "surrogatepass")
        if array.dtype.kind == "S":
            width = max(8, -(-array.dtype.itemsize // 8) * 8)
            array = array.astype(f"S{width}").view(np.uint8).reshape(len(array), width)
        elif name != "embeddings":
            array = array.astype("<u8" if array.dtype.kind == "u" else "<i8")
        stored[name] = np.ascontiguousarray(array)
    return stored


def _as_given(
    path: Path, columns: Mapping[str, Shaped[np.ndarray, "row ..."]]
) -> dict[str, Shaped[np.ndarray, " row"]]:
    given = {name: array.copy() for name, array in columns.items() if array.ndim == 1}
    for name in (name for name, array in columns.items() if array.ndim == 2):
        texts = np.ascontiguousarray(columns[name]).view(f"S{columns[name].shape[1]}").reshape(-1)
        try:
            given[name] = texts if name == "pictures" else np.char.decode(texts, "utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise TableError(f"{path}: {name} must be text in UTF-8: {error}") from None
    return given


def _header(stored: Mapping[str, Shaped[np.ndarray, "row ..."]]) -> bytes:
    told, start = {}, 0
    for name, array in stored.items():
        told[name] = {"dtype": _NAMES[array.dtype], "shape": array.shape, "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(told, separators=(",", ":")).encode()
    before_embeddings = _LENGTH.size + len(text) + start - stored["embeddings"].nbytes
    text += b" " * (-before_embeddings % _ALIGNMENT)
    return _LENGTH.pack(len(text)) + text


def _layout(path: Path, shard: Shard, head: bytes) -> dict[str, tuple[np.dtype, tuple[int, ...], int]]:
    """Say of each array its type, its shape and where in the file it begins; the embeddings end the file."""
    try:
        (length,) = _LENGTH.unpack_from(head)
        if length > min(_MOST_HEADER, len(head)):
            raise ValueError(f"a header of {length} bytes")
        told = parse_json(head[_LENGTH.size : _LENGTH.size + length])
        end, layout = _LENGTH.size + length, {}
        for name in (name for name in (*_COLUMNS, "embeddings") if name in told):
            dtype, shape = np.dtype(_TYPES[told[name]["dtype"]]), tuple(map(int, told[name]["shape"]))
            start, stop = (_LENGTH.size + length + int(offset) for offset in told[name]["data_offsets"])
            if start != end or stop - start != dtype.itemsize * math.prod(shape) or not 1 <= len(shape) <= 2:
                raise ValueError(f"{name} of {shape} at {start} to {stop}")
            if shape[0] != shard.rows or min(shape) < 1:
                raise ValueError(f"{name} of {shape} for {shard.rows} rows")
            layout[name], end = (dtype, shape, start), stop
        missing = [name for name in (*_COLUMNS[:4], "embeddings") if name not in layout]
        if missing or layout["embeddings"][2] != shard.head_bytes or end != shard.bytes:
            raise ValueError(f"missing {', '.join(missing) or 'bytes'}")
    except (ValueError, TypeError, LookupError, AttributeError, struct.error) as error:
        raise TableError(f"{path}: not a file of a table: {error}") from None
    return layout


def _pieces(array: Shaped[np.ndarray, "row ..."]) -> Iterator[bytes]:
    values = array.reshape(-1)
    step = _PIECE_BYTES // array.itemsize
    for start in range(0, values.size, step):
        yield values[start : start + step].tobytes()


def _chained(head: bytes, embeddings: Shaped[np.ndarray, "row ..."]) -> Iterator[bytes]:
    yield head
    yield from _pieces(embeddings)
