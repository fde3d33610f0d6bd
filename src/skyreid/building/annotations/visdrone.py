"""VisDrone files of the MOT and VID tasks: `frame,target,left,top,width,height,score,category,truncation,occlusion`."""

from collections.abc import Sequence
from pathlib import Path

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.collecting import BoxCollector, has_corners
from skyreid.building.annotations.fields import read_rows, whole
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.errors import SourceError

COLUMNS = 10
CATEGORIES = range(12)
IGNORED_REGION = 0
PEOPLE = (1, 2)
"""Pedestrian: stands or walks. People: any other pose, such as on a bicycle."""
SEEN_OF_TRUNCATED = {0: 1.0, 1: 0.75}
SEEN_OF_OCCLUDED = {0: 1.0, 1: 0.75, 2: 0.25}
"""Shares by class: in the middle of `none`, `1 % to 50 %` and, of the occluded, `50 % to 100 %`."""
UNKNOWN = -1
"""Truncation and occlusion in a tracker's results."""


def read_visdrone(path: Path, video: AnnotatedVideo) -> TrackedBoxes:
    """Read who is where in a video.

    Frames count from 1, targets and pixels from 0. Left out, by reason: `ignored` (score 0, or an ignored
    region), `other-class` (neither pedestrian nor people), `outside` (mostly outside the picture). A target
    is a track of this video; nothing is said about who it is in another.

    Raises:
        SourceError: a line is not of this format, names a frame, a target or a category that cannot be; or
            too many boxes cannot be, or nobody is left. The message names the line.

    Source: the VisDrone2018-MOT toolkit's description of its files.
    """
    boxes = BoxCollector(path, video, first_frame=1)
    table = read_rows(path)
    if table.columns != COLUMNS:
        raise SourceError(
            f"{table.lines[0][0]}: must have {COLUMNS} columns (VisDrone-MOT or VID); got {table.columns}"
        )
    boxes.leave_out_rows(table.unreadable)
    is_corners = has_corners(table.numbers[:, :6], path, video)
    for where, _, numbers in table:
        frame, target, left, top, right, bottom, score, category, *grades = map(float, numbers)
        if not is_corners:
            right, bottom = left + right, top + bottom
        if category not in CATEGORIES:
            boxes.refuse("unreadable", f"{where}: category must be from 0 to {CATEGORIES[-1]}; got {category:g}")
        elif score == 0 or category == IGNORED_REGION:
            boxes.leave_out("ignored")
        elif category not in PEOPLE:
            boxes.leave_out("other-class")
        else:
            try:
                index = whole(frame, "frame", where, least=0)
                track = whole(target, "target (-1 in detections, which have no identities)", where, least=0)
                visible = _visible(grades, where)
            except SourceError as error:
                boxes.refuse("unreadable", str(error))
                continue
            boxes.add(index, track, (left, top, right, bottom), where, visible=visible)
    boxes.warn_of_smaller_copy()
    boxes.check_counting()
    return boxes.finish(
        f"categories {PEOPLE[0]} and {PEOPLE[1]}",
        read_as="VisDrone's 10 columns",
        identified=False,
        because="VisDrone numbers the targets of one video",
    )


def _visible(grades: Sequence[float], where: str) -> float | None:
    if UNKNOWN in grades:
        return None
    seen = 1.0
    names = ("truncation", SEEN_OF_TRUNCATED), ("occlusion", SEEN_OF_OCCLUDED)
    for grade, (name, shares) in zip(grades, names, strict=True):
        if grade not in shares:
            raise SourceError(f"{where}: {name} must be one of {[UNKNOWN, *shares]}; got {grade:g}")
        seen *= shares[int(grade)]
    return seen
