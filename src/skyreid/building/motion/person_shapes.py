"""Which of the moving pixels are people: pieces put together, and judged by their shape."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool

MIN_HEIGHT = 12
"""Of a person, in pixels of the searched picture."""
MIN_ASPECT, MAX_ASPECT = 1.0, 6.0
"""Height over width of a person: a long stride from the side, and someone slim from the front."""
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

PixelBox: TypeAlias = tuple[int, int, int, int]
"""xyxy in pixels of the searched picture."""


def find_person_shapes(
    mask: Bool[np.ndarray, "height width"],
) -> tuple[list[PixelBox], Bool[np.ndarray, "height width"]]:
    """Boxes of what is shaped like a person, and the pixels that belong to it."""
    reach = max(3, mask.shape[0] // 144)
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, 2 * reach + 1))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, bridge)
    num_parts, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    pieces = [
        _Piece((x, y, x + w, y + h), frozenset({number}), area)
        for number, (x, y, w, h, area) in enumerate(stats.tolist())
        if number > 0 and area >= MIN_AREA
    ]
    pieces.sort(key=lambda piece: (-piece.area, piece.box))
    people = [piece for piece in _united(pieces[:MAX_PIECES]) if piece.is_person_shaped]
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
        if 2 * overlap < min(self.box[2] - self.box[0], other.box[2] - other.box[0]):
            return False
        whole = self.united_with(other)
        gap = max(self.box[1], other.box[1]) - min(self.box[3], other.box[3])
        return (
            min(self.aspect, other.aspect) < FRAGMENT_ASPECT
            and gap <= MAX_GAP * (whole.box[3] - whole.box[1])
            and whole.is_person_shaped
        )


def _united(pieces: list[_Piece]) -> list[_Piece]:
    """Put people together again whose belt or shirt has the colour of the wall, beginning with the first piece."""
    waiting = list(pieces)
    done: list[_Piece] = []
    while waiting:
        piece = waiting.pop(0)
        while partner := next((other for other in waiting if other.belongs_to(piece)), None):
            waiting.remove(partner)
            piece = piece.united_with(partner)
        done.append(piece)
    return done
