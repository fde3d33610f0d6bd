"""People found before a moving camera, such as a drone's, by what moves over the ground: boxes without any weights.

Each frame is held against its neighbours in time. A person who walks has left a place two seconds later: so the frames
around one are laid over it by the ground's homographies, and their median is the ground without people. Nothing is
learned over time, so nothing drifts, and it does not matter how far the camera travels.
"""

from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy import ndimage

from skyreid.building.motion.joining import join, looks_of
from skyreid.building.motion.person_shapes import FROM_A_DRONE, find_person_shapes
from skyreid.building.motion.registration import Homography, Registration, between, carry
from skyreid.building.motion.tracking import (
    FrameBoxes,
    Track,
    apart,
    as_boxes,
    box_sizes,
    by_frame,
    in_order,
    link,
    tracking_interval,
    tracking_step_s,
    whole_boxes,
)
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.building.video.decode import DecodeLimits, VideoFacts, VideoFrame, frames
from skyreid.processes.progress import Progress, seconds_heard

MAX_SIDE = 1280
"""Longer side of the pictures that are searched."""


def find_people_from_moving_camera(
    path: Path, facts: VideoFacts, *, interval_s: float, limits: DecodeLimits, progress: Progress
) -> TrackedBoxes:
    """Find and track who walks below a camera that looks down and moves.

    The frames that are sampled every `interval_s` seconds are among the searched. Who stands still is not found,
    and people who walk so close together that they are one blob are left out, see `walkers`; `untracked` counts
    boxes that belong to nothing lasting.

    Raises:
        VideoError: the video cannot be decoded.
    """
    interval = tracking_interval(interval_s)
    found, camera = [], []
    width = height = 0
    film = frames(path, interval_s=interval, max_side=MAX_SIDE, limits=limits)
    for seen in moving_things(
        seconds_heard(film, progress, "find people", duration_s=facts.duration_s, name=path.name)
    ):
        height, width = seen.moving.shape
        boxes, _ = find_person_shapes(seen.moving, FROM_A_DRONE)
        boxes = as_boxes(np.array(boxes, np.float64).reshape(-1, 4))
        looks = dict(zip(boxes, looks_of(seen.pixels, boxes), strict=True))
        found.append(FrameBoxes(seen.index, seen.time_s, boxes, looks=looks))
        camera.append(seen.motion)
    step_s = tracking_step_s(interval, facts)
    tracks = link(found, interval_s=step_s, camera=camera)
    people, dropped = walkers(tracks, found, camera, width=width, height=height, interval_s=step_s)
    dropped["untracked"] = sum(len(frame.boxes) for frame in found) - sum(map(len, tracks))
    scale = facts.width / max(width, 1)
    in_frame = [replace(track, boxes=track.boxes * scale) for track in people]
    return TrackedBoxes(frames=by_frame(in_frame, found), dropped=dropped)


# Shadows that people cast in the sun: they walk along, and from a drone they are as large as who casts them.
NEUTRAL = 0.1
"""By which the three channels' ratios to the ground may differ: a shadow is darker, and hardly of another colour."""
DARKEST, BRIGHTEST = 0.4, 0.94
"""Ratios of a shadow to the ground, from a clear sky to thin clouds."""
BINS = 27
"""Of ratios between these two, 0.02 wide."""
REACH = 3
"""Bins around the most frequent ratio: the sun is the same all over the place, and so is a shadow's ratio."""
ENOUGH = 0.3
"""Share of all that differs which the shadows must be; below it the sun does not shine."""


class CastShadows:
    """Learns over the frames how dark shadows are in this video."""

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)
        self._total = 0

    def find(
        self,
        pixels: UInt8[np.ndarray, "height width 3"],
        ground: UInt8[np.ndarray, "height width 3"],
        differs: Bool[np.ndarray, "height width"],
    ) -> Bool[np.ndarray, "height width"]:
        """Which of the pixels that differ from the ground are shadows."""
        ratios = (pixels[differs] + np.float32(1)) / (ground[differs] + np.float32(1))
        ratio = ratios.mean(axis=1)
        may_be = (np.ptp(ratios, axis=1) <= NEUTRAL) & (ratio >= DARKEST) & (ratio < BRIGHTEST)
        bins = np.clip((ratio - DARKEST) / (BRIGHTEST - DARKEST) * BINS, 0, BINS - 1).astype(np.int64)
        self._counts += np.bincount(bins[may_be], minlength=BINS)
        self._total += len(ratio)
        around = np.convolve(self._counts, np.ones(2 * REACH + 1, np.int64), mode="same")
        usual = int(around.argmax())
        shadow = np.zeros_like(differs)
        if around[usual] > ENOUGH * self._total:
            shadow[differs] = may_be & (np.abs(bins - usual) <= REACH)
        return shadow


# What stands out from the ground.
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
    pixels: UInt8[np.ndarray, "height width 3"]
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
    return SeenFrame(this.frame.index, this.frame.time_s, this.motion, pixels, moving)


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


