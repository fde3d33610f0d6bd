"""Label Studio's JSON export of video rectangles: keyframes in percent of the picture, frames from 1."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from skyreid.building.annotations.collecting import LABELLED_PEOPLE, BoxCollector, is_person
from skyreid.building.annotations.fields import identifier, number, read_json, records, whole
from skyreid.building.tracked_boxes import Box, TrackedBoxes, straight_line
from skyreid.errors import SourceError

RECTANGLE = "videorectangle"
PERSON_CONTROL = "person_id"
"""Name of a `<Number perRegion="true">` that says who it is, the same number in every video."""


@dataclass(frozen=True, slots=True)
class _Keyframe:
    frame: int
    box: Box
    is_followed: bool
    """`enabled`: whether the region goes on after this frame; in this frame it is there in any case."""


def read_label_studio(path: Path, *, width: int, height: int, video: str) -> TrackedBoxes:
    """Read who is where, for the video of this file name and this size in pixels.

    Each region is a track: between its keyframes it goes straight, after a keyframe that is not `enabled` it
    is gone until the next, and after the last, if that is `enabled`, it stands still until the video's end. A
    per-region number `person_id` tells who it is, the same in every video; without, tracks are numbered from
    1 in order of the file.

    Label Studio numbers frames by the frame rate that its project was given, not by the video's: a project
    with another rate names other frames.

    Left out, by reason: `other-class` (labels other than person, people, pedestrian or human), `unlabelled`,
    `outside` (mostly outside the picture).

    Raises:
        SourceError: the file is not of this format, has no such video or several annotations of it, turns a
            box, goes beyond its `framesCount`, gives some people a number and others none, or has nobody.

    Source: Label Studio's documentation of the tag VideoRectangle.
    """
    results = _results(_task(path, video), path)
    people = dict(_person(result, path) for result in results if result.get("from_name") == PERSON_CONTROL)
    boxes = BoxCollector(path, width=width, height=height, first_frame=1)
    nameless: list[str] = []
    regions = [result for result in results if result.get("type") == RECTANGLE]
    for place, region in enumerate(regions, start=1):
        region_id = identifier(region, "id", f"{path}, region")
        where = f"{path}, region {region_id}"
        value = region.get("value")
        if not isinstance(value, dict):
            raise SourceError(f"{where}: value must be an object; got {value!r}")
        shown = list(_shown(value, where, width=width, height=height))
        labels = value.get("labels")
        if not isinstance(labels, list) or not labels:
            boxes.leave_out("unlabelled", len(shown))
            continue
        if not any(is_person(str(label)) for label in labels):
            boxes.leave_out("other-class", len(shown))
            continue
        if region_id not in people:
            nameless.append(where)
        for frame, box in shown:
            boxes.add(frame, people.get(region_id, place), box, where)
    if people and nameless:
        raise SourceError(f"{nameless[0]}: all people must have a {PERSON_CONTROL} or none; this one has none")
    return boxes.finish(LABELLED_PEOPLE, identified=bool(people))


def _task(path: Path, video: str) -> dict[str, object]:
    """The task of the video that is meant: the only one, or the one whose data names it."""
    tasks = records({"tasks": read_json(path)}, "tasks", str(path))
    if len(tasks) == 1:
        return tasks[0]
    names = [_file_names(task) for task in tasks]
    # An upload gets a prefix of its own: /data/upload/1/5d1f2c3a-gate.mp4
    found = [
        task
        for task, files in zip(tasks, names, strict=True)
        if any(file == video or file.endswith(f"-{video}") for file in files)
    ]
    if len(found) != 1:
        held = sorted(file for files in names for file in files)
        raise SourceError(f"{path}: must hold the video {video!r} once, by its file's name; it holds {held}")
    return found[0]


def _file_names(task: Mapping[str, object]) -> list[str]:
    data = task.get("data")
    values = data.values() if isinstance(data, dict) else ()
    return [PurePosixPath(value).name for value in values if isinstance(value, str)]


def _results(task: Mapping[str, object], path: Path) -> list[dict[str, object]]:
    where = f"{path}, task {task.get('id')}"
    submitted = [one for one in records(task, "annotations", where) if not one.get("was_cancelled")]
    if len(submitted) != 1:
        raise SourceError(
            f"{where}: must have one annotation that was not skipped; got {len(submitted)}. Keep the one that counts"
        )
    return records(submitted[0], "result", where)


def _person(result: Mapping[str, object], path: Path) -> tuple[int | str, int]:
    """Region id and person id."""
    region_id = identifier(result, "id", f"{path}, {PERSON_CONTROL}")
    value = result.get("value")
    given = value.get("number") if isinstance(value, dict) else None
    return region_id, whole(given, PERSON_CONTROL, f"{path}, region {region_id}", least=1)


def _shown(value: Mapping[str, object], where: str, *, width: int, height: int) -> Iterator[tuple[int, Box]]:
    """Every frame in which the region is there."""
    num_frames = whole(value.get("framesCount"), "framesCount", where, least=1)
    keyframes = sorted(
        (_keyframe(one, where, width=width, height=height) for one in records(value, "sequence", where)),
        key=lambda keyframe: keyframe.frame,
    )
    if not keyframes:
        return
    last = keyframes[-1]
    if last.frame > num_frames:
        raise SourceError(f"{where}: frame {last.frame} lies beyond the {num_frames} frames of framesCount")
    yield from ((keyframe.frame, keyframe.box) for keyframe in keyframes)
    for before, after in pairwise(keyframes):
        if before.is_followed:
            yield from straight_line(before.frame, before.box, after.frame, after.box)
    if last.is_followed:
        yield from ((frame, last.box) for frame in range(last.frame + 1, num_frames + 1))


def _keyframe(record: Mapping[str, object], where: str, *, width: int, height: int) -> _Keyframe:
    frame = whole(record.get("frame"), "frame", where, least=1)
    where = f"{where}, frame {frame}"
    rotation = number(record.get("rotation", 0), "rotation", where)
    if rotation != 0:
        raise SourceError(f"{where}: boxes must stand upright; got rotation {rotation:g}")
    is_followed = record.get("enabled")
    if not isinstance(is_followed, bool):
        raise SourceError(f"{where}: enabled must be true or false; got {is_followed!r}")
    x, y, box_width, box_height = (number(record.get(key), key, where) for key in ("x", "y", "width", "height"))
    box = (
        x / 100 * width,
        y / 100 * height,
        (x + box_width) / 100 * width,
        (y + box_height) / 100 * height,
    )
    return _Keyframe(frame, box, is_followed)
