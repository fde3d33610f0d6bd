"""Which tracks of moving things are one whole person, and from when to when.

Motion boxes come with known faults: things that only flicker, two people in one box where they cross,
people half out of the picture. What is left out is counted by reason; what stays is one person a track.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import median_filter
from scipy.stats import theilslopes

from skyreid.building.crossings import apart
from skyreid.building.motion_boxes import FrameBoxes
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.building.tracking import Track

MIN_LIFE_S = 1.0
MIN_TRAVEL = 0.5
"""How far a person goes at least, in own heights; ghosts, screens and trees do not."""
HEIGHT_BAND = (0.5, 2.0)
"""Height over what people have whose feet are at the same row."""
MIN_TRACKS_FOR_HEIGHTS = 4
WHOLE = 0.8
"""Share of the usual width and height that a box at the border of the picture must still have."""
BORDER = 0.01
"""Of the picture's sides: nearer than this a box is at the border."""


def clean(
    tracks: Sequence[Track], found: Sequence[FrameBoxes], *, width: int, height: int, interval_s: float
) -> TrackedBoxes:
    """Keep what is one whole person; tracks are cut where people meet and numbered anew from 0.

    Reasons in `dropped`, counted in boxes: short-lived, never-moves, odd-height (against the row of the
    feet), merged, cut-at-border.
    """
    dropped: Counter[str] = Counter()

    def keep(kept: Callable[[Track], bool], reason: str, among: Sequence[Track]) -> list[Track]:
        dropped[reason] += sum(len(track) for track in among if not kept(track))
        return [track for track in among if kept(track)]

    shortest = round(MIN_LIFE_S / interval_s)
    people = keep(lambda track: len(track) >= shortest, "short-lived", tracks)
    people = keep(lambda track: _travel(track, smooth=shortest) >= MIN_TRAVEL, "never-moves", people)
    people = keep(_height_rule(people), "odd-height", people)
    people, dropped["merged"] = apart(people)
    people = keep(lambda track: len(track) >= shortest, "short-lived", people)
    frames: dict[int, dict[int, Box]] = {}
    for number, track in enumerate(sorted(people, key=lambda track: (track.steps[0], track.boxes[0].tolist()))):
        whole = _whole(track, width, height)
        dropped["cut-at-border"] += int((~whole).sum())
        for step, (left, top, right, bottom) in zip(track.steps[whole], track.boxes[whole].tolist(), strict=True):
            frames.setdefault(found[step].index, {})[number] = (left, top, right, bottom)
    return TrackedBoxes(frames=frames, dropped=dropped)


def _travel(track: Track, *, smooth: int) -> float:
    """Farthest way from where the thing usually is, in own heights, flicker smoothed away."""
    centres = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    steady = median_filter(centres, size=(smooth, 1), mode="nearest")
    away = np.linalg.norm(steady - np.median(steady, axis=0), axis=1)
    return float(away.max() / np.median(track.boxes[:, 3] - track.boxes[:, 1]))


def _height_rule(tracks: Sequence[Track]) -> Callable[[Track], bool]:
    """On flat ground a person's height is linear in the row of the feet; fit that line over all tracks."""
    if len(tracks) < MIN_TRACKS_FOR_HEIGHTS:
        return lambda track: True

    def feet_and_height(track: Track) -> tuple[float, float]:
        return float(np.median(track.boxes[:, 3])), float(np.median(track.boxes[:, 3] - track.boxes[:, 1]))

    feet, heights = zip(*map(feet_and_height, tracks), strict=True)
    if len(set(feet)) == 1:
        return lambda track: True
    slope, start, *_ = theilslopes(heights, feet)

    def is_plausible(track: Track) -> bool:
        foot, height = feet_and_height(track)
        expected = slope * foot + start
        return HEIGHT_BAND[0] * expected <= height <= HEIGHT_BAND[1] * expected

    return is_plausible


def _whole(track: Track, width: int, height: int) -> Bool[np.ndarray, " box"]:
    """Away from the border, or as wide and high as this person usually is."""
    sizes = track.boxes[:, 2:] - track.boxes[:, :2]
    at_border = (track.boxes[:, :2] <= (BORDER * width, BORDER * height)) | (
        track.boxes[:, 2:] >= ((1 - BORDER) * width, (1 - BORDER) * height)
    )
    cut = at_border & (sizes < WHOLE * np.median(sizes, axis=0))
    return ~cut.any(axis=1)
