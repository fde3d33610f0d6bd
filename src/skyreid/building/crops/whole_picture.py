"""A whole picture that somebody is shown: the heads of everybody in it covered, and faces wherever they are found.

Whom nobody found has no cover. So where people are large enough to be recognised, all that lies in nobody's box is
drawn too coarsely for that; the rest of the picture still tells where somebody stands.
"""

from collections.abc import Sequence

import cv2

from skyreid.building.crops.face_detection import SEARCH_HEIGHT
from skyreid.building.crops.face_mask import FACE_ROOM, FaceMask, MaskingConfig, Pixels
from skyreid.building.crops.quality import PERSON_M
from skyreid.building.tracked_boxes import Box

COARSE = 64
"""Squares along the longer side of a picture of which nobody knows who is in it."""
ANYWHERE_PX = (400, 1600)
"""Heights of people for whose faces a whole picture is searched beside those who were found: faces of 24 to 560
pixels."""
MOST_SEARCHED_PX = 2**23
"""Of a whole picture at the scale at which it is searched: some seconds."""
RECOGNISABLE_PX = MaskingConfig().observe_px_per_m * PERSON_M
"""Height of a person from which on a stranger's face is not shown."""
_DETECTABLE_PX = 25 * PERSON_M
"""Height at which somebody can just be seen to be there: "detect" of EN 62676-4:2014, 25 pixels a metre."""


def cover_picture(mask: FaceMask, pixels: Pixels, people: Sequence[Box] | None, *, is_aerial: bool = False) -> None:
    """Cover heads and faces in the pixels themselves.

    Where nobody looked for people, found faces are not enough to go by: the whole picture becomes `COARSE` squares, in
    which a person can be pointed at and nobody recognised. Where people were looked for, `coarsen_around` does it for
    those who were missed.

    Args:
        mask: covers faces.
        pixels: of the picture.
        people: boxes of those who were found; None = nobody looked for them.
        is_aerial: as of `FaceMask.look`.
    """
    height, width = pixels.shape[:2]
    if people is None:
        scale = COARSE / max(height, width)
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        squares = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
        pixels[:] = cv2.resize(squares, (width, height), interpolation=cv2.INTER_NEAREST)
        return
    regions: list[Box] = []
    for person in people:
        is_whole = person[0] > 0 and person[1] > 0 and person[2] < width and person[3] < height
        size = (person[2] - person[0], person[3] - person[1]) if is_whole else None
        look = mask.look(pixels, person, whole_size=size, is_aerial=is_aerial)
        regions += mask.covers([(0.0, look)], 0).regions
    for person_height in ANYWHERE_PX:
        if height * width * min(1.0, SEARCH_HEIGHT / person_height) ** 2 <= MOST_SEARCHED_PX:
            for x, y, wide, tall in mask.detector.find(pixels, person_height=float(person_height)).tolist():
                room = FACE_ROOM * wide, FACE_ROOM * tall
                regions.append((x - room[0], y - room[1], x + wide + room[0], y + tall + room[1]))
    for region in regions:
        mask.paint(pixels, region)
    coarsen_around(pixels, people)


def coarsen_around(pixels: Pixels, boxes: Sequence[Box]) -> None:
    """Draw what lies in no box too coarsely for a face, where a person as tall as the tallest could be recognised.

    Args:
        pixels: of the picture, which are changed.
        boxes: of people, xyxy in its pixels; without any, somebody may be there who is just large enough.
    """
    height, width = pixels.shape[:2]
    tallest = max((bottom - top for _, top, _, bottom in boxes), default=RECOGNISABLE_PX)
    if tallest < RECOGNISABLE_PX:
        return
    sharp = pixels.copy()
    share = _DETECTABLE_PX / tallest
    small = (max(1, round(width * share)), max(1, round(height * share)))
    coarse = cv2.resize(sharp, small, interpolation=cv2.INTER_AREA)
    pixels[:] = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    for box in boxes:
        left, top, right, bottom = (max(0, round(edge)) for edge in box)
        pixels[top:bottom, left:right] = sharp[top:bottom, left:right]
