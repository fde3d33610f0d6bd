"""The truth of a video as MOTChallenge ground truth."""

from collections.abc import Iterable, Iterator

from skyreid.simulation.scene_truth import SceneFrame
from skyreid.simulation.sessions.video_file import HEIGHT, WIDTH

LEAST_VISIBLE = 0.02
"""Who shows less has no box."""


def mot_lines(frames: Iterable[SceneFrame]) -> Iterator[bytes]:
    """`frame,id,left,top,width,height,1,1,visibility`: frames and pixels from 1, boxes clipped to the picture.

    Source: the MOT16 benchmark's file format.
    """
    for frame in frames:
        for person in frame.people:
            left, top = max(person.box[0], 0.0), max(person.box[1], 0.0)
            width, height = min(person.box[2], WIDTH) - left, min(person.box[3], HEIGHT) - top
            if person.visible >= LEAST_VISIBLE:
                values = f"{frame.index + 1},{person.pid},{left + 1:.2f},{top + 1:.2f},{width:.2f},{height:.2f}"
                yield f"{values},1,1,{person.visible:.3f}\n".encode()
