"""A build measured against the truth of the simulated world that was filmed.

Everything is counted in the sampled frames of the videos that were built, since only there crops can be.

    boxes         In every frame crops and people are paired one to one by the overlap of their boxes (an
                  intersection over union of at least 0.5). Precision: share of the crops that have a partner.
                  Recall: share of the people who have one, among those of whom 30 % or more is visible.
    purity        A tracklet's person is the one whom most of its crops are paired with (of several, the lowest
                  pid). Purity is the share of the crops that are paired with anybody which are paired with their
                  tracklet's person. Crops of nobody count against the precision of the boxes, not here.
    association   Over all pairs of a ground tracklet and an aerial one. Claimed: both have the same pid in the
                  manifest. True: both have the same person. A tracklet without a person is in no true pair.
    masking       A face counts when it is at least 5 pixels wide, turned to the camera (within 60 degrees), half
                  visible, and half within crops. Recall: share of the faces of which masked regions cover three
                  quarters of what the crops show. Precision: share of the masked regions that touch a face turned
                  to the camera and half visible, of any size. A region that shows in two crops counts once.
    truth         A true tracklet is a person of whom 30 % or more is visible in two sampled frames of a video.

A share of nothing is None: there is no precision without claims and no recall without truth.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skyreid.progress import Progress, silent
from skyreid.simulation.construction.built_sources import read_built_sources
from skyreid.simulation.construction.construction_counts import ComparedSource, ConstructionCounts, compare
from skyreid.simulation.construction.true_people import read_true_people
from skyreid.tracklet import Platform, Tracklet


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """Two shares in 0-1; None where there is nothing to be a share of."""

    precision: float | None
    recall: float | None

    def __str__(self) -> str:
        return f"precision {_percent(self.precision)}, recall {_percent(self.recall)}"


@dataclass(frozen=True, kw_only=True)
class SourceScores:
    """The counts of one video or of all, as shares."""

    name: str
    counts: ConstructionCounts

    @property
    def boxes(self) -> PrecisionRecall:
        """Of crops and people."""
        counts = self.counts
        return PrecisionRecall(
            precision=_share(counts.crops_of_somebody, counts.crops),
            recall=_share(counts.true_boxes_found, counts.true_boxes),
        )

    @property
    def purity(self) -> float | None:
        """Of the tracklets."""
        return _share(self.counts.crops_of_their_person, self.counts.crops_of_somebody)

    @property
    def masking(self) -> PrecisionRecall:
        """Of masked regions and faces."""
        counts = self.counts
        return PrecisionRecall(
            precision=_share(counts.regions_on_faces, counts.regions),
            recall=_share(counts.faces_covered, counts.faces),
        )

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        masking = self.masking
        return {
            "tracklets": self.counts.tracklets,
            "crops": self.counts.crops,
            "boxes": {"precision": self.boxes.precision, "recall": self.boxes.recall},
            "purity": self.purity,
            "masking": {
                "recall": masking.recall,
                "precision": masking.precision,
                "faces": self.counts.faces,
                "regions": self.counts.regions,
            },
        }

    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        counts, boxes, masking = self.counts, self.boxes, self.masking
        return (
            self.name,
            f"{counts.tracklets}/{counts.true_tracklets}",
            f"{counts.crops}/{counts.true_boxes}",
            _percent(boxes.precision),
            _percent(boxes.recall),
            _percent(self.purity),
            str(counts.faces),
            _percent(masking.recall),
            _percent(masking.precision),
        )


_COLUMNS = ("", "tracklets", "boxes", "precision", "recall", "purity", "faces", "covered", "masks right")


@dataclass(frozen=True, kw_only=True)
class ConstructionScores:
    """How well a build tells who was where; the module says what is counted."""

    identities: int
    """Of the build: pids in the manifest."""
    true_identities: int
    """People with a true tracklet."""
    association: PrecisionRecall
    overall: SourceScores
    per_source: tuple[SourceScores, ...]
    """In the order of the build."""

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        counts = self.overall.counts
        return {
            "identities": self.identities,
            **self.overall.to_json(),
            "association": {"precision": self.association.precision, "recall": self.association.recall},
            "truth": {
                "identities": self.true_identities,
                "tracklets": counts.true_tracklets,
                "boxes": counts.true_boxes,
            },
            "per_source": [{"name": source.name, **source.to_json()} for source in self.per_source],
        }

    def lines(self) -> list[str]:
        """What a human reads: a table with built/true counts, a row for each video."""
        rows = [_COLUMNS, *(source.cells() for source in (*self.per_source, self.overall))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            *("  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))) for row in rows),
            f"identities: {self.identities} built, {self.true_identities} true",
            f"association of ground and aerial tracklets: {self.association}",
        ]


def evaluate_construction(build_dir: Path, truth_dir: Path, *, progress: Progress = silent) -> ConstructionScores:
    """Measure a build.

    Args:
        build_dir: what `skyreid build` wrote.
        truth_dir: the folder of the world, as `skyreid simulate` wrote it; not all of its videos need be built.
        progress: hears of videos.

    Raises:
        ManifestError: the build is damaged, or something else than a build.
        DatasetError: the truth is missing, damaged, or of other videos.
    """
    sources = read_built_sources(build_dir)
    compared: list[ComparedSource] = []
    for number, source in enumerate(sources):
        progress("compare with the truth", number, len(sources), source.name)
        compared.append(compare(source, read_true_people(source, truth_dir)))
    progress("compare with the truth", len(sources), len(sources))
    tracklets = [tracklet for source in sources for tracklet in source.tracklets]
    persons = {tracklet_id: pid for one in compared for tracklet_id, pid in one.persons.items()}
    return ConstructionScores(
        identities=len({tracklet.pid for tracklet in tracklets}),
        true_identities=len(frozenset[int]().union(*(one.true_pids for one in compared))),
        association=_association((tracklet, persons[tracklet.tracklet_id]) for tracklet in tracklets),
        overall=SourceScores(name="all", counts=sum((one.counts for one in compared), ConstructionCounts())),
        per_source=tuple(
            SourceScores(name=source.name, counts=one.counts) for source, one in zip(sources, compared, strict=True)
        ),
    )


def _association(tracklets: Iterable[tuple[Tracklet, int | None]]) -> PrecisionRecall:
    """Of pairs, counted by the sizes of their groups, without looking at each pair."""
    claimed: dict[Platform, Counter[int]] = {platform: Counter() for platform in Platform}
    true: dict[Platform, Counter[int]] = {platform: Counter() for platform in Platform}
    both: dict[Platform, Counter[tuple[int, int]]] = {platform: Counter() for platform in Platform}
    for tracklet, person in tracklets:
        claimed[tracklet.platform][tracklet.pid] += 1
        if person is not None:
            true[tracklet.platform][person] += 1
            both[tracklet.platform][tracklet.pid, person] += 1
    right = _pairs(both[Platform.GROUND], both[Platform.AERIAL])
    return PrecisionRecall(
        precision=_share(right, _pairs(claimed[Platform.GROUND], claimed[Platform.AERIAL])),
        recall=_share(right, _pairs(true[Platform.GROUND], true[Platform.AERIAL])),
    )


def _pairs(ground: Counter, aerial: Counter) -> int:
    return sum(number * aerial[group] for group, number in ground.items())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
