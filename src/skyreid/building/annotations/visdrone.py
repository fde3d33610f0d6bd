"""VisDrone files of the MOT and VID tasks: `frame,target,left,top,width,height,score,category,truncation,occlusion`."""

from pathlib import Path

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.collecting import BoxCollector
from skyreid.building.annotations.fields import number, read_lines, split_row, whole
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
    for where, line in read_lines(path):
        fields = split_row(line)
        if len(fields) != COLUMNS:
            raise SourceError(f"{where}: must have {COLUMNS} columns (VisDrone-MOT or VID); got {len(fields)}")
        category = whole(fields[7], "category", where, least=IGNORED_REGION)
        if category not in CATEGORIES:
            raise SourceError(f"{where}: category must be from 0 to {CATEGORIES[-1]}; got {category}")
        if number(fields[6], "score", where) == 0 or category == IGNORED_REGION:
            boxes.leave_out("ignored")
            continue
        if category not in PEOPLE:
            boxes.leave_out("other-class")
            continue
        left, top, box_width, box_height = (number(field, "a box's side", where) for field in fields[2:6])
        boxes.add(
            whole(fields[0], "frame", where, least=1),
            whole(fields[1], "target (-1 in detections, which have no identities)", where, least=0),
            (left, top, left + box_width, top + box_height),
            where,
            visible=_visible(fields[8], fields[9], where),
        )
    boxes.warn_of_smaller_copy()
    return boxes.finish(
        f"categories {PEOPLE[0]} and {PEOPLE[1]}",
        read_as="VisDrone's 10 columns",
        identified=False,
        because="VisDrone numbers the targets of one video",
    )


def _visible(truncation: str, occlusion: str, where: str) -> float | None:
    seen = 1.0
    for name, field, shares in (
        ("truncation", truncation, SEEN_OF_TRUNCATED),
        ("occlusion", occlusion, SEEN_OF_OCCLUDED),
    ):
        grade = number(field, name, where)
        if grade == UNKNOWN:
            return None
        if grade not in shares:
            raise SourceError(f"{where}: {name} must be one of {[UNKNOWN, *shares]}; got {grade:g}")
        seen *= shares[int(grade)]
    return seen
