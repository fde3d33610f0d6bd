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
    masking       A face counts when it is at least 10 pixels wide, turned to the camera (within 60 degrees), half
                  visible, and half within crops. Recall: share of the faces of which masked regions cover three
                  quarters of what the crops show. Precision: share of the masked regions that touch a face turned
                  to the camera and half visible, of any size. A region that shows in two crops counts once.
    truth         A true tracklet is a person of whom 30 % or more is visible in two sampled frames of a video.

A share of nothing is None: there is no precision without claims and no recall without truth.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from skyreid.processes.progress import Progress, silent
from skyreid.simulation.built_and_true import MIN_VISIBLE, BuiltSource, TruePerson, read_built_sources, read_true_people
from skyreid.simulation.scene_truth import SceneBox
from skyreid.tracklet import Platform, Tracklet


@dataclass(frozen=True, kw_only=True)
class ConstructionCounts:
    """What precision, recall and purity are made of; the counts of several videos add up."""

    tracklets: int = 0
    crops: int = 0
    crops_of_somebody: int = 0
    """Paired with anybody."""
    crops_of_their_person: int = 0
    true_tracklets: int = 0
    true_boxes: int = 0
    true_boxes_found: int = 0
    faces: int = 0
    faces_covered: int = 0
    regions: int = 0
    regions_on_faces: int = 0

    def __add__(self, other: "ConstructionCounts") -> "ConstructionCounts":
        return ConstructionCounts(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )


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


_MIN_BOXES = 2
"""Of a person in a video, to be a true tracklet: a build drops what is shorter."""
_MIN_FACE_PX = 10
"""Wide, as a face of 0.16 m is at 62 pixels a metre ("observe" of EN 62676-4:2014), below which `build` covers nothing.
People recognise those whom they know in 12 x 14 (Sinha 2002)."""
_MIN_FACING = 0.5
"""60 degrees from the direction to the camera; further round, a face is a profile."""
_MIN_FACE_VISIBLE = 0.5
_MIN_IN_CROPS = 0.5
"""Share of a face; with less in crops, nobody is shown."""
_MIN_COVERED = 0.75
"""Share of what crops show of a face. Less could leave the eyes."""


@dataclass(frozen=True, kw_only=True)
class ComparedSource:
    """What became of one video's people."""

    counts: ConstructionCounts
    persons: Mapping[str, int | None]
    """Tracklet id to the pid of its person; None = its crops show nobody."""
    true_pids: frozenset[int]
    """Everybody with a true tracklet."""


def compare(source: BuiltSource, people: Mapping[int, Sequence[TruePerson]]) -> ComparedSource:
    """Count one video, in its sampled frames."""
    shown: dict[str, Counter[int]] = {tracklet.tracklet_id: Counter() for tracklet in source.tracklets}
    visible: Counter[int] = Counter()
    found = 0
    masking = ConstructionCounts()
    for index, present in people.items():
        crops = source.crops.get(index, {})
        tracklet_ids, boxes = list(crops), list(crops.values())
        pairs = matched_boxes(boxes, [person.box for person in present])
        for place, true_place in pairs.items():
            shown[tracklet_ids[place]][present[true_place].pid] += 1
        expected = [place for place, person in enumerate(present) if person.visible >= MIN_VISIBLE]
        visible.update(present[place].pid for place in expected)
        found += len(set(expected) & set(pairs.values()))
        masking += _count_masking(boxes, source.masked.get(index, frozenset()), present)
    persons = {tracklet_id: _majority(pids) for tracklet_id, pids in shown.items()}
    true_pids = frozenset(pid for pid, boxes in visible.items() if boxes >= _MIN_BOXES)
    counts = masking + ConstructionCounts(
        tracklets=len(source.tracklets),
        crops=sum(map(len, source.crops.values())),
        crops_of_somebody=sum(pids.total() for pids in shown.values()),
        crops_of_their_person=sum(max(pids.values(), default=0) for pids in shown.values()),
        true_tracklets=len(true_pids),
        true_boxes=visible.total(),
        true_boxes_found=found,
    )
    return ComparedSource(counts=counts, persons=persons, true_pids=true_pids)


def _majority(pids: Counter[int]) -> int | None:
    return min(pids, key=lambda pid: (-pids[pid], pid), default=None)


def _count_masking(
    crops: Sequence[SceneBox], regions: frozenset[SceneBox], people: Sequence[TruePerson]
) -> ConstructionCounts:
    turned = [
        person.face.box
        for person in people
        if person.face is not None and person.face.facing >= _MIN_FACING and person.face.visible >= _MIN_FACE_VISIBLE
    ]
    shares = [_covered_share(face, crops, regions) for face in turned if face[2] - face[0] >= _MIN_FACE_PX]
    return ConstructionCounts(
        faces=sum(share is not None for share in shares),
        faces_covered=sum(share is not None and share >= _MIN_COVERED for share in shares),
        regions=len(regions),
        regions_on_faces=sum(any(touch(region, face) for face in turned) for region in regions),
    )


def _covered_share(face: SceneBox, crops: Sequence[SceneBox], regions: frozenset[SceneBox]) -> float | None:
    """Of what the crops show of a face; None when they show too little of it."""
    points = points_in(face)
    in_crops = are_in_any(points, crops)
    if in_crops.mean() < _MIN_IN_CROPS:
        return None
    return float(are_in_any(points[in_crops], sorted(regions)).mean())


MIN_IOU = 0.5
"""Of two boxes that show the same person."""
_POINTS = 32
"""Along each side of a box whose covered share is measured."""


def matched_boxes(found: Sequence[SceneBox], true: Sequence[SceneBox]) -> dict[int, int]:
    """Pair boxes one to one, so that the sum of their intersections over unions is the largest.

    Returns:
        Place of a found box to place of its true box; who has no partner with at least MIN_IOU is absent.
    """
    if not found or not true:
        return {}
    overlap = intersections_over_unions(np.array(found), np.array(true))
    worth = np.where(overlap >= MIN_IOU, overlap, 0.0)
    pairs = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    return {int(row): int(column) for row, column in pairs if worth[row, column] > 0}


def intersections_over_unions(
    found: Float[np.ndarray, "found 4"], true: Float[np.ndarray, "true 4"]
) -> Float[np.ndarray, "found true"]:
    """Compare every box with every other."""
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, 2:], true[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0.0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (found, true)]
    return common / (areas[0][:, None] + areas[1][None, :] - common)


def points_in(box: SceneBox) -> Float[np.ndarray, "point 2"]:
    """Spread points evenly over a box; the share of them in some region is the share of its area."""
    x, y = (
        start + (end - start) * (np.arange(_POINTS) + 0.5) / _POINTS
        for start, end in zip(box[:2], box[2:], strict=True)
    )
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def are_in_any(points: Float[np.ndarray, "point 2"], boxes: Sequence[SceneBox]) -> Bool[np.ndarray, " point"]:
    """Say of each point whether one of the boxes holds it."""
    bounds = np.array(boxes, dtype=float).reshape(-1, 1, 4)
    within = np.all((points >= bounds[..., :2]) & (points < bounds[..., 2:]), axis=2)  # [box, point]
    return np.any(within, axis=0)


def touch(first: SceneBox, second: SceneBox) -> bool:
    """Say whether two boxes share any area."""
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
