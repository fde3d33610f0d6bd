"""MOTChallenge files: `frame,id,left,top,width,height,...`, frames and pixels counted from 1.

What the columns behind the box mean differs from program to program. A column is believed only when the program that
wrote it is certain, by what its values can and cannot be or by a file beside it; otherwise the user names the dialect.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.collecting import BoxCollector, check_size, has_corners, is_person
from skyreid.building.annotations.fields import (
    Rows,
    RowTable,
    read_json,
    read_lines,
    read_rows,
    share,
    split_row,
    whole,
)
from skyreid.building.tracked_boxes import SHARED, Box, TrackedBoxes
from skyreid.building.video.picture_folder import SEQUENCE_FILE, read_sequence
from skyreid.errors import SourceError
from skyreid.files.atomic_file import write_atomically

BOX, NINE, TEN = 6, 9, 10
"""Columns: frame, id and box alone; ...,flag,class,visibility in ground truth; ...,confidence,x,y,z in results."""
PEDESTRIAN = 1
UNKNOWN = -1
"""Class or visibility that nobody told."""
LABELS_FILE = "labels.txt"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the columns behind the box are read."""

    words: str
    """What the file is, for reports."""
    people: frozenset[int] | None = None
    """Classes in column 8 that are people; None = the column is not a class, and all rows are people."""
    has_flag: bool = False
    """Whether a 0 in column 7 says that the row does not count; otherwise it is a confidence."""
    share_visible: Callable[[float], float | None] | None = None
    """From column 9 to the share of the person that is to be seen; None = the column tells nothing of the kind."""
    is_annotated: bool = False
    """Whether people wrote it rather than a tracker."""


def _told(visibility: float) -> float | None:
    return None if visibility == UNKNOWN else visibility


def _not_occluded(visibility: float) -> float | None:
    """CVAT writes 1 - occluded: of somebody who is occluded nobody knows how much is seen."""
    return None if visibility in (0, UNKNOWN) else visibility


GROUND_TRUTH = Dialect(
    words="MOTChallenge ground truth (flag, class 1, visibility)",
    people=frozenset({PEDESTRIAN}),
    has_flag=True,
    share_visible=_told,
    is_annotated=True,
)
RESULTS = Dialect(words="tracker results (only frame, id and box are believed)")
NAMED = {"mot": None, "mot-gt": GROUND_TRUTH, "mot-results": RESULTS, "boxmot": None, "cvat-mot": None}
"""Names of this format and its dialects; None = seen in the rows or beside the file."""
IDENTITIES_FILE = "identities.json"
"""Beside files that we wrote: in which of them a number is a person."""
_EXACT = Context(prec=400)
"""Digits for any pixel as a float, moved by 1: what is written is read again bit for bit."""


def read_mot(path: Path, video: AnnotatedVideo, *, format: str = "mot") -> TrackedBoxes:
    """Read who is where in a video.

    Boxes become xyxy from 0 and are clipped to the picture. What stands behind the box differs from program to
    program (`Dialect`). Left out, by reason: `ignored` (flag 0), `other-class`, `outside` (outside the
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
    beside = _sequence_beside(path)
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
        return _boxmot_dialect(table.numbers)
    if format == "cvat-mot":
        return _cvat_dialect(path)
    return NAMED[format] or _dialect_of(path, table, is_corners=is_corners)


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


# Which dialect a file is written in.
_MOT_CLASSES = range(1, 14)
_UAVDT_NAME = re.compile(r"M\d{4}_gt(_whole|_ignore)?")
MAX_WIDE = 0.25
"""Share of boxes wider than tall that people have at most, where nothing else tells them from cars."""
_UAVDT_OUT_OF_VIEW, _UAVDT_OCCLUSION, _UAVDT_CATEGORY = range(1, 4), range(1, 5), range(1, 4)


def _cvat_dialect(path: Path) -> Dialect:
    """Read which classes are people from labels.txt beside the file, as CVAT's MOT export has it.

    Raises:
        SourceError: the file is not there, or names no people.
    """
    labels_path = path.parent / LABELS_FILE
    if not labels_path.exists():
        raise SourceError(f"{path}: CVAT's MOT export comes with {LABELS_FILE} beside it, which names the classes")
    labels = [line.strip() for _, line in read_lines(labels_path)]
    people = frozenset(place for place, label in enumerate(labels, start=1) if is_person(label))
    if not people:
        raise SourceError(
            f"{labels_path}: must name the label of people (person, people, pedestrian, human); got {labels}"
        )
    classes = " and ".join(str(number) for number in sorted(people))
    return Dialect(
        words=f"CVAT's MOT export (class {classes} = person by {LABELS_FILE}, visibility = 1 - occluded)",
        people=people,
        has_flag=True,
        share_visible=_not_occluded,
        is_annotated=True,
    )


def _boxmot_dialect(rows: Rows) -> Dialect:
    """Tell whether the classes are those of COCO plus 1, as BoxMOT writes them, or COCO's own, which begin with 0."""
    person = 0 if (rows[:, 7] == 0).any() else PEDESTRIAN
    return Dialect(
        words=f"BoxMOT's results (confidence, class {person} = person, index of the detection)",
        people=frozenset({person}),
    )


