"""Who is where in a video, as people and programs wrote it down: reading it, and writing it again."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.coco_video import read_coco_video
from skyreid.building.annotations.cvat import read_cvat
from skyreid.building.annotations.format_detection import detect_format
from skyreid.building.annotations.label_studio import read_label_studio
from skyreid.building.annotations.mot import NAMED, read_mot
from skyreid.building.annotations.visdrone import read_visdrone
from skyreid.building.tracked_boxes import SHARED, IdentityScope, TrackedBoxes
from skyreid.errors import SourceError

FORMATS: dict[str, Callable[[Path, AnnotatedVideo], TrackedBoxes]] = {
    **{name: partial(read_mot, format=name) for name in NAMED},
    "visdrone": read_visdrone,
    "cvat": read_cvat,
    "coco-video": read_coco_video,
    "label-studio": read_label_studio,
}
"""Name to reader; `CVAT for video` is "cvat"."""

MAX_PERSON = 2**31 - 1


def read_annotations(
    path: Path,
    video: AnnotatedVideo,
    *,
    format: str | None = None,
    identities: IdentityScope | None = None,
    because: str = "the source says so",
) -> TrackedBoxes:
    """Read who is where in a video, from any format of FORMATS; all that the file states is held against the video.

    Args:
        path: of the annotations.
        video: theirs. Its name chooses among the videos of one file.
        format: key of FORMATS; None = what the file's content says.
        identities: the scope of the numbers; None = what the format or the file says.
        because: who gave `identities`.

    Raises:
        SourceError: the format is unknown or cannot be told, the file is not of it, or it contradicts the video. The
            message says what would help.
    """
    if format is not None and format not in FORMATS:
        raise SourceError(f"{path}: the format of annotations is one of {', '.join(FORMATS)}; got {format!r}")
    tracked = FORMATS[format or detect_format(path)](path, video)
    if identities is None:
        return tracked
    numbers = {number for people in tracked.frames.values() for number in people}
    if identities == SHARED and not (min(numbers) >= 1 and max(numbers) <= MAX_PERSON):
        raise SourceError(
            f"{path}: people who are the same in every video are numbered from 1 to {MAX_PERSON}; got {min(numbers)} "
            f"to {max(numbers)}. Renumber them"
        )
    return replace(tracked, identified=identities == SHARED, identities_because=because)
