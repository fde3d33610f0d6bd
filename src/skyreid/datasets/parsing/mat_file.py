"""Integer matrices in .mat v5 files, the tables of several benchmarks."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64
from scipy.io import loadmat, savemat

from skyreid.errors import DatasetError

_FREE_TEXT_BYTES = 116
"""Length of the free text at the start of a .mat v5 file."""


def read_matrix(path: Path, key: str) -> Int64[np.ndarray, "row column"]:
    """Read one matrix of whole numbers, whatever type they are stored in.

    Raises:
        DatasetError: the file is not a .mat v5 file, has no such matrix, or holds other than whole numbers.
    """
    try:
        content = loadmat(path, variable_names=[key])
    except Exception as error:  # scipy raises whatever its parser meets in a damaged file
        raise DatasetError(f"{path} must be a .mat v5 file; it cannot be parsed: {error}") from error
    if key not in content:
        raise DatasetError(f"{path} must hold the matrix {key}; it does not")
    values = np.asarray(content[key])
    if values.ndim != 2 or values.dtype.kind not in "iuf" or not (values == np.trunc(values)).all():
        raise DatasetError(f"{path}: {key} must be a matrix of whole numbers; got {values.dtype} {values.shape}")
    return values.astype(np.int64)


def write_matrix(path: Path, key: str, matrix: Int32[np.ndarray, "row column"]) -> None:
    """Write one matrix; the same matrix gives the same bytes, since scipy's time of writing is replaced."""
    buffer = io.BytesIO()
    savemat(buffer, {key: matrix})
    buffer.seek(0)
    buffer.write(b"MATLAB 5.0 MAT-file, written by skyreid".ljust(_FREE_TEXT_BYTES))
    path.write_bytes(buffer.getvalue())
