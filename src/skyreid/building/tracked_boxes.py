"""Who is where in each frame of one video: what annotations and the tracker both give to the cropper."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""xyxy in pixels of the full frame, from 0; the far edges lie outside the box."""
IdentityScope: TypeAlias = Literal["shared", "per-video"]
SHARED: IdentityScope = "shared"
PER_VIDEO: IdentityScope = "per-video"
SCOPES: tuple[IdentityScope, ...] = (SHARED, PER_VIDEO)

FoundBy: TypeAlias = Literal["detector", "motion", "detector and motion"]
"""Who found a person without annotations."""

BoxSides: TypeAlias = Literal["xywh", "xyxy"]
"""What the four numbers of a box are in a file: left, top, width, height; or left, top, right, bottom."""
BOX_SIDES: tuple[BoxSides, ...] = ("xywh", "xyxy")

MAX_HOLE_S = 0.5
"""A shorter hole is a slip of the annotator or the tracker; in a longer one the person may be hidden."""


@dataclass(frozen=True, kw_only=True)
class TrackedBoxes:
    """The boxes of one video."""

    frames: Mapping[int, Mapping[int, Box]]
    """Frame number from 0, then track number, then box. A frame without boxes may be absent."""
    dropped: Mapping[str, int]
    """Boxes left out, by reason."""
    visible: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    """Frame, then track, then the share of the person that is neither hidden nor outside the picture, 0-1; only
    where somebody said so, never for a box that was filled in."""
    identified: bool = False
    """Whether a track number is a person's, the same in every video of a build; otherwise it only tells the
    tracks of this video apart."""
    never_filled: frozenset[int] = frozenset()
    """Frames that an annotator took out: no hole is filled there."""
    identities_because: str = field(default="", compare=False)
    """Why `identified` is what it is, as the end of a sentence; empty where nobody numbered anything."""
    read_as: str = field(default="", compare=False)
    """What the annotations were taken for, such as `BoxMOT's results`; empty without annotations."""
    found_by: Mapping[int, FoundBy] = field(default_factory=dict)
    """By track; only where a detector was asked."""
    notes: Collection[str] = field(default=(), compare=False)
    """How people were searched, a sentence each."""
    warnings: Collection[str] = field(default=(), compare=False)
    """What a user should know about how they were read, a sentence each."""

    @property
    def scope(self) -> IdentityScope:
        """Of the track numbers."""
        return SHARED if self.identified else PER_VIDEO


def without_holes(tracked: TrackedBoxes, *, frame_rate: float) -> tuple[TrackedBoxes, int]:
    """Fill holes of at most MAX_HOLE_S by straight lines; the number of filled-in boxes comes second."""
    reach = max(1, round(MAX_HOLE_S * frame_rate))
    frames = {index: dict(people) for index, people in tracked.frames.items()}
    last: dict[int, int] = {}
    filled = 0
    for index in sorted(tracked.frames):
        for track, box in tracked.frames[index].items():
            before = last.get(track, index)
            last[track] = index
            if index - before > reach:
                continue
            for hole, between in straight_line(before, tracked.frames[before][track], index, box):
                if hole not in tracked.never_filled:
                    frames.setdefault(hole, {})[track] = between
                    filled += 1
    return replace(tracked, frames=frames), filled


def straight_line(first: int, start: Box, last: int, end: Box) -> Iterator[tuple[int, Box]]:
    """Give the frames between two frames, and the boxes of somebody who walks from one to the other."""
    for index in range(first + 1, last):
        yield index, on_line(start, end, (index - first) / (last - first))


def on_line(start: Box, end: Box, share: float) -> Box:
    """Give the box at this share of the way from one to another."""
    left, top, right, bottom = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    return left, top, right, bottom


def box_of(numbers: Sequence[float]) -> Box:
    """Take four numbers, as a file of ours lists them, for a box.

    Raises:
        ValueError, TypeError: there are not four of them, or one is no number.
    """
    left, top, right, bottom = map(float, numbers)
    return left, top, right, bottom
