"""The ranks of the good entries, file by file of a gallery that lies in many: every file counts by itself.

The rank of a good entry is the number of good entries before it, which `Matches` knows once it has been through all
files, and of others before it, which is a sum over the files. So a block of queries and one file of the gallery are a
unit of work that needs no other embeddings, wherever and in whatever order it is done:

    by_shard(comparison)                                one comparison for each file of the gallery
    query_blocks(comparison)                            the queries, in blocks that bound the memory
    match_similarities(part, block)                     unit 1: how similar the good entries of this file are
    join_matches([...], block)                          of all files
    count_shard(part, block, matches)                   unit 2: how many others of this file stand before each
    merge([...], matches)                               of all files: the ranks, those of one machine to the bit

All of it is a function of its arguments, and the arguments can be sent to other processes, which read the same folder.
A file that is counted twice or not at all is refused, and so are counts of a machine that rounds in another way.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32, Int64

from skyreid.errors import TableError
from skyreid.evaluation.comparisons import Comparison, SamePerson, Side, consecutive
from skyreid.evaluation.rank_counting import MatchRanks, one_behind_the_other
from skyreid.evaluation.row_counting import count_beyond
from skyreid.processes.compiled import compiled
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE, cosine_similarities, unit_rows
from skyreid.retrieval.rounding import require_one_rounding, rounding_of_this_machine
from skyreid.retrieval.sharded_table import ShardFile

_MOST_QUERIES = 8_192
"""Of a block: 16 MB of 512 numbers each. A file is read once for each block."""
_MOST_MATCHES = 2**22
"""Of a block of several queries; each takes 36 bytes, and twice as many while they are put in order."""
_QUERIES_AT_A_TIME = 1_024
_GALLERY_AT_A_TIME = 16_384
"""Products of this shape are the fastest (measured: 149 Gflop/s of a core, 131 with 256 queries); they take 64 MB."""
_GATHERED_QUERIES = 32
"""People are compared with their own good entries in groups of so many queries: fewer take as long."""
_GATHERED_ROWS = 8_192


@dataclass(frozen=True)
class QueryBlock:
    """Some consecutive queries of a comparison."""

    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class ShardPart:
    """A comparison with the entries of one file of the gallery alone."""

    number: int
    """Of the file among those that the comparison has something of."""
    count: int
    """How many such files there are."""
    comparison: Comparison


@dataclass(frozen=True, eq=False)
class ShardMatches:
    """The good entries of one file, query after query."""

    number: int
    count: int
    offsets: Int64[np.ndarray, " query_and_1"]
    similarities: Float32[np.ndarray, " match"]
    tie_ranks: Int64[np.ndarray, " match"]
    rounding: str
    """Of the machine, as `rounding_of_this_machine` gives it."""


@dataclass(frozen=True, eq=False)
class Matches:
    """The good entries of all files, query after query, the last in rank first."""

    offsets: Int64[np.ndarray, " query_and_1"]
    similarities: Float32[np.ndarray, " match"]
    """Ascending within a query."""
    tie_ranks: Int64[np.ndarray, " match"]
    rounding: str


@dataclass(frozen=True, eq=False)
class ShardCounts:
    """How many entries that are neither good nor junk stand before each good entry, in some of the files."""

    numbers: frozenset[int]
    count: int
    before: Int64[np.ndarray, " match"]
    rounding: str

    def __add__(self, other: "ShardCounts") -> "ShardCounts":
        """Put the counts of different files together, in any order.

        Raises:
            TableError: a file was counted twice, or by machines that round in different ways.
        """
        if twice := self.numbers & other.numbers:
            raise TableError(f"every file of a gallery is counted once; those of the places {sorted(twice)} are twice")
        require_one_rounding([self.rounding, other.rounding])
        return replace(self, numbers=self.numbers | other.numbers, before=self.before + other.before)


def by_shard(comparison: Comparison) -> list[ShardPart]:
    """Split a comparison by the files of its gallery; there is none where nobody is searched."""
    sides = comparison.gallery.by_part()
    return [ShardPart(number, len(sides), replace(comparison, gallery=side)) for number, side in enumerate(sides)]


def query_blocks(
    comparison: Comparison, *, most_queries: int = _MOST_QUERIES, most_matches: int = _MOST_MATCHES
) -> list[QueryBlock]:
    """Cut the queries into blocks of bounded size, whatever the files are; a query is never cut.

    Args:
        comparison: whose queries.
        most_queries: of a block.
        most_matches: gallery entries of the persons of a block of several queries.
    """
    ends = np.cumsum(comparison.num_of_same_person)
    blocks, start = [], 0
    while start < len(ends):
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + most_matches, side="right"))
        stop = min(max(stop, start + 1), start + most_queries)
        blocks.append(QueryBlock(start, stop))
        start = stop
    return blocks


def match_similarities(part: ShardPart, block: QueryBlock) -> ShardMatches:
    """Compare queries with their own good entries in one file.

    Raises:
        TableError: a file is missing, another one or damaged.
    """
    comparison = part.comparison
    same_person = comparison.same_person(block.start, block.stop)
    similarities = np.empty(same_person.good.size, dtype=np.float32)
    query = _units(comparison.query, block.start, block.stop)
    (searched,) = comparison.gallery.parts
    offsets = same_person.good_offsets
    num_good = np.diff(offsets)
    for queries in _groups(comparison.query.pids[block.start : block.stop], num_good):
        counts = num_good[queries]
        places = consecutive(offsets[queries], counts)
        wanted, columns = np.unique(same_person.good[places], return_inverse=True)
        owners = np.repeat(np.arange(len(queries)), counts)
        for first in range(0, wanted.size, _GATHERED_ROWS):
            gathered = searched.source.embeddings[searched.rows[wanted[first : first + _GATHERED_ROWS]]]
            compared = cosine_similarities(query[queries], unit_rows(gathered))
            here = (columns >= first) & (columns < first + _GATHERED_ROWS)
            similarities[places[here]] = compared[owners[here], columns[here] - first]
    return ShardMatches(
        number=part.number,
        count=part.count,
        offsets=offsets,
        similarities=similarities,
        tie_ranks=comparison.gallery.tie_ranks[same_person.good],
        rounding=rounding_of_this_machine(),
    )


def join_matches(found: Sequence[ShardMatches]) -> Matches:
    """Put the good entries of all files together, in any order.

    Raises:
        TableError: a file is missing or stands twice, or machines round in different ways.
    """
    _require_all([one.number for one in found], found[0].count)
    require_one_rounding([one.rounding for one in found])
    num_queries = len(found[0].offsets) - 1
    owners = np.concatenate([np.repeat(np.arange(num_queries), np.diff(one.offsets)) for one in found])
    similarities = np.concatenate([one.similarities for one in found])
    tie_ranks = np.concatenate([one.tie_ranks for one in found])
    order = np.lexsort((-tie_ranks, similarities, owners))
    return Matches(
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=num_queries))]),
        similarities=similarities[order],
        tie_ranks=tie_ranks[order],
        rounding=found[0].rounding,
    )


def count_shard(part: ShardPart, block: QueryBlock, matches: Matches) -> ShardCounts:
    """Count how many entries of one file, neither good nor junk, stand before each good entry of all files.

    Args:
        part: of the gallery.
        block: of the queries.
        matches: their good entries.

    Raises:
        TableError: the file is missing, another one or damaged; or the good entries were compared by a machine that
            rounds in another way.
    """
    comparison = part.comparison
    require_one_rounding([matches.rounding, rounding_of_this_machine()])
    same_person = comparison.same_person(block.start, block.stop)
    query = _units(comparison.query, block.start, block.stop)
    before = np.zeros(matches.similarities.size, dtype=np.int64)
    (searched,) = comparison.gallery.parts
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for first in range(0, searched.rows.size, _GALLERY_AT_A_TIME):
            gallery = unit_rows(searched.source.embeddings[searched.rows[first : first + _GALLERY_AT_A_TIME]])
            compare = COSINE.rows(query, gallery)
            for start in range(0, len(query), _QUERIES_AT_A_TIME):
                stop = min(start + _QUERIES_AT_A_TIME, len(query))
                count = partial(_count_before, compare(start, stop), start, first, part, same_person, matches, before)
                cuts = np.linspace(0, stop - start, torch.get_num_threads() + 1).astype(int).tolist()
                list(threads.map(count, cuts[:-1], cuts[1:]))
    return ShardCounts(frozenset((part.number,)), part.count, before, rounding_of_this_machine())


def merge(counted: Sequence[ShardCounts], matches: Matches) -> MatchRanks:
    """Give the ranks of the good entries from the counts of all files, in any order.

    Raises:
        TableError: a file is missing or was counted twice, or machines round in different ways.
    """
    total = counted[0]
    for one in counted[1:]:
        total += one
    _require_all(sorted(total.numbers), total.count)
    require_one_rounding([total.rounding, matches.rounding])
    owners = np.repeat(np.arange(len(matches.offsets) - 1), np.diff(matches.offsets))
    good_before = matches.offsets[owners + 1] - 1 - np.arange(owners.size)
    # The last in rank stands first: turned around within each query, ranks ascend.
    mirrored = matches.offsets[owners] + good_before
    return MatchRanks((good_before + total.before)[mirrored], matches.offsets)


def rank_block(parts: Sequence[ShardPart], block: QueryBlock, *, progress: Progress = silent) -> MatchRanks:
    """Do all that is to be done for the queries of a block, file after file.

    Raises:
        TableError: a file is missing, another one or damaged.
    """
    matches = join_matches([match_similarities(part, block) for part in parts])
    total = count_shard(parts[0], block, matches)
    for part in parts[1:]:
        done = block.start + (block.stop - block.start) * part.number // part.count
        progress("evaluate", done, len(part.comparison.query_rows))
        total += count_shard(part, block, matches)
    progress("evaluate", block.stop, len(parts[0].comparison.query_rows))
    return merge([total], matches)


def match_ranks_by_shard(comparison: Comparison, *, progress: Progress = silent) -> MatchRanks:
    """Find the ranks of the good entries of every query of a comparison, a block of queries and a file at a time.

    What is in memory beside the columns of the tables: the queries of a block, some tens of megabytes of one file, and
    the good entries of the block.

    Raises:
        TableError: a file is missing, another one or damaged.
    """
    parts = by_shard(comparison)
    if not parts:
        return MatchRanks.of_nobody(len(comparison.query_rows))
    return one_behind_the_other([rank_block(parts, block, progress=progress) for block in query_blocks(comparison)])


def lies_in_many_files(comparison: Comparison) -> bool:
    """Whether a side of a comparison is of a table that was opened without its embeddings."""
    return any(
        isinstance(part.source, ShardFile) for side in (comparison.query, comparison.gallery) for part in side.parts
    )


def _require_all(numbers: Sequence[int], count: int) -> None:
    if sorted(numbers) != list(range(count)):
        raise TableError(
            f"every file of a gallery is counted once; of {count} those of the places {sorted(numbers)} are there"
        )


def _units(side: Side, start: int, stop: int) -> Float32[np.ndarray, "tracklet embed"]:
    """Scale some rows of a side to length 1, from whichever files they lie in."""
    found, end = [], 0
    for part in side.parts:
        begin, end = end, end + part.rows.size
        if begin < stop and start < end:
            rows = part.rows[max(0, start - begin) : stop - begin]
            found.append(unit_rows(part.source.embeddings[rows]))
    return np.concatenate(found)


def _groups(pids: Int64[np.ndarray, " query"], num_good: Int64[np.ndarray, " query"]) -> list[Int64[np.ndarray, " _"]]:
    """Put queries that have good entries together by person, some at a time."""
    asking = np.flatnonzero(num_good)
    in_order = asking[np.argsort(pids[asking], kind="stable")]
    starts = np.flatnonzero(np.diff(pids[in_order], prepend=-2))
    ends = [*starts[1:].tolist(), in_order.size]
    groups, begin, previous = [], 0, 0
    for end in ends:
        if end - begin > _GATHERED_QUERIES and previous > begin:
            groups.append(in_order[begin:previous])
            begin = previous
        while end - begin > _QUERIES_AT_A_TIME:
            groups.append(in_order[begin : begin + _QUERIES_AT_A_TIME])
            begin += _QUERIES_AT_A_TIME
        previous = end
    return [*groups, in_order[begin:]] if begin < in_order.size else groups


def _count_before(
    similarities: Float32[np.ndarray, "query gallery"],
    start: int,
    first: int,
    part: ShardPart,
    same_person: SamePerson,
    matches: Matches,
    before: Int64[np.ndarray, " match"],
    low: int,
    high: int,
) -> None:
    """Count for some queries of a block among some entries of a file, which begin with `start` and `first`."""
    for ignored, offsets in (
        (same_person.good, same_person.good_offsets),
        (same_person.junk, same_person.junk_offsets),
    ):
        _put_last(similarities, first, ignored, offsets[start:], low, high)
    tie_ranks = part.comparison.gallery.tie_ranks[first : first + similarities.shape[1]]
    _add_before(
        similarities,
        tie_ranks,
        matches.similarities,
        matches.tie_ranks,
        matches.offsets[start:],
        before,
        low,
        high,
    )


@compiled
def _put_last(
    similarities: Float32[np.ndarray, "query gallery"],
    first: int,
    ignored: Int64[np.ndarray, " entry"],
    offsets: Int64[np.ndarray, " query_and_1"],
    low: int,
    high: int,
) -> None:
    """Put entries behind everything, where they count for nobody."""
    for query in range(low, high):
        for entry in ignored[offsets[query] : offsets[query + 1]]:
            if first <= entry < first + similarities.shape[1]:
                similarities[query, entry - first] = -np.inf


@compiled
def _add_before(
    similarities: Float32[np.ndarray, "query gallery"],
    tie_ranks: Int64[np.ndarray, " gallery"],
    wanted: Float32[np.ndarray, " match"],
    wanted_ties: Int64[np.ndarray, " match"],
    offsets: Int64[np.ndarray, " query_and_1"],
    before: Int64[np.ndarray, " match"],
    low: int,
    high: int,
) -> None:
    """Add to `before` how many entries stand before each wanted one of the queries `low` to `high`."""
    for query in range(low, high):
        begin, end = offsets[query], offsets[query + 1]
        if begin == end:
            continue
        row = similarities[query]
        closer = np.zeros(end - begin, np.int64)
        equal = np.zeros(end - begin, np.int64)
        count_beyond(row, wanted[begin:end], closer, equal)
        for entry in range(end - begin):
            if equal[entry] > 0:
                for other in range(row.size):
                    is_tied = row[other] == wanted[begin + entry]
                    closer[entry] += is_tied and tie_ranks[other] < wanted_ties[begin + entry]
            before[begin + entry] += closer[entry]
