"""Reading MOTChallenge files: `frame,id,left,top,width,height,...`, frames and pixels counted from 1."""

from collections import Counter
from math import isfinite
from pathlib import Path

from skyreid.building.tracked_boxes import Box, TrackedBoxes
from skyreid.errors import SourceError

GROUND_TRUTH_COLUMNS = 9
"""...,flag,class,visibility"""
RESULT_COLUMNS = 10
"""...,confidence,x,y,z, the last three -1"""
PEDESTRIAN = 1
MIN_VISIBLE = 0.5
"""Share of a box that lies in the picture; of a person with less, the crop shows too little."""


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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise SourceError(f"{path}: annotations cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: annotations must be text; {error}") from error
    frames: dict[int, dict[int, Box]] = {}
    dropped: Counter[str] = Counter()
    columns: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        values = _numbers(line, where)
        columns = columns or len(values)
        if len(values) != columns:
            raise SourceError(f"{where}: must have {columns} columns like the lines before; got {len(values)}")
        if values[6] == 0:
            dropped["ignored"] += 1
            continue
        if columns == GROUND_TRUTH_COLUMNS and values[7] != PEDESTRIAN:
            dropped["other-class"] += 1
            continue
        frame, person = (_count(value, name, where) for value, name in zip(values[:2], ("frame", "id"), strict=True))
        if person in frames.get(frame - 1, {}):
            raise SourceError(f"{where}: id {person} stands twice in frame {frame}")
        box, visible = _clipped(values[2:6], width, height, where)
        if visible < MIN_VISIBLE:
            dropped["outside"] += 1
            continue
        frames.setdefault(frame - 1, {})[person] = box
    if not frames:
        raise SourceError(f"{path}: must hold boxes of people; none is left of {len(lines)} lines {dict(dropped)}")
    return TrackedBoxes(frames=frames, dropped=dropped)


def _numbers(line: str, where: str) -> list[float]:
    fields = line.split(",")
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


def _count(value: float, name: str, where: str) -> int:
    if value < 1 or value != int(value):
        raise SourceError(f"{where}: {name} must be a whole number from 1; got {value:g}")
    return int(value)


def _clipped(values: list[float], width: int, height: int, where: str) -> tuple[Box, float]:
    """The box from 0, inside the picture, and the share of it that is."""
    left, top, box_width, box_height = values
    if box_width <= 0 or box_height <= 0:
        raise SourceError(f"{where}: a box must have a width and a height; got {box_width:g}x{box_height:g}")
    left, top = left - 1, top - 1
    box = max(left, 0.0), max(top, 0.0), min(left + box_width, float(width)), min(top + box_height, float(height))
    if box[0] >= box[2] or box[1] >= box[3]:
        raise SourceError(
            f"{where}: the box lies outside the picture of {width}x{height}; are these the annotations of this "
            "video, in pixels of its full size?"
        )
    return box, (box[2] - box[0]) * (box[3] - box[1]) / (box_width * box_height)
