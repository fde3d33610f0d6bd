"""How large people are filmed, and which boxes and crops show too little of one person to be kept, and why."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8

from skyreid.building.tracked_boxes import Box, TrackedBoxes

BORDER_PX = 1.0
"""Nearer to the picture's edge than this, a box touches it."""
NEIGHBOURS = 9
"""Boxes, the nearest in time that touch no edge, whose median is a person's usual size there: a stride is
averaged away, and who comes nearer is compared with what he was a moment ago."""
PERSON_M, WIDTH_M, SHOULDERS_M = 1.7, 0.8, 0.5
"""Metres: how tall people are; how wide, their stride and arms included; and at the least."""


@dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """When a box is dropped; in doubt it stays.

    What somebody annotated is dropped only for what cannot be seen in it: hidden, cut, too small. Blur and
    overlap are doubts about a finder's boxes, and an annotator has resolved them.
    """

    min_side_px: int = 5
    """Of a crop. The smallest people in G2A-VReID are 5 wide (paper section 3.3)."""
    min_visible: float = 0.3
    """Share of the person that is to be seen, where the annotations tell it: with less, the crop shows mostly
    somebody or something else."""
    max_missing_height: float = 1 / 3
    """Share of the usual height that may lie beyond the upper or lower edge: with more, the head and chest or
    the legs are gone."""
    max_missing_width: float = 1 / 2
    """The same at the left and right edge. Wider, since a stride changes the width by a third and more."""
    max_overlap: float = 0.7
    """Intersection over union of two boxes: above it, nobody can say who of the two is in the crop. Both go."""
    min_sharpness: float = 0.02
    """As `sharpness` measures it. Measured: real crops (two stands, 40 to 200 pixels high; one
    hall, 300 to 430) are above 0.37 and simulated ones above 0.10; out of focus by a twentieth of the person's
    height (sigma), half of each of them is below 0.02, and by a hundredth, next to none."""
    min_crops: int = 2
    """Of a tracklet; fewer make no video."""

    def __post_init__(self) -> None:
        for name in ("min_visible", "max_missing_height", "max_missing_width", "max_overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"QualityConfig.{name} must be from 0 to 1; got {getattr(self, name)}")
        for name, least in (("min_side_px", 1), ("min_crops", 1), ("min_sharpness", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"QualityConfig.{name} must be at least {least}; got {getattr(self, name)}")


class QualityFilter:
    """Judges the boxes of one video."""

    def __init__(
        self, tracked: TrackedBoxes, config: QualityConfig, *, width: int, height: int, is_annotated: bool
    ) -> None:
        self.config = config
        self.is_annotated = is_annotated
        """By somebody; otherwise a program found the boxes."""
        self._visible = tracked.visible
        self._far_edges = np.array([width, height])
        self._whole: dict[int, tuple[list[int], list[tuple[float, float]]]] = {}  # by track: frames, sizes
        for index in sorted(tracked.frames):
            for track, box in tracked.frames[index].items():
                if not any(self._touches(box)):
                    frames, sizes = self._whole.setdefault(track, ([], []))
                    frames.append(index)
                    sizes.append((box[2] - box[0], box[3] - box[1]))

    def reasons(self, index: int, people: Mapping[int, Box]) -> dict[int, str]:
        """Of the boxes of one frame by track, those that are dropped: `too-small`, `hidden`, `cut` or `merged`."""
        merged = set() if self.is_annotated else _merged(people, self.config.max_overlap)
        dropped: dict[int, str] = {}
        for track, box in people.items():
            if min(box[2] - box[0], box[3] - box[1]) < self.config.min_side_px:
                dropped[track] = "too-small"
            elif self._visible.get(index, {}).get(track, 1.0) < self.config.min_visible:
                dropped[track] = "hidden"
            elif self._is_cut(index, track, box):
                dropped[track] = "cut"
            elif track in merged:
                dropped[track] = "merged"
        return dropped

    def whole_size(self, index: int, track: int) -> tuple[float, float] | None:
        """Usual width and height of somebody around a frame, where no edge cuts them; None = an edge always does."""
        frames, sizes = self._whole.get(track, ([], []))
        if not sizes:
            return None
        around = bisect_left(frames, index)
        near = sorted(
            range(max(0, around - NEIGHBOURS), min(len(frames), around + NEIGHBOURS)),
            key=lambda place: abs(frames[place] - index),
        )[:NEIGHBOURS]
        return median(sizes[place][0] for place in near), median(sizes[place][1] for place in near)

    def _is_cut(self, index: int, track: int, box: Box) -> bool:
        usual, (at_side, at_end) = self.whole_size(index, track), self._touches(box)
        if usual is None or not (at_side or at_end):
            return False
        return (at_side and box[2] - box[0] < (1 - self.config.max_missing_width) * usual[0]) or (
            at_end and box[3] - box[1] < (1 - self.config.max_missing_height) * usual[1]
        )

    def _touches(self, box: Box) -> tuple[bool, bool]:
        """Whether a box touches the left or right edge, and the upper or lower one."""
        near, far = np.array(box[:2]) < BORDER_PX, np.array(box[2:]) > self._far_edges - BORDER_PX
        return bool(near[0] or far[0]), bool(near[1] or far[1])


def _merged(people: Mapping[int, Box], max_overlap: float) -> set[int]:
    return {
        track
        for first, second in combinations(people, 2)
        if _overlap(people[first], people[second]) > max_overlap
        for track in (first, second)
    }


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared) if shared else 0.0


HEIGHT_PX = 64
"""Larger crops are scaled down to this height: a person of 400 pixels who is out of focus by two of them shows
more than a sharp one of 40 does. Smaller crops stay: enlarging makes no detail."""


def sharpness(pixels: UInt8[np.ndarray, "height width 3"]) -> float:
    """Variance of the Laplacian over the variance of the brightness, so that a dull day is no blur.

    0 = one colour; noise of single pixels has about 20; a person in focus about 0.5.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = HEIGHT_PX / gray.shape[0]
    if scale < 1:
        gray = scaled(gray, scale, interpolation=cv2.INTER_AREA)
    # A crop of one colour has neither; the least step of brightness keeps the ratio finite.
    return float(cv2.Laplacian(gray, cv2.CV_32F).var() / max(float(gray.var()), 1.0))


def scaled(
    pixels: Shaped[np.ndarray, "height width *channel"], scale: float, *, interpolation: int = cv2.INTER_LINEAR
) -> Shaped[np.ndarray, "..."]:
    """Resize a picture by a factor; a side that would vanish is one pixel."""
    height, width = (round(side * scale) for side in pixels.shape[:2])
    if min(height, width) < 1:
        return cv2.resize(pixels, (max(1, width), max(1, height)), interpolation=interpolation)
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=interpolation)


def pixels_per_metre(box: Box, whole_size: tuple[float, float] | None) -> float:
    """How large a person is filmed.

    Args:
        box: of the person in this frame.
        whole_size: usual width and height of the person around this time, in pixels, where no edge of the picture
            cuts the box; None = it always does.
    """
    if whole_size is None:
        return max((box[3] - box[1]) / PERSON_M, (box[2] - box[0]) / SHOULDERS_M)
    width, height = whole_size
    return max(height / PERSON_M, width / WIDTH_M)
