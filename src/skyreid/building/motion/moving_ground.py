"""What stands out from the ground before a moving camera: each frame against its neighbours in time.

A person who walks has left a place two seconds later. So the frames around one are laid over it by the
ground's homographies, and their median is the ground without people. Nothing is learned over time, so
nothing drifts, and it does not matter how far the camera travels.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from skyreid.building.decode import VideoFrame
from skyreid.building.motion.cast_shadows import CastShadows
from skyreid.building.motion.registration import Homography, Registration, between

REACH_S = 2.0
"""Neighbours are at most so far away. Who walks leaves the own box within a second."""
NUM_NEIGHBOURS = 8
"""With the frame itself an odd number, for the median."""
DIFFERENT = 14
"""Tones by which a pixel must lie outside of what the ground shows within a pixel around."""
SURE = 28
"""At least one pixel of a thing must differ so much."""
HALO = 0.25
"""Of a thing's strongest pixel; what differs less is the lens's blur around it."""

Picture = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """A frame, how the camera came there, and what moves in it."""

    index: int
    time_s: float
    motion: Homography | None
    """Of the ground, from the frame before; None where it was lost."""
    moving: Bool[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    frame: VideoFrame
    motion: Homography | None
    way: int
    """How often the way over the ground was lost up to here."""


def moving_things(frames: Iterator[VideoFrame]) -> Generator[SeenFrame]:
    """What moves over the ground in each frame; two seconds behind the frames that it takes."""
    registration, shadows = Registration(), CastShadows()
    window: deque[_Kept] = deque()
    due = 0  # place in the window of the frame that is next
    way = 0
    for frame in frames:
        motion = registration.step(frame.pixels)
        way += motion is None
        window.append(_Kept(frame, motion, way))
        while window[due].frame.time_s + REACH_S <= frame.time_s:
            yield _seen(window, due, shadows)
            due += 1
            while window[0].frame.time_s < window[due].frame.time_s - REACH_S * 2:
                window.popleft()
                due -= 1
    while due < len(window):
        yield _seen(window, due, shadows)
        due += 1


def _seen(window: Sequence[_Kept], due: int, shadows: CastShadows) -> SeenFrame:
    this = window[due]
    pixels = this.frame.pixels
    height, width = pixels.shape[:2]
    neighbours = _neighbours(window, due)
    if len(neighbours) < NUM_NEIGHBOURS:
        moving = np.zeros((height, width), bool)
    else:
        camera = [kept.motion for kept in window]
        covers = [pixels]
        for place in neighbours:
            cover = pixels.copy()  # what the neighbour does not show does not differ
            cv2.warpPerspective(
                window[place].frame.pixels,
                between(camera, place, due),
                (width, height),
                dst=cover,
                borderMode=cv2.BORDER_TRANSPARENT,
            )
            covers.append(cover)
        moving = _standing_out(pixels, median_of_nine(covers), shadows)
    return SeenFrame(this.frame.index, this.frame.time_s, this.motion, moving)


def _neighbours(window: Sequence[_Kept], due: int) -> list[int]:
    """Places evenly from the time around this frame; at the ends of the video, from the time before or after."""
    same_way = [place for place, kept in enumerate(window) if kept.way == window[due].way]
    first, last = (window[place].frame.time_s for place in (same_way[0], same_way[-1]))
    start = min(max(first, window[due].frame.time_s - REACH_S), max(first, last - 2 * REACH_S))
    around = [
        place for place in same_way if start <= window[place].frame.time_s <= start + 2 * REACH_S and place != due
    ]
    if len(around) <= NUM_NEIGHBOURS:
        return around
    return [around[place] for place in np.linspace(0, len(around) - 1, NUM_NEIGHBOURS).round().astype(int)]


def _standing_out(pixels: Picture, ground: Picture, shadows: CastShadows) -> Bool[np.ndarray, "height width"]:
    """Pixels that the ground shows nowhere within a pixel around: registration is not exact to the pixel."""
    around = np.ones((3, 3), np.uint8)
    above = cv2.subtract(pixels, cv2.dilate(ground, around))
    below = cv2.subtract(cv2.erode(ground, around), pixels)
    difference = cv2.max(above, below).max(axis=2)
    differs = difference >= DIFFERENT
    differs &= ~shadows.find(pixels, ground, differs)
    num_things, labels = cv2.connectedComponents(differs.astype(np.uint8))
    strongest = ndimage.maximum(difference, labels, np.arange(num_things))
    strongest[0] = 0  # what does not differ
    strongest = np.where(strongest >= SURE, strongest, np.inf)[labels]
    return np.asarray(difference >= HALO * strongest)


def median_of_nine(pictures: list[Picture]) -> Picture:
    """Of nine pictures, by exchanges: far faster than sorting.

    Source: Paeth, Graphics Gems (1990), "Median finding on a 3x3 grid"; the network of Smith (1996).
    """
    p = list(pictures)
    for a, b in _EXCHANGES:
        p[a], p[b] = cv2.min(p[a], p[b]), cv2.max(p[a], p[b])
    return p[4]


_EXCHANGES = (
    (1, 2),
    (4, 5),
    (7, 8),
    (0, 1),
    (3, 4),
    (6, 7),
    (1, 2),
    (4, 5),
    (7, 8),
    (0, 3),
    (5, 8),
    (4, 7),
    (3, 6),
    (1, 4),
    (2, 5),
    (4, 7),
    (4, 2),
    (6, 4),
    (4, 2),
)
