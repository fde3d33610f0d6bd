"""A search with what its similarities mean: a probability for each entry, and whether the person is there at all."""

from collections.abc import Iterator
from dataclasses import dataclass

from skyreid.evaluation.calibration import Calibration, check_use
from skyreid.feeding import Feeding
from skyreid.retrieval.search import Ranking
from skyreid.tracklet import Platform


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibratedRanking:
    """A ranking read through a calibration."""

    ranking: Ranking
    calibration: Calibration
    probabilities: tuple[float, ...]
    """Of the same person, one per entry of the ranking."""
    is_in_gallery: bool
    warnings: tuple[str, ...]
    """In which respects the calibration was fitted on something else."""

    @property
    def answer(self) -> str:
        """Whether the person is in the gallery, in one sentence."""
        closest, point = float(self.ranking.similarities[0]), self.calibration.gallery
        if not self.is_in_gallery:
            return (
                f"Probably not in this gallery: the closest entry is at {closest:.4f}, below {point.threshold:.4f}; "
                f"where the person is there, this is said of {point.false_negative_identification_rate:.2%}."
            )
        return (
            f"Possibly in this gallery: the closest entry is at {closest:.4f}, not below {point.threshold:.4f}; "
            f"where the person is not there, this is said of {point.false_positive_identification_rate:.2%}."
        )

    @property
    def condition(self) -> str:
        """What the probabilities take for granted, in one sentence."""
        return f"Probabilities: if {self.calibration.probability.prior:g} of all entries were the same person."

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return {
            "is_in_gallery": self.is_in_gallery,
            "answer": self.answer,
            "prior": self.calibration.probability.prior,
            "entries": [
                {"tracklet_id": str(tracklet_id), "similarity": float(similarity), "probability": probability}
                for tracklet_id, similarity, probability in self._entries()
            ],
            "num_searched": self.ranking.num_searched,
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """What a human reads."""
        return [
            *(f"warning: {warning}" for warning in self.warnings),
            *(
                f"{similarity:7.4f}  {probability:6.1%}  {tracklet_id}"
                for tracklet_id, similarity, probability in self._entries()
            ),
            self.answer,
            self.condition,
        ]

    def _entries(self) -> Iterator[tuple[object, float, float]]:
        return zip(self.ranking.tracklet_ids, self.ranking.similarities, self.probabilities, strict=True)


def calibrate_ranking(
    ranking: Ranking,
    calibration: Calibration,
    *,
    model: str | None,
    feeding: Feeding | None,
    query_platform: Platform,
    gallery_platform: Platform | None,
    ranker: str,
) -> CalibratedRanking:
    """Read a ranking through a calibration.

    Args:
        ranking: what `search` found.
        calibration: what its similarities mean.
        model: sha256 of the weights of the embeddings; None = unknown.
        feeding: how those weights were fed; None = unknown.
        query_platform: of the tracklet that asked.
        gallery_platform: that was searched; None = both, which is like "cross-camera".
        ranker: name of what made the similarities.
    """
    protocol = "cross-camera" if gallery_platform is None else f"{query_platform}-to-{gallery_platform}"
    return CalibratedRanking(
        ranking=ranking,
        calibration=calibration,
        probabilities=tuple(calibration.probabilities(ranking.similarities).tolist()),
        is_in_gallery=calibration.is_in_gallery(ranking.similarities),
        warnings=tuple(
            check_use(
                calibration,
                model=model,
                feeding=feeding,
                protocol=protocol,
                ranker=ranker,
                gallery_size=ranking.num_searched,
            )
        ),
    )
