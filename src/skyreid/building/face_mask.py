"""Faces covered before anything is written: where faces are, and nothing else.

The rule is what can be recognised, in pixels a metre of the person. Below `observe_px_per_m` nobody can be
recognised and nothing is covered. From there on a face is covered when it was found: by the detector, by skin in
the head's place, or a moment before or after, since a face found in one frame is followed along the tracklet. From
`recognise_px_per_m` on a head is covered whether or not its face was found, unless the camera looks straight down on
it. So a detector that misses a large face does not leave it open, and the back of a large head is covered too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8

from skyreid.building.face_detection import (
    MIN_SKIN,
    CascadeDetector,
    FaceDetector,
    YunetDetector,
    has_colours,
    skin_share,
)
from skyreid.building.head_place import (
    BY_THE_BOX,
    FACE_WEIGHT,
    PERSON_M,
    HeadPlace,
    HeadShape,
    followed_place,
    head_by_shape,
    pixels_per_metre,
    place_of,
)
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
    """"cascade" is OpenCV's own; "yunet" is OpenCV's FaceDetectorYN with your file."""
    model: Path | None = None
    """Of "yunet": face_detection_yunet_*.onnx."""
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
            return place_of(head, self.person, self.px_per_m), FACE_WEIGHT
        return None if self.shape is None else (place_of(self.shape, self.person, self.px_per_m), 1.0)


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
        self._detector: FaceDetector = CascadeDetector() if config.model is None else YunetDetector(config.model)
        self._paint = _STYLES[config.style]
        self._config = config

    @property
    def detector_card(self) -> str:
        """What the detector is and what it misses."""
        return self._detector.card

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
        shape = head_by_shape(pixels, person, px_per_m)
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
        place = followed_place(
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
        found = self._detector.find(piece, person_height=PERSON_M * px_per_m)
        faces = [(x0 + x, y0 + y, x0 + x + width, y0 + y + height) for x, y, width, height in found.tolist()]
        own = [face for face in faces if (face[1] + face[3]) / 2 < top + ZONE_M * px_per_m]
        face = min(own, key=lambda face: face[1], default=None)
        # Below the head a cascade takes prints on shirts for faces; a neighbour's face shows skin.
        is_grey = not has_colours(pixels)
        others = (other for other in faces if other is not face)
        return face, tuple(one for one in others if is_grey or skin_share(_piece(pixels, one)) >= MIN_SKIN)


def _shows_skin(pixels: Pixels, person: Box, px_per_m: float, shape: HeadShape | None) -> bool:
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
