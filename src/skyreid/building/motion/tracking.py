"""Boxes of single frames to tracks of one thing each, by ByteTrack."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import supervision
from jaxtyping import Float64, Int64
from trackers import ByteTrackTracker

from skyreid.building.motion.frame_boxes import FrameBoxes, as_boxes
from skyreid.building.motion.registration import Homography, carry, local_scale
from skyreid.building.tracked_boxes import Box

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
