"""COCO-video: COCO's JSON with videos, and annotations that name a track; as of TAO and MMTracking."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.collecting import (
    LABELLED_PEOPLE,
    PART_OF_A_VIDEO,
    BoxCollector,
    has_corners,
    is_person,
)
from skyreid.building.annotations.fields import identifier, number, person_number, read_json, records, share, whole
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.errors import SourceError

LISTS = ("videos", "images", "annotations", "categories")
FRAME_FROM_0 = "frame_index"
"""TAO."""
FRAME = "frame_id"
"""From 0 in MMTracking, from 1 in others, such as ByteTrack's converters: certain where every frame is listed."""
TRACK_KEYS = ("instance_id", "track_id")
LENGTHS, RATES = ("length", "num_frames"), ("fps", "frame_rate")
"""Keys of a video under which writers count its frames, and how many there are a second."""
PERSON_KEY = "person_id"
"""Ours: who it is, the same number in every video."""


def read_coco_video(path: Path, video: AnnotatedVideo) -> TrackedBoxes:
    """Read who is where in a video.

    A file may hold several videos; a track belongs to one of them, even where another has the same number.
    The number is the annotation's `person_id`, if the people have it: a person, the same in every video.
    Otherwise it is the track's, `instance_id` or `track_id`.

    Left out, by reason: `other-class` (categories other than person, people, pedestrian or human), `crowd`
    (iscrowd), `outside` (outside the picture or mostly so), `no-size`, `twice`.

    Raises:
        SourceError: the file is not of this format, has no such video, counts its frames from nobody knows
            where, is of another size, length or rate, gives people no or unclear numbers, or has nobody.

    Source: the formats of TAO (its toolkit's description) and of MMTracking (`CocoVID`).
    """
    content = read_json(path)
    if not isinstance(content, dict) or not set(LISTS) <= set(content):
        raise SourceError(f"{path}: {_what_it_is(content)}")
    boxes = BoxCollector(path, video, first_frame=0)
    entry = _entry(records(content, "videos", str(path)), video, boxes, path)
    tells_length = _compare(entry, video, boxes, f"{path}, video {entry.get('id')}")
    images = records(content, "images", str(path))
    frames = _frames(
        [image for image in images if image.get("video_id") == entry.get("id")],
        video,
        boxes,
        path,
        tells_length=tells_length,
    )
    elsewhere = {identifier(image, "id", f"{path}, image") for image in images} - set(frames)
    people = {
        identifier(category, "id", f"{path}, category")
        for category in records(content, "categories", str(path))
        if is_person(str(category.get("name")))
    }
    taken: list[tuple[dict[str, object], str]] = []
    for place, annotation in enumerate(records(content, "annotations", str(path)), start=1):
        where = f"{path}, annotation {annotation.get('id', place)}"
        image = identifier(annotation, "image_id", where)
        if image in elsewhere:
            continue
        if image not in frames:
            raise SourceError(f"{where}: image_id must be that of an image; got {image!r}")
        if identifier(annotation, "category_id", where) not in people:
            boxes.leave_out("other-class")
        elif annotation.get("iscrowd"):
            boxes.leave_out("crowd")
        else:
            taken.append((annotation, where))
    identified = _are_identified(taken)
    people_in_frames = [
        (
            frames[identifier(annotation, "image_id", where)],
            person_number(annotation[PERSON_KEY], PERSON_KEY, where) if identified else _track(annotation, where),
            *_sides(annotation, where),
        )
        for annotation, where in taken
    ]
    is_corners = bool(taken) and has_corners(np.array(people_in_frames, float), path, video)
    for (annotation, where), (frame, who, left, top, right, bottom) in zip(taken, people_in_frames, strict=True):
        visible = annotation.get("visibility")
        boxes.add(
            frame,
            who,
            (left, top, right, bottom) if is_corners else (left, top, left + right, top + bottom),
            where,
            visible=None if visible is None else share(visible, "visibility", where),
            is_named=identified,
        )
    return boxes.finish(
        LABELLED_PEOPLE,
        read_as="COCO-video",
        identified=identified,
        because=f"its people have a {PERSON_KEY}" if identified else "COCO-video numbers the tracks of one video",
    )


def _what_it_is(content: object) -> str:
    """What a file holds that is no COCO-video, the rule, and what helps."""
    rule = f"COCO-video is an object with {', '.join(LISTS)}"
    if not isinstance(content, dict):
        return f"{rule}; got a {type(content).__name__}"
    annotations = content.get("annotations")
    first = annotations[0] if isinstance(annotations, list) and annotations else None
    if "videos" in content and isinstance(first, dict) and "bboxes" in first:
        return (
            f"{rule}, each annotation of one image; this is YouTube-VIS, whose annotations are tracks with a list of "
            f"bboxes. Write each image as {{id, video_id, frame_id}} and each box as {{image_id, category_id, "
            "track_id, bbox}, as MMTracking's CocoVID has them"
        )
    remedy = "COCO without videos and tracks does not tell which boxes are of one person"
    return f"{rule}; got {sorted(content)}. {remedy}; of Datumaro or CVAT, export 'CVAT for video 1.1'"


