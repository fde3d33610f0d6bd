"""Which tracklets of the two platforms go together best: every pair compared, few of them looked at closely.

A compiled loop bounds the score of each pair from both sides, since a power costs more than all the rest; whoever may
be among the best of a row is then scored exactly. So the outcome is that of scoring everybody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from skyreid.building.linking.link_state import OpenPairs
from skyreid.building.linking.presence import Presence, clock_seconds, plausibilities
from skyreid.processes.compiled import compiled
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import cosine_similarities

_ROWS_PER_BLOCK = 256
"""Bounds the copies at some tens of megabytes for ten thousand tracklets on the other side."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """The tracklets of one platform, in the order of their ids."""

    ids: Sequence[str]
    first_s: Float64[np.ndarray, " tracklet"]
    """By the clock, in seconds since 1970; NaN = nobody knows."""
    last_s: Float64[np.ndarray, " tracklet"]
    units: Float32[np.ndarray, "tracklet embed"] | None
    """Embeddings of length 1; None = there are none."""

    @property
    def has_clock(self) -> bool:
        """Whether it is known when somebody was seen."""
        return not np.isnan(self.first_s).all()

    def part(self, start: int, stop: int) -> "Side":
        """Give those from one place to another."""
        return Side(
            ids=self.ids[start:stop],
            first_s=self.first_s[start:stop],
            last_s=self.last_s[start:stop],
            units=None if self.units is None else self.units[start:stop],
        )


def side_of(ids: Sequence[str], found: Sequence[Presence], units: Float32[np.ndarray, "tracklet embed"] | None) -> Side:
    """Put a side together.

    Args:
        ids: of its tracklets, in order.
        found: when they were seen.
        units: their embeddings.
    """
    first_s, last_s = clock_seconds(found)
    return Side(ids=ids, first_s=first_s, last_s=last_s, units=units)


@dataclass(frozen=True, kw_only=True, eq=False)
class BestPairs:
    """Pairs of a ground and an aerial tracklet, each once."""

    ground: Int64[np.ndarray, " pair"]
    """Place of the ground tracklet on its side."""
    aerial: Int64[np.ndarray, " pair"]
    similarity: Float64[np.ndarray, " pair"]
    """NaN = there are no embeddings."""
    plausibility: Float64[np.ndarray, " pair"]
    """NaN = a clock is not known."""
    score: Float64[np.ndarray, " pair"]


_NOBODY, _NOTHING = np.zeros(0, dtype=np.int64), np.zeros(0)
NO_PAIRS = BestPairs(ground=_NOBODY, aerial=_NOBODY, similarity=_NOTHING, plausibility=_NOTHING, score=_NOTHING)


def best_pairs(
    ground: Side,
    aerial: Side,
    open_pairs: OpenPairs,
    *,
    per_tracklet: int,
    clock_tolerance_s: float,
    progress: Progress = silent,
) -> BestPairs:
    """Give the open pairs that are among the best of one of their tracklets, in no particular order.

    Args:
        ground: the one side.
        aerial: the other one.
        open_pairs: which pairs may be given.
        per_tracklet: how many each tracklet gets; the other side's may add to them.
        clock_tolerance_s: as of `presence.plausibilities`.
        progress: hears of tracklets.
    """
    found: list[tuple[np.ndarray, ...]] = []
    total = len(ground.ids) + len(aerial.ids)
    if not (ground.ids and aerial.ids):
        return _joined(found, len(aerial.ids))
    for rows, columns, before in ((ground, aerial, 0), (aerial, ground, len(ground.ids))):
        for start in range(0, len(rows.ids), _ROWS_PER_BLOCK):
            block = rows.part(start, start + _ROWS_PER_BLOCK)
            row, column, *told = _best_of_rows(block, columns, open_pairs, per_tracklet, clock_tolerance_s)
            sides = (row + start, column) if rows is ground else (column, row + start)
            found.append((*sides, *told))
            progress("compare", before + start + len(block.ids), total)
    return _joined(found, len(aerial.ids))


def _joined(found: Sequence[tuple[np.ndarray, ...]], num_aerial: int) -> BestPairs:
    """Keep each pair once, however many of its two asked for it."""
    if not found:
        return NO_PAIRS
    ground, aerial, similarity, plausibility, score = (np.concatenate(values) for values in zip(*found, strict=True))
    _, once = np.unique(ground * num_aerial + aerial, return_index=True)
    return BestPairs(
        ground=ground[once],
        aerial=aerial[once],
        similarity=similarity[once],
        plausibility=plausibility[once],
        score=score[once],
    )


def _best_of_rows(
    rows: Side, columns: Side, open_pairs: OpenPairs, count: int, tolerance_s: float
) -> Iterator[np.ndarray]:
    """Give row, column, similarity, plausibility and score of the best of each row."""
    shape = (len(rows.ids), len(columns.ids))
    is_compared = False
    similarities = np.ones(shape, dtype=np.float32)
    if rows.units is not None and columns.units is not None:
        is_compared, similarities = True, cosine_similarities(rows.units, columns.units)
    is_open = open_pairs.mask(rows.ids, columns.ids)
    times = (rows.first_s, rows.last_s, columns.first_s, columns.last_s)
    kept = np.flatnonzero(_may_be_among_the_best(similarities, is_open, *times, tolerance_s, count))
    row, column = np.divmod(kept, shape[1])
    similarity = similarities[row, column].astype(np.float64) if is_compared else np.full(len(row), np.nan)
    plausibility = plausibilities(
        (rows.first_s[row], rows.last_s[row]),
        (columns.first_s[column], columns.last_s[column]),
        clock_tolerance_s=tolerance_s,
    )
    score = np.nan_to_num(np.maximum(similarity, 0.0), nan=1.0) * np.nan_to_num(plausibility, nan=1.0)
    # Columns stand in the order of their ids, which decides at last.
    order = np.lexsort((column, -np.nan_to_num(similarity), -score, row))
    begins = np.searchsorted(row[order], np.arange(shape[0]))
    best = order[np.arange(len(order)) - begins[row[order]] < count]
    return iter((row[best], column[best], similarity[best], plausibility[best], score[best]))


_LEAST_OF_CHORD = 0.94
"""The chord of 2**-x between whole x is above it by a factor of 1.0615 at most."""
_ROUNDED = 1.0 + 1e-12
"""What the chord may lack by rounding."""


@compiled
def _may_be_among_the_best(
    similarities: Float32[np.ndarray, "row column"],
    is_open: Bool[np.ndarray, "row column"],
    row_first: Float64[np.ndarray, " row"],
    row_last: Float64[np.ndarray, " row"],
    column_first: Float64[np.ndarray, " column"],
    column_last: Float64[np.ndarray, " column"],
    tolerance_s: float,
    count: int,
) -> Bool[np.ndarray, "row column"]:
    """Leave out whose score is certainly below those of `count` others of the row."""
    num_rows, num_columns = similarities.shape
    kept = np.zeros((num_rows, num_columns), dtype=np.bool_)
    most = np.empty(num_columns, dtype=np.float64)
    for row in range(num_rows):
        best = np.full(count, -1.0)  # of the least scores, the largest first
        for column in range(num_columns):
            if not is_open[row, column]:
                most[column] = -2.0
                continue
            gap = max(row_first[row] - column_last[column], column_first[column] - row_last[row])
            upper = max(np.float64(similarities[row, column]), 0.0)
            lower = upper
            if gap > 0.0:  # not where a clock is unknown
                halvings = min(gap / tolerance_s, 1000.0)
                # A float64 whose exponent and digits are one number: 2**-n between them by a straight line.
                chord = np.int64((1023.0 - halvings) * 4503599627370496.0).view(np.float64)
                lower = upper * chord * _LEAST_OF_CHORD if halvings < 1000.0 else 0.0
                upper *= chord * _ROUNDED
            most[column] = upper
            if lower > best[count - 1]:
                place = count - 1
                while place > 0 and best[place - 1] < lower:
                    best[place] = best[place - 1]
                    place -= 1
                best[place] = lower
        least = best[count - 1]
        for column in range(num_columns):
            kept[row, column] = most[column] >= least and most[column] > -2.0
    return kept
