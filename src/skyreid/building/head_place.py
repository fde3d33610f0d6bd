"""Where the head of a person in a box is, and how large: by the person's shape, and by the moments around.

A box alone does not tell. Found by motion it reaches above the head by a shadow or a ball, an annotator leaves room,
and the head of a person who leans or strides is beside the middle. What differs from the colours around the box is
the person; the head is its top, as far as it stays narrower than the shoulders. Where the shape tells nothing, the
moments around do. Held against a pose model on 592 people of real footage, 85 to 400 pixels high: the middle of the
head lies in its place for 577.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from skyreid.building.tracked_boxes import Box

Pixels = UInt8[np.ndarray, "height width 3"]
"""RGB."""

PERSON_M, WIDTH_M, SHOULDERS_M = 1.7, 0.8, 0.5
"""Metres: how tall people are; how wide, their stride and arms included; and at the least."""
UPPER_M, ABOVE_M = 0.75, 0.1
"""From the top of the box down to the chest, and what is looked at above it."""
AROUND = 0.3
"""Of the box's width on either side, whose colours are those of the background."""
SEARCHED_PX_PER_M = 56.0
"""More detail is not needed: a head is then 13 pixels high. About 3 ms a person."""
COLOURS = 6
"""Of the background; a colour of less than MIN_SHARE of it may be a neighbour's."""
MIN_SHARE = 0.03
DIFFERENCE = 2.2
"""Standard deviations of a colour of the background; what is further away from all of them is the person."""
LEAST_DEVIATION = np.array([6.0, 3.0, 3.0], np.float32)
"""Of lightness and the two colours, in OpenCV's Lab: the noise of a camera and of compression."""
SHOULDERS = 0.72
"""Of the widest rows of the upper body; from the first row that is so wide on, it is not the head."""
NO_HEAD_M, USUAL_HEAD_M = 0.26, 0.3
"""What is wider is no head without hair or hat; where nothing is so wide, since a shirt has the colours of the wall,
the head is so high."""
LEAST_SHAPE_M = 0.15
"""Half a head; what is lower is no person."""
HEAD_HEIGHT_M, HEAD_WIDTH_M = (0.24, 0.4), (0.18, 0.36)
"""Least and most: crown to chin is 0.23 m and ear to ear 0.16 (DIN 33402-2), hair and hats come on top; from above the
body is shortened and the head is not."""
MAX_ROOM_M = 0.22
"""From the top of the box down to the head; more is a person whose head has the colours of what is behind it."""
SMOOTHING_S = 1.0
"""How fast the moments around lose weight."""
MAX_LEAP_M = 0.25
"""How far the shape of one moment may lie from the place that the moments around tell: people lean and turn."""
FACE_WEIGHT = 3.0
"""Of a found face; a shape has 1, and the place that the box tells 0.3."""


@dataclass(frozen=True, slots=True)
class HeadPlace:
    """A head, in metres of the person from the middle of the box's upper edge; the box grows, the place stays."""

    x_m: float
    y_m: float
    width_m: float
    height_m: float

    def in_frame(self, person: Box, px_per_m: float) -> Box:
        """Its box, in pixels of the frame."""
        x, y = (person[0] + person[2]) / 2 + self.x_m * px_per_m, person[1] + self.y_m * px_per_m
        dx, dy = self.width_m * px_per_m / 2, self.height_m * px_per_m / 2
        return x - dx, y - dy, x + dx, y + dy


BY_THE_BOX = HeadPlace(0.0, 0.14, 0.28, 0.3)
"""When nothing else tells: a head at the upper edge, with some room."""


@dataclass(frozen=True, slots=True)
class HeadShape:
    """A head that was found by the shape of the person."""

    box: Box
    """In pixels of the frame."""
    pixels: UInt8[np.ndarray, "pixel 3"]
    """Of the head itself, without what is behind it; at most as many as SEARCHED_PX_PER_M gives."""


def place_of(head: Box, person: Box, px_per_m: float) -> HeadPlace:
    """A head's box in the frame as a place relative to the person's."""
    x, y = (head[0] + head[2]) / 2 - (person[0] + person[2]) / 2, (head[1] + head[3]) / 2 - person[1]
    return HeadPlace(x / px_per_m, y / px_per_m, (head[2] - head[0]) / px_per_m, (head[3] - head[1]) / px_per_m)


