"""Faces covered before anything is written.

Finds near, frontal, upright faces only (OpenCV's Haar cascade): a profile, a face seen from above or one
below MIN_FACE pixels stays as it is. So this makes accidents rarer and promises nothing; a report of what
was covered on a labelled sample comes with the benchmark builder.
"""

import cv2
import numpy as np
from jaxtyping import UInt8

from skyreid.building.tracked_boxes import Box

GREY = 96
"""All three channels; burnt in, like the mosaic of the paper (section 3.2)."""
MIN_FACE = 20
"""Pixels, the least that the cascade was trained on."""
MARGIN = 0.1
"""Of the person's box, looked at around it: a face at the very edge needs its surroundings to be found."""


class FaceMask:
    """Holds the cascade, which takes longer to load than to run."""

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
        assert not self._cascade.empty(), "opencv-python-headless below 5 ships the cascade"

    def cover(self, pixels: UInt8[np.ndarray, "height width 3"], person: Box) -> int:
        """Paint over the faces of a person in the frame itself; returns their number."""
        left, top, right, bottom = person
        dx, dy = MARGIN * (right - left), MARGIN * (bottom - top)
        x0, y0 = max(0, round(left - dx)), max(0, round(top - dy))
        region = pixels[y0 : round(bottom + dy), x0 : round(right + dx)]
        if min(region.shape[:2]) < MIN_FACE:
            return 0
        gray = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY)
        faces = self._cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=4, minSize=(MIN_FACE, MIN_FACE))
        for x, y, width, height in faces:
            region[y : y + height, x : x + width] = GREY
        return len(faces)
