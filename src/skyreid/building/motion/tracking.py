"""Boxes of single frames to tracks of one thing each: linked by ByteTrack, and cut where people meet."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import supervision
from jaxtyping import Bool, Float32, Float64, Int64
from trackers import ByteTrackTracker

from skyreid.building.motion.registration import Homography, carry, local_scale
from skyreid.building.tracked_boxes import Box
from skyreid.building.video.decode import USUAL_FRAME_RATE, VideoFacts


@dataclass(frozen=True, slots=True)
class FrameBoxes:
    """The boxes of one searched frame, in pixels of the full frame."""

    index: int
    """Of the frame, from 0."""
    time_s: float
    boxes: tuple[Box, ...]
    doubtful: tuple[Box, ...] = ()
    """These may go on with a track, but begin none."""
    looks: Mapping[Box, Float32[np.ndarray, " number"]] = field(default_factory=dict, compare=False)
    """How each of all these looks, by `joining.looks_of`; only where pieces of tracks are joined."""


def box_sizes(boxes: Float64[np.ndarray, "box 4"]) -> Float64[np.ndarray, " box"]:
    """Root of each box's area: about a metre of a person, from most views."""
    return np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))


def as_boxes(rows: Float64[np.ndarray, "box 4"]) -> tuple[Box, ...]:
    """The rows of an array, xyxy."""
    return tuple((left, top, right, bottom) for left, top, right, bottom in rows.tolist())


