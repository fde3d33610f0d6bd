"""Find the rank of every good entry by streaming: a block of queries at a time against the whole gallery.

No ranking is ever built. The rank of a good entry is the number of entries that are closer, plus those equally
close whose tracklet id comes first, the junk left out of both.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int64

from skyreid.evaluation.ranking.comparisons import Comparison, SamePerson
from skyreid.evaluation.ranking.counting_kernels import count_ranks
from skyreid.evaluation.ranking.device_counting import device_counter
from skyreid.evaluation.ranking.match_ranks import MatchRanks
from skyreid.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.ranker import Ranker

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
        return MatchRanks(np.zeros(0, dtype=np.int64), np.zeros(num_queries + 1, dtype=np.int64))
    queries_per_block = min(_MOST_QUERIES, max(1, block_size // len(comparison.gallery.pids)))
    ranks, num_good = [], []
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        if ranker is COSINE and device.type != "cpu":
            count = device_counter(comparison, device)
        else:
            count = _cpu_counter(comparison, ranker, threads)
        for start in range(0, num_queries, queries_per_block):
            stop = min(start + queries_per_block, num_queries)
            same_person = comparison.same_person(start, stop)
            ranks.append(count(start, stop, same_person))
            num_good.append(np.diff(same_person.good_offsets))
            progress("evaluate", stop, num_queries)
    return MatchRanks(np.concatenate(ranks), np.concatenate([[0], np.cumsum(np.concatenate(num_good))]))


def _cpu_counter(comparison: Comparison, ranker: Ranker, threads: ThreadPoolExecutor) -> _Count:
    rows = ranker.rows(comparison.query.unit_embeddings, comparison.gallery.unit_embeddings)

    def count(start: int, stop: int, same_person: SamePerson) -> Int64[np.ndarray, " match"]:
        similarities = rows(start, stop)
        ranks = np.empty(same_person.good.size, dtype=np.int64)

        def count_share(first: int, last: int) -> None:
            count_ranks(
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
