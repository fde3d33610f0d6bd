"""Who really is in the sampled frames of a built video, by the truth of the world that filmed it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from math import floor
from pathlib import Path

from skyreid.content_hash import file_sha256
from skyreid.errors import DatasetError
from skyreid.file_kinds import WORLD, require_kind
from skyreid.regular_file import read_regular
from skyreid.simulation.construction.box_overlap import Box
from skyreid.simulation.construction.built_sources import BuiltSource
from skyreid.simulation.scene_truth import TRUTH_DIR, VIDEOS_DIR, SceneFace, SceneFrame, read_scene_truth

MIN_VISIBLE = 0.3
"""Share of a person from which on a build should have found him; below it, it may."""
_ROUNDING = 1e-6
"""Of an interval: 0.3 s are 3 x 0.1 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruePerson:
    """Somebody in a frame."""

    pid: int
    box: Box
    """Cut at the picture's edge, as a build's boxes are."""
    visible: float
    """Share of the person's pixels, 0-1."""
    face: SceneFace | None


def read_true_people(source: BuiltSource, truth_dir: Path) -> dict[int, tuple[TruePerson, ...]]:
    """Give the people of every sampled frame; a frame without people is there, and empty.

    Args:
        source: what was built.
        truth_dir: folder of the world, which may hold more videos.

    Raises:
        DatasetError: the truth is missing, damaged, or of another video.
    """
    _check_is_world(truth_dir)
    video = truth_dir / VIDEOS_DIR / source.file
    _check_is_same(video, source)
    path = truth_dir / TRUTH_DIR / f"{video.stem}.jsonl"
    frames = read_scene_truth(path)
    last = max(source.crops, default=0)
    if last >= len(frames):
        raise DatasetError(f"{path}: ends at frame {len(frames) - 1}; {source.name} has a crop of frame {last}")
    boxes = _read_cut_boxes(path.with_suffix(".txt"))
    return {index: _people(frames[index], boxes, path) for index in _sampled(frames, source)}


def _check_is_world(folder: Path) -> None:
    require_kind(folder, WORLD, error=DatasetError)
    missing = [name for name in (VIDEOS_DIR, TRUTH_DIR) if not (folder / name).is_dir()]
    if missing:
        raise DatasetError(f"{folder} must be the folder that skyreid simulate wrote; it has no {missing[0]}/")


def _check_is_same(video: Path, source: BuiltSource) -> None:
    if not video.is_file():
        raise DatasetError(
            f"{video} is not there, from which {source.name} was built; is this the truth of another world?"
        )
    sha256 = file_sha256(video)
    if sha256 != source.video_sha256:
        raise DatasetError(
            f"{video} has the sha256 {sha256}, {source.name} was built from a video with {source.video_sha256}; "
            "is this the truth of another world?"
        )


def _sampled(frames: tuple[SceneFrame, ...], source: BuiltSource) -> list[int]:
    """The first frame at or after each multiple of the interval, and whatever else has a crop."""
    ticks = groupby(frames, key=lambda frame: floor(frame.time_s / source.interval_s + _ROUNDING))
    return sorted({next(same).index for _, same in ticks} | set(source.crops))


def _people(frame: SceneFrame, boxes: Mapping[tuple[int, int], Box], path: Path) -> tuple[TruePerson, ...]:
    """Those of whom anything lies in the picture."""
    people = []
    for person in frame.people:
        box = boxes.get((frame.index, person.pid))
        if box is not None:
            people.append(TruePerson(pid=person.pid, box=box, visible=person.visible, face=person.face))
        elif person.visible >= MIN_VISIBLE:
            raise DatasetError(
                f"{path}: person {person.pid} shows in frame {frame.index}; {path.stem}.txt has no box for that"
            )
    return tuple(people)


def _read_cut_boxes(path: Path) -> dict[tuple[int, int], Box]:
    """By frame and pid, from the annotations that go with the truth."""
    try:
        lines = read_regular(path).decode("ascii").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} must hold the boxes as annotations; it cannot be read: {error}") from error
    boxes: dict[tuple[int, int], Box] = {}
    for number, line in enumerate(lines, start=1):
        try:
            frame, pid, left, top, width, height, *_ = map(float, line.split(","))
        except ValueError as error:
            raise DatasetError(f"{path}: line {number} is damaged: {error}") from error
        boxes[int(frame) - 1, int(pid)] = (left - 1, top - 1, left - 1 + width, top - 1 + height)
    return boxes