def _entry(
    videos: list[dict[str, object]], video: AnnotatedVideo, boxes: BoxCollector, path: Path
) -> dict[str, object]:
    """The entry of the video that is meant, by its name."""
    if not videos:
        raise SourceError(f"{path}: must hold a video; the list of videos is empty")
    if len(videos) == 1:
        boxes.warn(video.check_name(_names(videos[0]), f"{path}, videos"))
        return videos[0]
    found = [entry for entry in videos if video.is_called(_names(entry))]
    if len(found) != 1:
        held = sorted(name for entry in videos for name in _names(entry))
        raise SourceError(
            f"{path}: must hold the video {video.annotated_as or video.name!r} once, by its file's name; it holds "
            f"{held}. If it has another name there, say so in the source: annotations_of=NAME"
        )
    return found[0]


def _names(entry: Mapping[str, object]) -> list[str]:
    return [name for key in ("name", "file_name") if isinstance(name := entry.get(key), str)]


def _compare(entry: Mapping[str, object], video: AnnotatedVideo, boxes: BoxCollector, where: str) -> bool:
    """Hold what the file says of the video against it; gives whether it counts its frames."""
    if "width" in entry and "height" in entry:
        video.check_size(entry["width"], entry["height"], where)
    length, rate = (next((entry[key] for key in keys if entry.get(key) is not None), None) for keys in (LENGTHS, RATES))
    boxes.warn(video.check_clock(length, rate, where))
    return length is not None


def _frames(
    images: list[dict[str, object]], video: AnnotatedVideo, boxes: BoxCollector, path: Path, *, tells_length: bool
) -> dict[int | str, int]:
    """Image id to frame from 0."""
    if not images:
        raise SourceError(f"{path}: must hold images of the video; none has its video_id")
    frames: dict[int | str, int] = {}
    for image in images:
        where = f"{path}, image {image.get('id')}"
        if "width" in image and "height" in image:
            video.check_size(image["width"], image["height"], where)
        key = FRAME_FROM_0 if FRAME_FROM_0 in image else FRAME
        frame = whole(image.get(key), key, where, least=0)
        video.check_frame(frame, where)
        frames[identifier(image, "id", where)] = frame
    told = set(frames.values())
    if len(told) != len(images):
        raise SourceError(f"{path}: two images of the video have the same id or the same frame")
    length, num_images, first = video.length, len(images), min(told)
    is_unbroken = first in (0, 1) and max(told) - first == num_images - 1
    is_doubtful = is_unbroken and video.every is None and not tells_length
    if is_doubtful and length is not None and num_images < PART_OF_A_VIDEO * length:
        in_order = sorted(images, key=lambda image: frames[identifier(image, "id", str(path))])
        step = _step_of_names(in_order, length)
        if step is None:
            raise SourceError(
                f"{path}: lists {num_images} images of the video, {FRAME} {first} to {max(told)} without a gap, but "
                f"the video {video.name} has {length} frames; one of how many is each, numbered anew? Say it in the "
                f"source, such as every={round(length / num_images)}; or every=1, if they are its first"
            )
        boxes.warn(
            f"{path}: its images are one of {step} frames by their names, and numbered anew; names were believed"
        )
        return {image_id: (frame - first) * step for image_id, frame in frames.items()}
    if any(FRAME_FROM_0 not in image for image in images) and first != 0:
        if is_unbroken and num_images == video.num_frames:
            return {image_id: frame - 1 for image_id, frame in frames.items()}
        raise SourceError(
            f"{path}: no image of the video has {FRAME} 0, and some programs count from 1: list the first image, too, "
            f"or name the frames {FRAME_FROM_0}, which counts from 0"
        )
    return frames


def _step_of_names(images: list[dict[str, object]], length: int) -> int | None:
    """One of how many frames each image is, where all names say it in order, to the video's end."""
    named = [re.findall(r"\d+", PurePosixPath(str(image.get("file_name"))).stem)[-1:] for image in images]
    numbers = [int(digits) for found in named for digits in found if len(digits) < 10]
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) < len(images) or len(steps) != 1 or numbers[0] not in (0, 1):
        return None
    (step,) = steps
    is_in_the_video = PART_OF_A_VIDEO * length < step * len(images) < length + step
    return step if step > 1 and is_in_the_video else None


def _are_identified(people: list[tuple[dict[str, object], str]]) -> bool:
    """Whether people have person ids: all or none."""
    nameless = [where for annotation, where in people if annotation.get(PERSON_KEY) in (None, "")]
    if nameless and len(nameless) < len(people):
        raise SourceError(f"{nameless[0]}: all people must have a {PERSON_KEY} or none; this one has none")
    return not nameless


def _sides(annotation: Mapping[str, object], where: str) -> tuple[float, float, float, float]:
    sides = annotation.get("bbox")
    if not isinstance(sides, list) or len(sides) != 4:
        raise SourceError(f"{where}: bbox must be [left, top, width, height]; got {sides!r}")
    left, top, width, height = (number(side, "a side of bbox", where) for side in sides)
    return left, top, width, height


def _track(annotation: Mapping[str, object], where: str) -> int:
    found = {whole(annotation[key], key, where, least=0) for key in TRACK_KEYS if key in annotation}
    if not found:
        raise SourceError(
            f"{where}: must have {' or '.join(TRACK_KEYS)}; COCO without them does not tell which boxes are of one "
            "person, run a tracker first"
        )
    if len(found) > 1:
        raise SourceError(f"{where}: {' and '.join(TRACK_KEYS)} must be the same; got {sorted(found)}")
    return found.pop()
