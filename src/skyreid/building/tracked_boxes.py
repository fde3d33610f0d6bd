"""Who is where in each frame of one video: what annotations and the tracker both give to the cropper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""xyxy in pixels of the full frame, from 0; the far edges lie outside the box."""


@dataclass(frozen=True, kw_only=True)
class TrackedBoxes:
    """The boxes of one video."""

    frames: Mapping[int, Mapping[int, Box]]
    """Frame number from 0, then track number, then box. A frame without boxes may be absent."""
    dropped: Mapping[str, int]
    """Boxes left out, by reason."""
