"""From a video and a detector to tracked people."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from skyreid.building.detection.detector import Detector
from skyreid.building.detection.tiles import find_in_tiles, tiling_of
from skyreid.building.motion.joining import join, looks_of
from skyreid.building.motion.moving_camera import find_people_from_moving_camera
from skyreid.building.motion.registration import Registration, moves
from skyreid.building.motion.tracking import (
    FrameBoxes,
    Track,
    as_boxes,
    by_frame,
    in_order,
    link,
    tracking_interval,
    tracking_step_s,
)
from skyreid.building.tracked_boxes import Box, FoundBy, TrackedBoxes
from skyreid.building.video.decode import DecodeLimits, VideoFacts, frames
from skyreid.processes.progress import Progress, seconds_heard

DOUBTFUL = 0.5
"""Of the detector's score: a box above this share goes on with a track, but begins none (ByteTrack's idea)."""
MIN_LIFE_S = 0.5
"""What is found for a shorter time is a mistake of the detector, or too short to be a tracklet."""


def find_people_with_detector(
    path: Path,
    facts: VideoFacts,
    detector: Detector,
    *,
    from_above: bool = False,
    interval_s: float,
    limits: DecodeLimits,
    progress: Progress,
) -> TrackedBoxes:
    """Find people every tenth of a second and track them, also before a camera that moves.

    More often than the frames that are sampled every `interval_s` seconds, which are among the searched: the
    tracker needs people to overlap with themselves from one searched frame to the next. Before a moving camera
    it follows them relative to the ground. Left out, by reason: boxes of `short-lived` tracks, and boxes that are
    `doubtful` or found once only (`untracked`).

    Args:
        path: of the video.
        facts: of the video.
        detector: who looks.
        from_above: whether the camera looks down. From straight above detectors know few people, so those whom their
            motion tells are tracked with them; `TrackedBoxes.found_by` says who found whom.
        interval_s: seconds between two sampled frames.
        limits: of the decoding processes.
        progress: hears of seconds of video.

    Raises:
        CheckpointError: what the detector gives cannot be boxes of its kind.
        VideoError: the video cannot be decoded.
    """
    interval = tracking_interval(interval_s)
    walking: Mapping[int, Mapping[int, Box]] = {}
    if from_above:
        walking = find_people_from_moving_camera(
            path, facts, interval_s=interval_s, limits=limits, progress=progress
        ).frames
    tiling = tiling_of(path, facts, detector, limits=limits)
    registration = Registration()
    found, camera = [], []
    by_motion: set[tuple[int, Box]] = set()
    film = frames(path, interval_s=interval, limits=limits)
    for frame in seconds_heard(film, progress, "find people", duration_s=facts.duration_s, name=path.name):
        camera.append(registration.step(frame.pixels))
        boxes, scores = find_in_tiles(detector, frame.pixels, side=tiling.side, min_score=DOUBTFUL * detector.score)
        moving = np.array(list(walking.get(frame.index, {}).values()), np.float64).reshape(-1, 4)
        alike = _share_of_smaller(moving, boxes) >= COVERED
        sure = (scores >= detector.score) | alike.any(axis=0)  # two witnesses
        alone = as_boxes(moving[~alike.any(axis=1)])
        by_motion.update((frame.index, box) for box in alone)
        sure_boxes, doubtful = as_boxes(boxes[sure]) + alone, as_boxes(boxes[~sure])
        looks = dict(zip(sure_boxes + doubtful, looks_of(frame.pixels, sure_boxes + doubtful), strict=True))
        found.append(FrameBoxes(frame.index, frame.time_s, sure_boxes, doubtful, looks))
    step_s = tracking_step_s(interval, facts)
    motions = camera if moves(camera, width=facts.width, height=facts.height) else None
    tracks = link(found, interval_s=step_s, camera=motions)
    joined = join(tracks, found, interval_s=step_s, camera=motions)
    lasting = in_order(track for track in joined if len(track) * step_s >= MIN_LIFE_S)
    searched = sum(len(frame.boxes) + len(frame.doubtful) for frame in found)
    linked, kept = sum(map(len, joined)), sum(map(len, lasting))
    dropped = {"untracked": searched - linked, "short-lived": linked - kept}
    return TrackedBoxes(
        frames=by_frame(lasting, found),
        dropped=dropped,
        notes=(tiling.because,),
        found_by={number: _finder_of(track, found, by_motion) for number, track in enumerate(lasting)},
    )


COVERED = 0.3
"""Share of the smaller of two boxes inside the other from which on motion and the detector show the same person."""


def _share_of_smaller(
    some: Float64[np.ndarray, "some 4"], others: Float64[np.ndarray, "other 4"]
) -> Float64[np.ndarray, "some other"]:
    """Shared area of each two boxes, over that of the smaller one."""
    low = np.maximum(some[:, None, :2], others[:, :2])
    high = np.minimum(some[:, None, 2:], others[:, 2:])
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (some, others)]
    return np.clip(high - low, 0, None).prod(axis=2) / np.minimum(areas[0][:, None], areas[1])


def _finder_of(track: Track, found: Sequence[FrameBoxes], by_motion: Collection[tuple[int, Box]]) -> FoundBy:
    """Who found a person: motion or the detector alone, or now the one and now the other."""
    boxes = zip(track.steps.tolist(), as_boxes(track.boxes), strict=True)
    share = sum((found[step].index, box) in by_motion for step, box in boxes) / len(track)
    return "detector" if share == 0 else "motion" if share == 1 else "detector and motion"
