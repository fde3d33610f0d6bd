"""One video's part of a build, counted against the truth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from skyreid.simulation.construction.box_overlap import Box, are_in_any, matched_boxes, points_in, touch
from skyreid.simulation.construction.built_sources import BuiltSource
from skyreid.simulation.construction.true_people import MIN_VISIBLE, TruePerson

MIN_BOXES = 2
"""Of a person in a video, to be a true tracklet: a build drops what is shorter."""
MIN_FACE_PX = 10
"""Wide, as a face of 0.16 m is at 62 pixels a metre ("observe" of EN 62676-4:2014), below which `build` covers nothing.
People recognise those whom they know in 12 x 14 (Sinha 2002)."""
MIN_FACING = 0.5
"""60 degrees from the direction to the camera; further round, a face is a profile."""
MIN_FACE_VISIBLE = 0.5
MIN_IN_CROPS = 0.5
"""Share of a face; with less in crops, nobody is shown."""
MIN_COVERED = 0.75
"""Share of what crops show of a face. Less could leave the eyes."""


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
    true_pids = frozenset(pid for pid, boxes in visible.items() if boxes >= MIN_BOXES)
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


def _count_masking(crops: Sequence[Box], regions: frozenset[Box], people: Sequence[TruePerson]) -> ConstructionCounts:
    turned = [
        person.face.box
        for person in people
        if person.face is not None and person.face.facing >= MIN_FACING and person.face.visible >= MIN_FACE_VISIBLE
    ]
    shares = [_covered_share(face, crops, regions) for face in turned if face[2] - face[0] >= MIN_FACE_PX]
    return ConstructionCounts(
        faces=sum(share is not None for share in shares),
        faces_covered=sum(share is not None and share >= MIN_COVERED for share in shares),
        regions=len(regions),
        regions_on_faces=sum(any(touch(region, face) for face in turned) for region in regions),
    )


def _covered_share(face: Box, crops: Sequence[Box], regions: frozenset[Box]) -> float | None:
    """Of what the crops show of a face; None when they show too little of it."""
    points = points_in(face)
    in_crops = are_in_any(points, crops)
    if in_crops.mean() < MIN_IN_CROPS:
        return None
    return float(are_in_any(points[in_crops], sorted(regions)).mean())
