"""Who is where in a video, as people and programs wrote it down: reading it, and writing it again."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from skyreid.building.annotations import visdrone
from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.coco_video import read_coco_video
from skyreid.building.annotations.cvat import read_cvat
from skyreid.building.annotations.fields import read_bytes, read_rows, text_of
from skyreid.building.annotations.label_studio import read_label_studio
from skyreid.building.annotations.mot import BOX, NAMED, NINE, read_mot
from skyreid.building.annotations.visdrone import read_visdrone
from skyreid.building.tracked_boxes import SHARED, IdentityScope, TrackedBoxes
from skyreid.errors import SourceError
from skyreid.files.file_kinds import ANNOTATIONS, require_kind

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


# Telling by a file's content which format of annotations it is; what could be two is refused.
VISDRONE_DET_COLUMNS = 8


def detect_format(path: Path) -> str:
    """Name the format of a file: a key of FORMATS.

    Raises:
        SourceError: it cannot be any, or could be two. The message says what would settle it.
    """
    content = read_bytes(path)
    if content:  # of an empty file its reader says more
        require_kind(path, ANNOTATIONS, error=SourceError)
    if content.startswith(b"PK"):
        raise SourceError(f"{path}: is a ZIP archive; unpack it and name the annotations in it")
    head = content[:1024].decode(json.detect_encoding(content), errors="ignore").lstrip()
    if head.startswith("<"):
        return "cvat"
    if head.startswith("["):
        return "label-studio"
    if head.startswith("{"):
        # One task alone, as Label Studio's interface for programs gives it; every COCO file has categories.
        text = text_of(content, path)
        return "label-studio" if '"data"' in text and '"categories"' not in text else "coco-video"
    return _detect_table(path)


def _detect_table(path: Path) -> str:
    table = read_rows(path)
    where = table.lines[0][0]
    if table.columns == NINE:
        return "mot"
    if table.columns == VISDRONE_DET_COLUMNS:
        raise SourceError(
            f"{where}: 8 columns are VisDrone-DET's, which tell neither frame nor identity; bring tracks, such as "
            "VisDrone-MOT's 10 columns or those of a tracker"
        )
    if table.columns != visdrone.COLUMNS:
        remedy = (
            ". If they begin with frame,id,left,top,width,height in pixels, and are of people only: format=mot-results"
        )
        raise SourceError(
            f"{where}: annotations are MOTChallenge or VisDrone tables (9 or 10 columns), CVAT's XML, or JSON of "
            f"COCO-video or Label Studio; got {table.columns} columns{remedy if table.columns >= BOX else ''}"
        )
    # The last three columns: place in the world in one format; category, truncation and occlusion in the other.
    ends = set(map(tuple, np.unique(table.numbers[:, 7:], axis=0).tolist()))
    if all(end[:2] == (-1, -1) for end in ends) or _are_places(ends):
        return "mot"
    # Only ignored regions: no VisDrone file that is of use, and what some trackers write.
    if all(map(_is_category, ends)) and ends != {(0, 0, 0)}:
        return "visdrone"
    raise SourceError(
        f"{path}: 10 columns are of MOTChallenge if they end in -1,-1,-1 or in a place in the world, and of VisDrone "
        "if they end in category, truncation and occlusion; these could be of either or neither. If you know, name the "
        "format: mot (the last three columns are not used) or visdrone"
    )


def _are_places(ends: set[tuple[float, ...]]) -> bool:
    """Whether no row can be VisDrone's, and places are told in fractions."""
    return not any(map(_is_category, ends)) and any(not value.is_integer() for end in ends for value in end)


def _is_category(end: tuple[float, ...]) -> bool:
    if end[0] == visdrone.IGNORED_REGION and visdrone.UNKNOWN in end[1:]:
        return False
    return (
        end[0] in visdrone.CATEGORIES
        and end[1] in (visdrone.UNKNOWN, *visdrone.SEEN_OF_TRUNCATED)
        and end[2] in (visdrone.UNKNOWN, *visdrone.SEEN_OF_OCCLUDED)
    )
