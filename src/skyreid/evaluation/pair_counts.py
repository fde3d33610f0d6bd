"""All pairs that a protocol compares, counted by similarity in one pass and bounded memory; thresholds on them.

Same-person pairs are few and kept one by one. Different-person pairs are counted in cells of 2⁻²⁰, a little less than a
millionth. Where a cell starts is a float32, so the number of pairs that reach it is exact; only where in its cell a
pair lies is forgotten. A threshold is the start of a cell: at most one cell above the least similarity that would do.

The threshold at rate f is the smallest that at most f of the similarities which should stay below it reach. Those that
share a cell are treated alike: where one lies across f, none of it is let in, and the rate that is reached stays
below f. What the data cannot tell is never said.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from skyreid.errors import ProtocolError
from skyreid.evaluation.comparisons import Comparison, SamePerson
from skyreid.processes.compiled import compiled
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.ranker import Ranker
from skyreid.tracklet import JUNK_PID

CELL = 2.0**-20
_CELLS_PER_UNIT = 2**20
_LEFT_OUT = -_CELLS_PER_UNIT - 1
"""Cell of what is not counted, below that of -1."""
_SLACK = 1e-5
"""Rounding may bring a cosine past 1 by so much."""
BLOCK_SIZE = 16_000_000
_LEAST_QUERIES, _MOST_QUERIES = 16, 256
"""Of a block: fewer are compared no faster, and more only make the block larger."""
_MOST_THREADS = 8
"""Each has 16 MB of counts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairCounts:
    """The similarities of all pairs. Junk pairs are left out, and so are queries of the junk pid."""

    same: Float32[np.ndarray, " same"]
    """Of the same-person pairs."""
    values: Float64[np.ndarray, " value"]
    """Of the different-person pairs, ascending: the starts of their cells."""
    counts: Int64[np.ndarray, " value"]
    """How many different-person pairs have each of the values; never 0."""
    closest_same: Float32[np.ndarray, " query"]
    """Of each query that asks, its most similar entry of the same person; -inf without one."""
    closest_different: Float32[np.ndarray, " query"]
    """The cell of its most similar entry of another person; -inf without one."""

    @property
    def num_different(self) -> int:
        """How many different-person pairs there are."""
        return int(self.counts.sum())

    def num_different_from(self, similarity: float) -> int:
        """How many different-person pairs are at least so similar; exact at the start of a cell."""
        return int(self.counts[np.searchsorted(self.values, similarity) :].sum())

    def nth_different(self, place: int) -> float:
        """The cell at a place, from 0, of the different-person pairs, the most similar ones first."""
        return float(self.values[::-1][np.searchsorted(np.cumsum(self.counts[::-1]), place, side="right")])


