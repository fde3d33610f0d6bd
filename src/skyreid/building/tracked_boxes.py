"""Who is where in each frame of one video: what annotations and the tracker both give to the cropper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""xyxy in pixels of the full frame, from 0; the far edges lie outside the box."""


MAX_HOLE_S = 0.5
"""A shorter hole is a slip of the annotator or the tracker; in a longer one the person may be hidden."""


@dataclass(frozen=True, kw_only=True)
class TrackedBoxes:
    """The boxes of one video."""

    frames: Mapping[int, Mapping[int, Box]]
    """Frame number from 0, then track number, then box. A frame without boxes may be absent."""
    dropped: Mapping[str, int]
    """Boxes left out, by reason."""


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
            for hole in range(before + 1, index):
                share = (hole - before) / (index - before)
                start = tracked.frames[before][track]
                left, top, right, bottom = (a + share * (b - a) for a, b in zip(start, box, strict=True))
                frames.setdefault(hole, {})[track] = (left, top, right, bottom)
                filled += 1
    return TrackedBoxes(frames=frames, dropped=tracked.dropped), filled
