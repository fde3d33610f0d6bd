"""People as what moves before a static camera: boxes without any weights.

Measured with these settings on real clips: usable for sparse people taller than about 60 pixels; it cannot
see who stands still longer than a minute, and gives one box for people who overlap.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from scipy.ndimage import median_filter

from skyreid.building.decode import DecodeLimits, VideoFacts, frames
from skyreid.building.static_camera import CameraMotion
from skyreid.building.tracked_boxes import Box
from skyreid.errors import SourceError
from skyreid.progress import Progress

MAX_SIDE = 1280
"""Longer side of the pictures that are searched: people of 60 pixels in 4K keep 20."""
MIN_HEIGHT = 12
"""Of a box, in pixels of those pictures."""
MIN_ASPECT, MAX_ASPECT = 1.0, 6.0
"""Height over width of a person: a long stride from the side, and someone slim from the front."""
MIN_FILL = 0.25
"""Share of a person's box that moves."""
FRAGMENT_ASPECT = 1.6
"""Below it a moving thing may be the upper or lower half of someone; two whole people are never united."""
MAX_GAP = 0.25
"""Between the halves, as a share of the person's height."""
MIN_AREA = 12
"""Pixels of a fragment."""
BLIND_S = 1.0
"""No boxes at the very start: what moves and where it stood in the first frame look alike."""
LEARN_S = 3.0
"""Everything seen in the first seconds is background unless it goes away again."""
UPDATE_EVERY = 5
"""Frames from one update of the background to the next."""
UPDATE_RATE = 0.01
"""Weight of an update: what is no person and stays is background after about ten of them."""
PROTECT_S = 60.0
"""A person-shaped thing that stands still is not learned as background for this long."""


@dataclass(frozen=True, slots=True)
class FrameBoxes:
    """What moves in one frame."""

    index: int
    time_s: float
    boxes: tuple[Box, ...]


def motion_boxes(
    path: Path, facts: VideoFacts, *, interval_s: Fraction, limits: DecodeLimits, progress: Progress
) -> list[FrameBoxes]:
    """Find what moves and is shaped like a person, every `interval_s` seconds.

    Raises:
        SourceError: the camera moves.
        VideoError: the video cannot be decoded.
    """
    camera = CameraMotion()
    background = _Background(interval_s=float(interval_s))
    found = []
    for frame in frames(path, interval_s=interval_s, max_side=MAX_SIDE, limits=limits):
        camera.look(frame.time_s, frame.pixels)
        scale = facts.width / frame.pixels.shape[1]
        boxes = background.moving(frame.pixels)
        found.append(
            FrameBoxes(
                frame.index,
                frame.time_s,
                tuple((x0 * scale, y0 * scale, x1 * scale, y1 * scale) for x0, y0, x1, y1 in boxes),
            )
        )
        progress("find people", round(frame.time_s), round(facts.duration_s or frame.time_s), path.name)
    if camera.moves:
        raise SourceError(
            f"{path}: without annotations people are found by motion, and this camera moves; bring boxes in "
            "MOTChallenge format (annotations=FILE)"
        )
    return found


class _Background:
    """MOG2 with three cures for what spoils it.

    Auto-exposure: each frame is brought to the background's brightness first. People who stand: the model
    learns a filled-in picture, in which they are covered by the background. Their ghosts: the cover is
    lifted after PROTECT_S, and things of another shape are never covered.
    """

    def __init__(self, *, interval_s: float) -> None:
        self._model = cv2.createBackgroundSubtractorMOG2()
        self._learning_frames = round(LEARN_S / interval_s)
        self._blind_frames = round(BLIND_S / interval_s)
        self._max_age = round(PROTECT_S / interval_s / UPDATE_EVERY)
        self._num_frames = 0

    def moving(self, pixels: UInt8[np.ndarray, "height width 3"]) -> list[tuple[int, int, int, int]]:
        """Take the next frame and give the boxes of what moves in it."""
        if self._num_frames == 0:
            self._picture = pixels
            self._age = np.zeros(pixels.shape[:2], np.uint16)
        learning = self._num_frames < self._learning_frames
        pixels = _brought_to(self._picture, pixels)
        mask = self._model.apply(pixels, learningRate=-1 if learning else 0) == 255  # 127 is shadow
        boxes, people = _people(mask)
        if learning:
            self._picture = self._model.getBackgroundImage()
        elif self._num_frames % UPDATE_EVERY == 0:
            self._age = np.where(people, self._age + 1, 0).astype(np.uint16)
            covered = people & (self._age < self._max_age)
            self._model.apply(np.where(covered[..., None], self._picture, pixels), learningRate=UPDATE_RATE)
            self._picture = self._model.getBackgroundImage()
        self._num_frames += 1
        return boxes if self._num_frames > self._blind_frames else []


