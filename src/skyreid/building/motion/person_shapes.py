"""Which of the moving pixels are people: pieces put together, and judged by their shape."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool

MIN_FILL = 0.25
"""Share of a person's box that moves."""
MIN_AREA = 12
"""Pixels of a piece."""
MAX_PIECES = 100
"""The largest ones; where more move, it is the light or the camera."""
FRAGMENT_ASPECT = 1.6
"""Below it a piece may be the upper or lower half of someone; two whole people are never united."""
MAX_GAP = 0.25
"""Between the halves, as a share of the person's height."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What people look like from one kind of camera, in the searched picture."""

    min_height: int
    max_height: int
    """Pixels."""
    min_aspect: float
    """Height over width: of a long stride from the side."""
    max_aspect: float
    """Of someone slim from the front."""
    cleaning: int
    """What is narrower than so many pixels is noise; 1 = nothing."""
    bridge: float
    """Pieces are joined over this share of the picture's height, twice as far upwards as sideways."""


FROM_THE_GROUND = View(min_height=12, max_height=10_000, min_aspect=1.0, max_aspect=6.0, cleaning=3, bridge=1 / 144)
FROM_A_DRONE = View(min_height=7, max_height=90, min_aspect=0.6, max_aspect=4.5, cleaning=1, bridge=1 / 360)
"""At 20 to 60 m people are 5 to 35 pixels wide, and nearly square from straight above (paper section 3.3)."""

PixelBox: TypeAlias = tuple[int, int, int, int]
"""xyxy in pixels of the searched picture."""


def find_person_shapes(
    mask: Bool[np.ndarray, "height width"], view: View = FROM_THE_GROUND
) -> tuple[list[PixelBox], Bool[np.ndarray, "height width"]]:
    """Boxes of what is shaped like a person, and the pixels that belong to it."""
    reach = max(view.cleaning, int(mask.shape[0] * view.bridge))
    noise = np.ones((view.cleaning, view.cleaning), np.uint8)
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, noise)
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, 2 * reach + 1))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, bridge)
    num_parts, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    pieces = [
        _Piece((x, y, x + w, y + h), frozenset({number}), area)
        for number, (x, y, w, h, area) in enumerate(stats.tolist())
        if number > 0 and area >= MIN_AREA
    ]
    pieces.sort(key=lambda piece: (-piece.area, piece.box))
    people = [piece for piece in _united(pieces[:MAX_PIECES], view) if piece.is_shaped(view)]
    is_person = np.zeros(num_parts, bool)
    is_person[[number for piece in people for number in piece.parts]] = True
    return [piece.box for piece in people], is_person[np.asarray(labels, np.int32)]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something that moves, of one or more connected parts."""

    box: PixelBox
    parts: frozenset[int]
    area: int

    @property
    def aspect(self) -> float:
        left, top, right, bottom = self.box
        return (bottom - top) / (right - left)

    def is_shaped(self, view: View) -> bool:
        """Like a person?"""
        left, top, right, bottom = self.box
        return (
            view.min_height <= bottom - top <= view.max_height
            and view.min_aspect <= self.aspect <= view.max_aspect
            and self.area >= MIN_FILL * (bottom - top) * (right - left)
        )

    def united_with(self, other: "_Piece") -> "_Piece":
        left, top = (min(a, b) for a, b in zip(self.box[:2], other.box[:2], strict=True))
        right, bottom = (max(a, b) for a, b in zip(self.box[2:], other.box[2:], strict=True))
        return _Piece((left, top, right, bottom), self.parts | other.parts, self.area + other.area)

    def belongs_to(self, other: "_Piece", view: View) -> bool:
        """Is this and the other one person: stacked, close, and person-shaped only together?"""
        overlap = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        if 2 * overlap < min(self.box[2] - self.box[0], other.box[2] - other.box[0]):
            return False
        whole = self.united_with(other)
        gap = max(self.box[1], other.box[1]) - min(self.box[3], other.box[3])
        return (
            min(self.aspect, other.aspect) < FRAGMENT_ASPECT
            and gap <= MAX_GAP * (whole.box[3] - whole.box[1])
            and whole.is_shaped(view)
        )


def _united(pieces: list[_Piece], view: View) -> list[_Piece]:
    """Put people together again whose belt or shirt has the colour of the wall, beginning with the first piece."""
    waiting = list(pieces)
    done: list[_Piece] = []
    while waiting:
        piece = waiting.pop(0)
        while partner := next((other for other in waiting if other.belongs_to(piece, view)), None):
            waiting.remove(partner)
            piece = piece.united_with(partner)
        done.append(piece)
    return done
