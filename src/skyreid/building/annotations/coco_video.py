"""COCO-video: COCO's JSON with videos, and annotations that name a track; as of TAO and MMTracking."""

from collections.abc import Mapping
from pathlib import Path

from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.annotations.collecting import LABELLED_PEOPLE, BoxCollector, is_person
from skyreid.building.annotations.fields import identifier, number, read_json, records, share, whole
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
        keys = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise SourceError(
            f"{path}: COCO-video is an object with {', '.join(LISTS)}; got {keys}. COCO without videos and tracks "
            "does not tell which boxes are of one person; of Datumaro or CVAT, export 'CVAT for video 1.1'"
        )
    boxes = BoxCollector(path, video, first_frame=0)
    entry = _entry(records(content, "videos", str(path)), video, boxes, path)
    _compare(entry, video, boxes, f"{path}, video {entry.get('id')}")
    images = records(content, "images", str(path))
    frames = _frames([image for image in images if image.get("video_id") == entry.get("id")], video, path)
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
            is_named=identified,
        )
    return boxes.finish(
        LABELLED_PEOPLE,
        read_as="COCO-video",
        identified=identified,
        because=f"its people have a {PERSON_KEY}" if identified else "COCO-video numbers the tracks of one video",
    )


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


def _compare(entry: Mapping[str, object], video: AnnotatedVideo, boxes: BoxCollector, where: str) -> None:
    if "width" in entry and "height" in entry:
        video.check_size(entry["width"], entry["height"], where)
    length, rate = (next((entry[key] for key in keys if entry.get(key) is not None), None) for keys in (LENGTHS, RATES))
    boxes.warn(video.check_clock(length, rate, where))


def _frames(images: list[dict[str, object]], video: AnnotatedVideo, path: Path) -> dict[int | str, int]:
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
    if len(set(frames.values())) != len(images):
        raise SourceError(f"{path}: two images of the video have the same id or the same frame")
    if any(FRAME_FROM_0 not in image for image in images) and 0 not in frames.values():
        if set(frames.values()) == set(range(1, (video.num_frames or 0) + 1)):
            return {image_id: frame - 1 for image_id, frame in frames.items()}
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
