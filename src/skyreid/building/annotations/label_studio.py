"""Label Studio's JSON of video rectangles, read and written: keyframes in percent of the picture, frames from 1."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from skyreid.building.annotations.annotated_video import OTHER_VIDEO, RATE_SLACK, VIDEO_SUFFIXES, AnnotatedVideo
from skyreid.building.annotations.collecting import LABELLED_PEOPLE, BoxCollector, is_person
from skyreid.building.annotations.fields import identifier, number, person_number, read_json, records, whole
from skyreid.building.tracked_boxes import Box, TrackedBoxes, on_line
from skyreid.errors import SourceError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.strict_json import Json

RECTANGLE = "videorectangle"
LABEL = "Person"
PERSON_CONTROL = "person_id"
"""Name of a `<Number perRegion="true">` that says who it is, the same number in every video."""


REMEDY = "Give the project's <Video> the frameRate of the video, look at the regions there and export again"
RATE_DIGITS = 0.5
"""Frames by which a keyframe's time may miss its number, beside the one by which versions of the program differ: times
are written with few digits."""
MAX_DRIFT_S = 0.5
"""Between the duration that the file tells and the video's."""


@dataclass(frozen=True, slots=True)
class _Keyframe:
    place: float
    """The frame of the video, from 0; between two of its frames where the project counted at another rate."""
    box: Box
    is_followed: bool
    """`enabled`: whether the region goes on after this frame; in this frame it is there in any case."""


def read_label_studio(path: Path, video: AnnotatedVideo) -> TrackedBoxes:
    """Read who is where in a video.

    Each region is a track: between its keyframes it goes straight, after a keyframe that is not `enabled` it
    is gone until the next, and after the last, if that is `enabled`, it stands still until the video's end. A
    per-region number `person_id` tells who it is, the same in every video; without, tracks are numbered from
    1 in order of the file.

    Label Studio numbers frames by the frame rate that its project was given (24, unless somebody changed it),
    not by the video's. Where `framesCount`, `duration` and the keyframes' times agree on that rate and the
    duration is the video's, its frames are converted to the video's by time; else they are refused.

    Left out, by reason: `other-class` (labels other than person, people, pedestrian or human), `unlabelled`,
    `outside` (outside the picture or mostly so), `no-size`, `twice`.

    Raises:
        SourceError: the file is not of this format, has no such video or several annotations of it, turns a
            box, goes beyond its `framesCount`, counts frames of nobody knows which rate, gives some people a
            number and others none, or has nobody.

    Source: Label Studio's documentation of the tag VideoRectangle.
    """
    boxes = BoxCollector(path, video, first_frame=0)
    results = _results(_task(path, video, boxes), path)
    people = dict(_person(result, path) for result in results if result.get("from_name") == PERSON_CONTROL)
    nameless: list[str] = []
    regions = [result for result in results if result.get("type") == RECTANGLE]
    for place, region in enumerate(regions, start=1):
        region_id = identifier(region, "id", f"{path}, region")
        where = f"{path}, region {region_id}"
        value = region.get("value")
        if not isinstance(value, dict):
            raise SourceError(f"{where}: value must be an object; got {value!r}")
        shown = _shown(value, where, video, boxes)
        labels = value.get("labels")
        if not isinstance(labels, list) or not labels:
            boxes.leave_out("unlabelled", len(shown))
            continue
        if not any(is_person(str(label)) for label in labels):
            boxes.leave_out("other-class", len(shown))
            continue
        if region_id not in people:
            nameless.append(where)
        for index, box in sorted(shown.items()):
            boxes.add(index, people.get(region_id, place), box, f"{where}, frame {index} from 0", is_named=bool(people))
    if people and nameless:
        raise SourceError(f"{nameless[0]}: all people must have a {PERSON_CONTROL} or none; this one has none")
    return boxes.finish(
        LABELLED_PEOPLE,
        read_as="Label Studio's regions",
        identified=bool(people),
        because=f"its people have a {PERSON_CONTROL}" if people else "Label Studio's regions are tracks of one video",
    )