TRACKING_INTERVAL_S = Fraction(1, 10)
"""At most, from one searched frame to the next: people must overlap with themselves. Who walks across the
picture covers 0.6 of the own box again after 0.1 s, and 0.3 after 0.2 s."""
LOST_S = 1.0
"""How long a track waits for its thing to come back."""
CONFIRMED_AFTER = 2
"""Boxes in a row before a track counts; the first of them is not in the track."""
MIN_IOU = 0.2
SURE = 1.0
"""Confidence of a box that may begin a track; doubtful ones are below."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """One thing over time."""

    steps: Int64[np.ndarray, " box"]
    """Which of the searched frames, rising; a step may be missing where the thing was not seen."""
    boxes: Float64[np.ndarray, "box 4"]
    """xyxy in pixels of the full frame."""

    def __len__(self) -> int:
        return len(self.steps)

    def at(self, places: Int64[np.ndarray, " place"]) -> "Track":
        """The part of this track at these places, counted from 0."""
        return Track(steps=self.steps[places], boxes=self.boxes[places])


def tracking_interval(interval_s: float) -> Fraction:
    """Seconds from one searched frame to the next, so that the frames of every `interval_s` are among them."""
    interval = Fraction(str(interval_s))
    return interval / math.ceil(interval / TRACKING_INTERVAL_S)


def tracking_step_s(interval: Fraction, facts: VideoFacts) -> float:
    """Seconds from one searched frame to the next as this video has them: a slow one has none in between."""
    return max(float(interval), 1 / (facts.frame_rate or USUAL_FRAME_RATE))


def link(
    found: Sequence[FrameBoxes], *, interval_s: float, camera: Sequence[Homography | None] | None = None
) -> list[Track]:
    """Link boxes from frame to frame; tracks in order of their first box.

    The tracker numbers tracks over the whole life of the process; here they are numbered by order, so
    that the same boxes give the same tracks.

    Args:
        found: the searched frames in order.
        interval_s: from one to the next.
        camera: how the ground moves from the frame before to each of these, in pixels of the full frame;
            where that is not known, all tracks end. None = the camera stands still.

    Source: for `camera`, BoT-SORT (Aharon et al. 2022), section 3.2.
    """
    tracker = ByteTrackTracker(
        # The tracker counts lost frames as buffer * rate / 30.
        lost_track_buffer=30,
        frame_rate=LOST_S / interval_s,
        minimum_consecutive_frames=CONFIRMED_AFTER,
        minimum_iou_threshold=MIN_IOU,
        high_conf_det_threshold=SURE,
        track_activation_threshold=SURE,
    )
    steps: dict[int, list[int]] = {}
    boxes: dict[int, list[np.ndarray]] = {}
    for step, frame in enumerate(found):
        if camera is not None and step > 0:
            _carry_on(tracker, camera[step])
        xyxy = np.array(frame.boxes + frame.doubtful, np.float64).reshape(-1, 4)
        confidence = np.repeat([SURE, SURE / 2], [len(frame.boxes), len(frame.doubtful)])
        linked = tracker.update(supervision.Detections(xyxy=xyxy, confidence=confidence))
        assert linked.tracker_id is not None
        for number, box in sorted(zip(linked.tracker_id.tolist(), linked.xyxy.tolist(), strict=True)):
            if number >= 0:  # -1: not confirmed yet
                steps.setdefault(number, []).append(step)
                boxes.setdefault(number, []).append(box)
    return [Track(steps=np.array(steps[number]), boxes=np.array(boxes[number], np.float64)) for number in steps]


def in_order(tracks: Iterable[Track]) -> list[Track]:
    """By first step and box, which does not depend on how they were found."""
    return sorted(tracks, key=lambda track: (track.steps[0], track.boxes[0].tolist()))


def by_frame(tracks: Sequence[Track], found: Sequence[FrameBoxes]) -> dict[int, dict[int, Box]]:
    """Frame number, then track number by place in `tracks`, then box."""
    frames: dict[int, dict[int, Box]] = {}
    for number, track in enumerate(tracks):
        for step, box in zip(track.steps, as_boxes(track.boxes), strict=True):
            frames.setdefault(found[step].index, {})[number] = box
    return frames


def _carry_on(tracker: ByteTrackTracker, motion: Homography | None) -> None:
    """Move what the tracker remembers as the camera moved."""
    if motion is None:
        tracker.tracks = []
        return
    for track in tracker.tracks:
        corners, speeds = np.split(track.state.astype(np.float64).reshape(4, 2), 2)
        centre = corners.mean(axis=0, keepdims=True)
        turn = local_scale(centre, motion)[0]
        stretch = math.sqrt(abs(np.linalg.det(turn)))
        corners = carry(centre, motion) + (corners - centre) * stretch
        track.state = np.concatenate([corners, speeds @ turn.T]).reshape(8, 1).astype(np.float32)


# Cutting tracks where people meet, since one moving blob cannot tell who is who. When two people meet, one track ends
# inside the box of the other; when they part, a track begins inside the box that the blob had before. Between the two
# the box holds more than one person, and afterwards nobody knows which of them it follows.
BoxArray: TypeAlias = Float64[np.ndarray, "4"]
COVERED = 0.5
"""Share of a box inside another one from which on the two are one blob."""
SAME_BLOB = 0.7
"""Area over that of the blob just before a parting: below it, the others had not yet joined."""
COMPARABLE = 0.5
"""Height of the one over the other; what is smaller is a bag, a shadow or a fragment."""


def apart(tracks: Sequence[Track]) -> tuple[list[Track], int]:
    """Cut at every meeting and parting, and leave out the boxes of two or more; their number comes second."""
    meetings, partings, doubts = ([[] for _ in tracks] for _ in range(3))
    for one, track in enumerate(tracks):
        for first, last in _runs(track):
            for other, partner in enumerate(tracks):
                if other == one:
                    continue
                after = _box(partner, last + 1, last + CONFIRMED_AFTER)
                if _were_one(_box(track, last, last), _box(partner, last, last), after):
                    meetings[other].append(last + 1)
                    doubts[one].append(last + 1)
                before = _box(partner, first - CONFIRMED_AFTER, first - 1)
                if _were_one(_box(track, first, first), _box(partner, first, first), before):
                    partings[other].append(first)
                    doubts[one].append(first)
    kept: list[Track] = []
    left_out = 0
    for track, met, parted, doubted in zip(tracks, meetings, partings, doubts, strict=True):
        shared = _shared(track, sorted(met), sorted(parted))
        left_out += int(shared.sum())
        borders = np.flatnonzero(np.diff(shared)) + 1
        borders = {*borders.tolist(), *np.searchsorted(track.steps, [*met, *parted, *doubted]).tolist()}
        for piece in np.split(np.arange(len(track)), sorted(borders)):
            if len(piece) and not shared[piece[0]]:
                kept.append(track.at(piece))
    return kept, left_out


def _shared(track: Track, met: list[int], parted: list[int]) -> Bool[np.ndarray, " box"]:
    """Which boxes hold several people: from each meeting to a parting, and before a parting without one."""
    shared = np.zeros(len(track), bool)
    open_meetings: list[int] = []
    for step in sorted({*met, *parted}):
        open_meetings += [step] * met.count(step)
        for _ in range(parted.count(step)):
            until = int(np.searchsorted(track.steps, step))
            since = int(np.searchsorted(track.steps, open_meetings.pop())) if open_meetings else _grown(track, until)
            shared[since:until] = True
    for step in open_meetings:
        shared[int(np.searchsorted(track.steps, step)) :] = True
    return shared


def _grown(track: Track, until: int) -> int:
    """Since when the box has been as large as it was just before `until`."""
    areas = (track.boxes[:until, 2:] - track.boxes[:until, :2]).prod(axis=1)
    smaller = np.flatnonzero(areas < SAME_BLOB * areas[-1])
    return int(smaller[-1]) + 1 if len(smaller) else 0


def _runs(track: Track) -> list[tuple[int, int]]:
    """First and last step of each stretch without a missing step."""
    pauses = np.flatnonzero(np.diff(track.steps) > 1)
    firsts = track.steps[[0, *(pauses + 1)]]
    lasts = track.steps[[*pauses, len(track) - 1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _box(track: Track, first: int, last: int) -> BoxArray | None:
    """The box at the earliest of these steps that has one."""
    place = int(np.searchsorted(track.steps, first))
    if place == len(track) or track.steps[place] > last:
        return None
    return track.boxes[place]


def _were_one(one: BoxArray | None, other: BoxArray | None, blob: BoxArray | None) -> bool:
    """Are these two people, and was the first of them in this box too at another time?"""
    if one is None or other is None or blob is None:
        return False
    heights = one[3] - one[1], other[3] - other[1]
    shared = np.minimum(one[2:], blob[2:]) - np.maximum(one[:2], blob[:2])
    is_covered = (shared > 0).all() and shared.prod() >= COVERED * (one[2:] - one[:2]).prod()
    return bool(is_covered and min(heights) >= COMPARABLE * max(heights))


WHOLE = 0.8
"""Share of the usual width and height that a box at the border of the picture must still have."""
BORDER = 0.01
"""Of the picture's sides: nearer than this a box is at the border."""


def whole_boxes(track: Track, width: int, height: int) -> Track:
    """Those away from the border, or as wide and high as this thing usually is."""
    sizes = track.boxes[:, 2:] - track.boxes[:, :2]
    at_border = (track.boxes[:, :2] <= (BORDER * width, BORDER * height)) | (
        track.boxes[:, 2:] >= ((1 - BORDER) * width, (1 - BORDER) * height)
    )
    cut = at_border & (sizes < WHOLE * np.median(sizes, axis=0))
    return track.at(np.flatnonzero(~cut.any(axis=1)))