def count_pairs(
    compared: Sequence[Comparison], ranker: Ranker, *, block_size: int = BLOCK_SIZE, progress: Progress = silent
) -> PairCounts:
    """Compare all pairs.

    Args:
        compared: who is compared with whom.
        ranker: what compares them, with similarities from -1 to 1.
        block_size: similarities held in memory at once, but for at least 16 queries. Never changes a number.
        progress: told after every block.

    Raises:
        ProtocolError: there is no same-person pair, or no different-person pair; or a similarity below -1 or above 1.
    """
    cells = np.zeros((min(torch.get_num_threads(), _MOST_THREADS), 2 * _CELLS_PER_UNIT + 2), dtype=np.int64)
    total, done = sum(len(comparison.query.pids) for comparison in compared), 0
    same, closest_same, closest_different = [], [], []
    for comparison in compared:
        query, gallery = comparison.query, comparison.gallery
        rows = ranker.rows(query.unit_embeddings, gallery.unit_embeddings)
        at_a_time = min(_MOST_QUERIES, max(_LEAST_QUERIES, block_size // max(1, len(gallery.pids))))
        for start in range(0, len(query.pids), at_a_time):
            stop = min(start + at_a_time, len(query.pids))
            similarities, own = rows(start, stop), comparison.same_person(start, stop)
            _require_range(similarities, ranker)
            queries = np.repeat(np.arange(stop - start), np.diff(own.good_offsets))
            same.append(similarities[queries, own.good])
            closest_same.append(np.full(stop - start, -np.inf, dtype=np.float32))
            np.maximum.at(closest_same[-1], queries, same[-1])
            is_known = query.pids[start:stop] != JUNK_PID  # nobody knows from whom the others differ
            closest_different.append(_count_others(similarities, is_known, own, cells))
            done += stop - start
            progress("compare pairs", done, total)
    counted = cells.sum(axis=0)[1:]
    found = np.flatnonzero(counted)
    counts = PairCounts(
        same=np.concatenate(same),
        values=(found - _CELLS_PER_UNIT) * CELL,
        counts=counted[found],
        closest_same=np.concatenate(closest_same),
        closest_different=np.concatenate(closest_different),
    )
    if counts.same.size == 0 or counts.num_different == 0:
        raise ProtocolError(
            "the protocol must leave pairs of the same person and pairs of different people; "
            f"got {counts.same.size} and {counts.num_different}"
        )
    return counts


def _require_range(similarities: Float32[np.ndarray, "query gallery"], ranker: Ranker) -> None:
    low, high = similarities.min(initial=0), similarities.max(initial=0)
    if not (low >= -1 - _SLACK and high <= 1 + _SLACK):
        raise ProtocolError(f"pairs are counted by similarities from -1 to 1; {ranker.name} gives {low:g} to {high:g}")


def _count_others(
    similarities: Float32[np.ndarray, "query gallery"],
    is_known: Bool[np.ndarray, " query"],
    own: SamePerson,
    cells: Int64[np.ndarray, "thread cell"],
) -> Float32[np.ndarray, " query"]:
    """Count a block's pairs of two people; gives the cell of each query's closest other, -inf without one."""
    closest = np.full(len(similarities), _LEFT_OUT, dtype=np.int32)
    cuts = np.linspace(0, len(similarities), len(cells) + 1).astype(int)

    def count(thread: int) -> None:
        rows, offsets = slice(*cuts[thread : thread + 2]), slice(cuts[thread], cuts[thread + 1] + 1)
        _count_rows(
            similarities[rows],
            is_known[rows],
            own.good,
            own.good_offsets[offsets],
            own.junk,
            own.junk_offsets[offsets],
            cells[thread],
            closest[rows],
        )

    with ThreadPoolExecutor(len(cells)) as threads:
        list(threads.map(count, range(len(cells))))
    return np.where(closest == _LEFT_OUT, -np.inf, closest * CELL).astype(np.float32)


@compiled
def _count_rows(
    similarities: Float32[np.ndarray, "query gallery"],
    is_known: Bool[np.ndarray, " query"],
    good: Int64[np.ndarray, " good"],
    good_offsets: Int64[np.ndarray, " query_and_1"],
    junk: Int64[np.ndarray, " junk"],
    junk_offsets: Int64[np.ndarray, " query_and_1"],
    cells: Int64[np.ndarray, " cell"],
    closest: Int32[np.ndarray, " query"],
) -> None:
    """Add the similarities of known queries with other people to `cells`, and write the highest cell of each query."""
    row = np.empty(similarities.shape[1], np.int32)
    for query in range(similarities.shape[0]):
        if not is_known[query]:
            continue
        for entry in range(row.size):  # loops of one purpose each: the compiler makes vectors of the simple ones
            inside = min(max(similarities[query, entry], np.float32(-1)), np.float32(1))
            row[entry] = np.int32(np.floor(inside * np.float32(_CELLS_PER_UNIT)))
        for place in range(good_offsets[query], good_offsets[query + 1]):
            row[good[place]] = _LEFT_OUT
        for place in range(junk_offsets[query], junk_offsets[query + 1]):
            row[junk[place]] = _LEFT_OUT
        highest = np.int32(_LEFT_OUT)
        for cell in row:
            highest = max(highest, cell)
        closest[query] = highest
        for cell in row:
            cells[np.uint32(cell - _LEFT_OUT)] += 1  # unsigned: a signed index costs a comparison


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold, and what it does to the pairs that it was chosen on.

    Raises:
        ProtocolError: a rate that is none, or a count below 0.
    """

    false_positive_rate: float
    """As it was asked for."""
    threshold: float
    """Smallest similarity that is called the same person."""
    false_positives: int
    """Different-person pairs that reach the threshold."""
    true_positive_rate: float

    def __post_init__(self) -> None:
        require_rate("a false positive rate", self.false_positive_rate)
        require_share("a true positive rate", self.true_positive_rate)
        require_count("false_positives", self.false_positives, least=0)


def operating_point(counts: PairCounts, false_positive_rate: float) -> OperatingPoint:
    """The threshold at a rate of the different-person pairs.

    Raises:
        ProtocolError: the rate is below 1 in the number of different-person pairs.
    """
    num_different = counts.num_different
    let_in = num_let_in(false_positive_rate, num_different)
    if let_in == 0:
        raise ProtocolError(
            f"a false positive rate of {false_positive_rate:g} {unresolvable(num_different, 'different-person pairs')}"
        )
    threshold = just_above(counts.nth_different(let_in))
    return OperatingPoint(
        false_positive_rate=false_positive_rate,
        threshold=threshold,
        false_positives=counts.num_different_from(threshold),
        true_positive_rate=float(np.mean(counts.same >= threshold)),
    )


def num_let_in(rate: float, total: int) -> int:
    """How many of `total` a rate allows at most; 0.29 of 100 are 29, whatever floating point makes of it."""
    return int(Fraction(repr(rate)) * total)


def just_above(similarity: float) -> float:
    """The start of the next cell."""
    return (math.floor(similarity / CELL) + 1) * CELL


def require_rate(name: str, rate: float) -> None:
    """Refuse what is no share of anything.

    Raises:
        ProtocolError: 0 or below, 1 or above, or not a number.
    """
    if not 0 < rate < 1:
        raise ProtocolError(f"{name} must lie between 0 and 1; got {rate}")


def require_share(name: str, share: float) -> None:
    """Refuse what no count of some among all can give.

    Raises:
        ProtocolError: below 0, above 1, or not a number.
    """
    if not 0 <= share <= 1:
        raise ProtocolError(f"{name} must be from 0 to 1; got {share}")


def require_count(name: str, count: int, *, least: int) -> None:
    """Refuse a number of things that there cannot be.

    Raises:
        ProtocolError: below `least`.
    """
    if count < least:
        raise ProtocolError(f"{name} must be at least {least}; got {count}")


def unresolvable(total: int, what: str) -> str:
    """Say why a rate has no threshold, and what would settle it."""
    remedy = "bring more" if total == 1 else f"ask for at least {_least_rate(total):g}, or bring more"
    return f"is not resolvable with {total:,} {what}: {remedy}"


def _least_rate(total: int) -> float:
    """The least rate of two digits that lets one in."""
    rate = float(f"{1 / total:.1e}")
    step = 10.0 ** (math.floor(math.log10(1 / total)) - 1)
    return rate if num_let_in(rate, total) else float(f"{rate + step:.1e}")
