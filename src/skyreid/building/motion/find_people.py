"""From a video to tracked people: the parts of this folder, one after the other."""

from pathlib import Path

from skyreid.building.decode import USUAL_FRAME_RATE, DecodeLimits, VideoFacts
from skyreid.building.motion.motion_boxes import motion_boxes
from skyreid.building.motion.track_cleaning import clean
from skyreid.building.motion.tracking import link, tracking_interval
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.progress import Progress


def find_people(
    path: Path, facts: VideoFacts, *, interval_s: float, limits: DecodeLimits, progress: Progress
) -> TrackedBoxes:
    """Find and track who moves; the frames that are sampled every `interval_s` seconds are among the searched.

    Raises:
        SourceError: the camera moves.
        VideoError: the video cannot be decoded.
    """
    tracking = tracking_interval(interval_s)
    found = motion_boxes(path, facts, interval_s=tracking, limits=limits, progress=progress)
    step_s = max(float(tracking), 1 / (facts.frame_rate or USUAL_FRAME_RATE))
    tracks = link(found, interval_s=step_s)
    return clean(tracks, found, width=facts.width, height=facts.height, interval_s=step_s)