def write_label_studio(path: Path, tracked: TrackedBoxes, video: AnnotatedVideo) -> None:
    """Write one task with an annotation of the video; `read_label_studio` gives the same boxes back.

    Every box is a keyframe, after which the region is gone unless the next frame has a box too. The project that takes
    it needs the video's frame rate, the label `Person`, and for people who are identified a per-region number
    `person_id`.

    Raises:
        SourceError: the video does not tell its length and rate, or a box lies beyond its last frame.
    """
    length, rate = video.length, video.frame_rate
    if not length or not rate:
        raise SourceError(
            f"{path}: Label Studio wants length and frame rate of {video.name}, whose header does not tell both"
        )
    tracks: dict[int, dict[int, Box]] = {}
    for index, people in sorted(tracked.frames.items()):
        video.check_frame(index, f"{path}, frame {index} from 0")
        for track, box in people.items():
            tracks.setdefault(track, {})[index] = box
    result: list[Json] = []
    for track, boxes in sorted(tracks.items()):
        place: dict[str, Json] = {"id": f"person-{track}", "to_name": "video"}
        sequence: list[Json] = [_written(index, box, video, rate, index + 1 in boxes) for index, box in boxes.items()]
        region = {"framesCount": length, "duration": length / rate, "sequence": sequence, "labels": [LABEL]}
        result.append({**place, "type": RECTANGLE, "from_name": "box", "value": region})
        if tracked.identified:
            result.append({**place, "type": "number", "from_name": PERSON_CONTROL, "value": {"number": track}})
    task = {"id": 1, "data": {"video": video.name}, "annotations": [{"id": 1, "result": result}]}
    write_atomically(path, [json.dumps([task], indent=1).encode() + b"\n"])


def _written(index: int, box: Box, video: AnnotatedVideo, rate: float, is_followed: bool) -> dict[str, Json]:
    left, top, right, bottom = box
    return {
        "frame": index + 1,
        "time": round(index / rate, 6),
        "x": 100 * left / video.width,
        "y": 100 * top / video.height,
        "width": 100 * (right - left) / video.width,
        "height": 100 * (bottom - top) / video.height,
        "rotation": 0,
        "enabled": is_followed,
    }


def _task(path: Path, video: AnnotatedVideo, boxes: BoxCollector) -> dict[str, object]:
    """The task of the video that is meant, by its name."""
    content = read_json(path)
    if isinstance(content, dict):  # one task, as the interface for programs gives it
        content = [content]
    tasks = records({"tasks": content}, "tasks", str(path))
    if tasks and not any("annotations" in task or "data" in task for task in tasks):
        told = "its short form JSON_MIN, in which regions have no ids" if "annotator" in tasks[0] else sorted(tasks[0])
        raise SourceError(
            f"{path}: Label Studio's tasks have data and annotations; got {told}. Export the project as JSON"
        )
    if len(tasks) == 1:
        boxes.warn(video.check_name(_video_files(tasks[0]), f"{path}, task {tasks[0].get('id')}"))
        return tasks[0]
    found = [task for task in tasks if video.is_called(_video_files(task))]
    if len(found) != 1:
        held = sorted(file for task in tasks for file in _video_files(task))
        raise SourceError(
            f"{path}: must hold the video {video.annotated_as or video.name!r} once, by its file's name; it holds "
            f"{held}. If it has another name there, say so in the source: annotations_of=NAME"
        )
    return found[0]


def _video_files(task: Mapping[str, object]) -> list[str]:
    """What in a task may name its video: a task has data of other kinds, too.

    A file of local storage stands in the address's query: /data/local-files/?d=videos/gate.mp4.
    """
    data = task.get("data")
    values = [*(data.values() if isinstance(data, dict) else ()), task.get("file_upload")]
    addresses = [urlsplit(value) for value in values if isinstance(value, str)]
    paths = [address.path for address in addresses]
    paths += [unquote(part.partition("=")[2]) for address in addresses for part in address.query.split("&")]
    names = {re.split(r"[/\\]", path)[-1] for path in paths}
    return sorted(name for name in names if PurePosixPath(name).suffix.casefold() in VIDEO_SUFFIXES)


def _results(task: Mapping[str, object], path: Path) -> list[dict[str, object]]:
    where = f"{path}, task {task.get('id')}"
    if not task.get("annotations") and task.get("predictions"):
        raise SourceError(
            f"{where}: must have an annotation; it has predictions only, which a model made and nobody looked at. "
            "Accept them in Label Studio (submit the task) and export it again"
        )
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
    return region_id, person_number(given, PERSON_CONTROL, f"{path}, region {region_id}")


