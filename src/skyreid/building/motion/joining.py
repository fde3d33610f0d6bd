"""Pieces of one person's track, joined by place and by the colours of the clothes.

The tracker loses who is hidden for more than a second, and where people cross, tracks are cut, since of one blob nobody
knows who is who (`tracking.apart`). Afterwards colours tell: a piece goes on with the one that begins soon, near by, at
about the same size, and looks more alike than people do who are in view at the same moment and so are two.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from skyreid.building.motion.person_shapes import PixelBox
from skyreid.building.motion.registration import Homography, between, carry
from skyreid.building.motion.tracking import FrameBoxes, Track, as_boxes, box_sizes, in_order
from skyreid.building.tracked_boxes import Box

Look: TypeAlias = Float32[np.ndarray, " number"]
"""How a box looks: lightness and colour (CIELAB) of each stripe."""
STRIPES = 6
"""From head to foot."""
MIDDLE = 0.25
"""Share of a box's width that is left out at either side: there is more ground than person."""

MAX_PAUSE_S = 2.0
"""Who is away for longer begins a new tracklet anyway, see `crops.cropping.MAX_PAUSE_S`."""
REACH, REACH_PER_S = 1.0, 3.0
"""Own sizes, the size being the root of the box's area, at once and for each second of the pause: people run."""
MAX_RATIO = 1.5
"""Of the sizes before and after the pause."""
NEAR_THE_PAUSE = 5
"""Boxes whose median is the size there."""
UNLIKE = 0.9
"""Share of the pairs in view at the same moment that resemble each other less than two pieces that are joined..."""
LEAST, MOST = 0.5, 0.95
"""...but cosines of at least and at most these: there may be few such pairs, or a team in one kit."""
FARNESS = 0.5
"""Cosine that is worth as much as a way as long as somebody could have come."""


def looks_of(pixels: UInt8[np.ndarray, "height width 3"], boxes: Sequence[Box | PixelBox]) -> list[Look]:
    """How each box looks; parts outside of the picture do not count.

    Args:
        pixels: RGB.
        boxes: in the pixels of this picture.
    """
    height, width = pixels.shape[:2]
    looks = []
    for left, top, right, bottom in boxes:
        side = MIDDLE * (right - left)
        # At least one pixel, and inside.
        x0, y0 = min(max(0, int(left + side)), width - 1), min(max(0, int(top)), height - 1)
        x1, y1 = max(x0 + 1, round(right - side)), max(y0 + 1, round(bottom))
        stripes = cv2.resize(pixels[y0:y1, x0:x1], (1, STRIPES), interpolation=cv2.INTER_AREA)
        looks.append(cv2.cvtColor(stripes.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).ravel())
    return looks


def join(
    tracks: Sequence[Track],
    found: Sequence[FrameBoxes],
    *,
    interval_s: float,
    camera: Sequence[Homography | None] | None = None,
) -> list[Track]:
    """Join what is one person; no two tracks that are in view at the same moment, and none over a lost ground.

    Args:
        tracks: each of one person.
        found: the searched frames, which know how their boxes look.
        interval_s: from one searched frame to the next.
        camera: as `tracking.link` takes it.
    """
    tracks = in_order(track for track in tracks if len(track))
    if len(tracks) < 2:
        return tracks
    units = _unit_looks(tracks, [frame.looks for frame in found])
    firsts, lasts = (np.array([track.steps[end] for track in tracks]) for end in (0, -1))
    longest = math.floor(MAX_PAUSE_S / interval_s)
    # Of each, in order of their beginning, the next that are in view with it, and then those that may follow it.
    together = np.searchsorted(firsts, lasts, side="right")
    soon = np.searchsorted(firsts, lasts + longest, side="right")
    two_people = [units[one + 1 : end] @ units[one] for one, end in enumerate(together)]
    least = _least_alike(np.concatenate(two_people))
    pairs: list[tuple[float, int, int]] = []
    for one, candidates in enumerate(zip(together, soon, strict=True)):
        for next_one in range(*candidates):
            alike = float(units[next_one] @ units[one])
            if alike < least:
                continue
            pause_s = float(firsts[next_one] - lasts[one]) * interval_s
            farness = _farness(tracks[one], tracks[next_one], pause_s, camera)
            if farness <= 1:
                pairs.append((alike - FARNESS * farness, one, next_one))
    follows: dict[int, int] = {}
    taken: set[int] = set()
    for _, one, next_one in sorted(pairs, reverse=True):
        if one not in follows and next_one not in taken:
            follows[one] = next_one
            taken.add(next_one)
    return [_chain(tracks, start, follows) for start in range(len(tracks)) if start not in taken]


def _unit_looks(tracks: Sequence[Track], looks: Sequence[Mapping[Box, Look]]) -> Float64[np.ndarray, "track number"]:
    """Mean looks of length 1, each number standardised among all boxes of the video."""
    of_track = [
        np.array([looks[step][box] for step, box in zip(track.steps.tolist(), as_boxes(track.boxes), strict=True)])
        for track in tracks
    ]
    every = np.concatenate(of_track).astype(np.float64)
    means = np.array([own.mean(axis=0) for own in of_track])
    means = (means - every.mean(axis=0)) / (every.std(axis=0) + 1e-3)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)


def _least_alike(two_people: Float64[np.ndarray, " pair"]) -> float:
    """From which cosine on two pieces may be one person, by those of pairs that cannot be."""
    return float(np.clip(np.quantile(two_people, UNLIKE), LEAST, MOST)) if len(two_people) else LEAST


def _farness(one: Track, next_one: Track, pause_s: float, camera: Sequence[Homography | None] | None) -> float:
    """The way over the ground from one track's end to the other's beginning, 1 being as far as anybody comes."""
    sizes = [
        float(np.median(box_sizes(near))) for near in (one.boxes[-NEAR_THE_PAUSE:], next_one.boxes[:NEAR_THE_PAUSE])
    ]
    if max(sizes) > MAX_RATIO * min(sizes):
        return math.inf
    place, arrival = ((box[:, :2] + box[:, 2:]) / 2 for box in (one.boxes[-1:], next_one.boxes[:1]))
    if camera is not None:
        start, end = int(one.steps[-1]), int(next_one.steps[0])
        if any(motion is None for motion in camera[start + 1 : end + 1]):
            return math.inf
        place = carry(place, between(camera, start, end))
    way = float(np.linalg.norm(place - arrival)) / float(np.mean(sizes))
    return way / (REACH + REACH_PER_S * pause_s)


def _chain(tracks: Sequence[Track], start: int, follows: Mapping[int, int]) -> Track:
    chain = [start]
    while chain[-1] in follows:
        chain.append(follows[chain[-1]])
    return Track(
        steps=np.concatenate([tracks[number].steps for number in chain]),
        boxes=np.concatenate([tracks[number].boxes for number in chain]),
    )
