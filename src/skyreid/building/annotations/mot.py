"""MOTChallenge files: `frame,id,left,top,width,height,...`, frames and pixels counted from 1."""

from collections.abc import Iterator
from decimal import Context, Decimal
from math import isfinite
from pathlib import Path

from skyreid.atomic_file import write_atomically
from skyreid.building.annotations.collecting import BoxCollector, check_size
from skyreid.building.annotations.fields import read_lines, share, whole
from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.errors import SourceError

GROUND_TRUTH_COLUMNS = 9
"""...,flag,class,visibility"""
RESULT_COLUMNS = 10
"""...,confidence,x,y,z, the last three -1"""
PEDESTRIAN = 1
UNKNOWN = -1
"""Visibility of a person of whom nobody told it."""
_EXACT = Context(prec=400)
"""Digits for any pixel as a float, moved by 1: what is written is read again bit for bit."""


def read_mot(path: Path, *, width: int, height: int) -> TrackedBoxes:
    """Read who is where, for a video of this size in pixels.

    Boxes become xyxy from 0 and are clipped to the picture. Left out, by reason: `ignored` (flag or
    confidence 0), `other-class` (with 9 columns, all but class 1, pedestrian), `outside` (mostly outside the
    picture). Identity numbers are people: the same number in two files of one build is the same person.

    Raises:
        SourceError: a line is not of this format, names a frame, an identity or a box that cannot be, or a
            person twice in one frame; or nobody is left. The message names the line.

    Source: the MOT16 and MOT15 benchmarks' file formats. Their tools count pixels from 1, so the box of the
    top left pixel is 1,1,1,1.
    """
    boxes = BoxCollector(path, width=width, height=height, first_frame=1)
    columns: int | None = None
    for where, line in read_lines(path):
        fields = line.split(",")
        values = _numbers(fields, line, where)
        columns = columns or len(values)
        if len(values) != columns:
            raise SourceError(f"{where}: must have {columns} columns like the lines before; got {len(values)}")
        is_truth = columns == GROUND_TRUTH_COLUMNS
        if values[6] == 0:
            boxes.leave_out("ignored")
            continue
        if is_truth and values[7] != PEDESTRIAN:
            boxes.leave_out("other-class")
            continue
        boxes.add(
            whole(values[0], "frame", where, least=1),
            whole(values[1], "id", where, least=1),
            _box(fields[2:6]),
            where,
            visible=share(values[8], "visibility (-1 = unknown)", where) if is_truth and values[8] != UNKNOWN else None,
        )
    return boxes.finish(f"class {PEDESTRIAN}", identified=True)


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


def _numbers(fields: list[str], line: str, where: str) -> list[float]:
    if len(fields) not in (GROUND_TRUTH_COLUMNS, RESULT_COLUMNS):
        raise SourceError(
            f"{where}: must have {GROUND_TRUTH_COLUMNS} columns (ground truth) or {RESULT_COLUMNS} (results); "
            f"got {len(fields)}"
        )
    try:
        values = [float(field) for field in fields]
    except ValueError:
        raise SourceError(f"{where}: must hold numbers only; got {line[:80]!r}") from None
    if not all(map(isfinite, values)):
        raise SourceError(f"{where}: must hold finite numbers only; got {line[:80]!r}")
    if len(values) == RESULT_COLUMNS and values[7:] != [-1, -1, -1]:
        raise SourceError(
            f"{where}: the last three of {RESULT_COLUMNS} columns must be -1; got {fields[7:]} "
            "(VisDrone files have as many columns, of another meaning)"
        )
    return values


def _box(fields: list[str]) -> Box:
    """From 0; calculated in decimals, since 1.1 - 1 is not 0.1 in floats."""
    left, top, width, height = map(Decimal, fields)
    left, top = _EXACT.subtract(left, Decimal(1)), _EXACT.subtract(top, Decimal(1))
    return float(left), float(top), float(_EXACT.add(left, width)), float(_EXACT.add(top, height))
