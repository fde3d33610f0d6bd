"""Decoded, resized frames, kept in memory as long as they fit.

A training run reads the same frames some hundred times; decoding and resizing one costs about 1 ms,
and a whole G2A-VReID at 256 x 128 is 18 GB.
"""

import threading

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skyreid.datasets.data_hash import unchanged_picture
from skyreid.tracklet import Frame


def resize(
    frame: UInt8[np.ndarray, "height width channel"], image_size: tuple[int, int]
) -> UInt8[np.ndarray, "tall wide channel"]:
    """Resize one RGB frame with Pillow's bicubic filter, as the release does (METHOD section 7)."""
    height, width = image_size
    if frame.shape[:2] == image_size:
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))


def read_frame(frame: Frame) -> UInt8[np.ndarray, "height width channel"]:
    """Read one crop as RGB, upright.

    Raises:
        MissingFrameError: the file is not there or is no readable picture; names it.
        ChangedFrameError: it is another picture than the one that was listed.
    """
    return np.asarray(unchanged_picture(frame))


class FrameCache:
    """Frames at one size; the first ones asked for stay in memory until `capacity_bytes` is used up."""

    def __init__(self, image_size: tuple[int, int], *, capacity_bytes: int) -> None:
        self.image_size = image_size
        self.capacity_bytes = capacity_bytes
        self.held_bytes = 0
        self._held: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def frame(self, frame: Frame) -> UInt8[np.ndarray, "height width channel"]:
        """Return the frame at the cache's size. Safe to call from several threads."""
        held = self._held.get(frame.path)
        if held is not None:
            return held
        resized = resize(read_frame(frame), self.image_size)
        with self._lock:
            if frame.path not in self._held and self.held_bytes + resized.nbytes <= self.capacity_bytes:
                self._held[frame.path] = resized
                self.held_bytes += resized.nbytes
        return resized