def _dialect_of(path: Path, table: RowTable, *, is_corners: bool) -> Dialect:
    """Tell who wrote rows of 9 columns, or of 10 that are not VisDrone's.

    Args:
        path: of the file; labels.txt and seqinfo.ini beside it, and its name, tell too.
        table: its rows.
        is_corners: whether their boxes end in right and bottom rather than in width and height.

    Raises:
        SourceError: it could be two programs whose columns mean different things, or is one without people.
    """
    rows = table.numbers
    if table.columns == TEN:
        return _ten_columns(rows)
    if (path.parent / LABELS_FILE).exists():
        return _with_labels(path, table)
    seventh, classes, ninth = (set(map(float, np.unique(rows[:, column]))) for column in (6, 7, 8))
    is_uavdt = (
        _among(seventh, _UAVDT_OUT_OF_VIEW) and _among(classes, _UAVDT_OCCLUSION) and _among(ninth, _UAVDT_CATEGORY)
    )
    if _UAVDT_NAME.fullmatch(path.stem) or (is_uavdt and max(seventh) > 1):
        raise SourceError(
            f"{path}: columns 7 to 9 are UAVDT's (out of view, occlusion, category), which annotates cars, trucks and "
            "buses only; if these are people, name the format: mot-results, which takes all rows for people"
        )
    if classes == {UNKNOWN} and ninth == {UNKNOWN}:
        return RESULTS
    is_truth = seventh <= {0, 1} and _among(classes, _MOT_CLASSES) and all(0 <= v <= 1 or v == UNKNOWN for v in ninth)
    is_boxmot = (
        all(0 <= value <= 1 for value in seventh)
        and all(value.is_integer() and value >= 0 for value in classes)
        and all(value.is_integer() and value >= UNKNOWN for value in ninth)
    )
    is_counted = "." not in "".join(split_row(table.lines[0][1])[6:])  # UAVDT's are grades; ours is 1.0
    if is_truth and is_uavdt and is_counted and _sequence_beside(path) is None:
        _check_upright(path, rows[rows[:, 7] == PEDESTRIAN], is_corners=is_corners)
    if is_truth and (not is_boxmot or 0 not in ninth):
        return GROUND_TRUTH
    if is_boxmot and not is_truth and not is_uavdt:
        return _boxmot_dialect(rows)
    raise SourceError(
        f"{table.lines[0][0]}: columns 7 to 9 ({', '.join(f'{value:g}' for value in rows[0, 6:])} and so on) could be "
        "ground truth's flag, class and visibility, BoxMOT's confidence, class and index of the detection, CVAT's "
        "flag, label and 1 - occluded, or something else. If you know, name the format: mot-gt, boxmot, cvat-mot (with "
        "labels.txt beside it), or mot-results, which believes none of them and takes all rows for people"
    )


def _sequence_beside(path: Path) -> Path | None:
    """Find the seqinfo.ini that MOTChallenge's layout has beside rows or their folder."""
    folders = [path.parent, path.parent.parent] if path.parent.name in ("gt", "det") else [path.parent]
    return next((folder / SEQUENCE_FILE for folder in folders if (folder / SEQUENCE_FILE).exists()), None)


def _check_upright(path: Path, rows: Rows, *, is_corners: bool) -> None:
    """See that rows which end in 1,1,1 can be people: UAVDT's cars end so, too, where all of them are fully seen."""
    width, height = (rows[:, 4:6] - (rows[:, 2:4] if is_corners else 0)).T
    wide = int((width > height).sum())
    if wide > MAX_WIDE * len(rows):
        ends = ",".join(f"{value:g}" for value in rows[0, 6:])
        raise SourceError(
            f"{path}: rows that end in {ends} are ground truth's (flag, class, visibility) or UAVDT's (out of view, "
            f"occlusion, category), which are of cars; {wide} of {len(rows)} boxes are wider than tall, and people "
            "seldom are. If they are people, name the format: mot-gt, or mot-results, which believes no column behind "
            "the box"
        )


def _ten_columns(rows: Rows) -> Dialect:
    # MOT15's ground truth: a flag, and the place in the world.
    has_flag = np.array_equal(np.unique(rows[:, 6]), [0, 1])
    words = "MOTChallenge's 10 columns (flag; the place in the world is not used)" if has_flag else RESULTS.words
    return Dialect(words=words, has_flag=has_flag)


def _with_labels(path: Path, table: RowTable) -> Dialect:
    dialect = _cvat_dialect(path)
    for where, _, numbers in table:
        flag, label, visibility = map(float, numbers[6:])
        if flag not in (0, 1) or label < 1 or not label.is_integer() or not 0 <= visibility <= 1:
            raise SourceError(
                f"{where}: {LABELS_FILE} beside it says that CVAT wrote it, but flag {flag:g}, label {label:g} and "
                f"visibility {visibility:g} are not CVAT's; remove {LABELS_FILE}, or name the format: mot-gt, boxmot "
                "or mot-results"
            )
    return dialect


def _among(values: set[float], allowed: range) -> bool:
    return all(value in allowed for value in values)
