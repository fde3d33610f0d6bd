"""Whether a calibration keeps its word on other data than it was fitted on.

Pairs are put into bins of the probability that the calibration gives them. In a bin, the share of pairs that are
of the same person should be the mean probability. Same-person pairs are weighted to make up the prior of the
calibration, whatever their share in these data is.

    expected calibration error    mean gap between the two, each bin by the weight of its pairs
    widest gap                    the largest gap of a bin; at a low prior nearly all pairs are in the lowest bin,
                                  and the expected error is small whatever the others do

The numbers of pairs in a bin and both rates at a threshold are exact; the mean probability of different-person
pairs takes their similarities to a millionth.

The interval of a bin comes from its numbers of pairs of the two kinds, as if the pairs were independent. Those of
one tracklet are not: the true interval is wider.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import expit

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import ProtocolError
from skyreid.evaluation.calibration import Calibration, check_use
from skyreid.evaluation.comparisons import comparisons
from skyreid.evaluation.pair_counts import BLOCK_SIZE, CELL, PairCounts, count_pairs
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.cosine import COSINE
from skyreid.retrieval.ranker import Ranker
from skyreid.retrieval.sharded_table import Table

_DEVIATIONS = 1.959964  # of a normal distribution: 95 % lie within


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Pairs of similar probability; there is at least one."""

    probability: float
    """Mean of what the calibration says."""
    share: float
    """Of the same person in truth."""
    low: float
    high: float
    """95 % interval of the share."""
    weight: float
    """Share of all pairs that stand in this bin, at the prior."""
    same_pairs: int
    different_pairs: int


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """What a calibration says beside what is; everything in 0-1."""

    prior: float
    bins: tuple[ReliabilityBin, ...]
    """Ascending; those without pairs are left out."""
    false_positive_rate: float
    true_positive_rate: float
    """Reached at the threshold of the calibration for pairs."""
    false_positive_identification_rate: float
    false_negative_identification_rate: float
    """Reached at its threshold for "not in this gallery"."""
    warnings: tuple[str, ...]
    """In which respects the calibration was fitted on something else."""

    def __repr__(self) -> str:
        return (
            f"Reliability(expected calibration error {self.expected_calibration_error:.2g}, widest gap "
            f"{self.widest_gap:.2g}, {len(self.bins)} bins, prior {self.prior:g})"
        )

    @property
    def expected_calibration_error(self) -> float:
        """Mean gap between probability and share."""
        return sum(one.weight * abs(one.probability - one.share) for one in self.bins)

    @property
    def widest_gap(self) -> float:
        """Largest gap of a bin."""
        return max(abs(one.probability - one.share) for one in self.bins)

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return {
            **asdict(self),
            "expected_calibration_error": self.expected_calibration_error,
            "widest_gap": self.widest_gap,
        }

    def lines(self) -> list[str]:
        """What a human reads."""
        return [
            *(f"warning: {warning}" for warning in self.warnings),
            f"same person: FPR {self.false_positive_rate:.2g}, TPR {self.true_positive_rate:.1%}",
            f"not in the gallery: FPIR {self.false_positive_identification_rate:.2g}, "
            f"FNIR {self.false_negative_identification_rate:.2g}",
            f"expected calibration error {self.expected_calibration_error:.2g}, widest gap {self.widest_gap:.2g}, "
            f"at a prior of {self.prior:g}",
            *(
                f"  said {one.probability:6.1%}   is {one.share:6.1%} ({one.low:.1%} to {one.high:.1%})   "
                f"{one.same_pairs:,} same, {one.different_pairs:,} different"
                for one in self.bins
            ),
        ]