def _brought_to(
    background: UInt8[np.ndarray, "height width 3"], pixels: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Undo auto-exposure and white balance: give the picture the background's tones.

    A camera changes its tone curve, not only its gain: dark tones rise by 20 where bright ones rise by 10.
    So each channel gets its own table, from how much the pixels of each tone differ in the median.
    """
    was, now = (picture[::6, ::6].reshape(-1, 3).astype(np.int16) for picture in (background, pixels))
    table = np.empty((256, 1, 3), np.uint8)
    centres = np.arange(8, 256, 16)
    for channel in range(3):
        tone = was[:, channel] // 16
        shifts = np.full(16, np.nan)
        for number in np.flatnonzero(np.bincount(tone, minlength=16) >= 30):
            shifts[number] = np.median(now[tone == number, channel] - was[tone == number, channel])
        known = np.flatnonzero(~np.isnan(shifts))
        if not len(known):
            return pixels
        # A person may cover most pixels of one tone: its neighbours overrule it.
        smooth = median_filter(shifts[known], size=5, mode="nearest")
        seen = np.maximum.accumulate(centres[known] + smooth)
        levels = np.arange(256)
        table[:, 0, channel] = np.clip(levels - np.interp(levels, seen, smooth) + 0.5, 0, 255)
    return cv2.LUT(pixels, table)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something that moves, of one or more connected parts."""

    box: tuple[int, int, int, int]
    parts: frozenset[int]
    area: int

    @property
    def aspect(self) -> float:
        left, top, right, bottom = self.box
        return (bottom - top) / (right - left)

    @property
    def is_person_shaped(self) -> bool:
        left, top, right, bottom = self.box
        return (
            bottom - top >= MIN_HEIGHT
            and MIN_ASPECT <= self.aspect <= MAX_ASPECT
            and self.area >= MIN_FILL * (bottom - top) * (right - left)
        )

    def united_with(self, other: "_Piece") -> "_Piece":
        left, top = (min(a, b) for a, b in zip(self.box[:2], other.box[:2], strict=True))
        right, bottom = (max(a, b) for a, b in zip(self.box[2:], other.box[2:], strict=True))
        return _Piece((left, top, right, bottom), self.parts | other.parts, self.area + other.area)

    def belongs_to(self, other: "_Piece") -> bool:
        """Is this and the other one person: stacked, close, and person-shaped only together?"""
        overlap = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        narrower = min(self.box[2] - self.box[0], other.box[2] - other.box[0])
        gap = max(self.box[1], other.box[1]) - min(self.box[3], other.box[3])
        whole = self.united_with(other)
        return (
            min(self.aspect, other.aspect) < FRAGMENT_ASPECT
            and overlap >= narrower / 2
            and gap <= MAX_GAP * (whole.box[3] - whole.box[1])
            and whole.is_person_shaped
        )


def _people(
    mask: Bool[np.ndarray, "height width"],
) -> tuple[list[tuple[int, int, int, int]], Bool[np.ndarray, "height width"]]:
    """Boxes of what is shaped like a person, and the pixels that belong to it."""
    reach = max(3, mask.shape[0] // 144)
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, 2 * reach + 1))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, bridge)
    num_parts, parts, stats, _ = cv2.connectedComponentsWithStats(solid)
    pieces = [
        _Piece((int(x), int(y), int(x + w), int(y + h)), frozenset({number}), int(area))
        for number, (x, y, w, h, area) in enumerate(stats)
        if number > 0 and area >= MIN_AREA
    ]
    people = [piece for piece in _united(pieces) if piece.is_person_shaped]
    is_person = np.zeros(num_parts, bool)
    is_person[[number for piece in people for number in piece.parts]] = True
    return [piece.box for piece in people], is_person[parts]


def _united(pieces: list[_Piece]) -> list[_Piece]:
    """Put people together again whose belt or shirt has the colour of the wall; the largest pieces first."""
    waiting = sorted(pieces, key=lambda piece: (-piece.area, piece.box))
    done: list[_Piece] = []
    while waiting:
        piece = waiting.pop(0)
        partner = next((other for other in waiting if other.belongs_to(piece)), None)
        if partner is None:
            done.append(piece)
        else:
            waiting.remove(partner)
            waiting.insert(0, piece.united_with(partner))
    return done
