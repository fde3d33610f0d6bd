"""Faces covered before anything is written: where faces are, and nothing else.

The rule is what can be recognised, in pixels a metre of the person. Below `observe_px_per_m` nobody can be
recognised and nothing is covered. From there on a face is covered when it was found: by the detector, by skin in
the head's place, or a moment before or after, since a face found in one frame is followed along the tracklet. From
`recognise_px_per_m` on a head is covered whether or not its face was found, unless the camera looks straight down on
it. So a detector that misses a large face does not leave it open, and the back of a large head is covered too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from skyreid.building.crops.face_detection import (
    MIN_SKIN,
    CascadeDetector,
    FaceDetector,
    face_detector,
    has_colours,
    skin_share,
)
from skyreid.building.crops.quality import PERSON_M, pixels_per_metre
from skyreid.building.tracked_boxes import Box
from skyreid.errors import SettingError

Pixels = UInt8[np.ndarray, "height width 3"]
"""RGB."""
GREY = 96
"""All three channels; burnt in, like the mosaic of the paper (section 3.2)."""
BLOCKS = 3
"""Pixelated squares across the shorter side of a region. Programs recognise faces in squares in which people see
nothing (McPherson et al. 2016, arXiv 1609.00408), and a face that moves shows other averages in every frame:
hence so few, and hence grey by default."""
FOLLOW_S = 3.0
"""A found face tells where the head is for so long before and after; walking people turn within seconds."""
ZONE_M = 0.5
"""From the top of the box downwards, where a head can be; a tenth of the box's height above it, and beside it."""
FACE_ROOM = 0.15
"""Of a found face, covered on every side of it: detectors give brows to chin."""
HEAD_ROOM = 0.15
"""Of a head, on every side."""
FROM_ABOVE_ASPECT = 1.3
"""Height over width of the usual box: less is a person below a drone that looks straight down. Standing people seen
from 45 degrees have about 2."""


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """How faces are covered."""

    style: Literal["grey", "pixelate"] = "grey"
    """Of what is painted over them."""
    detector: Literal["cascade", "yunet"] = "cascade"
    """"cascade" is OpenCV's own; "yunet" is your file: of OpenCV's FaceDetectorYN, or an .xml of OpenVINO."""
    model: Path | None = None
    """Of "yunet": face_detection_yunet_*.onnx, or the .xml of face-detection-retail-0005."""
    observe_px_per_m: float = 62.0
    """Pixels a metre of a person from which on found faces are covered: "observe" of EN 62676-4:2014, where clothing
    and characteristic details begin to show; a person of 1.7 m is 105 pixels high."""
    recognise_px_per_m: float = 125.0
    """From which on a head is covered without a found face: "recognise" of EN 62676-4:2014, where somebody who knows a
    person can say whether it is them; 212 pixels high. Infinite = only found faces are covered."""

    def __post_init__(self) -> None:
        if self.detector == "yunet" and self.model is None:
            raise SettingError("the face detector yunet needs a model: a file face_detection_yunet_*.onnx")
        if self.detector == "cascade" and self.model is not None:
            raise SettingError(f"the face detector cascade takes no model; got {self.model} (did you mean yunet?)")
        if not 0 <= self.observe_px_per_m <= self.recognise_px_per_m:
            raise SettingError(
                "pixels a metre must be 0 <= observe <= recognise; "
                f"got observe {self.observe_px_per_m:g}, recognise {self.recognise_px_per_m:g}"
            )


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
class _HeadShape:
    """A head that was found by the shape of the person."""

    box: Box
    """In pixels of the frame."""
    pixels: UInt8[np.ndarray, "pixel 3"]
    """Of the head itself, without what is behind it; at most as many as SEARCHED_PX_PER_M gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one frame shows of one person's head."""

    person: Box
    px_per_m: float
    face: Box | None = None
    """Found by the detector where a head can be."""
    elsewhere: tuple[Box, ...] = ()
    """Other faces found in the box: a neighbour's."""
    shape: Box | None = None
    """The head, by the person's shape."""
    shows_skin: bool = False
    """In the place of the head."""
    is_from_above: bool = False

    def place(self) -> tuple[HeadPlace, float] | None:
        """Where the head is, and how much this weighs; None = this frame does not tell."""
        if self.face is not None:
            head = _with_room(self.face, FACE_ROOM)
            return _place_of(head, self.person, self.px_per_m), FACE_WEIGHT
        return None if self.shape is None else (_place_of(self.shape, self.person, self.px_per_m), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedFaces:
    """What is covered of one person in one frame."""

    detected: int = 0
    """Faces that the detector found in this frame."""
    followed: int = 0
    """A face found by its skin, or in a frame before or after: 0 or 1."""
    fallback: int = 0
    """A head covered without a found face: 0 or 1."""
    expected: int = 0
    """1 where the detector found the face in the looks before and after, so that it should here."""
    missed: int = 0
    """1 where it did not: with `expected`, the recall of the detector on this very footage."""
    regions: tuple[Box, ...] = ()
    """All of them, in whole pixels of the frame; they may reach over its edges."""


class FaceMask:
    """Looks for faces, frame by frame, and says what to cover once the frames around are known.

    It holds the detector, which takes longer to load than to run.

    Raises:
        SettingError: the model of the detector cannot be used.
    """

    def __init__(self, config: MaskingConfig) -> None:
        self.detector: FaceDetector = CascadeDetector() if config.model is None else face_detector(config.model)
        self._paint = _STYLES[config.style]
        self._config = config

    @property
    def detector_card(self) -> str:
        """What the detector is and what it misses."""
        return self.detector.card

    def look(
        self, pixels: Pixels, person: Box, *, whole_size: tuple[float, float] | None, is_aerial: bool = False
    ) -> Look:
        """Look at a person in a frame.

        Args:
            pixels: of the frame.
            person: box.
            whole_size: see `pixels_per_metre`.
            is_aerial: whether a drone filmed it; a square box is then somebody seen from straight above.
        """
        px_per_m = pixels_per_metre(person, whole_size)
        is_from_above = is_aerial and whole_size is not None and whole_size[1] < FROM_ABOVE_ASPECT * whole_size[0]
        if px_per_m < self._config.observe_px_per_m:
            return Look(person=person, px_per_m=px_per_m, is_from_above=is_from_above)
        face, elsewhere = self._faces(pixels, person, px_per_m)
        shape = _head_by_shape(pixels, person, px_per_m)
        return Look(
            person=person,
            px_per_m=px_per_m,
            face=face,
            elsewhere=elsewhere,
            shape=None if shape is None else shape.box,
            shows_skin=_shows_skin(pixels, person, px_per_m, shape),
            is_from_above=is_from_above,
        )

    def covers(self, looks: Sequence[tuple[float, Look]], now: int) -> MaskedFaces:
        """What to cover of a person in the frame of look number `now`, of all looks at them within FOLLOW_S.

        Args:
            looks: seconds, and what was seen.
            now: which of them is asked about.
        """
        time_s, look = looks[now]
        if look.px_per_m < self._config.observe_px_per_m:
            return MaskedFaces()
        around = looks[max(0, now - 1)][1], looks[min(now + 1, len(looks) - 1)][1]
        is_expected = 0 < now < len(looks) - 1 and all(other.face is not None for other in around)
        expected = {"expected": int(is_expected), "missed": int(is_expected and look.face is None)}
        near = [(other, other_s - time_s) for other_s, other in looks if abs(other_s - time_s) <= FOLLOW_S]
        others = tuple(_in_whole_pixels(face, FACE_ROOM) for face in look.elsewhere)
        if look.face is not None:
            return MaskedFaces(
                detected=1 + len(others), regions=(_in_whole_pixels(look.face, FACE_ROOM), *others), **expected
            )
        is_followed = any(other.face is not None for other, _ in near) or (
            not look.is_from_above and any(other.shows_skin for other, _ in near)
        )
        is_recognisable = look.px_per_m >= self._config.recognise_px_per_m and not look.is_from_above
        if not (is_followed or is_recognisable):
            return MaskedFaces(detected=len(others), regions=others)
        place = _followed_place(
            [(told[0], gap_s, told[1]) for other, gap_s in near if (told := other.place()) is not None]
        )
        head = _in_whole_pixels(place.in_frame(look.person, look.px_per_m), HEAD_ROOM)
        return MaskedFaces(
            detected=len(others),
            followed=int(is_followed),
            fallback=int(not is_followed),
            regions=(head, *others),
            **expected,
        )

    def paint(self, pixels: Pixels, region: Box) -> None:
        """Cover a region in the pixels themselves; what lies outside them is left out."""
        self._paint(pixels, region)

    def _faces(self, pixels: Pixels, person: Box, px_per_m: float) -> tuple[Box | None, tuple[Box, ...]]:
        """Search a person; the face that lies where their head can be comes first."""
        left, top, right, bottom = person
        dx, dy = 0.1 * (right - left), 0.1 * (bottom - top)
        x0, y0 = max(0, round(left - dx)), max(0, round(top - dy))
        piece = pixels[y0 : round(bottom + dy), x0 : round(right + dx)]
        if 0 in piece.shape:
            return None, ()
        found = self.detector.find(piece, person_height=PERSON_M * px_per_m)
        faces = [(x0 + x, y0 + y, x0 + x + width, y0 + y + height) for x, y, width, height in found.tolist()]
        own = [face for face in faces if (face[1] + face[3]) / 2 < top + ZONE_M * px_per_m]
        face = min(own, key=lambda face: face[1], default=None)
        # Below the head a cascade takes prints on shirts for faces; a neighbour's face shows skin.
        is_grey = not has_colours(pixels)
        others = (other for other in faces if other is not face)
        return face, tuple(one for one in others if is_grey or skin_share(_piece(pixels, one)) >= MIN_SKIN)


def _shows_skin(pixels: Pixels, person: Box, px_per_m: float, shape: _HeadShape | None) -> bool:
    """Whether so much of a head has the colour of skin that a face may be seen; in doubt, yes."""
    if not has_colours(pixels):
        return True
    if shape is not None:
        return skin_share(shape.pixels) >= MIN_SKIN
    head = BY_THE_BOX.in_frame(person, px_per_m)
    width = person[2] - person[0]
    beside = [(person[0] - width / 2, person[0]), (person[2], person[2] + width / 2)]
    around = [_piece(pixels, (left, head[1], right, head[3])).reshape(-1, 3) for left, right in beside]
    return skin_share(_piece(pixels, head)) >= MIN_SKIN > skin_share(np.concatenate(around))


def _with_room(box: Box, room: float) -> Box:
    dx, dy = room * (box[2] - box[0]), room * (box[3] - box[1])
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def _in_whole_pixels(box: Box, room: float) -> Box:
    left, top, right, bottom = _with_room(box, room)
    return float(math.floor(left)), float(math.floor(top)), float(math.ceil(right)), float(math.ceil(bottom))


def _piece(pixels: Pixels, box: Box) -> UInt8[np.ndarray, "row column 3"]:
    left, top, right, bottom = (max(0, round(edge)) for edge in box)
    return pixels[top:bottom, left:right]


def _edges(pixels: Pixels, box: Box) -> tuple[slice, slice]:
    """Widened to whole pixels, and no further than the picture."""
    left, top, right, bottom = (max(0, edge) for edge in (*map(math.floor, box[:2]), *map(math.ceil, box[2:])))
    return slice(top, bottom), slice(left, right)


def _paint_grey(pixels: Pixels, region: Box) -> None:
    pixels[_edges(pixels, region)] = GREY


def _pixelate(pixels: Pixels, region: Box) -> None:
    """Squares of the whole region, so that a crop that shows a strip of it has no finer ones."""
    side = max(1.0, min(region[2] - region[0], region[3] - region[1]) / BLOCKS)
    inside = pixels[_edges(pixels, region)]
    height, width = inside.shape[:2]
    if height and width:
        squares = (max(1, round(width / side)), max(1, round(height / side)))
        small = cv2.resize(inside, squares, interpolation=cv2.INTER_AREA)
        inside[:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


_STYLES: dict[str, Callable[[Pixels, Box], None]] = {"grey": _paint_grey, "pixelate": _pixelate}


# Where the head of a person in a box is, and how large: by the person's shape, and by the moments around. A box alone
# does not tell. Found by motion it reaches above the head by a shadow or a ball, an annotator leaves room, and the head
# of a person who leans or strides is beside the middle. What differs from the colours around the box is the person; the
# head is its top, as far as it stays narrower than the shoulders. Where the shape tells nothing, the moments around do.
# Held against a pose model on 592 people of real footage, 85 to 400 pixels high: the middle of the head lies in its
# place for 577.
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


def _place_of(head: Box, person: Box, px_per_m: float) -> HeadPlace:
    """A head's box in the frame as a place relative to the person's."""
    x, y = (head[0] + head[2]) / 2 - (person[0] + person[2]) / 2, (head[1] + head[3]) / 2 - person[1]
    return HeadPlace(x / px_per_m, y / px_per_m, (head[2] - head[0]) / px_per_m, (head[3] - head[1]) / px_per_m)


def _followed_place(seen: Sequence[tuple[HeadPlace, float, float]]) -> HeadPlace:
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


def _head_by_shape(pixels: Pixels, person: Box, px_per_m: float) -> _HeadShape | None:
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
    return _HeadShape(box, piece[head][shape[head]])


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
