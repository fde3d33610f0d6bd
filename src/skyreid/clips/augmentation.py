"""Training augmentation: what is drawn once for a clip, and how it changes the frames.

Source: paper section 5.2; METHOD section 7 and section 11 rows 4 and 6. Paper and release disagree;
`AugmentationConfig` holds both: `RELEASE` flips and erases (fill value written after normalisation,
size redrawn for every frame), `PAPER` also pads by 10 and crops, and erases one region per clip.
"""

import math
import random
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from skyreid.clips.frame_cache import resize
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


def augment(
    frames: UInt8[np.ndarray, "frame height width channel"], config: AugmentationConfig, rng: random.Random
) -> tuple[UInt8[np.ndarray, "frame height width channel"], Int64[np.ndarray, "frame side"]]:
    """Change one clip; give back its frames and the rectangle (top, left, height, width) to erase in each.

    The rectangles are filled in after normalisation (`ClipBatch.pixels`). The order of the draws
    is the release's: flip, erase, two positions, then two per attempt and frame.
    """
    if config.frames_apart and len(frames) > 1:
        parts = [augment(frames[i : i + 1], config, rng) for i in range(len(frames))]
        return np.concatenate([part for part, _ in parts]), np.concatenate([erasures for _, erasures in parts])
    if rng.random() < config.flip_probability:
        frames = frames[:, :, ::-1]
    erasures = _draw_erasures(frames.shape[0], frames.shape[1:3], config, rng)
    if config.pad:
        frames = _crop_from_padded(frames, config.pad, rng)
    if config.enlarge > 1 and rng.random() < 0.5:
        frames = _crop_from_enlarged(frames, config.enlarge, rng)
    return np.ascontiguousarray(frames), np.array(erasures, dtype=np.int64)


def _draw_erasures(
    count: int, size: tuple[int, ...], config: AugmentationConfig, rng: random.Random
) -> list[tuple[int, int, int, int]]:
    is_erased = rng.random() > 1 - config.erase_probability
    down, across = rng.random(), rng.random()
    if not is_erased:
        return [NO_ERASURE] * count
    if config.erase_every_frame_anew:
        return [_draw_rectangle(down, across, size, config, rng) for _ in range(count)]
    return [_draw_rectangle(down, across, size, config, rng)] * count


def _draw_rectangle(
    down: float, across: float, size: tuple[int, ...], config: AugmentationConfig, rng: random.Random
) -> tuple[int, int, int, int]:
    frame_height, frame_width = size
    for _ in range(_ERASE_ATTEMPTS):
        area = rng.uniform(*config.erase_area) * frame_height * frame_width
        aspect = rng.uniform(*config.erase_aspect)
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if height < frame_height and width < frame_width:
            return round(down * (frame_height - height)), round(across * (frame_width - width)), height, width
    return NO_ERASURE


def _crop_from_padded(
    frames: UInt8[np.ndarray, "frame height width channel"], pad: int, rng: random.Random
) -> UInt8[np.ndarray, "frame height width channel"]:
    height, width = frames.shape[1:3]
    padded = np.pad(frames, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    top, left = rng.randint(0, 2 * pad), rng.randint(0, 2 * pad)
    return padded[:, top : top + height, left : left + width]


def _crop_from_enlarged(
    frames: UInt8[np.ndarray, "frame height width channel"], factor: float, rng: random.Random
) -> UInt8[np.ndarray, "frame height width channel"]:
    height, width = frames.shape[1:3]
    tall, wide = round(height * factor), round(width * factor)
    enlarged = np.stack([resize(np.ascontiguousarray(frame), (tall, wide)) for frame in frames])
    top, left = rng.randint(0, tall - height), rng.randint(0, wide - width)
    return enlarged[:, top : top + height, left : left + width]
