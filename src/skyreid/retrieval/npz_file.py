"""Arrays in one uncompressed .npz file, written piece by piece and mapped into memory where that is possible."""

import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np
from jaxtyping import Shaped

from skyreid.errors import TableError
from skyreid.files.file_kinds import TABLE, require_kind
from skyreid.files.regular_file import open_regular

_PIECE_BYTES = 2**24
_MOST_PACKED = 20
"""Times that the arrays of a file may be larger than the file: a packed table of small numbers is, a bomb is more."""
_ALWAYS_ALLOWED = 2**24
"""Bytes that any file may unpack to, however small it is."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""What stands before an entry of a zip archive: signature, …, length of its name, length of its extra field."""
_UNREADABLE = (
    *(OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    RuntimeError,  # encrypted, or packed in a way that Python does not know
    *(SyntaxError, TokenError),  # an array's description is Python text
)


def npz_pieces(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> Iterator[bytes]:
    """Give the bytes of the .npz file that holds these arrays; no second copy of them is ever in memory."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            contiguous = np.ascontiguousarray(array).reshape(array.shape)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(entry, np.lib.format.header_data_from_array_1_0(contiguous))
                values = contiguous.reshape(-1)
                step = max(1, _PIECE_BYTES // max(1, values.itemsize))
                for start in range(0, values.size, step):
                    entry.write(values[start : start + step].tobytes())
                    yield sink.taken()
    yield sink.taken()


def read_npz(path: Path, names: Collection[str], mapped: str) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Read those of the named arrays that the file holds; nothing in it is ever executed.

    Args:
        path: the file; the checksums of these arrays are compared.
        names: of the arrays; whatever else the file holds is left alone.
        mapped: an array that may be large. It is mapped (a change of it stays in memory and never reaches the
            file) if the file holds it uncompressed, in C order and aligned; else it is read.

    Raises:
        TableError: not an .npz file, cut, changed, or something under one of the names that is no array or one of
            Python objects.
    """
    require_kind(path, TABLE, error=TableError)
    try:
        with open_regular(path) as stream:  # numpy leaves a broken file open when it opens it itself
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise TableError(f"{path}: a table is an .npz file of several arrays; this holds a single one")
            with file:
                _check_sizes(file.zip, path)
                arrays = {}
                for name in (name for name in names if name in file.files):
                    found = _map(path, name) if name == mapped else None
                    arrays[name] = file[name] if found is None else found
                    if not isinstance(arrays[name], np.ndarray):  # numpy hands out the bytes of other files
                        raise TableError(f"{path}: {name} must be an array in numpy's format; got another file")
                return arrays
    except TableError:
        raise
    except _UNREADABLE as reason:
        raise TableError(f"{path}: not a readable .npz table: {reason}") from None


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Believe no size that the file cannot bear out, before anything is allocated."""
    file_bytes = path.stat().st_size
    unpacked = 0
    for entry in archive.infolist():
        unpacked += entry.file_size
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size > file_bytes:
            raise TableError(f"{path}: {entry.filename!r} claims {entry.file_size:,} bytes of a file of {file_bytes:,}")
        with archive.open(entry) as content:
            assert isinstance(content, zipfile.ZipExtFile)
            _check_header(content, entry, path)
    if unpacked > max(_ALWAYS_ALLOWED, _MOST_PACKED * file_bytes):
        raise TableError(
            f"{path}: {file_bytes:,} bytes that claim to unpack to {unpacked:,}; {_MOST_PACKED} times as many at most "
            "are read"
        )


def _check_header(content: zipfile.ZipExtFile, entry: zipfile.ZipInfo, path: Path) -> None:
    """See that an array is as long as its entry; what is no array is refused by name when it is asked for."""
    magic = content.read(np.lib.format.MAGIC_LEN)
    if not magic.startswith(np.lib.format.MAGIC_PREFIX):
        return
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}.get(magic[-2])
    if read is None:
        raise TableError(f"{path}: {entry.filename!r} is an array of format {magic[-2]}; 1 and 2 are read")
    shape, _, dtype = read(content)
    claimed = dtype.itemsize * math.prod(shape)
    if not dtype.hasobject and content.tell() + claimed != entry.file_size:
        raise TableError(
            f"{path}: {entry.filename!r} claims {claimed:,} bytes of values; the file holds "
            f"{max(0, entry.file_size - content.tell()):,} of them"
        )


def _map(path: Path, name: str) -> Shaped[np.ndarray, "..."] | None:
    """Map one array after its checksum was compared; None where it cannot be mapped."""
    with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
        if f"{name}.npy" not in archive.namelist():  # numpy takes an entry without the ending too
            return None
        entry = archive.getinfo(f"{name}.npy")
        if entry.compress_type != zipfile.ZIP_STORED:
            return None
        with archive.open(entry) as content:
            if np.lib.format.read_magic(content) != (1, 0):
                return None
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(content)
            header_size = content.tell()
            while content.read(_PIECE_BYTES):  # the archive compares the checksum at the end
                pass
        stream.seek(entry.header_offset)
        _, name_size, extra_size = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
        offset = entry.header_offset + _LOCAL_HEADER.size + name_size + extra_size + header_size
        is_whole = entry.file_size == header_size + dtype.itemsize * math.prod(shape)
        if is_fortran or dtype.hasobject or offset % dtype.alignment or 0 in shape or not is_whole:
            return None
        return np.memmap(stream, dtype=dtype, mode="c", offset=offset, shape=shape)


class _Sink(io.RawIOBase):
    """Keeps what an archive writes until somebody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._kept.append(bytes(content))
        return len(content)

    def taken(self) -> bytes:
        taken = b"".join(self._kept)
        self._kept.clear()
        return taken
