"""Where the good entries of every query stand in its ranking: all that CMC, mAP, mAP@K and mINP are made of."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True, eq=False)
class MatchRanks:
    """The ranks of the good entries, query after query; a query that has none has no part in it."""

    ranks: Int64[np.ndarray, " match"]
    """From 0, after the junk has left; ascending within a query."""
    offsets: Int64[np.ndarray, " query_and_1"]
    """Query q has `ranks[offsets[q]:offsets[q + 1]]`."""

    @property
    def num_matches(self) -> Int64[np.ndarray, " query"]:
        """How many good entries each query has."""
        return np.diff(self.offsets)

    @property
    def first(self) -> Int64[np.ndarray, " query"]:
        """Rank of the first good entry of each query; -1 without one."""
        return self._at(self.offsets[:-1])

    @property
    def last(self) -> Int64[np.ndarray, " query"]:
        """Rank of the last good entry of each query; -1 without one."""
        return self._at(self.offsets[1:] - 1)

    def average_precisions(self, cut: int | None = None) -> Float64[np.ndarray, " query"]:
        """AP of each query; NaN without a good entry.

        Args:
            cut: K of AP@K: only good entries among the first K add their precision, and the sum is divided by
                the most that K places can hold; None = the whole ranking.
        """
        owners = np.repeat(np.arange(len(self.num_matches)), self.num_matches)
        precisions = (np.arange(self.ranks.size) - self.offsets[owners] + 1) / (self.ranks + 1)
        most = self.num_matches
        if cut is not None:
            precisions[self.ranks >= cut] = 0
            most = np.minimum(most, cut)
        sums = np.bincount(owners, weights=precisions, minlength=most.size)
        return np.divide(sums, most, out=np.full(most.size, np.nan), where=most > 0)

    def inverse_negative_penalties(self) -> Float64[np.ndarray, " query"]:
        """Number of good entries / (rank of the last one + 1) of each query; NaN without one.

        Source: Ye et al., Deep Learning for Person Re-identification: A Survey and Outlook, section 4.1.
        """
        return np.where(self.num_matches > 0, self.num_matches / np.maximum(self.last + 1, 1), np.nan)

    def _at(self, positions: Int64[np.ndarray, " query"]) -> Int64[np.ndarray, " query"]:
        found = np.full(self.num_matches.size, -1)
        has_match = self.num_matches > 0
        found[has_match] = self.ranks[positions[has_match]]
        return found


def join(parts: list[MatchRanks], rows: list[Int64[np.ndarray, "_"]], num_rows: int) -> MatchRanks:
    """Put the ranks of groups of queries together, each group at its rows of one table."""
    num_matches = np.zeros(num_rows, dtype=np.int64)
    for part, at in zip(parts, rows, strict=True):
        num_matches[at] = part.num_matches
    offsets = np.concatenate([[0], np.cumsum(num_matches)])
    ranks = np.empty(offsets[-1], dtype=np.int64)
    for part, at in zip(parts, rows, strict=True):
        moved_by = np.repeat(offsets[at] - part.offsets[:-1], part.num_matches)
        ranks[np.arange(part.ranks.size) + moved_by] = part.ranks
    return MatchRanks(ranks, offsets)
