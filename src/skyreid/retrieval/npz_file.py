"""Arrays in one uncompressed .npz file, written piece by piece and mapped into memory where that is possible."""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from skyreid.errors import TableError

_PIECE_BYTES = 2**24
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""What stands before an entry of a zip archive: signature, …, length of its name, length of its extra field."""


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


def read_npz(path: Path, mapped: str) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Read all arrays; nothing in the file is ever executed.

    Args:
        path: the file, its checksums are compared.
        mapped: an array that may be large. It is mapped (a change of it stays in memory and never reaches the
            file) if the file holds it uncompressed, in C order and aligned; else it is read.

    Raises:
        TableError: not an .npz file, cut, changed, or with an array of Python objects in it.
    """
    try:
        with path.open("rb") as stream:  # numpy leaves a broken file open when it opens it itself
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise TableError(f"{path}: a table is an .npz file of several arrays; this holds a single one")
            with file:
                arrays = {}
                for name in file.files:
                    found = _map(path, name) if name == mapped else None
                    arrays[name] = file[name] if found is None else found
                return arrays
    except TableError:
        raise
    except FileNotFoundError:
        raise TableError(f"{path}: no such table") from None
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as reason:
        raise TableError(f"{path}: not a readable .npz table: {reason}") from None


def _map(path: Path, name: str) -> Shaped[np.ndarray, "..."] | None:
    """Map one array after its checksum was compared; None where it cannot be mapped."""
    with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
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