def _shown(value: Mapping[str, object], where: str, video: AnnotatedVideo, boxes: BoxCollector) -> dict[int, Box]:
    """Every frame from 0 in which the region is there."""
    num_frames = whole(value.get("framesCount"), "framesCount", where, least=1)
    sequence = records(value, "sequence", where)
    step = _step(value, num_frames, sequence, where, video, boxes)
    end = min(round(num_frames * step), (video.length or num_frames))
    video.check_frame(end - 1, f"{where}, framesCount")
    keyframes: dict[float, _Keyframe] = {}
    for record in sequence:
        keyframe = _keyframe(record, step, num_frames, where, video)
        if keyframe.place in keyframes:
            boxes.refuse("twice", f"{where}: frame {record.get('frame')} stands twice; the first is taken")
        else:
            keyframes[keyframe.place] = keyframe
    if not keyframes:
        return {}
    *_, last = ordered = [keyframes[place] for place in sorted(keyframes)]
    shown: dict[int, Box] = {}
    for before, after in pairwise(ordered):
        if before.is_followed:
            boxes.expect(int(after.place - before.place))
            for index in range(ceil(before.place), ceil(after.place)):
                shown[index] = on_line(before.box, after.box, (index - before.place) / (after.place - before.place))
    for keyframe in ordered:
        shown.setdefault(min(round(keyframe.place), video.last_index), keyframe.box)
    if last.is_followed:
        boxes.expect(max(0, end - ceil(last.place)))
        shown |= dict.fromkeys(range(ceil(last.place), end), last.box)
    return shown


def _step(
    value: Mapping[str, object],
    num_frames: int,
    sequence: list[dict[str, object]],
    where: str,
    video: AnnotatedVideo,
    boxes: BoxCollector,
) -> float:
    """How many frames of the video go by from one of the file's frames to the next: 1, unless the rates differ."""
    told = value.get("duration")
    duration = None if told is None else number(told, "duration", where)
    length, rate = video.length, video.frame_rate
    is_same = video.has_length(num_frames)
    if is_same:
        counted = rate
    elif duration is None or duration <= 0 or length is None or not rate:
        raise SourceError(
            f"{where}: framesCount is {num_frames}, but the video {video.title} has {length} frames, and the file does "
            f"not tell its rate by a duration; {OTHER_VIDEO} {REMEDY}"
        )
    else:
        seconds = length / rate
        counted = num_frames / duration
        is_of_another = abs(duration - seconds) > max(MAX_DRIFT_S, 2 / rate)
        if is_of_another or abs(counted - rate) <= RATE_SLACK * rate:  # the same rate, but not as many frames
            raise SourceError(
                f"{where}: framesCount is {num_frames} in {duration:g} s, but the video {video.title} has {length} "
                f"frames in {seconds:g} s; {OTHER_VIDEO}"
            )
        boxes.warn(
            f"{where.partition(', region')[0]}: counts {num_frames} frames, {counted:g} a second, and the video has "
            f"{length}, {rate:g} a second; its keyframes were converted by time, to about one frame"
        )
    if counted:
        _compare_times(sequence, counted, where, video)
    return 1.0 if is_same or not (counted and rate) else rate / counted


def _compare_times(sequence: list[dict[str, object]], rate: float, where: str, video: AnnotatedVideo) -> None:
    """Hold the keyframes' times against their numbers; versions of the program begin at 0 or at one frame."""
    for record in sequence:
        if record.get("time") is None:
            continue
        time, frame = number(record["time"], "time", where), whole(record.get("frame"), "frame", where, least=1)
        least, most = (frame - 1 - RATE_DIGITS) / rate - 0.01, (frame + RATE_DIGITS) / rate + 0.01
        if not least <= time <= most:
            raise SourceError(
                f"{where}: frame {frame} is at {time:g} s, but at {rate:g} frames a second it is at "
                f"{(frame - 1) / rate:g} s; the video {video.name} has {video.frame_rate} a second. {REMEDY}"
            )


def _keyframe(
    record: Mapping[str, object], step: float, num_frames: int, where: str, video: AnnotatedVideo
) -> _Keyframe:
    frame = whole(record.get("frame"), "frame", where, least=1)
    where = f"{where}, frame {frame}"
    if frame > num_frames:
        raise SourceError(f"{where}: lies beyond the {num_frames} frames of framesCount")
    rotation = number(record.get("rotation", 0), "rotation", where)
    if rotation != 0:
        raise SourceError(f"{where}: boxes must stand upright; got rotation {rotation:g}")
    is_followed = record.get("enabled")
    if not isinstance(is_followed, bool):
        raise SourceError(f"{where}: enabled must be true or false; got {is_followed!r}")
    x, y, box_width, box_height = (number(record.get(key), key, where) for key in ("x", "y", "width", "height"))
    box = (
        x / 100 * video.width,
        y / 100 * video.height,
        (x + box_width) / 100 * video.width,
        (y + box_height) / 100 * video.height,
    )
    return _Keyframe((frame - 1) * step, box, is_followed)
