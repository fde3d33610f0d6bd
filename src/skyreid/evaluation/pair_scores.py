"""Verification: are these two tracklets the same person? Asked of every pair that a protocol compares.

A pair is called the same person where its similarity reaches a threshold. The false positive rate (FPR) is the
share of different-person pairs that reach it, the true positive rate (TPR) that of same-person pairs. How finely, and
how ties are treated: `pair_counts`.

Junk pairs count in neither. Where the queries join the gallery, two queries make two pairs.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float64

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.evaluation.comparisons import comparisons
from skyreid.evaluation.pair_counts import (
    BLOCK_SIZE,
    CELL,
    OperatingPoint,
    PairCounts,
    count_pairs,
    num_let_in,
    operating_point,
    require_rate,
    unresolvable,
)
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.ranker import Ranker
from skyreid.retrieval.sharded_table import Table

FALSE_POSITIVE_RATES = (1e-1, 1e-2, 1e-3, 1e-4)
_HISTOGRAM_BINS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class PairScores:
    """How well the similarity of two tracklets tells whether they show one person; everything in 0-1."""

    protocol: EvaluationProtocol
    ranker: str
    positives: int
    """Same-person pairs."""
    negatives: int
    """Different-person pairs."""
    points: tuple[OperatingPoint, ...]
    unresolved: tuple[float, ...]
    """False positive rates below 1 in `negatives`: no threshold can be told for them."""
    edges: Float64[np.ndarray, " edge"]
    """Of the histogram, in similarity; nearly evenly spaced. A bin holds its lower edge, not its upper one."""
    same: Float64[np.ndarray, " bin"]
    """Share of the same-person pairs in each bin."""
    different: Float64[np.ndarray, " bin"]
    """Share of the different-person pairs in each bin."""

    def __repr__(self) -> str:
        points = ", ".join(
            f"TPR {point.true_positive_rate:.1%} at FPR {point.false_positive_rate:g}" for point in self.points
        )
        return (
            f"PairScores({self.protocol.name}, {self.ranker}: {self.positives} same-person and {self.negatives} "
            f"different-person pairs{', ' if points else ''}{points})"
        )

    def to_json(self) -> dict[str, object]:
        """What a program reads; a rate that the pairs cannot resolve has null."""
        return {
            "protocol": self.protocol.name,
            "ranker": self.ranker,
            "same_person_pairs": self.positives,
            "different_person_pairs": self.negatives,
            "tpr_at_fpr": {
                **{f"{point.false_positive_rate:g}": asdict(point) for point in self.points},
                **{f"{rate:g}": None for rate in self.unresolved},
            },
            "histogram": {
                "edges": self.edges.tolist(),
                "same": self.same.tolist(),
                "different": self.different.tolist(),
            },
        }

    def lines(self) -> list[str]:
        """What a human reads."""
        return [
            f"{self.protocol.name}: {self.positives:,} same-person pairs, {self.negatives:,} different-person pairs",
            *(
                f"  TPR {point.true_positive_rate:.1%} at FPR {point.false_positive_rate:g}: similarity at least "
                f"{point.threshold:.4f}, reached by {point.false_positives:,} different-person pairs"
                for point in self.points
            ),
            *(f"  FPR {rate:g} {unresolvable(self.negatives, 'different-person pairs')}" for rate in self.unresolved),
        ]


def pair_scores(
    query: Table,
    gallery: Table,
    protocol: EvaluationProtocol,
    *,
    ranker: Ranker = COSINE,
    false_positive_rates: Sequence[float] = FALSE_POSITIVE_RATES,
    block_size: int = BLOCK_SIZE,
    progress: Progress = silent,
) -> PairScores:
    """Score every pair of a query and a gallery entry that the protocol compares.

    Args:
        query: as for `evaluate`.
        gallery: as for `evaluate`.
        protocol: which pairs there are.
        ranker: what compares them.
        false_positive_rates: where the true positive rate is wanted.
        block_size: similarities held in memory at once, but for at least 16 queries. Never changes a number.
        progress: told after every block.

    Raises:
        TableError: the tables hold embeddings of different sizes or models.
        ProtocolError: no pair of one kind is left, or a rate is not between 0 and 1.
    """
    for rate in false_positive_rates:
        require_rate("a false positive rate", rate)
    counts = count_pairs(
        comparisons(query, gallery, protocol),
        ranker,
        block_size=block_size,
        progress=progress,
    )
    resolvable = [rate for rate in false_positive_rates if num_let_in(rate, counts.num_different) > 0]
    edges = _histogram_edges(counts)
    return PairScores(
        protocol=protocol,
        ranker=ranker.name,
        positives=counts.same.size,
        negatives=counts.num_different,
        points=tuple(operating_point(counts, rate) for rate in resolvable),
        unresolved=tuple(rate for rate in false_positive_rates if rate not in resolvable),
        edges=edges,
        same=np.histogram(counts.same, edges)[0] / counts.same.size,
        different=np.histogram(counts.values, edges, weights=counts.counts)[0] / counts.num_different,
    )


def _histogram_edges(counts: PairCounts) -> Float64[np.ndarray, " edge"]:
    """Evenly spaced, each moved to the start of its cell: then every pair is known to lie in one bin."""
    similarities = np.concatenate([counts.values[[0, -1]], counts.same])
    edges = np.floor(np.linspace(similarities.min(), similarities.max(), _HISTOGRAM_BINS + 1) / CELL) * CELL
    edges[-1] += CELL
    return np.unique(edges)
