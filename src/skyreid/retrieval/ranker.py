"""What puts a gallery in order for queries: cosine, or something that takes the neighbours into account."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

Rows = Callable[[int, int], Float32[np.ndarray, "query gallery"]]
"""Gives the similarities of the queries `start` to `stop` with the whole gallery; greater is closer.

The next call may overwrite what it gave."""


@runtime_checkable
class Ranker(Protocol):
    """Compares queries with a gallery, a few queries at a time."""

    @property
    def name(self) -> str:
        """What a score made with it must say, such as "cosine" or "k-reciprocal (20, 6, 0.3)"."""
        ...

    def rows(self, query: Float32[np.ndarray, "query embed"], gallery: Float32[np.ndarray, "gallery embed"]) -> Rows:
        """Prepare the comparison of unit rows with unit rows."""
        ...
