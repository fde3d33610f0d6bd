"""People as what moves before a static camera: boxes without any weights.

It cannot see who stands still for more than a minute, and gives one box for people who overlap.
"""

from fractions import Fraction
from pathlib import Path

from skyreid.building.decode import DecodeLimits, VideoFacts, frames
from skyreid.building.motion.background import Background
from skyreid.building.motion.frame_boxes import FrameBoxes
from skyreid.building.motion.person_shapes import find_person_shapes
from skyreid.building.motion.static_camera import CameraMotion
from skyreid.errors import SourceError
from skyreid.progress import Progress

MAX_SIDE = 1280
"""Longer side of the pictures that are searched: people of 60 pixels in 4K keep 20."""
BLIND_S = 1.0
"""No boxes at the very start: what moves and where it stood in the first frame look alike."""


def motion_boxes(
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
    for frame in frames(path, interval_s=interval_s, max_side=MAX_SIDE, limits=limits):
        camera.look(frame.time_s, frame.pixels)
        if camera.moves_for_sure:
            break
        boxes, people = find_person_shapes(background.moving(frame.pixels))
        background.learn(people)
        scale = facts.width / frame.pixels.shape[1]
        scaled = tuple((x0 * scale, y0 * scale, x1 * scale, y1 * scale) for x0, y0, x1, y1 in boxes)
        found.append(FrameBoxes(frame.index, frame.time_s, scaled if frame.time_s >= BLIND_S else ()))
        progress("find people", round(frame.time_s), round(facts.duration_s or frame.time_s), path.name)
    if camera.moves:
        raise SourceError(
            f"{path}: without annotations people are found by motion, and this camera seems to move; give a detector, "
            "which does not mind (--detector FILE.onnx,kind=yolox), or bring boxes in MOTChallenge format "
            "(annotations=FILE), such as a tracker of your own writes"
        )
    return found
