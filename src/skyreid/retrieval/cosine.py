"""Cosine similarity of embeddings: the one place where search and evaluation compare anything.

The product is tiled so that a pair of rows gives the same float32 wherever it stands and however
the work is cut. Equal tracklets therefore tie exactly, and a search shows what the evaluation scores.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from skyreid.retrieval.ranker import Rows
from skyreid.retrieval.row_lengths import ROWS_AT_A_TIME

_LEAST_QUERY_ROWS = 16
_LEAST_GALLERY_ROWS = 64
"""Below these sizes the matrix library changes to kernels that round differently (measured, MKL in
torch 2.13, widths 33 to 1280, 1 and 2 threads). Smaller blocks are filled up with zeros; numpy's own
library rounds by position at every size."""


def unit_rows(embeddings: Float[np.ndarray, "row embed"]) -> Float32[np.ndarray, "row embed"]:
    """Scale every row of float32 or float16 to length 1.

    A row comes out the same whatever stands beside it. Rows for which `row_lengths.has_direction` is false must
    not come.
    """
    units = np.empty(embeddings.shape, dtype=np.float32)
    unit_rows_into(units, embeddings, np.arange(len(embeddings)))
    return units


def unit_rows_into(
    units: Float32[np.ndarray, "kept embed"],
    embeddings: Float[np.ndarray, "row embed"],
    kept: Int64[np.ndarray, " kept"],
) -> None:
    """Write some rows, scaled to length 1, into memory that is there already."""
    for start in range(0, len(kept), ROWS_AT_A_TIME):
        rows = torch.from_numpy(embeddings[kept[start : start + ROWS_AT_A_TIME]].astype(np.float32, copy=False))
        scaled = torch.from_numpy(units[start : start + ROWS_AT_A_TIME])
        torch.div(rows, torch.linalg.vector_norm(rows, dim=1, keepdim=True), out=scaled)


def cosine_similarities(
    query: Float32[np.ndarray, "query embed"], gallery: Float32[np.ndarray, "gallery embed"]
) -> Float32[np.ndarray, "query gallery"]:
    """Compare unit rows with unit rows: 1 is the same direction, -1 the opposite."""
    padded_query = _padded(query, _LEAST_QUERY_ROWS)
    padded_gallery = _padded(gallery, _LEAST_GALLERY_ROWS)
    similarities = _as_tensor(padded_query) @ _as_tensor(padded_gallery).T
    return similarities.numpy()[: len(query), : len(gallery)]


@dataclass(frozen=True)
class Cosine:
    """The ranker that every score is made with unless it says otherwise."""

    name: str = "cosine"

    def rows(self, query: Float32[np.ndarray, "query embed"], gallery: Float32[np.ndarray, "gallery embed"]) -> Rows:
        """Compare unit rows with unit rows, as `cosine_similarities` does."""
        padded_gallery = _as_tensor(_padded(gallery, _LEAST_GALLERY_ROWS))
        block = torch.empty(0, len(padded_gallery))

        def rows(start: int, stop: int) -> Float32[np.ndarray, "query gallery"]:
            nonlocal block
            padded_query = _as_tensor(_padded(query[start:stop], _LEAST_QUERY_ROWS))
            if len(block) < len(padded_query):
                block = torch.empty(len(padded_query), len(padded_gallery))
            # Memory that is there already: the system takes a tenth of the product's time to give new pages.
            torch.mm(padded_query, padded_gallery.T, out=block[: len(padded_query)])
            return block.numpy()[: stop - start, : len(gallery)]

        return rows


COSINE = Cosine()


def _padded(rows: Float32[np.ndarray, "row embed"], least: int) -> Float32[np.ndarray, "padded embed"]:
    if len(rows) >= least:
        return rows
    padded = np.zeros((least, rows.shape[1]), dtype=np.float32)  # np.pad takes as long as a small product
    padded[: len(rows)] = rows
    return padded


def _as_tensor(rows: Float32[np.ndarray, "row embed"]) -> torch.Tensor:
    # torch cannot see an array that is read-only or laid out backwards without a copy.
    shareable = rows.flags.writeable and rows.flags.c_contiguous
    return torch.from_numpy(rows if shareable else np.array(rows, order="C"))
