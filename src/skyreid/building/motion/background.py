"""The still background of a camera, and what differs from it."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from scipy.ndimage import median_filter

LEARN_S = 3.0
"""Everything seen in the first seconds is background unless it goes away again."""
UPDATE_EVERY = 5
"""Frames from one update to the next."""
UPDATE_RATE = 0.01
"""Weight of an update: what is no person and stays is background after about ten of them."""
PROTECT_S = 60.0
"""A person who stands still is not learned as background for this long."""
MOVING = 255
"""In OpenCV's mask; 127 is shadow."""


class Background:
    """MOG2 with three cures for what spoils it.

    Auto-exposure: each frame is brought to the background's tones first. People who stand: the model learns a
    picture in which people are covered by the background. Ghosts of what was taken away: the cover is lifted
    after PROTECT_S, and lies only on what is shaped like a person.
    """

    def __init__(self, *, interval_s: float) -> None:
        self._model = cv2.createBackgroundSubtractorMOG2()
        self._learning_frames = round(LEARN_S / interval_s)
        self._max_age = round(PROTECT_S / interval_s / UPDATE_EVERY)
        self._num_frames = 0

    def moving(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
        """Take the next frame and say where it differs, shadows left aside."""
        if self._num_frames == 0:
            self._picture = pixels
            self._age = np.zeros(pixels.shape[:2], np.uint16)
        self._num_frames += 1
        self._frame = _in_tones_of(self._picture, pixels)
        return self._model.apply(self._frame, learningRate=-1 if self._is_new else 0) == MOVING

    def learn(self, people: Bool[np.ndarray, "height width"]) -> None:
        """Update the background from the frame just taken, except where people are."""
        if not self._is_new:
            if self._num_frames % UPDATE_EVERY:
                return
            self._age = np.where(people, self._age + 1, 0).astype(np.uint16)
            is_covered = people & (self._age < self._max_age)
            self._model.apply(np.where(is_covered[..., None], self._picture, self._frame), learningRate=UPDATE_RATE)
        self._picture = self._model.getBackgroundImage()

    @property
    def _is_new(self) -> bool:
        return self._num_frames <= self._learning_frames


def _in_tones_of(
    background: UInt8[np.ndarray, "height width 3"], pixels: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Undo auto-exposure and white balance: give the picture the background's tones.

    A camera changes its tone curve, not only its gain: dark tones rise by 20 where bright ones rise by 10.
    So each channel gets its own table, from how much the pixels of each tone differ in the median.
    """
    was, now = (picture[::6, ::6].reshape(-1, 3).astype(np.int16) for picture in (background, pixels))
    table = np.empty((256, 1, 3), np.uint8)
    centres = np.arange(8, 256, 16)
    for channel in range(3):
        tone = was[:, channel] // 16
        shifts = np.full(16, np.nan)
        for number in np.flatnonzero(np.bincount(tone, minlength=16) >= 30):
            shifts[number] = np.median(now[tone == number, channel] - was[tone == number, channel])
        known = np.flatnonzero(~np.isnan(shifts))
        if not len(known):
            return pixels
        # A person may cover most pixels of one tone: its neighbours overrule it.
        smooth = median_filter(shifts[known], size=5, mode="nearest")
        seen = np.maximum.accumulate(centres[known] + smooth)
        levels = np.arange(256)
        table[:, 0, channel] = np.clip(levels - np.interp(levels, seen, smooth) + 0.5, 0, 255)
    return cv2.LUT(pixels, table)
