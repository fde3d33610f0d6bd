"""Training augmentation: what is drawn for a clip, and how it changes the frames of a whole batch.

Source: paper section 5.2; METHOD section 7 and section 11 rows 4 and 6. Paper and release disagree;
`AugmentationConfig` holds both: `RELEASE` flips and erases (fill value written after normalisation,
size redrawn for every frame), `PAPER` also pads by 10 and crops, and erases one region per clip.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from skyreid.clips.exact_resize import resize_exactly
from skyreid.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    frames_apart: bool = False
    """Draw everything anew for each frame, as MGH and PiT do; else what is drawn once holds for the clip."""
    enlarge: float = 1.0
    """Of an enlargement before a random crop back to size, with probability one half (MGH); 1 = none."""
    pad: int = 0
    """Pixels of zero border before a random crop back to size; 0 = no crop."""
    flip_probability: float = 0.5
    """Of mirroring the whole clip."""
    erase_probability: float = 0.5
    """Of erasing a rectangle. The release's own option is inverted: its p erases with 1 - p."""
    erase_area: tuple[float, float] = (0.02, 0.4)
    """Share of the frame's area, drawn uniformly."""
    erase_aspect: tuple[float, float] = (0.3, 1 / 0.3)
    """Height over width, drawn uniformly."""
    erase_every_frame_anew: bool = True
    """Redraw the rectangle's size for each frame of the clip (release); else one size a clip."""
    erase_fill: tuple[float, float, float] = (0.4914, 0.4822, 0.4465)
    """RGB written after normalisation; the release's is not the mean colour, (0, 0, 0) is."""

    def __post_init__(self) -> None:
        if self.enlarge < 1:
            raise SettingError(f"augmentation: frames are enlarged by 1 or more; got enlarge={self.enlarge}")


RELEASE = AugmentationConfig()
PAPER = AugmentationConfig(pad=10, erase_every_frame_anew=False, erase_fill=(0.0, 0.0, 0.0))

NO_ERASURE = (0, 0, 0, 0)
_ERASE_ATTEMPTS = 100
"""Draws of a size before giving up on a rectangle that fits, as in the release."""


@dataclass(frozen=True, slots=True)
class FrameChange:
    """What was drawn for one frame."""

    is_flipped: bool = False
    erasure: tuple[int, int, int, int] = NO_ERASURE
    """(top, left, height, width) to fill after normalisation (`ClipBatch.pixels`); zeros = nothing."""
    padded_at: tuple[int, int] | None = None
    """(top, left) of the crop from the padded frame; None = not padded."""
    enlarged_at: tuple[int, int] | None = None
    """(top, left) of the crop from the enlarged frame; None = not enlarged."""


UNCHANGED = FrameChange()


def draw_changes(
    count: int, size: tuple[int, int], config: AugmentationConfig, rng: random.Random
) -> list[FrameChange]:
    """Draw what happens to each frame of one clip.

    The order of the draws is the release's: flip, erase, two positions, then two per attempt and frame.

    Args:
        count: frames of the clip.
        size: (height, width) of a frame in pixels.
        config: what is drawn.
        rng: of this clip.
    """
    if config.frames_apart and count > 1:
        return [change for _ in range(count) for change in draw_changes(1, size, config, rng)]
    height, width = size
    is_flipped = rng.random() < config.flip_probability
    erasures = _draw_erasures(count, size, config, rng)
    padded_at = (rng.randint(0, 2 * config.pad), rng.randint(0, 2 * config.pad)) if config.pad else None
    enlarged_at = None
    if config.enlarge > 1 and rng.random() < 0.5:
        tall, wide = _enlarged(size, config)
        enlarged_at = rng.randint(0, tall - height), rng.randint(0, wide - width)
    return [FrameChange(is_flipped, erasure, padded_at, enlarged_at) for erasure in erasures]


def change_frames(
    frames: UInt8[np.ndarray, "frame height width 3"], changes: Sequence[FrameChange], config: AugmentationConfig
) -> None:
    """Change the frames of a batch in place: flip, then crop from the padded, then from the enlarged frame.

    Args:
        frames: of all clips, one after the other.
        changes: what was drawn for each of them.
        config: what it was drawn by.
    """
    height, width = frames.shape[1:3]
    for frame, change in zip(frames, changes, strict=True):
        if change.is_flipped:
            frame[:] = cv2.flip(frame, 1)  # several times NumPy's speed
        if change.padded_at is not None:
            top, left = change.padded_at
            padded = np.pad(frame, ((config.pad, config.pad), (config.pad, config.pad), (0, 0)))
            frame[:] = padded[top : top + height, left : left + width]
        if change.enlarged_at is not None:
            top, left = change.enlarged_at
            enlarged = resize_exactly(frame, _enlarged((height, width), config))
            frame[:] = enlarged[top : top + height, left : left + width]


def _enlarged(size: tuple[int, int], config: AugmentationConfig) -> tuple[int, int]:
    return round(size[0] * config.enlarge), round(size[1] * config.enlarge)


def _draw_erasures(
    count: int, size: tuple[int, int], config: AugmentationConfig, rng: random.Random
) -> list[tuple[int, int, int, int]]:
    is_erased = rng.random() > 1 - config.erase_probability
    down, across = rng.random(), rng.random()
    if not is_erased:
        return [NO_ERASURE] * count
    if config.erase_every_frame_anew:
        return [_draw_rectangle(down, across, size, config, rng) for _ in range(count)]
    return [_draw_rectangle(down, across, size, config, rng)] * count


def _draw_rectangle(
    down: float, across: float, size: tuple[int, int], config: AugmentationConfig, rng: random.Random
) -> tuple[int, int, int, int]:
    frame_height, frame_width = size
    for _ in range(_ERASE_ATTEMPTS):
        area = rng.uniform(*config.erase_area) * frame_height * frame_width
        aspect = rng.uniform(*config.erase_aspect)
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if height < frame_height and width < frame_width:
            return round(down * (frame_height - height)), round(across * (frame_width - width)), height, width
    return NO_ERASURE