# Which tracks over the ground are people who walk. What stands up from the ground moves over it too when the camera
# moves: roofs, lamp posts, trees, parked cars. But it does so slowly, less than half of its own size a second at the
# speeds at which drones film people, and to and fro when the drone sways; a walker covers one to two own sizes a
# second, ahead.
MIN_LIFE_S = 1.0
WINDOW_S = 1.5
"""Over which somebody must get ahead."""
MIN_SPEED = 0.5
"""Own sizes a second, the size being the square root of the box's area: a person from 45 degrees is about 1 m."""
MIN_STRAIGHTNESS = 0.7
"""Of the way over a window: from its start to its end, over its whole length."""
PERSON_BAND = (0.6, 1.6)
"""Size over that of the usual track of the video."""
POSE_BAND = (0.65, 1.5)
"""Size of a box over what its track usually has; more are two people, less is a part of one."""


def walkers(
    tracks: Sequence[Track],
    found: Sequence[FrameBoxes],
    camera: Sequence[Homography | None],
    *,
    width: int,
    height: int,
    interval_s: float,
) -> tuple[list[Track], Counter[str]]:
    """Keep what is one whole person who walks; the number of boxes left out, by reason, comes second.

    Reasons: short-lived, standing (or moving with the camera only), merged, odd-size, cut-at-border. Tracks are
    cut where people meet, and joined again where it shows who is who.

    Args:
        tracks: of everything that moves.
        found: the searched frames, which know how their boxes look.
        camera: the motion of the ground from the step before to each step.
        width: of the pictures that the boxes are in.
        height: of the same.
        interval_s: from step to step.
    """
    dropped: Counter[str] = Counter()

    def keep(kept: Sequence[Track], reason: str, among: Sequence[Track]) -> list[Track]:
        dropped[reason] += sum(map(len, among)) - sum(map(len, kept))
        return list(kept)

    shortest = max(2, round(MIN_LIFE_S / interval_s))
    people = keep([track for track in tracks if len(track) >= shortest], "short-lived", tracks)
    people = keep([track for track in people if _walks(track, camera, interval_s)], "standing", people)
    people, dropped["merged"] = apart(people)
    people = keep(_of_usual_size(people), "odd-size", people)
    people = join(people, found, interval_s=interval_s, camera=camera)
    people = keep([track for track in people if len(track) >= shortest], "short-lived", people)
    # Asked again after the cuts: of a person and a post in one track, only the person walks.
    people = keep([track for track in people if _walks(track, camera, interval_s)], "standing", people)
    people = in_order(people)
    return keep([whole_boxes(track, width, height) for track in people], "cut-at-border", people), dropped


def _walks(track: Track, camera: Sequence[Homography | None], interval_s: float) -> bool:
    """Does it get ahead over the ground, in most windows?"""
    reach = min(round(WINDOW_S / interval_s), int(track.steps[-1] - track.steps[0]))
    size = float(np.median(box_sizes(track.boxes)))
    speeds, straightness = [], []
    for first in range(len(track)):
        last = int(np.searchsorted(track.steps, track.steps[first] + reach))
        if last == len(track):
            break
        way = _on_ground_of(track, camera, first, last)
        ahead = np.linalg.norm(way[-1] - way[0])
        speeds.append(ahead / ((track.steps[last] - track.steps[first]) * interval_s))
        straightness.append(ahead / max(np.linalg.norm(np.diff(way, axis=0), axis=1).sum(), 1e-9))
    return bool(np.median(speeds) >= MIN_SPEED * size and np.median(straightness) >= MIN_STRAIGHTNESS)


def _on_ground_of(
    track: Track, camera: Sequence[Homography | None], first: int, last: int
) -> Float64[np.ndarray, "place 2"]:
    """The way from box `first` to box `last`, in pixels of the last one's picture."""
    end = int(track.steps[last])
    centres = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    way = [carry(centres[box : box + 1], between(camera, int(track.steps[box]), end)) for box in range(first, last + 1)]
    return np.concatenate(way)


def _of_usual_size(tracks: Sequence[Track]) -> list[Track]:
    """Leave out tracks and boxes that are too large or too small; where a box is too large, the track is cut."""
    if not tracks:
        return []
    usual = float(np.median(np.concatenate([box_sizes(track.boxes) for track in tracks])))
    kept: list[Track] = []
    for track in tracks:
        own = float(np.median(box_sizes(track.boxes)))
        if not PERSON_BAND[0] * usual <= own <= PERSON_BAND[1] * usual:
            continue
        large, small = box_sizes(track.boxes) > POSE_BAND[1] * own, box_sizes(track.boxes) < POSE_BAND[0] * own
        borders = np.flatnonzero(np.diff(large)) + 1
        pieces = [piece[~(large | small)[piece]] for piece in np.split(np.arange(len(track)), borders)]
        kept += [track.at(piece) for piece in pieces if len(piece)]
    return kept
