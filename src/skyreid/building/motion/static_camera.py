"""People found before a camera that stands still, by what moves: boxes without any weights, and tracks of them.

It cannot see who stands still for more than a minute, and gives one box for people who overlap. A camera that moves is
refused, since what differs from its background then means nothing.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy.ndimage import median_filter

from skyreid.building.motion.joining import join, looks_of
from skyreid.building.motion.person_shapes import find_person_shapes
from skyreid.building.motion.tracking import (
    FrameBoxes,
    Track,
    apart,
    by_frame,
    in_order,
    link,
    tracking_interval,
    tracking_step_s,
    whole_boxes,
)
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.building.video.decode import DecodeLimits, VideoFacts, frames
from skyreid.errors import SourceError
from skyreid.processes.progress import Progress, seconds_heard


def find_people(
    path: Path, facts: VideoFacts, *, interval_s: float, limits: DecodeLimits, progress: Progress
) -> TrackedBoxes:
    """Find and track who moves; the frames that are sampled every `interval_s` seconds are among the searched.

    Raises:
        SourceError: the camera moves.
        VideoError: the video cannot be decoded.
    """
    tracking = tracking_interval(interval_s)
    found = _motion_boxes(path, facts, interval_s=tracking, limits=limits, progress=progress)
    step_s = tracking_step_s(tracking, facts)
    tracks = link(found, interval_s=step_s)
    return clean(tracks, found, width=facts.width, height=facts.height, interval_s=step_s)


MAX_SIDE = 1280
"""Longer side of the pictures that are searched: people of 60 pixels in 4K keep 20."""
BLIND_S = 1.0
"""No boxes at the very start: what moves and where it stood in the first frame look alike."""


def _motion_boxes(
    path: Path, facts: VideoFacts, *, interval_s: Fraction, limits: DecodeLimits, progress: Progress
) -> list[FrameBoxes]:
    """Find what moves and is shaped like a person, every `interval_s` seconds; boxes in pixels of the full frame.

    Raises:
        SourceError: the camera moves.
        VideoError: the video cannot be decoded.
    """
    camera = CameraMotion()
    background = Background(interval_s=float(interval_s))
    found = []
    film = frames(path, interval_s=interval_s, max_side=MAX_SIDE, limits=limits)
    for frame in seconds_heard(film, progress, "find people", duration_s=facts.duration_s, name=path.name):
        camera.look(frame.time_s, frame.pixels)
        if camera.moves_for_sure:
            break
        boxes, people = find_person_shapes(background.moving(frame.pixels))
        background.learn(people)
        scale = facts.width / frame.pixels.shape[1]
        scaled = tuple((x0 * scale, y0 * scale, x1 * scale, y1 * scale) for x0, y0, x1, y1 in boxes)
        if frame.time_s >= BLIND_S:
            looks = dict(zip(scaled, looks_of(frame.pixels, boxes), strict=True))
            found.append(FrameBoxes(frame.index, frame.time_s, scaled, looks=looks))
        else:
            found.append(FrameBoxes(frame.index, frame.time_s, ()))
    if camera.moves:
        raise SourceError(
            f"{path}: without annotations people are found by motion, and this camera seems to move; give a detector, "
            "which does not mind (--detector FILE.onnx,kind=yolox), or bring boxes in MOTChallenge format "
            "(annotations=FILE), such as a tracker of your own writes"
        )
    return found


# Whether the camera stands still.
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


# What differs from the still background.
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


# Which tracks are one whole person, and from when to when. Motion boxes come with known faults: things that only
# flicker, two people in one box where they cross, people half out of the picture.
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


def clean(
    tracks: Sequence[Track], found: Sequence[FrameBoxes], *, width: int, height: int, interval_s: float
) -> TrackedBoxes:
    """Keep what is one whole person; tracks are cut where people meet, joined where it shows who is who, and numbered
    anew from 0.

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
    people = join(people, found, interval_s=interval_s)
    people = keep(lambda track: len(track) >= shortest, "short-lived", people)
    ordered = in_order(people)
    inside = [whole_boxes(track, width, height) for track in ordered]
    dropped["cut-at-border"] += sum(map(len, ordered)) - sum(map(len, inside))
    return TrackedBoxes(frames=by_frame(inside, found), dropped=dropped)


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
