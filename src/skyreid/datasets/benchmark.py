"""What every reader returns: three lists of tracklets and the protocol that compares them."""

from collections.abc import Iterable
from dataclasses import dataclass

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.errors import DatasetError
from skyreid.tracklet import DISTRACTOR_PID, JUNK_PID, Tracklet


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Someone's benchmark, read from disk.

    Raises:
        DatasetError: an identity stands in train and in test, or a tracklet id stands twice.
    """

    name: str
    train: tuple[Tracklet, ...]
    query: tuple[Tracklet, ...]
    gallery: tuple[Tracklet, ...]
    """As the dataset lists it; whether the queries join is the protocol's word, not done here."""
    protocol: EvaluationProtocol

    @property
    def tracklets(self) -> tuple[Tracklet, ...]:
        """All of them."""
        return (*self.train, *self.query, *self.gallery)

    def __repr__(self) -> str:
        return (
            f"Benchmark({self.name}: {len(self.train)} tracklets to train, {len(self.query)} queries, "
            f"{len(self.gallery)} in the gallery, protocol {self.protocol.name})"
        )

    def __post_init__(self) -> None:
        tested = {t.pid for t in (*self.query, *self.gallery) if t.pid > 0}
        shared = sorted(tested & {t.pid for t in self.train})
        if shared:
            raise DatasetError(f"{self.name}: train and test identities must be disjoint; both have {shared[:5]}")
        seen: set[str] = set()
        for tracklet in self.tracklets:
            if tracklet.tracklet_id in seen:
                raise DatasetError(f"{self.name}: tracklet ids must be unique; {tracklet.tracklet_id!r} stands twice")
            seen.add(tracklet.tracklet_id)


def identities_of_train(tracklets: Iterable[Tracklet]) -> set[int]:
    """Distinct people of a training set: all but junk (LS-VID numbers its people from 0)."""
    return {tracklet.pid for tracklet in tracklets} - {JUNK_PID}


def identities_of_test(tracklets: Iterable[Tracklet]) -> set[int]:
    """Distinct people of a test set: neither junk nor distractors."""
    return {tracklet.pid for tracklet in tracklets} - {JUNK_PID, DISTRACTOR_PID}
