"""Embeddings with what is needed to rank and score them, in memory and as one .npz file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from skyreid.errors import TableError


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingTable:
    """One row per tracklet, in manifest order.

    Raises:
        TableError: arrays of different length, a repeated tracklet id, or a value that is not finite.
    """

    embeddings: Float32[np.ndarray, "tracklet embed"]
    """Un-normalised."""
    pids: Int64[np.ndarray, " tracklet"]
    camids: Int64[np.ndarray, " tracklet"]
    platforms: Int64[np.ndarray, " tracklet"]
    """0 ground, 1 aerial."""
    tracklet_ids: Shaped[np.ndarray, " tracklet"]
    """Strings or integers, unique."""
