"""MOTChallenge files: `frame,id,left,top,width,height,...`, frames and pixels counted from 1."""

import json
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from skyreid.atomic_file import write_atomically
from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.collecting import BoxCollector, check_size, has_corners
from skyreid.building.annotations.fields import RowTable, read_json, read_rows, share, whole
from skyreid.building.annotations.mot_dialects import (
    BOX,
    GROUND_TRUTH,
    NINE,
    PEDESTRIAN,
    RESULTS,
    TEN,
    UNKNOWN,
    Dialect,
    boxmot_dialect,
    cvat_dialect,
    dialect_of,
    sequence_beside,
)
from skyreid.building.tracked_boxes import SHARED, Box, TrackedBoxes
from skyreid.building.video.picture_folder import read_sequence
from skyreid.errors import SourceError

NAMED = {"mot": None, "mot-gt": GROUND_TRUTH, "mot-results": RESULTS, "boxmot": None, "cvat-mot": None}
"""Names of this format and its dialects; None = seen in the rows or beside the file."""
IDENTITIES_FILE = "identities.json"
"""Beside files that we wrote: in which of them a number is a person."""
_EXACT = Context(prec=400)
"""Digits for any pixel as a float, moved by 1: what is written is read again bit for bit."""


def read_mot(path: Path, video: AnnotatedVideo, *, format: str = "mot") -> TrackedBoxes:
    """Read who is where in a video.

    Boxes become xyxy from 0 and are clipped to the picture. What stands behind the box differs from program to
    program (`mot_dialects`). Left out, by reason: `ignored` (flag 0), `other-class`, `outside` (outside the
    picture or mostly so), `no-size` and `twice`. A number is a track of this video, for trackers and benchmarks
    begin with 1 in every video; `identities.json` beside the file, which our export writes, says otherwise.

    Args:
        path: of the rows. What `seqinfo.ini` beside them states is compared with the video.
        video: theirs.
        format: `mot` = whoever wrote it, if that is certain; or a dialect of NAMED.

    Raises:
        SourceError: a line is not of this format, or names a frame or an identity that cannot be; the columns
            could mean two things; too many boxes cannot be; or nobody is left. The message names the line.

    Source: the MOT16 and MOT15 benchmarks' file formats. Their tools count pixels from 1, so the box of the
    top left pixel is 1,1,1,1.
    """
    boxes = BoxCollector(path, video, first_frame=1)
    told = _compare_sequence(path, video, boxes)
    table = read_rows(path)
    _check_columns(format, table)
    is_corners = has_corners(table.numbers[:, :BOX], path, video)
    dialect = _dialect(format, path, table, is_corners=is_corners)
    if dialect.people is None and not dialect.has_flag and table.columns != TEN:
        boxes.warn(f"{path}: nothing in it says which rows are people; all are taken for people")
    boxes.leave_out_rows(table.unreadable)
    for where, fields, numbers in table:
        if dialect.has_flag and numbers[6] == 0:
            boxes.leave_out("ignored")
        elif dialect.people is not None and numbers[7] not in dialect.people:
            boxes.leave_out("other-class")
        else:
            try:
                frame = whole(float(numbers[0]), "frame", where, least=0)
                track = whole(float(numbers[1]), "id (-1 in detections, which have no identities)", where, least=0)
                visible = _visible(dialect, numbers, where)
            except SourceError as error:
                boxes.refuse("unreadable", str(error))
                continue
            boxes.add(frame, track, _box(fields[2:BOX], is_corners=is_corners), where, visible=visible)
    if not told >= {"imwidth", "imheight"}:
        boxes.warn_of_smaller_copy()
    if "seqlength" not in told:
        boxes.check_counting()
    is_shared = _is_shared(path)
    return boxes.finish(
        "all rows" if dialect.people is None else f"class {' or '.join(map(str, sorted(dialect.people)))}",
        read_as=dialect.words,
        identified=is_shared,
        because=f"{IDENTITIES_FILE} beside it says so"
        if is_shared
        else "MOT files number the people of one video"
        if dialect.is_annotated
        else "trackers number the tracks of one video",
    )


def write_mot(path: Path, tracked: TrackedBoxes) -> None:
    """Write ground truth of 9 columns, in order of frame and track; `read_mot` gives the same boxes back.

    Visibility is -1 where it is not known.

    Raises:
        SourceError: a track number is below 1, or a box has no size.
    """
    write_atomically(path, (line.encode("ascii") for line in _lines(path, tracked)))


