"""Tracklets kept as a list of crop names and a table of ranges into it (MARS, G2A-VReID, MEVID)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from skyreid.datasets.survey import FindingKind, Survey, read_lines
from skyreid.errors import DatasetError
from skyreid.tracklet import JUNK_PID, Frame, Platform, Tracklet

FOLDER_CHARACTERS = 4
"""A crop lies in the folder named by the first four characters of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTable:
    """One half (train or test) of a benchmark, as its files say it, with all numbers from 0."""

    half: str
    """`train` or `test`: the start of its tracklet ids."""
    image_dir: str
    """Folder below the root that holds the crops' folders."""
    names: list[str]
    rows: Int64[np.ndarray, "row 4"]
    """First name, last name (inclusive), pid, camid."""


def read_names(path: Path) -> list[str]:
    """Read a file with one crop name per line.

    Raises:
        DatasetError: a name is empty or contains a folder.
    """
    names = read_lines(path)
    for number, name in enumerate(names, start=1):
        if len(name) <= FOLDER_CHARACTERS or "/" in name or "\\" in name:
            raise DatasetError(f"{path}: line {number} must be the bare file name of a crop; got {name!r}")
    return names


def tracklets_of_table(
    survey: Survey,
    table: NameTable,
    *,
    pid_and_camid_of_name: Callable[[str], tuple[int, int] | None],
    platform_of_camid: Callable[[int], Platform | None],
) -> list[Tracklet | None]:
    """Give one tracklet per table row, None where the row is unusable; what is wrong goes to the survey.

    Frames keep the order of the name list. The F number of a crop name counts within its tracklet, not in
    the source video, so `Frame.index` stays None.
    """
    root = f"{survey.root}/{table.image_dir}"
    paths = [survey.list_image(f"{root}/{name[:FOLDER_CHARACTERS]}", name) for name in table.names]
    said = [pid_and_camid_of_name(name) for name in table.names]
    owner = np.full(len(table.names), -1, dtype=np.int64)
    tracklets: list[Tracklet | None] = []
    for row, (first, last, pid, camid) in enumerate(table.rows.tolist()):
        subject = f"{table.half} row {row}"
        platform = platform_of_camid(camid)
        if not 0 <= first <= last < len(table.names):
            survey.report(
                FindingKind.INDEX_OUT_OF_RANGE,
                subject,
                f"names {first} to {last} (from 0) are not a range within the {len(table.names)} names",
            )
            tracklets.append(None)
            continue
        if platform is None:
            survey.report(FindingKind.INDEX_OUT_OF_RANGE, subject, f"there is no camera {camid} (from 0)")
            tracklets.append(None)
            continue
        taken = owner[first : last + 1]
        if (taken >= 0).any():
            survey.report(
                FindingKind.OVERLAP, subject, f"shares frames with row {taken[taken >= 0][0]} of the same table"
            )
        taken[:] = row
        for name, names_say in zip(table.names[first : last + 1], said[first : last + 1], strict=True):
            if names_say != (pid, camid):
                survey.report(
                    FindingKind.INCONSISTENT,
                    subject,
                    f"the table says pid {pid}, camid {camid}, the crop is called {name}",
                )
                break
        tracklets.append(
            Tracklet(
                tracklet_id=f"{table.half}-{row:05d}",
                frames=tuple(Frame(path) for path in paths[first : last + 1]),
                pid=pid,
                camid=camid,
                platform=platform,
            )
        )
    if None not in tracklets:  # an unusable row has a finding of its own
        survey.unused += [path for path, row in zip(paths, owner.tolist(), strict=True) if row < 0]
    return tracklets


def add_train(survey: Survey, tracklets: list[Tracklet | None]) -> None:
    """Put the rows of the training table where they belong; junk is left out."""
    for tracklet in tracklets:
        if tracklet is not None:
            (survey.left_out if tracklet.pid == JUNK_PID else survey.train).append(tracklet)


def add_test(survey: Survey, tracklets: list[Tracklet | None], query_rows: list[int]) -> None:
    """Divide the rows of the test table (numbers from 0): the listed ones ask, the others are searched."""
    asking: set[int] = set()
    for number in query_rows:
        subject = f"query row {number}"
        if not 0 <= number < len(tracklets):
            detail = f"the test table has {len(tracklets)} rows"
            survey.report(FindingKind.INDEX_OUT_OF_RANGE, subject, detail)
            continue
        tracklet = tracklets[number]
        if number in asking:
            survey.report(FindingKind.OVERLAP, subject, "stands twice among the queries")
        elif tracklet is not None and tracklet.pid == JUNK_PID:
            survey.report(FindingKind.WRONG_QUERY, subject, f"junk (pid {JUNK_PID}) cannot ask")
        elif tracklet is not None:
            survey.query.append(tracklet)
        asking.add(number)
    for number, tracklet in enumerate(tracklets):
        if tracklet is not None and tracklet.pid == JUNK_PID:
            survey.left_out.append(tracklet)
        elif tracklet is not None and number not in asking:
            survey.gallery.append(tracklet)
