"""Query expansion: a query asks once more, together with what it found first."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from skyreid.errors import SettingError
from skyreid.retrieval.cosine import cosine_similarities, unit_rows
from skyreid.retrieval.nearest_neighbours import nearest_neighbours
from skyreid.retrieval.ranker import Rows
from skyreid.retrieval.row_lengths import has_direction


@dataclass(frozen=True)
class QueryExpansion:
    """Ranks by cosine with q + Σ s(q, g)^alpha g, the sum over the `k` gallery rows nearest to the query q.

    alpha 0 weighs all alike (average query expansion); the greater alpha, the less a doubtful neighbour
    counts. A negative similarity counts as 0. The gallery is taken as it is: whom the protocol calls junk,
    such as the query's own person in its own camera, is a neighbour like any other.

    Raises:
        SettingError: a setting out of its range; from `rows`: more neighbours than the gallery has, or a
            query that its neighbours cancel out.

    Source: Chum et al., Total recall, ICCV 2007 (average); Radenović, Tolias and Chum, Fine-tuning CNN image
    retrieval with no human annotation, TPAMI 2019 (alpha).
    """

    k: int = 5
    """How many neighbours join the query; about as many as a person has tracklets in the gallery."""
    alpha: float = 3.0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise SettingError(f"k must be at least 1; got {self.k}")
        if not 0 <= self.alpha < np.inf:
            raise SettingError(f"alpha must be a number from 0; got {self.alpha}")

    @property
    def name(self) -> str:
        """Such as "query expansion (k 5, alpha 3)"."""
        return f"query expansion (k {self.k}, alpha {self.alpha:g})"

    def rows(self, query: Float32[np.ndarray, "query embed"], gallery: Float32[np.ndarray, "gallery embed"]) -> Rows:
        """Expand all queries; from then on they are compared as by cosine."""
        if self.k > len(gallery):
            raise SettingError(
                f"query expansion takes k = {self.k} neighbours from the gallery, which has {len(gallery)} rows "
                f"(set k to at most {len(gallery)})"
            )
        expanded = self._expanded(query, gallery)

        def similarities(start: int, stop: int) -> Float32[np.ndarray, "query gallery"]:
            return cosine_similarities(expanded[start:stop], gallery)

        return similarities

    def _expanded(
        self, query: Float32[np.ndarray, "query embed"], gallery: Float32[np.ndarray, "gallery embed"]
    ) -> Float32[np.ndarray, "query embed"]:
        neighbours = nearest_neighbours(query, gallery, self.k)
        weights = np.maximum(neighbours.similarities, 0) ** np.float64(self.alpha)
        total = query.copy()
        for rows, weight in zip(neighbours.rows.T, weights.T.astype(np.float32), strict=True):
            total += weight[:, np.newaxis] * gallery[rows]
        cancelled = np.flatnonzero(~has_direction(total))
        if cancelled.size:
            raise SettingError(
                f"query {cancelled[0]} and its {self.k} neighbours cancel out, so that nothing is left to ask for "
                f"(set alpha above 0; got {self.alpha:g})"
            )
        return unit_rows(total)
