"""A frame to the tensor that a detector takes, and boxes back to the frame."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

PLAIN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What a family was trained to look at."""

    fit: Literal["letterbox", "stretch"]
    """Letterbox: keep the proportions, at the top left, and pad the rest; stretch: fill the whole picture."""
    padding: int = 0
    """Tone of what a letterbox leaves empty, 0 to 255."""
    channels: Literal["rgb", "bgr"]
    divisor: float
    """Of tones, before mean and deviation: 255 for 0 to 1."""
    mean_and_deviation: tuple[tuple[float, float, float], tuple[float, float, float]] = PLAIN
    antialias: bool = False
    """Whether shrinking averages (Pillow) or picks neighbours (OpenCV's and torch's bilinear)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture to feed, and how the frame lies in it."""

    tensor: Float32[np.ndarray, "3 height width"]
    scale: tuple[float, float]
    """Pixels of this picture in one of the frame, x and y."""

    def in_frame(self, boxes: Float64[np.ndarray, "box 4"]) -> Float64[np.ndarray, "box 4"]:
        """Boxes of this picture, xyxy, in pixels of the frame."""
        return boxes / np.tile(self.scale, 2)


def fit(
    pixels: UInt8[np.ndarray, "height width 3"], preprocessing: Preprocessing, *, height: int, width: int
) -> Fitted:
    """Bring an RGB frame into a picture of this size."""
    frame_height, frame_width = pixels.shape[:2]
    inner = width, height
    if preprocessing.fit == "letterbox":
        scale = min(width / frame_width, height / frame_height)
        inner = max(1, int(frame_width * scale)), max(1, int(frame_height * scale))
    shrinks = inner[0] < frame_width
    method = cv2.INTER_AREA if preprocessing.antialias and shrinks else cv2.INTER_LINEAR
    picture = np.full((height, width, 3), preprocessing.padding, np.uint8)
    picture[: inner[1], : inner[0]] = cv2.resize(pixels, inner, interpolation=method)
    if preprocessing.channels == "bgr":
        picture = picture[..., ::-1]
    mean, deviation = (np.array(values, np.float32) for values in preprocessing.mean_and_deviation)
    tensor = (picture.astype(np.float32) / np.float32(preprocessing.divisor) - mean) / deviation
    tensor = np.ascontiguousarray(np.moveaxis(tensor, 2, 0))
    return Fitted(tensor, (inner[0] / frame_width, inner[1] / frame_height))
