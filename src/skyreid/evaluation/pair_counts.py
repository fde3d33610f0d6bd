"""All pairs that a protocol compares, counted by similarity in bounded memory and exactly.

Same-person pairs are few and kept one by one. Different-person pairs are counted in cells of neighbouring
float32 numbers, and number by number inside the few cells where a threshold lies. Which cells these are is
known only after counting; a sample of the queries guesses them, so that one pass over all pairs does. A wrong
guess costs another pass, never a digit.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int32, Int64, UInt32

from skyreid.compiled import compiled
from skyreid.errors import ProtocolError
from skyreid.evaluation.comparisons import Comparison, SamePerson
from skyreid.progress import Progress, silent
from skyreid.retrieval.ranker import Ranker, Rows
from skyreid.tracklet import JUNK_PID

BLOCK_SIZE = 16_000_000
_LEAST_QUERIES, _MOST_QUERIES = 16, 256
"""Of a block: fewer are compared no faster, and more only make the block larger."""
_SAMPLED_EVERY = 16
_GUESSED_CELLS = 16
"""On either side of the cell that the sample names: 4 MB of counts for each threshold and thread."""
_MOST_THREADS = 8
"""Counting takes a tenth of the time of comparing."""
_STEP_BITS = 14
STEPS = 2**_STEP_BITS
CELLS = 2 ** (32 - _STEP_BITS)
_NO_ORDER = 0
"""Below the order of every number, so that it can stand for an entry that is not counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairCounts:
    """The similarities of all pairs. Junk pairs are left out, and so are queries of the junk pid."""

    same: Float32[np.ndarray, " same"]
    """Of the same-person pairs."""
    values: Float64[np.ndarray, " value"]
    """Of the different-person pairs, ascending; the middle of a cell stands for all of it, unless it was resolved."""
    counts: Int64[np.ndarray, " value"]
    """How many different-person pairs have each of the values; never 0."""
    closest_same: Float32[np.ndarray, " query"]
    """Of each query that asks, its most similar entry of the same person; -inf without one."""
    closest_different: Float32[np.ndarray, " query"]
    """Its most similar entry of another person; -inf without one."""

    @property
    def num_different(self) -> int:
        """How many different-person pairs there are."""
        return int(self.counts.sum())

    def num_different_from(self, similarity: float) -> int:
        """How many different-person pairs are at least so similar; exact where its cell was resolved."""
        return int(self.counts[np.searchsorted(self.values, similarity) :].sum())

    def nth_different(self, place: int) -> float:
        """The similarity at a place, from 0, of the different-person pairs, the most similar ones first."""
        return float(self.values[::-1][np.searchsorted(np.cumsum(self.counts[::-1]), place, side="right")])


def count_pairs(
    compared: Sequence[Comparison],
    ranker: Ranker,
    *,
    places: Callable[[int], Sequence[int]] | None = None,
    similarities: Float32[np.ndarray, " asked"] | None = None,
    block_size: int = BLOCK_SIZE,
    progress: Progress = silent,
) -> PairCounts:
    """Compare all pairs.

    Args:
        compared: who is compared with whom.
        ranker: what compares them.
        places: given the number of different-person pairs, the places at which `nth_different` must be exact.
        similarities: where `num_different_from` must be exact.
        block_size: similarities held in memory at once, but for at least 16 queries. Never changes a number.
        progress: told after every block.

    Raises:
        ProtocolError: there is no same-person pair, or no different-person pair.
    """
    groups = [_Group.of(comparison, ranker, block_size) for comparison in compared]
    asked = set() if similarities is None else set(cells_of(similarities).tolist())
    resolved = asked
    if places is not None:
        guessed = _cells_at(_count(groups, _Group.sampled_blocks, (), silent), places)
        resolved = asked | {cell + near for cell in guessed for near in range(-_GUESSED_CELLS, _GUESSED_CELLS + 1)}
    while True:
        counts = _count(groups, _Group.blocks, resolved, progress)
        if counts.same.size == 0 or counts.num_different == 0:
            raise ProtocolError(
                "the protocol must leave pairs of the same person and pairs of different people; "
                f"got {counts.same.size} and {counts.num_different}"
            )
        if places is None:
            return counts
        needed = _cells_at(counts, places)  # sure, as the count of a cell is exact whether it is resolved or not
        if needed <= resolved:
            return counts
        resolved = asked | needed


def _cells_at(counts: PairCounts, places: Callable[[int], Sequence[int]]) -> set[int]:
    if counts.num_different == 0:
        return set()
    values = [counts.nth_different(place) for place in places(counts.num_different)]
    return set(cells_of(np.array(values, dtype=np.float32)).tolist())


