"""COCO-video: COCO's JSON with videos, and annotations that name a track; as of TAO and MMTracking."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from skyreid.building.annotations.collecting import LABELLED_PEOPLE, BoxCollector, is_person
from skyreid.building.annotations.fields import identifier, number, read_json, records, share, whole
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.errors import SourceError

LISTS = ("videos", "images", "annotations", "categories")
FRAME_FROM_0 = "frame_index"
"""TAO."""
FRAME = "frame_id"
"""From 0 in MMTracking, from 1 in others."""
TRACK_KEYS = ("instance_id", "track_id")
PERSON_KEY = "person_id"
"""Ours: who it is, the same number in every video."""


def read_coco_video(path: Path, *, width: int, height: int, video: str) -> TrackedBoxes:
    """Read who is where, for the video of this file name and this size in pixels.

    A file may hold several videos; a track belongs to one of them, even where another has the same number.
    The number is the annotation's `person_id`, if the people have it: a person, the same in every video.
    Otherwise it is the track's, `instance_id` or `track_id`.

    Left out, by reason: `other-class` (categories other than person, people, pedestrian or human), `crowd`
    (iscrowd), `outside` (mostly outside the picture).

    Raises:
        SourceError: the file is not of this format, has no such video, counts its frames from nobody knows
            where, is of a picture of another size, gives people no or unclear numbers, or has nobody.

    Source: the formats of TAO (its toolkit's description) and of MMTracking (`CocoVID`).
    """
    content = read_json(path)
    if not isinstance(content, dict) or not set(LISTS) <= set(content):
        keys = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise SourceError(
            f"{path}: COCO-video is an object with {', '.join(LISTS)}; got {keys}. COCO without videos and tracks "
            "does not tell which boxes are of one person; of Datumaro or CVAT, export 'CVAT for video 1.1'"
        )
    boxes = BoxCollector(path, width=width, height=height, first_frame=0)
    video_id = _video(records(content, "videos", str(path)), video, path)
    images = records(content, "images", str(path))
    frames = _frames([image for image in images if image.get("video_id") == video_id], boxes, path)
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
    for annotation, where in taken:
        sides = annotation.get("bbox")
        if not isinstance(sides, list) or len(sides) != 4:
            raise SourceError(f"{where}: bbox must be [left, top, width, height]; got {sides!r}")
        left, top, box_width, box_height = (number(side, "a side of bbox", where) for side in sides)
        visible = annotation.get("visibility")
        boxes.add(
            frames[identifier(annotation, "image_id", where)],
            whole(annotation[PERSON_KEY], PERSON_KEY, where, least=1) if identified else _track(annotation, where),
            (left, top, left + box_width, top + box_height),
            where,
            visible=None if visible is None else share(visible, "visibility", where),
        )
    return boxes.finish(LABELLED_PEOPLE, identified=identified)


def _video(videos: list[dict[str, object]], video: str, path: Path) -> object:
    """The id of the video that is meant: the only one, or the one of this name, with or without its suffix."""
    names = [str(entry.get("name", entry.get("file_name"))) for entry in videos]
    if len(videos) == 1:
        return videos[0].get("id")
    wanted = {video, PurePosixPath(video).stem}
    found = [entry for entry, name in zip(videos, names, strict=True) if PurePosixPath(name).name in wanted]
    if len(found) != 1:
        raise SourceError(f"{path}: must hold the video {video!r} once, by its file's name; it holds {sorted(names)}")
    return found[0].get("id")


def _frames(images: list[dict[str, object]], boxes: BoxCollector, path: Path) -> dict[int | str, int]:
    """Image id to frame from 0."""
    if not images:
        raise SourceError(f"{path}: must hold images of the video; none has its video_id")
    frames: dict[int | str, int] = {}
    for image in images:
        where = f"{path}, image {image.get('id')}"
        if "width" in image and "height" in image:
            boxes.check_picture(image["width"], image["height"], where)
        key = FRAME_FROM_0 if FRAME_FROM_0 in image else FRAME
        frames[identifier(image, "id", where)] = whole(image.get(key), key, where, least=0)
    if len(set(frames.values())) != len(images):
        raise SourceError(f"{path}: two images of the video have the same id or the same frame")
    if any(FRAME_FROM_0 not in image for image in images) and 0 not in frames.values():
        raise SourceError(
            f"{path}: no image of the video has {FRAME} 0, and some programs count from 1: list the first image, too, "
            f"or name the frames {FRAME_FROM_0}, which counts from 0"
        )
    return frames


def _are_identified(people: list[tuple[dict[str, object], str]]) -> bool:
    """Whether people have person ids: all or none."""
    nameless = [where for annotation, where in people if PERSON_KEY not in annotation]
    if nameless and len(nameless) < len(people):
        raise SourceError(f"{nameless[0]}: all people must have a {PERSON_KEY} or none; this one has none")
    return not nameless


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
