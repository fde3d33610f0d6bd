"""Find the rank of every good entry by streaming: a block of queries at a time against the whole gallery.

No ranking is ever built. The rank of a good entry is the number of entries that are closer, plus those equally
close whose tracklet id comes first, the junk left out of both. On the CPU compiled loops count, on an accelerator
PyTorch does, and neither product nor counts leave it.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64
from torch import Tensor

from skyreid.evaluation.comparisons import Comparison, SamePerson
from skyreid.evaluation.row_counting import count_beyond
from skyreid.processes.compiled import compiled
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.ranker import Ranker


@dataclass(frozen=True, eq=False)
class MatchRanks:
    """The ranks of the good entries, query after query: all that CMC, mAP, mAP@K and mINP are made of.

    A query that has no good entry has no part in it.
    """

    ranks: Int64[np.ndarray, " match"]
    """From 0, after the junk has left; ascending within a query."""
    offsets: Int64[np.ndarray, " query_and_1"]
    """Query q has `ranks[offsets[q]:offsets[q + 1]]`."""

    @classmethod
    def of_nobody(cls, num_queries: int) -> "MatchRanks":
        """Give the ranks where there are no good entries."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(num_queries + 1, dtype=np.int64))

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
        most = self.num_matches if cut is None else np.minimum(self.num_matches, cut)
        sums = np.zeros(most.size)
        for start, stop in self._spans():
            first, last = self.offsets[start], self.offsets[stop]
            owners = np.repeat(np.arange(start, stop), self.num_matches[start:stop])
            ranks = self.ranks[first:last]
            precisions = (np.arange(first, last) - self.offsets[owners] + 1) / (ranks + 1)
            if cut is not None:
                precisions[ranks >= cut] = 0
            sums[start:stop] = np.bincount(owners - start, weights=precisions, minlength=stop - start)
        return np.divide(sums, most, out=np.full(most.size, np.nan), where=most > 0)

    def inverse_negative_penalties(self) -> Float64[np.ndarray, " query"]:
        """Number of good entries / (rank of the last one + 1) of each query; NaN without one.

        Source: Ye et al., Deep Learning for Person Re-identification: A Survey and Outlook, section 4.1.
        """
        return np.where(self.num_matches > 0, self.num_matches / np.maximum(self.last + 1, 1), np.nan)

    def _spans(self) -> list[tuple[int, int]]:
        """Cut the queries where their good entries would take too much memory at once."""
        cuts = np.unique(self.offsets[:-1] // _MATCHES_AT_A_TIME, return_index=True)[1].tolist()
        return list(itertools.pairwise([*cuts, len(self.offsets) - 1]))

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
        for start, stop in part._spans():
            first, last = part.offsets[start], part.offsets[stop]
            moved_by = np.repeat(offsets[at[start:stop]] - part.offsets[start:stop], part.num_matches[start:stop])
            ranks[np.arange(first, last) + moved_by] = part.ranks[first:last]
    return MatchRanks(ranks, offsets)


def one_behind_the_other(parts: Sequence[MatchRanks]) -> MatchRanks:
    """Put the ranks of consecutive queries together."""
    num_matches = np.concatenate([part.num_matches for part in parts])
    return MatchRanks(np.concatenate([part.ranks for part in parts]), np.concatenate([[0], np.cumsum(num_matches)]))


_MATCHES_AT_A_TIME = 2**22
"""Ranks of good entries that are worked on at once, which bounds the copies."""
_MOST_QUERIES = 256
"""More at once make no product faster (measured), only the block larger."""
_Count = Callable[[int, int, SamePerson], Int64[np.ndarray, " match"]]
"""Gives the ranks of the good entries of the queries `start` to `stop`, ascending within a query."""


def match_ranks(
    comparison: Comparison,
    ranker: Ranker = COSINE,
    *,
    block_size: int,
    device: torch.device,
    progress: Progress = silent,
) -> MatchRanks:
    """Find the ranks of the good entries of every query of a comparison.

    Args:
        comparison: queries that see the same gallery.
        ranker: what they are compared with.
        block_size: similarities held in memory at once, but for at least one query (16 with cosines).
        device: where cosines are compared; other rankers know the CPU only.
        progress: told after every block of queries.
    """
    num_queries = len(comparison.query_rows)
    if len(comparison.gallery.pids) == 0:
        return MatchRanks.of_nobody(num_queries)
    queries_per_block = min(_MOST_QUERIES, max(1, block_size // len(comparison.gallery.pids)))
    found = []
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        if ranker is COSINE and device.type != "cpu":
            count = device_counter(comparison, device)
        else:
            count = _cpu_counter(comparison, ranker, threads)
        for start in range(0, num_queries, queries_per_block):
            stop = min(start + queries_per_block, num_queries)
            same_person = comparison.same_person(start, stop)
            found.append(MatchRanks(count(start, stop, same_person), same_person.good_offsets))
            progress("evaluate", stop, num_queries)
    return one_behind_the_other(found)


def _cpu_counter(comparison: Comparison, ranker: Ranker, threads: ThreadPoolExecutor) -> _Count:
    rows = ranker.rows(comparison.query.unit_embeddings, comparison.gallery.unit_embeddings)

    def count(start: int, stop: int, same_person: SamePerson) -> Int64[np.ndarray, " match"]:
        similarities = rows(start, stop)
        ranks = np.empty(same_person.good.size, dtype=np.int64)

        def count_share(first: int, last: int) -> None:
            _count_ranks(
                similarities,
                comparison.gallery.tie_ranks,
                same_person.good,
                same_person.good_offsets,
                same_person.junk,
                same_person.junk_offsets,
                ranks,
                first,
                last,
            )

        # Our own threads, since those of numba's parallel loops do not bear PyTorch's or a fork beside them.
        cuts = np.linspace(0, stop - start, torch.get_num_threads() + 1).astype(int).tolist()
        if len(cuts) == 2:
            count_share(*cuts)
        else:
            list(threads.map(count_share, cuts[:-1], cuts[1:]))
        return ranks

    return count


# On the CPU.
@compiled
def _count_ranks(
    similarities: Float32[np.ndarray, "query gallery"],
    tie_ranks: Int64[np.ndarray, " gallery"],
    good: Int64[np.ndarray, " match"],
    good_offsets: Int64[np.ndarray, " query_and_1"],
    junk: Int64[np.ndarray, " junk"],
    junk_offsets: Int64[np.ndarray, " query_and_1"],
    ranks: Int64[np.ndarray, " match"],
    start: int,
    stop: int,
) -> None:
    """Write the ranks of the good entries of queries `start` to `stop`, ascending, as if the junk were not there."""
    for query in range(start, stop):
        first, last = good_offsets[query], good_offsets[query + 1]
        if first == last:
            continue
        row = similarities[query]
        ascending = good[first:last][np.argsort(row[good[first:last]])]
        wanted = row[ascending]
        closer = np.zeros(wanted.size, np.int64)
        equal = np.zeros(wanted.size, np.int64)  # itself among them
        count_beyond(row, wanted, closer, equal)
        for entry in range(wanted.size):
            own_rank = tie_ranks[ascending[entry]]
            if equal[entry] > 1:
                for other in range(row.size):
                    closer[entry] += row[other] == wanted[entry] and tie_ranks[other] < own_rank
            for ignored in junk[junk_offsets[query] : junk_offsets[query + 1]]:
                is_tied = row[ignored] == wanted[entry]
                closer[entry] -= row[ignored] > wanted[entry] or (is_tied and tie_ranks[ignored] < own_rank)
        ranks[first:last] = np.sort(closer)


# On an accelerator.
_QUERIES_PER_PRODUCT = 256
_GALLERY_PER_PRODUCT = 65_536
"""Every product has this one shape, filled up with zeros: another shape may choose a kernel that rounds
differently, and equal tracklets would tie no more."""
_TIES_AT_A_TIME = 2**26
"""Entries compared at once where good entries tie."""


def device_counter(
    comparison: Comparison, device: torch.device
) -> Callable[[int, int, SamePerson], Int64[np.ndarray, " match"]]:
    """Give a function that finds the ranks of the good entries of queries `start` to `stop`.

    The gallery stays on the device meanwhile.
    """
    query = torch.from_numpy(np.ascontiguousarray(comparison.query.unit_embeddings))
    gallery = torch.from_numpy(np.ascontiguousarray(comparison.gallery.unit_embeddings)).to(device)
    tie_ranks = torch.from_numpy(comparison.gallery.tie_ranks).to(device)

    def count(start: int, stop: int, same_person: SamePerson) -> Int64[np.ndarray, " match"]:
        similarities = _cosine_similarities(query[start:stop].to(device), gallery)
        good, junk = (torch.from_numpy(rows).to(device) for rows in (same_person.good, same_person.junk))
        owners, junk_owners = (
            torch.from_numpy(np.repeat(np.arange(stop - start), np.diff(offsets))).to(device)
            for offsets in (same_person.good_offsets, same_person.junk_offsets)
        )
        similarities[junk_owners, junk] = -torch.inf  # behind everything, so it counts for nobody
        ranks = _ranks(similarities, tie_ranks, owners, good).cpu().numpy()
        return ranks[np.lexsort((ranks, owners.cpu().numpy()))]

    return count


def _cosine_similarities(
    query: Float[Tensor, "query embed"], gallery: Float[Tensor, "gallery embed"]
) -> Float[Tensor, "query gallery"]:
    embed = gallery.shape[1]
    similarities = query.new_empty(len(query), len(gallery))
    padded = query.new_zeros(_QUERIES_PER_PRODUCT, embed)
    padded[: len(query)] = query
    for tile, into in zip(
        gallery.split(_GALLERY_PER_PRODUCT), similarities.split(_GALLERY_PER_PRODUCT, dim=1), strict=True
    ):
        if len(tile) < _GALLERY_PER_PRODUCT:
            tile = torch.cat([tile, tile.new_zeros(_GALLERY_PER_PRODUCT - len(tile), embed)])
        into.copy_((padded @ tile.T)[: len(query), : into.shape[1]])
    return similarities


def _ranks(
    similarities: Float[Tensor, "query gallery"],
    tie_ranks: Int[Tensor, " gallery"],
    owners: Int[Tensor, " match"],
    good: Int[Tensor, " match"],
) -> Int[Tensor, " match"]:
    """Ranks of the entries `good` of the queries `owners`, from 0."""
    if len(good) == 0:
        return good
    num_queries = len(similarities)
    num_good = torch.bincount(owners, minlength=num_queries)
    most = int(num_good.max())
    slots = torch.arange(len(good), device=good.device) - (num_good.cumsum(0) - num_good)[owners]
    wanted = similarities[owners, good]
    limits = similarities.new_full((num_queries, most), torch.inf)
    limits[owners, slots] = wanted
    limits, order = limits.sort(dim=1)
    slots = order.argsort(dim=1)[owners, slots]  # where its similarity stands now
    closer, not_farther = (_num_beyond(limits, similarities, is_right)[owners, slots] for is_right in (False, True))
    is_tied = not_farther - closer > 1
    closer[is_tied] += _num_tied_before(similarities, tie_ranks, owners[is_tied], good[is_tied])
    return closer


def _num_beyond(
    limits: Float[Tensor, "query limit"], similarities: Float[Tensor, "query gallery"], or_equal: bool
) -> Int[Tensor, "query limit"]:
    """How many similarities of its row exceed each limit, or equal it; the limits ascend."""
    num_queries, most = limits.shape
    num_passed = torch.searchsorted(limits, similarities, right=or_equal, out_int32=True)
    num_passed += (most + 1) * torch.arange(num_queries, dtype=torch.int32, device=limits.device)[:, None]
    counts = torch.bincount(num_passed.flatten(), minlength=num_queries * (most + 1)).view(num_queries, most + 1)
    return counts.flip(1).cumsum(1).flip(1)[:, 1:]


def _num_tied_before(
    similarities: Float[Tensor, "query gallery"],
    tie_ranks: Int[Tensor, " gallery"],
    owners: Int[Tensor, " match"],
    good: Int[Tensor, " match"],
) -> Int[Tensor, " match"]:
    """How many entries are equally similar and have a smaller tie rank."""

    def count(owners: Int[Tensor, " part"], good: Int[Tensor, " part"]) -> Int[Tensor, " part"]:
        is_tied: Bool[Tensor, "part gallery"] = similarities[owners] == similarities[owners, good][:, None]
        return (is_tied & (tie_ranks < tie_ranks[good][:, None])).sum(dim=1)

    at_a_time = max(1, _TIES_AT_A_TIME // similarities.shape[1])
    parts = zip(owners.split(at_a_time), good.split(at_a_time), strict=True)
    return torch.cat([count(*part) for part in parts])
