"""People as what moves over the ground before a moving camera, such as a drone's: boxes without any weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from skyreid.building.decode import USUAL_FRAME_RATE, DecodeLimits, VideoFacts, frames
from skyreid.building.motion.frame_boxes import FrameBoxes, as_boxes
from skyreid.building.motion.moving_ground import moving_things
from skyreid.building.motion.person_shapes import FROM_A_DRONE, find_person_shapes
from skyreid.building.motion.tracking import by_frame, link, tracking_interval
from skyreid.building.motion.walkers import walkers
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.progress import Progress

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
    for seen in moving_things(frames(path, interval_s=interval, max_side=MAX_SIDE, limits=limits)):
        height, width = seen.moving.shape
        boxes, _ = find_person_shapes(seen.moving, FROM_A_DRONE)
        rows = np.array(boxes, np.float64).reshape(-1, 4)
        found.append(FrameBoxes(seen.index, seen.time_s, as_boxes(rows)))
        camera.append(seen.motion)
        progress("find people", round(seen.time_s), round(facts.duration_s or seen.time_s), path.name)
    step_s = max(float(interval), 1 / (facts.frame_rate or USUAL_FRAME_RATE))
    tracks = link(found, interval_s=step_s, camera=camera)
    people, dropped = walkers(tracks, camera, width=width, height=height, interval_s=step_s)
    dropped["untracked"] = sum(len(frame.boxes) for frame in found) - sum(map(len, tracks))
    scale = facts.width / max(width, 1)
    in_frame = [replace(track, boxes=track.boxes * scale) for track in people]
    return TrackedBoxes(frames=by_frame(in_frame, found), dropped=dropped)
