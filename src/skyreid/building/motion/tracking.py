"""Boxes of single frames to tracks of one thing each, by ByteTrack."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import supervision
from jaxtyping import Float64, Int64
from trackers import ByteTrackTracker

from skyreid.building.motion.motion_boxes import FrameBoxes

LOST_S = 1.0
"""How long a track waits for its thing to come back."""
CONFIRMED_AFTER = 2
"""Boxes in a row before a track counts; the first of them is not in the track."""
MIN_IOU = 0.2


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


def link(found: Sequence[FrameBoxes], *, interval_s: float) -> list[Track]:
    """Link boxes from frame to frame; tracks in order of their first box.

    The tracker numbers tracks over the whole life of the process; here they are numbered by order, so
    that the same boxes give the same tracks.
    """
    tracker = ByteTrackTracker(
        # The tracker counts lost frames as buffer * rate / 30.
        lost_track_buffer=30,
        frame_rate=LOST_S / interval_s,
        minimum_consecutive_frames=CONFIRMED_AFTER,
        minimum_iou_threshold=MIN_IOU,
    )
    steps: dict[int, list[int]] = {}
    boxes: dict[int, list[np.ndarray]] = {}
    for step, frame in enumerate(found):
        xyxy = np.array(frame.boxes, np.float64).reshape(-1, 4)
        linked = tracker.update(supervision.Detections(xyxy=xyxy, confidence=np.ones(len(xyxy))))
        assert linked.tracker_id is not None
        for number, box in sorted(zip(linked.tracker_id.tolist(), linked.xyxy.tolist(), strict=True)):
            if number >= 0:  # -1: not confirmed yet
                steps.setdefault(number, []).append(step)
                boxes.setdefault(number, []).append(box)
    return [Track(steps=np.array(steps[number]), boxes=np.array(boxes[number], np.float64)) for number in steps]
