"""Who is where in a video, as people and programs wrote it down: reading it, and writing it again."""

from collections.abc import Callable
from pathlib import Path

from skyreid.building.annotations.coco_video import read_coco_video
from skyreid.building.annotations.cvat import read_cvat
from skyreid.building.annotations.format_detection import detect_format
from skyreid.building.annotations.label_studio import read_label_studio
from skyreid.building.annotations.mot import read_mot
from skyreid.building.annotations.visdrone import read_visdrone
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.errors import SourceError


def _of_one_video(read: Callable[..., TrackedBoxes]) -> Callable[..., TrackedBoxes]:
    """Read a file that does not say, and need not, of which video it is."""

    def read_it(path: Path, *, width: int, height: int, video: str) -> TrackedBoxes:
        return read(path, width=width, height=height)

    return read_it


FORMATS: dict[str, Callable[..., TrackedBoxes]] = {
    "mot": _of_one_video(read_mot),
    "visdrone": _of_one_video(read_visdrone),
    "cvat": _of_one_video(read_cvat),
    "coco-video": read_coco_video,
    "label-studio": read_label_studio,
}
"""Name to reader; `CVAT for video` is "cvat"."""


def read_annotations(path: Path, *, width: int, height: int, video: str, format: str | None = None) -> TrackedBoxes:
    """Read who is where in a video, from any format of FORMATS.

    Args:
        path: of the annotations.
        width: of the video's picture, in pixels.
        height: of the video's picture, in pixels.
        video: name of the video's file; chooses among the videos of one file of annotations.
        format: key of FORMATS; None = what the file's content says.

    Raises:
        SourceError: the format is unknown or cannot be told, or the file is not of it. The message says what would
            help.
    """
    if format is not None and format not in FORMATS:
        raise SourceError(f"{path}: the format of annotations is one of {', '.join(FORMATS)}; got {format!r}")
    return FORMATS[format or detect_format(path)](path, width=width, height=height, video=video)
