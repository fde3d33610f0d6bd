"""What a search, by motion or by a detector, finds in one frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from skyreid.building.tracked_boxes import Box


@dataclass(frozen=True, slots=True)
class FrameBoxes:
    """The boxes of one searched frame, in pixels of the full frame."""

    index: int
    """Of the frame, from 0."""
    time_s: float
    boxes: tuple[Box, ...]
    doubtful: tuple[Box, ...] = ()
    """These may go on with a track, but begin none."""


def as_boxes(rows: Float64[np.ndarray, "box 4"]) -> tuple[Box, ...]:
    """The rows of an array, xyxy."""
    return tuple((left, top, right, bottom) for left, top, right, bottom in rows.tolist())