def followed_place(seen: Sequence[tuple[HeadPlace, float, float]]) -> HeadPlace:
    """Where the head is, from this moment and those around.

    The weighted median of each number is where the head usually is; what this moment tells is taken when it agrees, and
    is not believed when it leaps.

    Args:
        seen: a place, the seconds between its moment and now, and its weight, which wanes with them.
    """
    places = np.array([astuple(BY_THE_BOX), *(astuple(place) for place, _, _ in seen)])
    weights = np.array([0.3, *(weight * np.exp(-abs(gap_s) / SMOOTHING_S) for _, gap_s, weight in seen)])
    middle: list[float] = []
    for column in places.T:
        order = np.argsort(column, kind="stable")
        passed = np.cumsum(weights[order])
        middle.append(float(column[order][np.searchsorted(passed, passed[-1] / 2)]))
    usual = HeadPlace(*middle)
    now = next((place for place, gap_s, _ in seen if gap_s == 0), None)
    if now is None or max(abs(now.x_m - usual.x_m), abs(now.y_m - usual.y_m)) > MAX_LEAP_M:
        return usual
    return HeadPlace(now.x_m, now.y_m, max(now.width_m, usual.width_m), max(now.height_m, usual.height_m))


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


def head_by_shape(pixels: Pixels, person: Box, px_per_m: float) -> HeadShape | None:
    """Find the head in the person's shape; None = the shape does not tell."""
    left, top, right, bottom = person
    width, depth = right - left, min(bottom - top, UPPER_M * px_per_m)
    x0, y0 = max(0, round(left - AROUND * width)), max(0, round(top - ABOVE_M * px_per_m))
    piece = pixels[y0 : round(top + depth), x0 : round(right + AROUND * width)]
    scale = min(1.0, SEARCHED_PX_PER_M / px_per_m)
    if min(piece.shape[:2]) * scale < 8:
        return None
    piece = cv2.resize(piece, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = np.mgrid[: piece.shape[0], : piece.shape[1]]
    beside = np.abs((columns + 0.5) / scale + x0 - (left + right) / 2) / width
    around = (beside > 0.5) | ((rows + 0.5) / scale + y0 < top - 0.05 * px_per_m)
    differs = _differs(piece, around)
    if differs is None:
        return None
    shape = _largest_part(differs & (beside < 0.55))
    found = _top_of(shape, px_per_m * scale)
    if found is None:
        return None
    a, b, c, d = found
    if y0 + b / scale - top > MAX_ROOM_M * px_per_m:
        return None
    head = np.s_[round(b) : round(d), max(0, round(a)) : round(c)]
    box = (x0 + a / scale, y0 + b / scale, x0 + c / scale, y0 + d / scale)
    return HeadShape(box, piece[head][shape[head]])


def _differs(piece: Pixels, around: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"] | None:
    """Where a picture has none of the colours that it has in `around`."""
    lab = cv2.cvtColor(piece, cv2.COLOR_RGB2LAB).astype(np.float32)
    background = lab[around]
    if len(background) < 10 * COLOURS:
        return None
    cv2.setRNGSeed(0)  # the same picture, the same shape
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 10, 1.0)
    _, groups, middles = cv2.kmeans(background, COLOURS, np.empty(0), stop, 1, cv2.KMEANS_PP_CENTERS)
    nearest = np.full(piece.shape[:2], np.inf, np.float32)
    for number, middle in enumerate(middles):
        members = background[groups[:, 0] == number]
        if len(members) >= MIN_SHARE * len(background):
            deviation = np.maximum(members.std(axis=0), LEAST_DEVIATION)
            nearest = np.minimum(nearest, (((lab - middle) / deviation) ** 2).mean(axis=2))
    differs = (nearest > DIFFERENCE**2).astype(np.uint8)
    differs = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0


def _largest_part(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if len(stats) > 1 else np.zeros_like(mask)


def _top_of(shape: Bool[np.ndarray, "height width"], px_per_m: float) -> Box | None:
    """The head of an upper body, in pixels of this picture."""
    rows = np.flatnonzero(shape.any(axis=1))
    if len(rows) < LEAST_SHAPE_M * px_per_m:
        return None
    top = int(rows[0])
    widths = shape[top:].sum(axis=1)
    wide = np.flatnonzero(widths > max(SHOULDERS * np.percentile(widths, 85), NO_HEAD_M * px_per_m))
    least, most = HEAD_HEIGHT_M
    height = float(np.clip(wide[0], least * px_per_m, most * px_per_m)) if len(wide) else USUAL_HEAD_M * px_per_m
    columns = shape[top : top + max(1, round(height))].sum(axis=0)
    middle, left, right = np.interp((0.5, 0.1, 0.9), np.cumsum(columns) / columns.sum(), np.arange(len(columns)) + 1.0)
    least, most = HEAD_WIDTH_M
    width = float(np.clip(1.25 * (right - left), least * px_per_m, most * px_per_m))
    return float(middle - width / 2), float(top), float(middle + width / 2), top + height
