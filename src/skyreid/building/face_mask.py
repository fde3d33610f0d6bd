"""Faces covered before anything is written.

A detector finds faces; where it finds none on the head of somebody large enough to be recognised, the
head is covered whatever it shows. So a face that the detector misses is covered too, and so is the back of a
head: it is the price of failing closed. People who are smaller stay as they are.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8

from skyreid.building.face_detection import CascadeDetector, FaceDetector, YunetDetector
from skyreid.building.tracked_boxes import Box
from skyreid.errors import SettingError

GREY = 96
"""All three channels; burnt in, like the mosaic of the paper (section 3.2)."""
BLOCKS = 3
"""Pixelated squares across the shorter side of a region. Programs recognise faces in squares in which people see
nothing (McPherson et al. 2016, arXiv 1609.00408), and a face that moves shows other averages in every frame:
hence so few, and hence grey by default."""
MARGIN = 0.1
"""Of the person's box, looked at around it: a face at the very edge needs its surroundings to be found."""
MIN_WIDTH, MIN_HEIGHT = 20, 60
"""Pixels of a person's box; from one of them on, the head is covered without a detection. Half a metre of shoulders
in 20 pixels makes a face of 6, and so do 1.7 m in 60. People recognise those whom they know in 12 x 14 (Sinha 2002),
and tell strangers apart no better than by chance in 11 (5 between the pupils, arXiv 2503.20108)."""
HEAD_MARGIN = 0.1
"""Of the width of the box, on either side of the head."""
HEAD_HEIGHT, MAX_HEAD_HEIGHT = 0.2, 0.5
"""Of the box, at its top: an upright person's, and at most. Hair to chin is an eighth of a body."""
HEAD_HEIGHT_BY_WIDTH = 0.6
"""Of the width of the box: shoulders stay as wide when a body is seen from above or cut by the edge of the picture, and
the head becomes a larger part of its height. Measured with these four on simulated people, whose faces were turned
to the camera within 60 degrees: three quarters or more of the face lie in the region for all of 845 seen from the
ground and 356 of 359 seen by a drone; with an upper fifth for everybody, for 94 % of the drone's."""


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """How faces are covered."""

    style: Literal["grey", "pixelate"] = "grey"
    """Of what is painted over them."""
    detector: Literal["cascade", "yunet"] = "cascade"
    """"cascade" is OpenCV's own; "yunet" is OpenCV's FaceDetectorYN with your file."""
    model: Path | None = None
    """Of "yunet": face_detection_yunet_*.onnx."""
    fallback: bool = True
    """Cover the head of everybody on whom no face is found, from 20 pixels of width or 60 of height on."""

    def __post_init__(self) -> None:
        if self.detector == "yunet" and self.model is None:
            raise SettingError("the face detector yunet needs a model: a file face_detection_yunet_*.onnx")
        if self.detector == "cascade" and self.model is not None:
            raise SettingError(f"the face detector cascade takes no model; got {self.model} (did you mean yunet?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedFaces:
    """What was covered of one person in one frame."""

    detected: int
    """Faces that the detector found."""
    fallback: int
    """Heads covered without one: 0 or 1."""
    regions: tuple[Box, ...]
    """All of them, in whole pixels of the frame."""


class FaceMask:
    """Holds the detector, which takes longer to load than to run.

    Raises:
        SettingError: the model of the detector cannot be used.
    """

    def __init__(self, config: MaskingConfig) -> None:
        self._detector: FaceDetector = CascadeDetector() if config.model is None else YunetDetector(config.model)
        self._paint = _STYLES[config.style]
        self._has_fallback = config.fallback

    def cover(self, pixels: UInt8[np.ndarray, "height width 3"], person: Box) -> MaskedFaces:
        """Paint over the faces of a person, in the frame itself; a neighbour's in the same box are among them."""
        faces = self._faces(pixels, person)
        head = head_region(person)
        covers_head = self._has_fallback and _is_large(person) and not any(_begins_in(head, face) for face in faces)
        regions = tuple(_inside(box, pixels) for box in ([*faces, head] if covers_head else faces))
        for left, top, right, bottom in regions:
            self._paint(pixels[int(top) : int(bottom), int(left) : int(right)])
        return MaskedFaces(detected=len(faces), fallback=int(covers_head), regions=regions)

    def _faces(self, pixels: UInt8[np.ndarray, "height width 3"], person: Box) -> list[Box]:
        left, top, right, bottom = person
        dx, dy = MARGIN * (right - left), MARGIN * (bottom - top)
        x0, y0 = max(0, round(left - dx)), max(0, round(top - dy))
        found = self._detector.find(pixels[y0 : round(bottom + dy), x0 : round(right + dx)])
        return [(x0 + x, y0 + y, x0 + x + width, y0 + y + height) for x, y, width, height in found.tolist()]


def head_region(person: Box) -> Box:
    """Where the head of a person in this box must be, as far as the box tells."""
    left, top, right, bottom = person
    width, height = right - left, bottom - top
    margin = HEAD_MARGIN * width
    depth = min(max(HEAD_HEIGHT_BY_WIDTH * width, HEAD_HEIGHT * height), MAX_HEAD_HEIGHT * height)
    return left + margin, top, right - margin, top + depth


def _is_large(person: Box) -> bool:
    return person[2] - person[0] >= MIN_WIDTH or person[3] - person[1] >= MIN_HEIGHT


def _begins_in(head: Box, face: Box) -> bool:
    """Whether a face belongs to this head: it begins there; a near face reaches further down than heads do."""
    middle = (face[0] + face[2]) / 2
    return head[0] <= middle < head[2] and face[1] < head[3] and face[3] > head[1]


def _inside(box: Box, pixels: UInt8[np.ndarray, "height width 3"]) -> Box:
    """Widened to whole pixels, and no further than the frame."""
    height, width = pixels.shape[:2]
    left, top = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    return float(left), float(top), float(min(width, math.ceil(box[2]))), float(min(height, math.ceil(box[3])))


def _paint_grey(region: UInt8[np.ndarray, "height width 3"]) -> None:
    region[:] = GREY


def _pixelate(region: UInt8[np.ndarray, "height width 3"]) -> None:
    height, width = region.shape[:2]
    side = max(1.0, min(height, width) / BLOCKS)
    squares = cv2.resize(region, (round(width / side), round(height / side)), interpolation=cv2.INTER_AREA)
    region[:] = cv2.resize(squares, (width, height), interpolation=cv2.INTER_NEAREST)


_STYLES: dict[str, Callable[[UInt8[np.ndarray, "height width 3"]], None]] = {
    "grey": _paint_grey,
    "pixelate": _pixelate,
}
