"""What is true in a filmed scene: who is where in every video frame, how much of them shows, which faces do.

A world that films itself writes it, and a build of its videos is measured against it. A world's folder holds

    videos/NAME.mp4
    truth/NAME.jsonl    one line for every frame of the video, from frame 0
    truth/NAME.txt      the same boxes as a MOTChallenge annotation: from 1, and cut at the picture's edge
    truth/people.json   who there is

Boxes are xyxy in pixels from 0, and amodal: as if nothing hid the person and the picture had no edge.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from skyreid.errors import DatasetError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.config_json import from_json
from skyreid.files.regular_file import read_regular
from skyreid.files.strict_json import parse_json

SceneBox: TypeAlias = tuple[float, float, float, float]
Vector: TypeAlias = tuple[float, float, float]

VIDEOS_DIR = "videos"
TRUTH_DIR = "truth"
PEOPLE_FILE = "people.json"
WIDTH, HEIGHT = 1280, 720
"""Of every video's pictures."""
_LEAST_VISIBLE = 0.02
"""Who shows less has no box in the MOTChallenge annotation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFace:
    """A face that is not turned away from the camera."""

    box: SceneBox
    facing: float
    """Cosine between the face's normal and the direction to the camera: 1 looks into it, 0 is a profile."""
    visible: float
    """Share of the face that is neither hidden nor outside the picture, 0-1."""

    def __post_init__(self) -> None:
        _check_box("face box", self.box)
        _check_share("facing", self.facing)
        _check_share("visible", self.visible)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePerson:
    """One person in one frame."""

    pid: int
    box: SceneBox
    visible: float
    """Share of the person's pixels that are neither hidden nor outside the picture, 0-1."""
    head: SceneBox
    face: SceneFace | None
    """None when it is turned away."""

    def __post_init__(self) -> None:
        _check_box("box", self.box)
        _check_box("head box", self.head)
        _check_share("visible", self.visible)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneCamera:
    """Where the camera is in one frame."""

    position: Vector
    """Metres."""
    axes: tuple[Vector, Vector, Vector]
    """Directions of unit length in the world: to the right of the picture, down it, and into it."""
    focal_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFrame:
    """Everything about one video frame."""

    index: int
    """From 0; `frame` in the file."""
    time_s: float
    camera: SceneCamera
    people: tuple[ScenePerson, ...]

    def __post_init__(self) -> None:
        pids = [person.pid for person in self.people]
        if len(set(pids)) < len(pids):
            raise ValueError(f"a pid stands once in a frame; got {pids}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedPerson:
    """Who somebody is, in words."""

    pid: int
    caption: str
    scene: str
    """Name of the place where this person is filmed."""


def write_scene_truth(path: Path, frames: Iterable[SceneFrame]) -> None:
    """Write the truth of one video, atomically: all frames, in order, from index 0. Equal frames give equal bytes.

    Raises:
        ValueError: an index is not that of its place, or a number is not finite.
    """
    write_atomically(path, (_line(frame, place) for place, frame in enumerate(frames)))


def read_scene_truth(path: Path) -> tuple[SceneFrame, ...]:
    """Read the truth of one video, all of it or nothing.

    Raises:
        DatasetError: the file is missing, empty, cut, or a line is not what it must be; the message names the line.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise DatasetError(f"{path} must be the truth of a video; it cannot be read: {error.strerror}") from error
    if not content.endswith(b"\n"):
        raise DatasetError(f"{path} must be one line for each video frame; it is {'cut' if content else 'empty'}")
    return tuple(_frame(line, place, path) for place, line in enumerate(content[:-1].split(b"\n")))


def mot_lines(frames: Iterable[SceneFrame]) -> Iterator[bytes]:
    """`frame,id,left,top,width,height,1,1,visibility`: frames and pixels from 1, boxes clipped to the picture.

    Source: the MOT16 benchmark's file format.
    """
    for frame in frames:
        for person in frame.people:
            left, top = max(person.box[0], 0.0), max(person.box[1], 0.0)
            width, height = min(person.box[2], WIDTH) - left, min(person.box[3], HEIGHT) - top
            if person.visible >= _LEAST_VISIBLE:
                values = f"{frame.index + 1},{person.pid},{left + 1:.2f},{top + 1:.2f},{width:.2f},{height:.2f}"
                yield f"{values},1,1,{person.visible:.3f}\n".encode()


def write_people(path: Path, seed: int, people: Sequence[DescribedPerson]) -> None:
    """Write who there is in the world of this seed, atomically."""
    content = {"seed": seed, "people": [asdict(person) for person in people]}
    write_atomically(path, [json.dumps(content, indent=1).encode() + b"\n"])


def _line(frame: SceneFrame, place: int) -> bytes:
    if frame.index != place:
        raise ValueError(f"the truth of a video has every frame once, from 0; got frame {frame.index} at {place}")
    values = asdict(frame)
    record = {"frame": values.pop("index"), **values}
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _frame(line: bytes, place: int, path: Path) -> SceneFrame:
    try:
        record = parse_json(line)
        if not isinstance(record, dict) or "frame" not in record:
            raise ValueError(f"expected the key frame; got {record!r:.80}")
        frame = from_json(SceneFrame, {"index": record.pop("frame"), **record}, where="frame")
        if frame.index != place:
            raise ValueError(f"frame {place} stands here; got frame {frame.index}")
        return frame
    except ValueError as error:
        raise DatasetError(f"{path}: line {place + 1} is damaged: {error}") from error


def _check_box(what: str, box: SceneBox) -> None:
    if not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(f"a {what} has left < right and top < bottom; got {box}")


def _check_share(what: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{what} lies in 0-1; got {value}")
