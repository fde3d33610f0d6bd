"""k-reciprocal re-ranking: two rows are close when their neighbours are the same people.

Every row p of query and gallery together is described by whom it shares its neighbourhood with:

    d(p, g)      squared Euclidean distance of unit rows, 2 - 2 cos; as the published program does,
                 divided by its maximum over all rows g                                   (eq. 1)
    N(p, k)      the k nearest rows and p itself, which the program counts among them     (eq. 2)
    R(p, k)      those g of N(p, k) for which p is in N(g, k)                             (eq. 3)
    R*(p)        R(p, k1), and R(q, k1/2) of each of its members q that has more than 2/3
                 of its own R(q, k1/2) in R(p, k1); k1/2 is rounded, a half to even       (eq. 4)
    V(p, g)      exp(-d(p, g)) for g in R*(p), else 0; as the program does, divided by
                 its sum over g                                                           (eq. 7)
                 then the mean of V over the k2 rows nearest to p, p among them           (eq. 11)
    d_J(p, g)    1 - S / (2 - S) with S = Σ min(V(p, ·), V(g, ·)); as each V sums to 1,
                 2 - S is Σ max                                                           (eq. 10)
    d*(p, g)     (1 - λ) d_J(p, g) + λ d(p, g)                                            (eq. 12)

Exact without a matrix of all rows by all rows: the neighbours are found in blocks, sets and encodings are
sparse, and no row of theirs is longer than k allows: k1 + 1 for R, k1/2 + 1 times as many for R*, and k2
times as many again for the mean.

Source: Zhong, Zheng, Cao and Li, Re-ranking person re-identification with k-reciprocal encoding, CVPR 2017,
sections 3.2 to 3.5.
Deviation: the program leaves the order of equally near rows to chance; here the row that stands first is
nearer. Where fewer than k1 + 1 rows exist, the program goes on with those; here it is an error.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.sparse import csr_array

from skyreid.errors import SettingError
from skyreid.retrieval.cosine import cosine_similarities
from skyreid.retrieval.nearest_neighbours import nearest_neighbours
from skyreid.retrieval.ranker import Rows

_ROWS_PER_WEIGHING = 64
"""Rows whose sets are compared together: more of them compare more pairs that nobody asked for."""


@dataclass(frozen=True)
class KReciprocal:
    """Ranks by minus the distance d* of the paper, from -1 to 0.

    The gallery is taken as it is: whom the protocol calls junk for a query is a neighbour like any other.

    Raises:
        SettingError: a setting out of its range; from `rows`: more neighbours than there are rows.
    """

    k1: int = 20
    """How many neighbours make a neighbourhood."""
    k2: int = 6
    """Over how many of the nearest rows, the row itself among them, an encoding is averaged; 1 = not at all."""
    weight: float = 0.3
    """λ, the share of the original distance."""

    def __post_init__(self) -> None:
        for name, value in (("k1", self.k1), ("k2", self.k2)):
            if value < 1:
                raise SettingError(f"{name} must be at least 1; got {value}")
        if not 0 <= self.weight <= 1:
            raise SettingError(f"weight must be between 0 and 1; got {self.weight}")

    @property
    def name(self) -> str:
        """Such as "k-reciprocal (20, 6, 0.3)"."""
        return f"k-reciprocal ({self.k1}, {self.k2}, {self.weight:g})"

    def rows(self, query: Float32[np.ndarray, "query embed"], gallery: Float32[np.ndarray, "gallery embed"]) -> Rows:
        """Encode every row, which compares all rows with all rows; then blocks of queries cost little."""
        everyone = np.concatenate([query, gallery])
        num_neighbours = max(self.k1 + 1, self.k2)
        if num_neighbours > len(everyone):
            raise SettingError(
                f"{self.name} takes the {num_neighbours} nearest rows of every row, itself among them; "
                f"query and gallery have {len(query)} + {len(gallery)} rows "
                f"(set k1 to at most {len(everyone) - 1} and k2 to at most {len(everyone)})"
            )
        neighbours = nearest_neighbours(everyone, everyone, num_neighbours)
        greatest_distances = _distances(neighbours.least_similarities)
        greatest_distances[greatest_distances == 0] = 1  # all rows are equal, and every distance is 0
        members = _expanded_sets(neighbours.rows, self.k1)
        encodings = _weighted(members, everyone, greatest_distances)
        if self.k2 > 1:
            encodings = _averaged(encodings, neighbours.rows[:, : self.k2])
        query_encodings = encodings[: len(query)]
        encoded_with = csr_array(encodings[len(query) :].T)

        def similarities(start: int, stop: int) -> Float32[np.ndarray, "query gallery"]:
            block = cosine_similarities(query[start:stop], gallery)
            for row, similar in enumerate(block, start):
                jaccard = _jaccard_distances(query_encodings[[row]], encoded_with, len(gallery))
                original = _distances(similar) / greatest_distances[row]
                block[row - start] = -((1 - self.weight) * jaccard + self.weight * original)
            return block

        return similarities


def _distances(similarities: Float32[np.ndarray, "*pairs"]) -> Float64[np.ndarray, "*pairs"]:
    # A row may be more similar to itself than 1 by the rounding of float32.
    return np.maximum(2 - 2 * similarities.astype(np.float64), 0)


def _expanded_sets(neighbours: Int64[np.ndarray, "row neighbour"], k1: int) -> csr_array:
    """R* of every row: what is stored in row p are its members."""
    reciprocal = _reciprocal_sets(neighbours[:, : k1 + 1])
    half = _reciprocal_sets(neighbours[:, : round(k1 / 2) + 1])
    # [p, q] = how many members R(p, k1) and R(q, k1/2) share; the latter are symmetric, so half is its transpose.
    shared = csr_array(reciprocal.multiply(reciprocal @ half))
    joins = 3 * shared.data > 2 * np.diff(half.indptr)[shared.indices]
    joining = csr_array((joins.astype(np.int32), shared.indices, shared.indptr), shape=shared.shape)
    joining.eliminate_zeros()
    return csr_array(reciprocal + joining @ half)


def _reciprocal_sets(neighbours: Int64[np.ndarray, "row neighbour"]) -> csr_array:
    forward = _indicator(neighbours, np.int32)
    return csr_array(forward.multiply(forward.T))


def _indicator(neighbours: Int64[np.ndarray, "row neighbour"], dtype: type[np.generic]) -> csr_array:
    """1 at [p, g] where g is listed for p."""
    num_rows, k = neighbours.shape
    offsets = np.arange(num_rows + 1) * k
    return csr_array((np.ones(neighbours.size, dtype), neighbours.ravel(), offsets), shape=(num_rows, num_rows))


def _weighted(
    members: csr_array, everyone: Float32[np.ndarray, "row embed"], greatest_distances: Float64[np.ndarray, " row"]
) -> csr_array:
    """V before it is averaged; a row without members, which only many equal rows bring about, stays empty."""
    sizes = np.diff(members.indptr)
    rows = np.repeat(np.arange(len(everyone)), sizes)
    weights = np.empty(rows.size)
    for start in range(0, len(everyone), _ROWS_PER_WEIGHING):
        stop = min(start + _ROWS_PER_WEIGHING, len(everyone))
        entries = slice(members.indptr[start], members.indptr[stop])
        columns, places = np.unique(members.indices[entries], return_inverse=True)
        compared = cosine_similarities(everyone[start:stop], everyone[columns])
        distances = _distances(compared[rows[entries] - start, places])
        weights[entries] = np.exp(-distances / greatest_distances[rows[entries]])
    weights /= np.bincount(rows, weights, minlength=len(everyone))[rows]
    return csr_array((weights, members.indices, members.indptr), shape=members.shape)


def _averaged(encodings: csr_array, nearest: Int64[np.ndarray, "row neighbour"]) -> csr_array:
    averaged = csr_array(_indicator(nearest, np.float64) @ encodings)
    averaged.data /= nearest.shape[1]
    return averaged


def _jaccard_distances(
    encoding: csr_array, encoded_with: csr_array, num_gallery: int
) -> Float64[np.ndarray, " gallery"]:
    """d_J of one row with the gallery; `encoded_with` holds for every row the gallery rows with a weight on it."""
    found = encoded_with[encoding.indices]
    own_weights = np.repeat(encoding.data, np.diff(found.indptr))
    shared = np.bincount(found.indices, np.minimum(own_weights, found.data), minlength=num_gallery)
    return 1 - shared / (2 - shared)
