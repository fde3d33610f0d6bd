"""Frames kept as one folder per person and camera, with people numbered in the folder's name."""

import re
from collections.abc import Sequence

from skyreid.datasets.survey import FindingKind, Survey
from skyreid.tracklet import Frame, Platform, Tracklet

_NUMBER_AT_END = re.compile(r"(\d+)$")


def number_at_end(name: str) -> int | None:
    """Read the number that a name ends in: person001 -> 1."""
    match = _NUMBER_AT_END.search(name)
    return int(match[1]) if match else None


def add_person(
    survey: Survey,
    person: str,
    camera_dirs: Sequence[str],
    sides: Sequence[list[Tracklet]],
    *,
    index_from_name: bool,
) -> None:
    """Add a person's tracklet of each ground camera to that camera's side; one without frames is a finding.

    Args:
        survey: takes the frames and the findings.
        person: name of the person's folder in each camera; the number in it is the pid.
        camera_dirs: the cameras' folders below the root; the position is the camid.
        sides: list that takes the tracklet of each camera.
        index_from_name: the number in a frame's name is its number in the source video.
    """
    pid = number_at_end(person)
    if pid is None:
        survey.report(FindingKind.INCONSISTENT, person, "a person's folder must end in the person's number")
        return
    for camid, (camera_dir, side) in enumerate(zip(camera_dirs, sides, strict=True)):
        folder = f"{survey.root}/{camera_dir}/{person}"
        names = sorted(name for name in survey.names_in(folder) if name.endswith(".png"))
        if not names:
            survey.report(FindingKind.MISSING_FILE, f"{camera_dir}/{person}", "no .png frame in this folder")
            continue
        frames = tuple(
            Frame(
                survey.list_image(folder, name),
                index=number_at_end(name.removesuffix(".png")) if index_from_name else None,
            )
            for name in names
        )
        side.append(
            Tracklet(
                tracklet_id=f"{camera_dir.rpartition('/')[2]}/{person}",
                frames=frames,
                pid=pid,
                camid=camid,
                platform=Platform.GROUND,
            )
        )
