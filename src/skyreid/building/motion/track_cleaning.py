"""Which tracks of moving things are one whole person, and from when to when.

Motion boxes come with known faults: things that only flicker, two people in one box where they cross,
people half out of the picture. What is left out is counted by reason; what stays is one person a track.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float64
from scipy.ndimage import median_filter

from skyreid.building.motion.crossings import apart
from skyreid.building.motion.frame_boxes import FrameBoxes
from skyreid.building.motion.tracking import Track, by_frame, in_order
from skyreid.building.tracked_boxes import TrackedBoxes

MIN_LIFE_S = 1.0
MIN_TRAVEL = 0.5
"""How far a person goes at least, in own heights; ghosts, screens and trees do not."""
MIN_TRACKS_FOR_HEIGHTS = 4
MAX_FITTED = 500
"""Boxes that the line is fitted to; the cost grows with their square."""
SLOPES = (0.0, 1.0)
"""Of height over feet: a person's height over the camera's, which hangs above heads; 0 from straight above."""
PERSON_BAND = (0.5, 1.5)
"""A person's height over what people have whose feet are at the same row of the picture."""
POSE_BAND = (0.8, 1.3)
"""A box's height over what this person usually has there: more are two people, less is a part of one."""
WHOLE = 0.8
"""Share of the usual width and height that a box at the border of the picture must still have."""
BORDER = 0.01
"""Of the picture's sides: nearer than this a box is at the border."""


def clean(
    tracks: Sequence[Track], found: Sequence[FrameBoxes], *, width: int, height: int, interval_s: float
) -> TrackedBoxes:
    """Keep what is one whole person; tracks are cut where people meet and numbered anew from 0.

    Reasons in `dropped`, counted in boxes: short-lived, never-moves, merged, cut-at-border, and odd-height
    (against the row of the feet).
    """
    dropped: Counter[str] = Counter()

    def keep(is_kept: Callable[[Track], bool], reason: str, among: Sequence[Track]) -> list[Track]:
        kept = [track for track in among if is_kept(track)]
        dropped[reason] += sum(map(len, among)) - sum(map(len, kept))
        return kept

    shortest = max(2, round(MIN_LIFE_S / interval_s))
    people = keep(lambda track: len(track) >= shortest, "short-lived", tracks)
    people = keep(lambda track: _travel(track, smooth=shortest) >= MIN_TRAVEL, "never-moves", people)
    people, dropped["merged"] = apart(people)
    people, dropped["odd-height"] = _of_usual_height(people)
    people = keep(lambda track: len(track) >= shortest, "short-lived", people)
    ordered = in_order(people)
    inside = [whole_boxes(track, width, height) for track in ordered]
    dropped["cut-at-border"] += sum(map(len, ordered)) - sum(map(len, inside))
    return TrackedBoxes(frames=by_frame(inside, found), dropped=dropped)


def whole_boxes(track: Track, width: int, height: int) -> Track:
    """Those away from the border, or as wide and high as this thing usually is."""
    sizes = track.boxes[:, 2:] - track.boxes[:, :2]
    at_border = (track.boxes[:, :2] <= (BORDER * width, BORDER * height)) | (
        track.boxes[:, 2:] >= ((1 - BORDER) * width, (1 - BORDER) * height)
    )
    cut = at_border & (sizes < WHOLE * np.median(sizes, axis=0))
    return track.at(np.flatnonzero(~cut.any(axis=1)))


def _travel(track: Track, *, smooth: int) -> float:
    """Farthest way from where the thing usually is, in own heights, flicker smoothed away."""
    centres = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
    steady = median_filter(centres, size=(smooth, 1), mode="nearest")
    away = np.linalg.norm(steady - np.median(steady, axis=0), axis=1)
    return float(away.max() / np.median(_heights(track)))


def _of_usual_height(tracks: Sequence[Track]) -> tuple[list[Track], int]:
    """Leave out things and boxes that are too tall or too short for the row of their feet.

    On flat ground a person's height is linear in that row; the line is fitted over all tracks. Where a
    person is too tall for longer, the track is cut: somebody else was there. The number of boxes left out
    comes second.
    """
    if len(tracks) < MIN_TRACKS_FOR_HEIGHTS:
        return list(tracks), 0
    slope, start = _height_line(tracks)
    kept: list[Track] = []
    for track in tracks:
        expected = np.maximum(slope * track.boxes[:, 3] + start, 1.0)
        relative = _heights(track) / expected
        # Halves of people are shorter and blobs of two taller; either may be most of what is seen.
        usual = np.clip(1.0, *np.quantile(relative, (0.25, 0.5)))
        if PERSON_BAND[0] <= usual <= PERSON_BAND[1]:
            kept += _cut(track, short=relative < POSE_BAND[0] * usual, tall=relative > POSE_BAND[1] * usual)
    return kept, sum(map(len, tracks)) - sum(map(len, kept))


def _height_line(tracks: Sequence[Track]) -> tuple[float, float]:
    """Slope and start of people's height over the row of their feet: the median of all pairs (Theil and Sen).

    Box by box, so that a ghost of a second weighs less than a person who stays.
    """
    feet = np.concatenate([track.boxes[:, 3] for track in tracks])
    heights = np.concatenate([_heights(track) for track in tracks])
    some = np.unique(np.linspace(0, len(feet) - 1, MAX_FITTED).astype(int))
    feet, heights = feet[some], heights[some]
    farther = feet[:, None] > feet
    slopes = (heights[:, None] - heights)[farther] / (feet[:, None] - feet)[farther]
    slope = float(np.clip(np.median(slopes), *SLOPES)) if len(slopes) else 0.0
    return slope, float(np.median(heights - slope * feet))


def _cut(track: Track, *, short: Bool[np.ndarray, " box"], tall: Bool[np.ndarray, " box"]) -> list[Track]:
    lasting = median_filter(tall, size=5, mode="nearest")
    borders = np.flatnonzero(np.diff(lasting)) + 1
    pieces = [piece[~(short | tall)[piece]] for piece in np.split(np.arange(len(track)), borders)]
    return [track.at(piece) for piece in pieces if len(piece)]


def _heights(track: Track) -> Float64[np.ndarray, " box"]:
    return track.boxes[:, 3] - track.boxes[:, 1]
