"""A whole picture that somebody is shown: the heads of everybody in it covered, and faces wherever they are found."""

from collections.abc import Sequence

import cv2

from skyreid.building.crops.face_detection import SEARCH_HEIGHT
from skyreid.building.crops.face_mask import FACE_ROOM, FaceMask, Pixels
from skyreid.building.tracked_boxes import Box

COARSE = 64
"""Squares along the longer side of a picture of which nobody knows who is in it."""
ANYWHERE_PX = (400, 1600)
"""Heights of people for whose faces a whole picture is searched beside those who were found: faces of 24 to 560
pixels."""
MOST_SEARCHED_PX = 2**23
"""Of a whole picture at the scale at which it is searched: some seconds."""


def cover_picture(mask: FaceMask, pixels: Pixels, people: Sequence[Box] | None, *, is_aerial: bool = False) -> None:
    """Cover heads and faces in the pixels themselves.

    Where nobody looked for people, found faces are not enough to go by: the whole picture becomes `COARSE` squares, in
    which a person can be pointed at and nobody recognised.

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
