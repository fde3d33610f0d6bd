"""Telling by a file's content which format of annotations it is; what could be two is refused."""

import json
from pathlib import Path

import numpy as np

from skyreid.building.annotations import visdrone
from skyreid.building.annotations.fields import read_bytes, text_of
from skyreid.building.annotations.mot_dialects import BOX, NINE
from skyreid.building.annotations.rows import read_rows
from skyreid.errors import SourceError
from skyreid.file_kinds import ANNOTATIONS, require_kind

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
