"""From a video and a detector to tracked people."""

from pathlib import Path

from skyreid.building.detection.detector import Detector
from skyreid.building.detection.tiles import find_in_tiles, tiling_of
from skyreid.building.motion.registration import Registration, moves
from skyreid.building.motion.tracking import (
    FrameBoxes,
    as_boxes,
    by_frame,
    in_order,
    link,
    tracking_interval,
    tracking_step_s,
)
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.building.video.decode import DecodeLimits, VideoFacts, frames
from skyreid.processes.progress import Progress

DOUBTFUL = 0.5
"""Of the detector's score: a box above this share goes on with a track, but begins none (ByteTrack's idea)."""
MIN_LIFE_S = 0.5
"""What is found for a shorter time is a mistake of the detector, or too short to be a tracklet."""


def find_people_with_detector(
    path: Path, facts: VideoFacts, detector: Detector, *, interval_s: float, limits: DecodeLimits, progress: Progress
) -> TrackedBoxes:
    """Find people every tenth of a second and track them, also before a camera that moves.

    More often than the frames that are sampled every `interval_s` seconds, which are among the searched: the
    tracker needs people to overlap with themselves from one searched frame to the next. Before a moving camera
    it follows them relative to the ground. Left out, by reason: boxes of `short-lived` tracks, and boxes that are
    `doubtful` or found once only (`untracked`).

    Raises:
        CheckpointError: what the detector gives cannot be boxes of its kind.
        VideoError: the video cannot be decoded.
    """
    interval = tracking_interval(interval_s)
    tiling = tiling_of(path, facts, detector, limits=limits)
    registration = Registration()
    found, camera = [], []
    for frame in frames(path, interval_s=interval, limits=limits):
        camera.append(registration.step(frame.pixels))
        boxes, scores = find_in_tiles(detector, frame.pixels, side=tiling.side, min_score=DOUBTFUL * detector.score)
        sure = scores >= detector.score
        found.append(FrameBoxes(frame.index, frame.time_s, as_boxes(boxes[sure]), doubtful=as_boxes(boxes[~sure])))
        progress("find people", round(frame.time_s), round(facts.duration_s or frame.time_s), path.name)
    step_s = tracking_step_s(interval, facts)
    is_moving = moves(camera, width=facts.width, height=facts.height)
    tracks = link(found, interval_s=step_s, camera=camera if is_moving else None)
    lasting = in_order(track for track in tracks if len(track) * step_s >= MIN_LIFE_S)
    searched = sum(len(frame.boxes) + len(frame.doubtful) for frame in found)
    linked, kept = sum(map(len, tracks)), sum(map(len, lasting))
    dropped = {"untracked": searched - linked, "short-lived": linked - kept}
    return TrackedBoxes(frames=by_frame(lasting, found), dropped=dropped, notes=(tiling.because,))
