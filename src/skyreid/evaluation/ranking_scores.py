"""CMC, mAP and mINP of a query table against a gallery table.

For each query the gallery is ranked by cosine similarity, or by another ranker. Its good entries are those
of its identity seen by another camera; those of its identity and its own camera are junk and leave the ranking.

    AP    mean over the good entries i = 0, 1, … of (i + 1) / (p_i + 1), with p_i the place of the
          i-th good entry, from 0, after the junk has left
    mAP   mean of AP over the queries that have a good entry
    CMC   at rank k: share of those queries whose first good entry stands among the first k
    mINP  mean of (number of good entries) / (place of the last one + 1) over the same queries
    mAP@K mean of AP@K: good entries among the first K only, divided by the most that K places can hold

Entries of equal similarity are ordered by tracklet id, so that the order of a table changes no score. No
ranking is ever built: see `rank_counting`.

Source: METHOD section 9; paper section 5.1.
Deviation: the release leaves the order of ties to chance. A camera is its camid, as there; but where
a protocol compares with the other platform only, no entry is from the query's own camera, so a dataset
that numbers ground and aerial cameras from 0 each loses no match.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import ProtocolError, SettingError
from skyreid.evaluation.block_jobs import DoElsewhere, jobs_of, put_together
from skyreid.evaluation.comparisons import Comparison, comparisons
from skyreid.evaluation.rank_counting import MatchRanks, join, match_ranks
from skyreid.evaluation.shard_counting import lies_in_many_files, match_ranks_by_shard
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.ranker import Ranker
from skyreid.retrieval.sharded_table import Table
from skyreid.retrieval.table_rows import platform_counts

CMC_RANKS = 50
"""Length of the CMC curve; with fewer gallery entries it goes on flat."""
REPORTED_RANKS = (1, 5, 10, 20)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """How well a query table finds its people in a gallery table; everything in 0-1."""

    protocol: EvaluationProtocol
    mAP: float  # noqa: N815 - the field's own spelling
    cmc: Float64[np.ndarray, " rank"]
    """At index k - 1 the share of queries with a good entry among the first k."""
    queries: int
    """How many queries asked, those without a match among them."""
    queries_without_match: int
    """Queries that have no good entry in the gallery: counted here, in no score."""
    average_precisions: Float64[np.ndarray, " query"]
    """One per row of the query table; NaN where the row did not ask or has no match."""
    match_ranks: MatchRanks
    """One query per row of the query table: what everything else can be derived from."""

    def __repr__(self) -> str:
        return f"Scores({self.protocol.name}: mAP {self.mAP:.1%}, rank-1 {self.rank(1):.1%}, {self.queries} queries)"

    @property
    def first_places(self) -> Int64[np.ndarray, " query"]:
        """Place of the first good entry, from 0; -1 where the row did not ask or has no match."""
        return self.match_ranks.first

    @property
    def inverse_negative_penalties(self) -> Float64[np.ndarray, " query"]:
        """One per row of the query table; NaN where the row did not ask or has no match."""
        return self.match_ranks.inverse_negative_penalties()

    @property
    def mINP(self) -> float:  # noqa: N802 - the field's own spelling
        """How soon the last good entry is reached: 1 is best."""
        return float(np.nanmean(self.inverse_negative_penalties))

    def mAP_at(self, k: int) -> float:  # noqa: N802
        """The mAP@K of the first `k` places. Raises ProtocolError below 1."""
        if k < 1:
            raise ProtocolError(f"mAP@K needs a K of at least 1; got {k}")
        return float(np.nanmean(self.match_ranks.average_precisions(cut=k)))

    def rank(self, k: int) -> float:
        """The CMC at rank `k`. Raises ProtocolError outside 1 to CMC_RANKS."""
        if not 1 <= k <= len(self.cmc):
            raise ProtocolError(f"the CMC is known from rank 1 to {len(self.cmc)}; got rank {k}")
        return float(self.cmc[k - 1])

    def to_json(self) -> dict[str, str | int | float | dict[str, float]]:
        """What a program reads: protocol, scores, CMC at the usual ranks, and the number of queries."""
        return {
            "protocol": self.protocol.name,
            **self._means(),
            "cmc": {str(k): self.rank(k) for k in REPORTED_RANKS},
            "queries": self.queries,
            "queries_without_match": self.queries_without_match,
        }

    def lines(self) -> list[str]:
        """What a human reads."""
        means = "   ".join(f"{name} {value:.1%}" for name, value in self._means().items())
        ranks = "   ".join(f"rank-{k} {self.rank(k):.1%}" for k in REPORTED_RANKS)
        without = f", {self.queries_without_match} of them without a match" if self.queries_without_match else ""
        return [f"{self.protocol.name}: {means}   {ranks}   ({self.queries} queries{without})"]

    def _means(self) -> dict[str, float]:
        cut = self.protocol.mAP_cut
        return {"mAP": self.mAP} | ({} if cut is None else {f"mAP@{cut}": self.mAP_at(cut)}) | {"mINP": self.mINP}


def evaluate(
    query: Table,
    gallery: Table,
    protocol: EvaluationProtocol,
    *,
    ranker: Ranker = COSINE,
    block_size: int = 2**27,
    device: torch.device | None = None,
    elsewhere: DoElsewhere | None = None,
    progress: Progress = silent,
) -> Scores:
    """Score a query table against a gallery table.

    Gallery entries with the junk pid (-1) are never ranked; distractors (0) are ranked like anyone.
    The two tables may use the same tracklet ids for different tracklets. A table that `open_table` left on the disk
    is compared file by file (`shard_counting`), on the CPU, with the same scores to the bit; another ranker than
    cosine takes all of it into memory.

    Args:
        query: the tracklets that ask.
        gallery: the tracklets that are searched, without the queries: the protocol adds them.
        protocol: who asks whom, and what is ignored.
        ranker: what puts the gallery in order.
        block_size: similarities held in memory at once, 4 bytes each, but for at least 16 queries. Never
            changes a score.
        device: where cosines are compared; None = a GPU if there is one, which must hold the gallery's
            embeddings. Its similarities may differ from the CPU's in the last bit. Other rankers know the
            CPU only.
        elsewhere: has jobs of it done by other processes (`block_jobs`), where both tables lie in many files and
            cosines rank them; None = this process does all.
        progress: told after every block of queries, where this process does it.

    Raises:
        TableError: the tables hold embeddings of different sizes, or of different models; or a file of a table is
            missing, another one or damaged.
        SettingError: other processes cannot do it, since a table lies in one file or the ranker is another.
        ProtocolError: the protocol leaves nobody to ask, nobody to search, or no query with a match.
    """
    groups = comparisons(query, gallery, protocol)
    on = device or _fastest_device()

    def ranks(group: Comparison) -> MatchRanks:
        if ranker is COSINE and lies_in_many_files(group):
            return match_ranks_by_shard(group, progress=progress)
        return match_ranks(group, ranker, block_size=block_size, device=on, progress=progress)

    if elsewhere is not None:
        if ranker is not COSINE:
            raise SettingError(f"other processes rank by cosine; got the ranker {ranker.name}")
        jobs = jobs_of(query, gallery, protocol, groups)
        by_group = put_together(jobs, elsewhere(jobs))
    else:
        by_group = [ranks(group) for group in groups]
    found = join(
        by_group,
        [group.query_rows for group in groups],
        len(query),
    )
    has_match = found.num_matches > 0
    num_queries, num_matched = sum(len(group.query_rows) for group in groups), int(has_match.sum())
    if num_matched == 0:
        raise ProtocolError(
            f"{protocol.name}: at least one query must have a match in the gallery; none of {num_queries} has: "
            f"the query table has {platform_counts(query)}, the gallery table {platform_counts(gallery)}"
        )
    average_precisions = found.average_precisions()
    found_at = np.bincount(found.first[has_match], minlength=CMC_RANKS)[:CMC_RANKS]
    return Scores(
        protocol=protocol,
        mAP=float(average_precisions[has_match].mean()),
        cmc=np.cumsum(found_at) / num_matched,
        queries=num_queries,
        queries_without_match=num_queries - num_matched,
        average_precisions=average_precisions,
        match_ranks=found,
    )


def _fastest_device() -> torch.device:
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator if accelerator is not None and accelerator.type == "cuda" else torch.device("cpu")