def _lines(path: Path, tracked: TrackedBoxes) -> Iterator[str]:
    for index, people in sorted(tracked.frames.items()):
        for track, box in sorted(people.items()):
            where = f"{path}, frame {index + 1}, id {track}"
            whole(track, "id", where, least=1)
            check_size(box, where)
            left, top, right, bottom = (Decimal(repr(float(side))) for side in box)
            sides = (
                _EXACT.add(left, Decimal(1)),
                _EXACT.add(top, Decimal(1)),
                _EXACT.subtract(right, left),
                _EXACT.subtract(bottom, top),
            )
            written = ",".join(f"{side.normalize(_EXACT):f}" for side in sides)
            visible = tracked.visible.get(index, {}).get(track, UNKNOWN)
            yield f"{index + 1},{track},{written},1,{PEDESTRIAN},{visible!r}\n"


def write_identities(folder: Path, files: Sequence[Path]) -> None:
    """Say beside files of MOT rows that a number is the same person in all of them; `read_mot` looks for it."""
    content = {"identities": SHARED, "files": [file.name for file in files]}
    write_atomically(folder / IDENTITIES_FILE, [json.dumps(content, indent=1).encode() + b"\n"])


def _is_shared(path: Path) -> bool:
    beside = path.parent / IDENTITIES_FILE
    if not beside.exists():
        return False
    content = read_json(beside)
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(content, dict) or content.get("identities") != SHARED or not isinstance(files, list):
        raise SourceError(
            f'{beside}: must be {{"identities": "{SHARED}", "files": [...]}}, as skyreid data export writes it'
        )
    return path.name in files


def _compare_sequence(path: Path, video: AnnotatedVideo, boxes: BoxCollector) -> set[str]:
    """Hold what seqinfo.ini states against the video; gives the names of what it tells."""
    beside = sequence_beside(path)
    if beside is None:
        return set()
    try:
        told = read_sequence(beside)
    except ValueError as error:
        raise SourceError(f"{beside}: {error}") from error
    if told.keys() >= {"imwidth", "imheight"}:
        video.check_size(told["imwidth"], told["imheight"], str(beside))
    boxes.warn(video.check_clock(told.get("seqlength"), told.get("framerate"), str(beside)))
    name = told.get("name", "")
    if name and not video.is_called([name]):
        # Not refused: it names a folder of pictures, of which somebody made the video.
        boxes.warn(f"{beside}: is about the sequence {name!r}, and the video is {video.name!r}")
    return set(told)


def _check_columns(format: str, table: RowTable) -> None:
    where = table.lines[0][0]
    if table.columns not in range(BOX if format == "mot-results" else NINE, TEN + 1):
        raise SourceError(
            f"{where}: must have {NINE} columns (ground truth) or {TEN} (results), or from {BOX} of which only frame, "
            f"id, left, top, width and height are believed (format=mot-results); got {table.columns}"
        )
    if table.columns != NINE and format in ("mot-gt", "boxmot", "cvat-mot"):
        raise SourceError(f"{where}: {format} has {NINE} columns; got {table.columns}")


def _dialect(format: str, path: Path, table: RowTable, *, is_corners: bool) -> Dialect:
    if format == "boxmot":
        return boxmot_dialect(table.numbers)
    if format == "cvat-mot":
        return cvat_dialect(path)
    return NAMED[format] or dialect_of(path, table, is_corners=is_corners)


def _visible(dialect: Dialect, numbers: Float64[np.ndarray, " column"], where: str) -> float | None:
    if dialect.share_visible is None:
        return None
    seen = dialect.share_visible(float(numbers[8]))
    return None if seen is None else share(seen, "visibility (-1 = unknown)", where)


def _box(fields: list[str], *, is_corners: bool) -> Box:
    """From 0; calculated in decimals, since 1.1 - 1 is not 0.1 in floats."""
    left, top, right, bottom = map(Decimal, fields)
    if not is_corners:
        right, bottom = _EXACT.add(left, right), _EXACT.add(top, bottom)
    left, top, right, bottom = (float(_EXACT.subtract(side, Decimal(1))) for side in (left, top, right, bottom))
    return left, top, right, bottom
