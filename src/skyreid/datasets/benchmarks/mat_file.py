"""Integer matrices in .mat v5 files, the tables of several benchmarks."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64

from skyreid.errors import DatasetError
from skyreid.files.regular_file import read_regular

_FREE_TEXT_BYTES = 116
"""Length of the free text at the start of a .mat v5 file."""
_HEADER_BYTES, _ORDER = 128, slice(126, 128)
_PACKED = 15
"""miCOMPRESSED: an element that holds another one, packed."""
_MOST_PACKED = 100
"""Times that tables may be larger than the file: columns of equal numbers pack well, and a bomb a thousandfold."""
_ALWAYS_ALLOWED = 2**24
"""Bytes that any file may unpack to, however small it is."""


def read_matrix(path: Path, key: str) -> Int64[np.ndarray, "row column"]:
    """Read one matrix of whole numbers, whatever type they are stored in.

    Raises:
        DatasetError: the file is not a .mat v5 file, has no such matrix, or holds other than whole numbers.
    """
    try:
        stored = read_regular(path)
    except OSError as error:
        raise DatasetError(f"{path} must be a .mat v5 file; it cannot be read: {error.strerror}") from error
    try:
        _check_sizes(stored)
        from scipy.io import loadmat  # takes a tenth of a second to load, which most commands need not spend

        content = loadmat(io.BytesIO(stored), variable_names=[key])
    except Exception as error:  # scipy raises whatever its parser meets in a damaged file
        raise DatasetError(f"{path} must be a .mat v5 file; it cannot be parsed: {error}") from error
    if key not in content:
        raise DatasetError(f"{path} must hold the matrix {key}; it does not")
    values = np.asarray(content[key])
    if values.ndim != 2 or values.dtype.kind not in "iuf" or not (values == np.trunc(values)).all():
        raise DatasetError(f"{path}: {key} must be a matrix of whole numbers; got {values.dtype} {values.shape}")
    return values.astype(np.int64)


def _check_sizes(stored: bytes) -> None:
    """Unpack what is packed piece by piece, keeping nothing: no claim is believed that the file cannot bear out."""
    order = ">" if stored[_ORDER] == b"MI" else "<"
    allowed = max(_ALWAYS_ALLOWED, _MOST_PACKED * len(stored))
    place = _HEADER_BYTES
    while place + 8 <= len(stored):
        kind, size = struct.unpack(f"{order}II", stored[place : place + 8])
        if place + 8 + size > len(stored):
            raise ValueError(f"an element claims {size:,} bytes, of which {len(stored) - place - 8:,} are there")
        if kind == _PACKED:
            unpacking, packed = zlib.decompressobj(), stored[place + 8 : place + 8 + size]
            while packed and allowed >= 0:
                allowed -= len(unpacking.decompress(packed, _ALWAYS_ALLOWED))
                packed = unpacking.unconsumed_tail
            if allowed < 0:
                raise ValueError(f"{len(stored):,} bytes unpack to more than {_MOST_PACKED} times as many")
        place += 8 + size


def write_matrix(path: Path, key: str, matrix: Int32[np.ndarray, "row column"]) -> None:
    """Write one matrix; the same matrix gives the same bytes, since scipy's time of writing is replaced."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, {key: matrix})
    buffer.seek(0)
    buffer.write(b"MATLAB 5.0 MAT-file, written by skyreid".ljust(_FREE_TEXT_BYTES))
    path.write_bytes(buffer.getvalue())
