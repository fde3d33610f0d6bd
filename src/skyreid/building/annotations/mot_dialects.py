"""What the columns behind a MOT row's box mean: programs agree on `frame,id,left,top,width,height` and on nothing more.

A column is believed only when the program that wrote it is certain, by what its values can and cannot be or by a
file beside it; otherwise the user names the dialect.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyreid.building.annotations.collecting import is_person
from skyreid.building.annotations.fields import Rows, RowTable, read_lines, split_row
from skyreid.building.video.picture_folder import SEQUENCE_FILE
from skyreid.errors import SourceError

BOX, NINE, TEN = 6, 9, 10
"""Columns: frame, id and box alone; ...,flag,class,visibility in ground truth; ...,confidence,x,y,z in results."""
PEDESTRIAN = 1
UNKNOWN = -1
"""Class or visibility that nobody told."""
LABELS_FILE = "labels.txt"
_MOT_CLASSES = range(1, 14)
_UAVDT_NAME = re.compile(r"M\d{4}_gt(_whole|_ignore)?")
MAX_WIDE = 0.25
"""Share of boxes wider than tall that people have at most, where nothing else tells them from cars."""
_UAVDT_OUT_OF_VIEW, _UAVDT_OCCLUSION, _UAVDT_CATEGORY = range(1, 4), range(1, 5), range(1, 4)


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


def cvat_dialect(path: Path) -> Dialect:
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


def boxmot_dialect(rows: Rows) -> Dialect:
    """Tell whether the classes are those of COCO plus 1, as BoxMOT writes them, or COCO's own, which begin with 0."""
    person = 0 if (rows[:, 7] == 0).any() else PEDESTRIAN
    return Dialect(
        words=f"BoxMOT's results (confidence, class {person} = person, index of the detection)",
        people=frozenset({person}),
    )


def dialect_of(path: Path, table: RowTable, *, is_corners: bool) -> Dialect:
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
    if is_truth and is_uavdt and is_counted and sequence_beside(path) is None:
        _check_upright(path, rows[rows[:, 7] == PEDESTRIAN], is_corners=is_corners)
    if is_truth and (not is_boxmot or 0 not in ninth):
        return GROUND_TRUTH
    if is_boxmot and not is_truth and not is_uavdt:
        return boxmot_dialect(rows)
    raise SourceError(
        f"{table.lines[0][0]}: columns 7 to 9 ({', '.join(f'{value:g}' for value in rows[0, 6:])} and so on) could be "
        "ground truth's flag, class and visibility, BoxMOT's confidence, class and index of the detection, CVAT's "
        "flag, label and 1 - occluded, or something else. If you know, name the format: mot-gt, boxmot, cvat-mot (with "
        "labels.txt beside it), or mot-results, which believes none of them and takes all rows for people"
    )


def sequence_beside(path: Path) -> Path | None:
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
    dialect = cvat_dialect(path)
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