@dataclass(frozen=True, eq=False)
class _Group:
    """Queries that see the same gallery, ready to be compared a block at a time."""

    comparison: Comparison
    rows: Rows
    queries_per_block: int

    @classmethod
    def of(cls, comparison: Comparison, ranker: Ranker, block_size: int) -> "_Group":
        query, gallery = comparison.query.unit_embeddings, comparison.gallery.unit_embeddings
        return cls(
            comparison=comparison,
            rows=ranker.rows(query, gallery),
            queries_per_block=min(_MOST_QUERIES, max(_LEAST_QUERIES, block_size // max(1, len(gallery)))),
        )

    @property
    def num_queries(self) -> int:
        return len(self.comparison.query.pids)

    def blocks(self) -> Iterator[tuple[int, int]]:
        for start in range(0, self.num_queries, self.queries_per_block):
            yield start, min(start + self.queries_per_block, self.num_queries)

    def sampled_blocks(self) -> Iterator[tuple[int, int]]:
        for start in range(0, self.num_queries, _LEAST_QUERIES * _SAMPLED_EVERY):
            yield start, min(start + _LEAST_QUERIES, self.num_queries)


class _DifferentPairs:
    """Counts of different-person pairs; each thread has its own."""

    def __init__(self, resolved: Collection[int]) -> None:
        self._resolved = np.array(sorted(resolved), dtype=np.int64)
        self._step_rows = np.full(CELLS, -1, dtype=np.int32)
        self._step_rows[self._resolved] = np.arange(self._resolved.size)
        num_threads = min(torch.get_num_threads(), _MOST_THREADS)
        self._cells = np.zeros((num_threads, CELLS), dtype=np.int64)
        self._steps = np.zeros((num_threads, self._resolved.size, STEPS), dtype=np.int64)

    def add(
        self,
        similarities: Float32[np.ndarray, "query gallery"],
        is_known: Bool[np.ndarray, " query"],
        same_person: SamePerson,
    ) -> Float32[np.ndarray, " query"]:
        """Count a block; gives the closest entry of another person of each query, -inf without one."""
        bits = np.ascontiguousarray(similarities).view(np.int32)
        greatest = np.zeros(len(bits), dtype=np.uint32)
        cuts = np.linspace(0, len(bits), len(self._cells) + 1).astype(int)

        def count(thread: int) -> None:
            own = slice(cuts[thread], cuts[thread + 1])
            offsets = slice(cuts[thread], cuts[thread + 1] + 1)
            count_rows(
                bits[own],
                is_known[own],
                same_person.good,
                same_person.good_offsets[offsets],
                same_person.junk,
                same_person.junk_offsets[offsets],
                self._step_rows,
                self._cells[thread],
                self._steps[thread],
                greatest[own],
            )

        with ThreadPoolExecutor(len(self._cells)) as threads:
            list(threads.map(count, range(len(self._cells))))
        return np.where(is_counted(greatest), numbers_of(greatest), np.float32(-np.inf))

    def spectrum(self) -> tuple[Float64[np.ndarray, " value"], Int64[np.ndarray, " value"]]:
        """Every similarity that came, ascending, and how often."""
        cells = self._cells.sum(axis=0)
        cells[self._resolved] = 0
        occupied = np.flatnonzero(cells)
        values, counts = [middles_of(occupied)], [cells[occupied]]
        for cell, steps in zip(self._resolved, self._steps.sum(axis=0), strict=True):
            came = np.flatnonzero(steps)
            values.append(steps_of(int(cell))[came])
            counts.append(steps[came])
        order = np.argsort(np.concatenate(values))
        return np.concatenate(values)[order].astype(np.float64), np.concatenate(counts)[order]


def _count(
    groups: Sequence[_Group],
    blocks_of: Callable[[_Group], Iterator[tuple[int, int]]],
    resolved: Collection[int],
    progress: Progress,
) -> PairCounts:
    """One pass over blocks of queries."""
    different = _DifferentPairs(resolved)
    total, done = sum(group.num_queries for group in groups), 0
    same, closest_same, closest_different = [], [], []
    for group in groups:
        is_known = group.comparison.query.pids != JUNK_PID  # nobody knows from whom the others differ
        for start, stop in blocks_of(group):
            similarities = group.rows(start, stop)
            same_person = group.comparison.same_person(start, stop)
            closest_different.append(different.add(similarities, is_known[start:stop], same_person))
            queries = np.repeat(np.arange(stop - start), np.diff(same_person.good_offsets))
            same.append(similarities[queries, same_person.good])
            closest_same.append(np.full(stop - start, -np.inf, dtype=np.float32))
            np.maximum.at(closest_same[-1], queries, same[-1])
            done += stop - start
            progress("compare pairs", done, total)
    values, counts = different.spectrum()
    return PairCounts(
        same=np.concatenate(same),
        values=values,
        counts=counts,
        closest_same=np.concatenate(closest_same),
        closest_different=np.concatenate(closest_different),
    )


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
    """The threshold at a rate; its place (`num_let_in`) must have been resolved.

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
    """The next float32."""
    return float(np.nextafter(np.float32(similarity), np.float32(np.inf)))


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


def orders_of(numbers: Float32[np.ndarray, " number"]) -> UInt32[np.ndarray, " number"]:
    """Rank float32 numbers among all there are; both zeros have one rank."""
    bits = numbers.view(np.int32)
    return (np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF)).view(np.uint32)) ^ np.uint32(0x80000000)


def numbers_of(orders: UInt32[np.ndarray, " number"]) -> Float32[np.ndarray, " number"]:
    """Undo `orders_of`."""
    bits = (orders ^ np.uint32(0x80000000)).view(np.int32)
    return np.where(bits >= 0, bits, (-bits) | np.int32(-(2**31))).view(np.float32)


def is_counted(orders: UInt32[np.ndarray, " number"]) -> Bool[np.ndarray, " number"]:
    """Tell the orders of numbers from the one that stands for none."""
    return orders != _NO_ORDER


def cells_of(numbers: Float32[np.ndarray, " number"]) -> Int64[np.ndarray, " number"]:
    """The cell that each number stands in; cells rise with their numbers."""
    return (orders_of(numbers) >> _STEP_BITS).astype(np.int64)


def middles_of(cells: Int64[np.ndarray, " cell"]) -> Float32[np.ndarray, " cell"]:
    """The number in the middle of each cell."""
    return numbers_of(((cells << _STEP_BITS) + STEPS // 2).astype(np.uint32))


def steps_of(cell: int) -> Float32[np.ndarray, " step"]:
    """The numbers of one cell, ascending."""
    return numbers_of(((cell << _STEP_BITS) + np.arange(STEPS)).astype(np.uint32))


def starts_of(cells: Int64[np.ndarray, " cell"]) -> Float32[np.ndarray, " cell"]:
    """The least number of each cell."""
    return numbers_of((cells << _STEP_BITS).astype(np.uint32))


@compiled
def count_rows(
    bits: Int32[np.ndarray, "query gallery"],
    is_known: Bool[np.ndarray, " query"],
    good: Int64[np.ndarray, " good"],
    good_offsets: Int64[np.ndarray, " query_and_1"],
    junk: Int64[np.ndarray, " junk"],
    junk_offsets: Int64[np.ndarray, " query_and_1"],
    step_rows: Int32[np.ndarray, " cell"],
    cells: Int64[np.ndarray, " cell"],
    steps: Int64[np.ndarray, "resolved step"],
    greatest: UInt32[np.ndarray, " query"],
) -> None:
    """Count the similarities of queries with other people, and note the greatest of each query.

    Args:
        bits: of the similarities.
        is_known: whether it is known who the query is; others are passed over.
        good: entries of the same person, query after query; they are not counted.
        good_offsets: where in `good` those of a query begin, and the next one's.
        junk: entries that the query ignores, likewise.
        junk_offsets: likewise.
        step_rows: the row of `steps` that counts the numbers of a cell; negative = none does.
        cells: counts to add to.
        steps: counts to add to.
        greatest: order of the greatest similarity of each query, written.
    """
    orders = np.empty(bits.shape[1], np.uint32)
    for query in range(bits.shape[0]):
        if not is_known[query]:
            continue
        for entry in range(orders.size):  # loops of one purpose each: the compiler makes vectors of the simple ones
            sign = bits[query, entry] >> np.int32(31)
            magnitude = bits[query, entry] & np.int32(0x7FFFFFFF)
            orders[entry] = np.uint32((magnitude ^ sign) - sign) ^ np.uint32(0x80000000)
        for place in range(good_offsets[query], good_offsets[query + 1]):
            orders[good[place]] = _NO_ORDER
        for place in range(junk_offsets[query], junk_offsets[query + 1]):
            orders[junk[place]] = _NO_ORDER
        closest = np.uint32(_NO_ORDER)
        for order in orders:
            closest = max(closest, order)
        greatest[query] = closest
        for order in orders:
            cell = np.uint64(order >> np.uint32(_STEP_BITS))  # unsigned: a signed index costs a comparison
            cells[cell] += 1
            if step_rows[cell] >= 0:
                steps[np.uint64(step_rows[cell]), np.uint64(order & np.uint32(STEPS - 1))] += 1
    cells[_NO_ORDER] = 0
