"""Faces covered before anything is written.

Finds near, frontal, upright faces only (OpenCV's Haar cascade): a profile, a face seen from above or one
below some 10 pixels stays as it is. So this makes accidents rarer and promises nothing; a report of what
was covered on a labelled sample comes with the benchmark builder.
"""

import cv2
import cv2.data
import numpy as np
from jaxtyping import UInt8

from skyreid.building.tracked_boxes import Box

GREY = 96
"""All three channels; burnt in, like the mosaic of the paper (section 3.2)."""
SEARCH_SIDE = 640
"""Longer side of what is searched. A face fills a tenth of a person: enough, and the cost is bounded."""
MAX_ENLARGEMENT = 2.0
"""Measured on two people who walk up to the camera, faces of 13 to 40 pixels: as they are, 47 of 70 are
found; enlarged, all."""
MIN_NEIGHBOURS = 4
"""Agreeing detections that make a face. Lower covers more, patterns on shirts among it."""
MARGIN = 0.1
"""Of the person's box, looked at around it: a face at the very edge needs its surroundings to be found."""


class FaceMask:
    """Holds the cascade, which takes longer to load than to run."""

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_alt2.xml")
        assert not self._cascade.empty(), "opencv-python-headless below 5 ships the cascade"

    def cover(self, pixels: UInt8[np.ndarray, "height width 3"], person: Box) -> int:
        """Paint over the faces of a person, in the frame itself; returns their number."""
        left, top, right, bottom = person
        dx, dy = MARGIN * (right - left), MARGIN * (bottom - top)
        x0, y0 = max(0, round(left - dx)), max(0, round(top - dy))
        region = pixels[y0 : round(bottom + dy), x0 : round(right + dx)]
        scale = min(SEARCH_SIDE / max(region.shape), MAX_ENLARGEMENT)
        gray = cv2.resize(cv2.cvtColor(region, cv2.COLOR_RGB2GRAY), None, fx=scale, fy=scale)
        faces = self._cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=MIN_NEIGHBOURS)
        for x, y, width, height in np.asarray(faces).reshape(-1, 4) / scale:
            region[int(y) : int(np.ceil(y + height)), int(x) : int(np.ceil(x + width))] = GREY
        return len(faces)
