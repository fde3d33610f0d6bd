"""What the names of frames betray where no list says which frames a tracklet has.

LS-VID, iLIDS-VID and PRID-2011 keep a tracklet as whatever files are there, so a file that went missing
shortens it without a trace, but for its number. These checks are for `verify`; reading does not refuse
what they find, since a distribution may have gaps of its own.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from skyreid.datasets.parsing.survey import Finding, FindingKind, Survey
from skyreid.tracklet import Tracklet

_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
_USUAL_SHARE = 0.9
"""Of all steps from frame to frame that must be one and the same before another step is a gap."""


def gaps(survey: Survey) -> list[Finding]:
    """Name the first frame of each gap, where nearly all frames are numbered in one step."""
    steps = {tracklet.tracklet_id: list(_steps(tracklet)) for tracklet in _everybody(survey)}
    counted = Counter(step for taken in steps.values() for _, step in taken)
    if not counted:
        return []
    usual, times = counted.most_common(1)[0]
    if usual < 1 or times < _USUAL_SHARE * counted.total():
        return []
    return [
        Finding(
            kind=FindingKind.MISSING_FILE,
            subject=survey.relative(_following(path, usual)),
            detail=f"frames are numbered in steps of {usual}; here {step // usual - 1} are not there",
        )
        for taken in steps.values()
        for path, step in taken
        if step > usual
    ]


def foreign_names(survey: Survey, pid_of_name: Callable[[str], int | None]) -> list[Finding]:
    """Name the frames whose name tells another identity than their tracklet's, where most names tell the right one."""
    told = [
        (tracklet, frame.path, pid)
        for tracklet in _everybody(survey)
        for frame in tracklet.frames
        if (pid := pid_of_name(frame.path.rpartition("/")[2])) is not None
    ]
    wrong = [(tracklet, path, pid) for tracklet, path, pid in told if pid != tracklet.pid]
    if 2 * len(wrong) > len(told):
        return []
    return [
        Finding(
            kind=FindingKind.INCONSISTENT,
            subject=survey.relative(path),
            detail=f"the name says pid {pid}, its tracklet is of pid {tracklet.pid}",
        )
        for tracklet, path, pid in wrong
    ]


def _everybody(survey: Survey) -> list[Tracklet]:
    return [*survey.train, *survey.query, *survey.gallery, *survey.left_out]


def _steps(tracklet: Tracklet) -> Iterator[tuple[str, int]]:
    numbered = [
        (frame.path, int(number[0])) for frame in tracklet.frames if (number := _LAST_NUMBER.search(frame.path))
    ]
    for (path, number), (_, following) in pairwise(numbered):
        yield path, following - number


def _following(path: str, step: int) -> str:
    return _LAST_NUMBER.sub(lambda match: f"{int(match[0]) + step:0{len(match[0])}d}", path)
