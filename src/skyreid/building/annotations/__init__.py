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

SIDES_ARE_NAMED = ("cvat", "label-studio")
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
        video: theirs. Its name chooses among the videos of one file; the user's word about boxes and frames is in it.
        format: key of FORMATS; None = what the file's content says.
        identities: the scope of the numbers; None = what the format or the file says.
        because: who gave `identities`.

    Raises:
        SourceError: the format is unknown or cannot be told, the file is not of it, or it contradicts the video. The
            message says what would help.
    """
    if format is not None and format not in FORMATS:
        raise SourceError(f"{path}: the format of annotations is one of {', '.join(FORMATS)}; got {format!r}")
    format = format or detect_format(path)
    if video.sides is not None and format in SIDES_ARE_NAMED:
        raise SourceError(f"{path}: boxes={video.sides} is for rows and COCO; {format} names the sides of its boxes")
    tracked = _spread(FORMATS[format](path, video.as_annotated()), video)
    if identities is None:
        return tracked
    numbers = {number for people in tracked.frames.values() for number in people}
    if identities == SHARED and not (min(numbers) >= 1 and max(numbers) <= MAX_PERSON):
        raise SourceError(
            f"{path}: people who are the same in every video are numbered from 1 to {MAX_PERSON}; got {min(numbers)} "
            f"to {max(numbers)}. Renumber them"
        )
    return replace(tracked, identified=identities == SHARED, identities_because=because)


def _spread(tracked: TrackedBoxes, video: AnnotatedVideo) -> TrackedBoxes:
    """Count the frames that were annotated as the video does."""
    every = video.every or 1
    read_as = [
        tracked.read_as,
        *([f"boxes={video.sides}"] if video.sides else []),
        *([f"every={every}"] if every > 1 else []),
    ]
    return replace(
        tracked,
        frames={index * every: people for index, people in tracked.frames.items()},
        visible={index * every: people for index, people in tracked.visible.items()},
        never_filled=frozenset(index * every for index in tracked.never_filled),
        read_as="; ".join(read_as),
    )
