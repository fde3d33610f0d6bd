"""Does the camera stand still? Background subtraction means nothing when it does not."""

import math

import cv2
import numpy as np
from jaxtyping import UInt8

CHECK_INTERVAL_S = 1.0
REFERENCE_S = 10.0
"""A slow drift shows against a picture some seconds old; light changes spoil a much older one."""
SIDE = 640
"""Longer side of the pictures that are compared."""
MAX_SHIFT = 1.0
"""Pixels at that size. Measured: static cameras stay below 0.8 with a person filling half the picture and the
exposure jumping; a drone that hovers as well as it can is above 1.0 after two seconds."""
MAX_MOVED_SHARE = 0.2
"""Of the comparisons: someone bumps into a camera, or turns it once."""
ENOUGH_MOVED = 60
"""Comparisons, about a minute: then the rest need not be decoded."""
MIN_CORNERS = 30
MIN_FOLLOWED = 0.1
"""Share of the corners that are found again before a still camera, whoever stands in the way."""


class CameraMotion:
    """Follows corners of the background from a reference picture to each later one.

    People move corners too, so the judgement rests on the quarter of the corners that moved least.
    """

    def __init__(self) -> None:
        self._reference: UInt8[np.ndarray, "height width"] | None = None
        self._reference_s = self._last_s = 0.0
        self._checks = self._moved = 0

    def look(self, time_s: float, pixels: UInt8[np.ndarray, "height width 3"]) -> None:
        """Take in a frame; most are passed over, one a second is compared."""
        if self._reference is not None and time_s - self._last_s < CHECK_INTERVAL_S:
            return
        scale = SIDE / max(pixels.shape)
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if self._reference is not None:
            shift = _background_shift(self._reference, gray)
            self._checks += shift is not None
            self._moved += shift is not None and shift > MAX_SHIFT
        if self._reference is None or time_s - self._reference_s >= REFERENCE_S:
            self._reference, self._reference_s = gray, time_s
        self._last_s = time_s

    @property
    def moves(self) -> bool:
        """The verdict on what was seen so far."""
        return self._moved > MAX_MOVED_SHARE * self._checks

    @property
    def moves_for_sure(self) -> bool:
        """So often that no stillness to come would make the video useful."""
        return self._moved >= ENOUGH_MOVED and self.moves


def _background_shift(
    before: UInt8[np.ndarray, "height width"], after: UInt8[np.ndarray, "height width"]
) -> float | None:
    """Pixels that the still part of the picture moved by; None where the picture has too few corners to tell."""
    corners = cv2.goodFeaturesToTrack(before, maxCorners=300, qualityLevel=0.01, minDistance=8)
    if corners is None or len(corners) < MIN_CORNERS:
        return None
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, np.empty_like(corners))
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, np.empty_like(corners))
    returned = np.linalg.norm(back - corners, axis=2)[:, 0] < 1
    trusted = (found[:, 0] == 1) & (found_back[:, 0] == 1) & returned
    if trusted.mean() < MIN_FOLLOWED:
        return math.inf
    return float(np.quantile(np.linalg.norm(there - corners, axis=2)[trusted, 0], 0.25))
