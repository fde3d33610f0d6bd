"""From a video to tracked people: the parts of this folder, one after the other."""

import math
from fractions import Fraction
from pathlib import Path

from skyreid.building.decode import USUAL_FRAME_RATE, DecodeLimits, VideoFacts
from skyreid.building.motion.motion_boxes import motion_boxes
from skyreid.building.motion.track_cleaning import clean
from skyreid.building.motion.tracking import link
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.progress import Progress

TRACKING_INTERVAL_S = Fraction(1, 10)
"""At most, from one searched frame to the next: people must overlap with themselves."""


def find_people(
    path: Path, facts: VideoFacts, *, interval_s: float, limits: DecodeLimits, progress: Progress
) -> TrackedBoxes:
    """Find and track who moves; the frames that are sampled every `interval_s` seconds are among the searched.

    Raises:
        SourceError: the camera moves.
        VideoError: the video cannot be decoded.
    """
    interval = Fraction(str(interval_s))
    tracking = interval / math.ceil(interval / TRACKING_INTERVAL_S)
    found = motion_boxes(path, facts, interval_s=tracking, limits=limits, progress=progress)
    step_s = max(float(tracking), 1 / (facts.frame_rate or USUAL_FRAME_RATE))
    tracks = link(found, interval_s=step_s)
    return clean(tracks, found, width=facts.width, height=facts.height, interval_s=step_s)