def reliability(
    calibration: Calibration,
    query: Table,
    gallery: Table,
    protocol: EvaluationProtocol,
    *,
    bins: int = 10,
    ranker: Ranker = COSINE,
    block_size: int = BLOCK_SIZE,
    progress: Progress = silent,
) -> Reliability:
    """Measure a calibration on two tables; they should show other people than those it was fitted on.

    Args:
        calibration: what is measured.
        query: as for `evaluate`.
        gallery: as for `evaluate`.
        protocol: which pairs there are.
        bins: of equal width in probability.
        ranker: what compares the pairs.
        block_size: similarities held in memory at once, but for at least 16 queries. Never changes a number.
        progress: told after every block.

    Raises:
        TableError: the tables hold embeddings of different sizes or models.
        ProtocolError: no pair of one kind is left, or no bin asked for.
    """
    if bins < 1:
        raise ProtocolError(f"bins must be at least 1; got {bins}")
    edges = _bin_edges(calibration, bins)
    counts = count_pairs(
        comparisons(query, gallery, protocol),
        ranker,
        block_size=block_size,
        progress=progress,
    )
    strangers = counts.closest_different[counts.closest_different > -np.inf]
    friends = counts.closest_same[counts.closest_same > -np.inf]
    warnings = check_use(
        calibration,
        model=query.model or gallery.model,
        feeding=query.feeding or gallery.feeding,
        protocol=protocol.name,
        ranker=ranker.name,
        gallery_size=round(counts.num_different / strangers.size),
    )
    return Reliability(
        prior=calibration.probability.prior,
        bins=tuple(_bins(calibration, counts, edges)),
        false_positive_rate=counts.num_different_from(calibration.pair.threshold) / counts.num_different,
        true_positive_rate=float(np.mean(calibration.is_same_person(counts.same))),
        false_positive_identification_rate=float(np.mean(strangers >= calibration.gallery.threshold)),
        false_negative_identification_rate=float(np.mean(friends < calibration.gallery.threshold)),
        warnings=tuple(warnings),
    )


def _bin_edges(calibration: Calibration, bins: int) -> Float64[np.ndarray, " edge"]:
    """The first cell whose probability reaches 1, 2, … of `bins`; infinity where none does."""
    cells = np.arange(-1, 1 + CELL, CELL)
    reached = np.searchsorted(calibration.probabilities(cells), np.arange(1, bins) / bins)
    return np.append(cells, np.inf)[reached]


def _bins(
    calibration: Calibration, counts: PairCounts, edges: Float64[np.ndarray, " edge"]
) -> Iterator[ReliabilityBin]:
    prior = calibration.probability.prior
    num_bins = len(edges) + 1
    same_bins = np.searchsorted(edges, counts.same, side="right")
    different_bins = np.searchsorted(edges, counts.values, side="right")
    same = np.bincount(same_bins, minlength=num_bins)
    different = np.bincount(different_bins, counts.counts, num_bins).astype(np.int64)
    same_sums = np.bincount(same_bins, calibration.probabilities(counts.same), num_bins)
    different_sums = np.bincount(different_bins, counts.counts * calibration.probabilities(counts.values), num_bins)
    same_weight, different_weight = prior / counts.same.size, (1 - prior) / counts.num_different
    for index in np.flatnonzero(same + different):
        weight = same_weight * same[index] + different_weight * different[index]
        low, high = _share_interval(int(same[index]), int(different[index]), same_weight / different_weight)
        yield ReliabilityBin(
            probability=float(same_weight * same_sums[index] + different_weight * different_sums[index]) / weight,
            share=float(same_weight * same[index] / weight),
            low=low,
            high=high,
            weight=float(weight),
            same_pairs=int(same[index]),
            different_pairs=int(different[index]),
        )


def _share_interval(same: int, different: int, odds: float) -> tuple[float, float]:
    """Of the weighted share of same-person pairs: normal in log-odds, with 0.5 added to each number.

    A number of 0 leaves the share free to be 0 or 1.
    """
    middle = math.log(odds * (same + 0.5) / (different + 0.5))
    spread = _DEVIATIONS * math.sqrt(1 / (same + 0.5) + 1 / (different + 0.5))
    low = 0.0 if same == 0 else float(expit(middle - spread))
    high = 1.0 if different == 0 else float(expit(middle + spread))
    return low, high
