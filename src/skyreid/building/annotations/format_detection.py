"""Telling by a file's content which format of annotations it is; what could be two is refused."""

from pathlib import Path

from skyreid.building.annotations import visdrone
from skyreid.building.annotations.fields import NO_HEADER, read_bytes, read_lines, split_row
from skyreid.building.annotations.mot_dialects import BOX, NINE
from skyreid.errors import SourceError

VISDRONE_DET_COLUMNS = 8


def detect_format(path: Path) -> str:
    """Name the format of a file: a key of FORMATS.

    Raises:
        SourceError: it cannot be any, or could be two. The message says what would settle it.
    """
    head = read_bytes(path)[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PK"):
        raise SourceError(f"{path}: is a ZIP archive; unpack it and name the annotations in it")
    if head.startswith(b"<"):
        return "cvat"
    if head.startswith(b"{"):
        return "coco-video"
    if head.startswith(b"["):
        return "label-studio"
    return _detect_table(path)


def _detect_table(path: Path) -> str:
    rows = [(where, split_row(line)) for where, line in read_lines(path)]
    if not rows:
        raise SourceError(f"{path}: must hold annotations; it is empty")
    where, first = rows[0]
    if not _numbers(first[:1]):
        raise SourceError(f"{where}: must hold numbers only; got {','.join(first)[:80]!r}. {NO_HEADER}")
    if len(first) == NINE:
        return "mot"
    if len(first) == VISDRONE_DET_COLUMNS:
        raise SourceError(
            f"{where}: 8 columns are VisDrone-DET's, which tell neither frame nor identity; bring tracks, such as "
            "VisDrone-MOT's 10 columns or those of a tracker"
        )
    if len(first) != visdrone.COLUMNS:
        remedy = (
            ". If they begin with frame,id,left,top,width,height in pixels, and are of people only: format=mot-results"
        )
        raise SourceError(
            f"{where}: annotations are MOTChallenge or VisDrone tables (9 or 10 columns), CVAT's XML, or JSON of "
            f"COCO-video or Label Studio; got {len(first)} columns{remedy if len(first) >= BOX else ''}"
        )
    # The last three columns: place in the world in one format; category, truncation and occlusion in the other.
    ends = {_numbers(fields[7:]) for _, fields in rows}
    if all(end[:2] == (-1, -1) for end in ends) or _are_places(ends):
        return "mot"
    # Only ignored regions: no VisDrone file that is of use, and what some trackers write.
    if all(_is_category(end) for end in ends) and ends != {(0, 0, 0)}:
        return "visdrone"
    raise SourceError(
        f"{path}: 10 columns are of MOTChallenge if they end in -1,-1,-1 or in a place in the world, and of VisDrone "
        "if they end in category, truncation and occlusion; these could be of either or neither. If you know, name the "
        "format: mot (the last three columns are not used) or visdrone"
    )


def _are_places(ends: set[tuple[float, ...]]) -> bool:
    """Whether no row can be VisDrone's, and places are told in fractions."""
    return all(len(end) == 3 and not _is_category(end) for end in ends) and any(
        not value.is_integer() for end in ends for value in end
    )


def _is_category(end: tuple[float, ...]) -> bool:
    if len(end) != 3 or (end[0] == visdrone.IGNORED_REGION and visdrone.UNKNOWN in end[1:]):
        return False
    return (
        end[0] in visdrone.CATEGORIES
        and end[1] in (visdrone.UNKNOWN, *visdrone.SEEN_OF_TRUNCATED)
        and end[2] in (visdrone.UNKNOWN, *visdrone.SEEN_OF_OCCLUDED)
    )


def _numbers(fields: list[str]) -> tuple[float, ...]:
    """Empty unless all are numbers."""
    try:
        return tuple(map(float, fields))
    except ValueError:
        return ()
