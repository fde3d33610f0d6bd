"""Decoded, resized frames, kept in memory as long as they fit.

A training run reads the same frames some hundred times; decoding and resizing one costs about 1 ms,
and a whole G2A-VReID at 256 x 128 is 18 GB.
"""

import threading

import numpy as np
from jaxtyping import UInt8

from skyreid.clips.frame_reading import read_frame, resize
from skyreid.tracklet import Frame


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
