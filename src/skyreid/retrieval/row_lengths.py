"""How long embeddings are, which of them have a direction at all, and how they are rounded to half the size."""

import numpy as np
from jaxtyping import Bool, Float, Float16, Float32, Shaped

from skyreid.errors import TableError

LEAST_NORM = 1e-12
"""Rows shorter than this have no direction: their squares leave the range of float32."""
ROWS_AT_A_TIME = 8_192
"""Bounds what a pass over a memory-mapped table takes of memory."""


def row_norms(embeddings: Float[np.ndarray, "row embed"], first_column: int = 0) -> Float32[np.ndarray, " row"]:
    """Give the length of each row, or of the part of it that begins at a column, as far as float32 can tell."""
    if embeddings.dtype == np.float16:
        from skyreid.retrieval.half_products import half_norms  # loads numba

        return half_norms(np.asarray(embeddings), first_column)
    norms = np.empty(len(embeddings), dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(embeddings), ROWS_AT_A_TIME):
            rows = np.asarray(embeddings[start : start + ROWS_AT_A_TIME, first_column:])
            np.sqrt(np.einsum("re,re->r", rows, rows), out=norms[start : start + ROWS_AT_A_TIME])
    return norms


def are_directions(norms: Float32[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
    """Tell of each length whether a cosine with its row is defined: finite, not zero, its squares in float32."""
    return np.isfinite(norms) & (norms >= LEAST_NORM)


def refuse_without_direction(
    embeddings: Float[np.ndarray, "row embed"],
    norms: Float32[np.ndarray, " row"],
    tracklet_ids: Shaped[np.ndarray, " row"] | None = None,
) -> None:
    """Refuse rows with which a cosine is not defined.

    Raises:
        TableError: the first of them, by row, and by tracklet where the ids are given.
    """
    unusable = np.flatnonzero(~are_directions(norms))
    if unusable.size == 0:
        return
    row = int(unusable[0])
    where = f"embeddings, row {row}" + ("" if tracklet_ids is None else f" (tracklet {tracklet_ids[row]})")
    others = f"; {unusable.size} such rows" if unusable.size > 1 else ""
    if not np.isfinite(embeddings[row]).all():
        raise TableError(f"{where}: every value must be finite; got NaN or infinity{others}")
    raise TableError(
        f"{where}: the length of a row must be between {LEAST_NORM:g} and 1.8e19, else its cosine is "
        f"undefined; got {np.linalg.norm(embeddings[row].astype(np.float64)):g}{others}"
    )


def has_direction(embeddings: Float[np.ndarray, "row embed"]) -> Bool[np.ndarray, " row"]:
    """Tell for each row whether a cosine with it is defined."""
    return are_directions(row_norms(embeddings))


def rounded_to_float16(
    embeddings: Float[np.ndarray, "row embed"], norms: Float32[np.ndarray, " row"]
) -> Float16[np.ndarray, "row embed"]:
    """Round rows of these lengths, each multiplied by a power of two that brings its numbers to about 1.

    That changes no direction, and keeps them from where float16 knows few digits, or none.
    """
    rounded = np.empty(embeddings.shape, dtype=np.float16)
    exponents = np.frexp(norms / np.sqrt(embeddings.shape[1]))[1][:, np.newaxis]
    for start in range(0, len(embeddings), ROWS_AT_A_TIME):
        block = slice(start, start + ROWS_AT_A_TIME)
        rounded[block] = np.ldexp(embeddings[block], -exponents[block])
    return rounded
