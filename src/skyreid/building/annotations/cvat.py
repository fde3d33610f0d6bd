"""CVAT's XML 1.1: tracks of a video, frames and pixels counted from 0."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from json import detect_encoding
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError, iterparse

from skyreid.building.annotations.annotated_video import OTHER_VIDEO, AnnotatedVideo
from skyreid.building.annotations.collecting import LABELLED_PEOPLE, BoxCollector, check_size, is_person
from skyreid.building.annotations.fields import number, open_annotations, person_number, share, whole
from skyreid.building.tracked_boxes import Box, TrackedBoxes, straight_line
from skyreid.errors import SourceError
from skyreid.files.atomic_file import write_atomically

PERSON_ATTRIBUTE = "person_id"
PERSON_ATTRIBUTES = (PERSON_ATTRIBUTE, "pid")
"""Who it is, the same number in every video; a track's own number starts again in every task."""
VISIBLE_ATTRIBUTE = "visible"
"""Ours: CVAT itself knows only whether something is occluded, not how much."""
SHAPES = ("box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")
LABEL = "person"
_TASK_TAGS = ("frame_filter", "start_frame", "size")
MIN_OVERLAP = 2
"""Frames with equal boxes that make two tracks one: in a single frame two people may have been given one box."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the file says of a track in one frame."""

    box: Box
    visible: float | None
    is_outside: bool
    """Nothing is there; the box says only that the track is interrupted."""


@dataclass
class _Track:
    where: str
    is_interpolated: bool
    """Whether frames between two marks that the file leaves out lie on a straight line."""
    marks: dict[int, _Mark] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)
    """Person ids that its boxes have: one, or none."""


@dataclass
class _Task:
    """What the file says of the task, beside its tracks."""

    lists_every_frame: bool = False
    """Whether interpolation is applied already, as in all that CVAT itself writes: a missing frame was taken out."""
    step: int = 1
    """From one frame of the task to the next, by `frame_filter`."""
    start: int = 0
    deleted: set[int] = field(default_factory=set)
    """Frames that `deleted_frames` names."""
    images: set[int] = field(default_factory=set)
    """Frames that stand in the file as images, with people or without."""
    ids: set[str | None] = field(default_factory=set)
    """Of the tasks that the tracks are of."""
    abouts: dict[str | None, Element] = field(default_factory=dict)
    """What the file says of its tasks, by their ids."""
    chosen: str | None = None
    """Of several tasks the one that is of the video by its name; None = there is one, or nobody knows which."""
    passed_over: set[str | None] = field(default_factory=set)
    """The other tasks that have tracks, where one was chosen."""


def read_cvat(path: Path, video: AnnotatedVideo) -> TrackedBoxes:
    """Read who is where in a video, from `CVAT for video 1.1`.

    The number is that of the attribute `person_id` or `pid`, if the people have it: a person, the same in
    every video. Otherwise it is the track's, which says nothing about other videos. Between two boxes of a
    track without `outside`, missing frames are filled in by straight lines, except where the file lists every
    frame, as CVAT's own do: there a missing frame was deleted. After its last box a track has ended. A person
    whom two jobs have in the frames in which they overlap is one person where the boxes are equal.
    `CVAT for images` is read when its boxes have the attribute `track_id`. Of a project's tasks that is read which is
    of the video by its source or by its own name.

    Left out, by reason: `other-class` (labels other than person, people, pedestrian or human), `not-a-box`
    (polygons and other shapes), `outside` (outside the picture or mostly so; what CVAT calls outside is no box),
    `no-size`, `twice`, `deleted-frame`.

    Raises:
        SourceError: the file is not of this format, would do harm when read, is of several tasks of which not one is
            the video's, names another video, size or length, turns a box, gives people no or unclear numbers, or has
            nobody.

    Source: CVAT's documentation, "XML annotation format", version 1.1.
    """
    boxes = BoxCollector(path, video, first_frame=0)
    tracks: dict[int, _Track] = {}
    task = _Task()
    for element in _elements(path):
        match element.tag:
            case "meta":
                _read_meta(element, task, video)
            case _ if task.chosen is not None and element.get("task_id") not in (None, task.chosen):
                task.passed_over.add(element.get("task_id"))
            case "track":
                task.ids.add(element.get("task_id"))
                _read_track(element, tracks, task, video, boxes, path)
            case _:
                task.ids.add(element.get("task_id"))
                _read_image(element, tracks, task, video, boxes, path)
    _compare(task, video, boxes, path)
    for track in tracks.values():
        if track.is_interpolated:
            boxes.expect(sum(last - first - 1 for first, last in _gaps(track)))
    missing = _missing(tracks, task) - task.deleted
    if missing:
        boxes.warn(
            f"{path}: {len(missing)} frames between the boxes of somebody, {min(missing)} the first, are in no track; "
            "they are taken for deleted in CVAT and never filled in. If the file holds keyframes only, export it again "
            "with every frame"
        )
    deleted = frozenset(task.deleted | missing)
    names = _names(tracks, path)
    joined = _same_tracks(tracks) if task.lists_every_frame and not names else {}
    for track_id, track in tracks.items():
        who = names.get(track_id, joined.get(track_id, track_id))
        for frame, mark in _filled(track, deleted):
            if frame in deleted:
                boxes.leave_out("deleted-frame")
            else:
                where = f"{track.where}, frame {frame}"
                boxes.add(frame, who, mark.box, where, visible=mark.visible, is_named=True)
    return boxes.finish(
        LABELLED_PEOPLE,
        read_as="CVAT's XML",
        identified=bool(names),
        because=f"its people have a {PERSON_ATTRIBUTE}" if names else "CVAT numbers the tracks of one task",
        never_filled=deleted,
    )


def write_cvat(path: Path, tracked: TrackedBoxes, *, num_frames: int) -> None:
    """Write `CVAT for video 1.1`; `read_cvat` gives the same boxes back.

    Every box is a keyframe, and a track is marked as outside after each run of frames. The label is `person`;
    people who are identified have their number as the text attribute `person_id`, and what is known of their
    visible share as `visible`. A task must have this label with these attributes before the file is uploaded.

    Args:
        path: to write.
        tracked: tracks are numbered from 0, or from 1 if they are people.
        num_frames: of the video.

    Raises:
        SourceError: a box has no size or lies beyond the last frame, or a number is too small.
    """
    if max(tracked.frames, default=-1) >= num_frames:
        raise SourceError(f"{path}: there are boxes in frame {max(tracked.frames)} from 0 of {num_frames} frames")
    write_atomically(path, (line.encode("ascii") for line in _lines(path, tracked, num_frames)))


def _elements(path: Path) -> Iterator[Element]:
    """Give `meta` and each `track` and `image` when it is complete, and forget those: files are large."""
    try:
        with open_annotations(path) as file:
            is_utf16 = detect_encoding(file.peek(4)[:4]).startswith("utf-16")  # whatever its first line says
            parser = DefusedXMLParser(target=TreeBuilder(), encoding="utf-16") if is_utf16 else None
            events = iterparse(file, events=("start", "end"), parser=parser)
            _, root = next(events)
            if root.tag != "annotations":
                raise SourceError(f"{path}: must be CVAT's XML, which begins with <annotations>; got <{root.tag}>")
            for event, element in events:
                if event == "end" and element.tag in ("meta", "track", "image"):
                    yield element
                    if element.tag != "meta":
                        element.clear()
    except OSError as error:
        raise SourceError(f"{path}: annotations cannot be read: {error.strerror}") from error
    except DefusedXmlException as error:
        raise SourceError(f"{path}: XML that defines entities is not read, since it can do harm; {error}") from error
    except SourceError:
        raise
    except (ParseError, LookupError, ValueError) as error:  # the last two: an encoding that is not read
        raise SourceError(f"{path}: must be XML; {error}") from error


def _read_meta(meta: Element, task: _Task, video: AnnotatedVideo) -> None:
    task.lists_every_frame |= meta.find("dumped") is not None
    abouts = [element for element in meta.iter() if element.tag in ("task", "job")]
    # One task may tell things beside its element; a project's tasks do not.
    task.abouts = {about.findtext("id"): (about if len(abouts) > 1 else meta) for about in abouts or [meta]}
    for names in (_sources, _own_name):
        called = [task_id for task_id, about in task.abouts.items() if video.is_called(names(about))]
        if len(task.abouts) > 1 and len(called) == 1:
            task.chosen = called[0]
            return


def _sources(about: Element) -> list[str]:
    return [source.text for source in about.iter("source") if source.text]


def _own_name(about: Element) -> list[str]:
    return [about.findtext("name") or ""]


def _listed(task: _Task, ids: Collection[str | None]) -> str:
    """Tasks with what they are called, for messages."""
    words = []
    for task_id in sorted(ids, key=str):
        about = task.abouts.get(task_id)
        names = [] if about is None else [*_own_name(about), *_sources(about)]
        words.append(f"{task_id or 'without a number'} ({', '.join(map(repr, filter(None, names))) or 'no name'})")
    return ", ".join(words)


def _compare(task: _Task, video: AnnotatedVideo, boxes: BoxCollector, path: Path) -> None:
    """Hold what the file says of its task's video against it; keeps which frames the task has."""
    which = "If one of them is, say so in the source: annotations_of=NAME; or export each task by itself"
    if len(task.ids) > 1:
        raise SourceError(
            f"{path}: holds the tracks of tasks {_listed(task, task.ids)}; which is of the video {video.name!r}, their "
            f"names do not tell. {which}"
        )
    if task.passed_over and not task.ids:
        raise SourceError(
            f"{path}: task {_listed(task, [task.chosen])} is of the video by its name, but the tracks are of "
            f"{_listed(task, task.passed_over)}; {OTHER_VIDEO}"
        )
    own = task.abouts.get(next(iter(task.ids), None))
    about = next(iter(task.abouts.values())) if len(task.abouts) == 1 else own
    if about is None:
        if task.abouts:
            raise SourceError(f"{path}: is of tasks {_listed(task, task.abouts)}, and its tracks tell none. {which}")
        return
    where = f"{path}, meta"
    if task.passed_over:
        boxes.warn(f"{path}: holds {len(task.abouts)} tasks; {_listed(task, [task.chosen])} was taken, by its name")
    if task.chosen is None or video.is_called(_sources(about)):
        boxes.warn(video.check_name(_sources(about), f"{where}, source"))
    for size in about.iter("original_size"):
        video.check_size(size.findtext("width"), size.findtext("height"), f"{path}, original_size")
    for deleted in about.iter("deleted_frames"):
        words = " ".join(deleted.itertext()).replace(",", " ").split()
        task.deleted |= {whole(word, "a deleted frame", where, least=0) for word in words}
    told = {tag: next((found.text for found in about.iter(tag) if found.text), None) for tag in _TASK_TAGS}
    if match := re.fullmatch(r"\s*step\s*=\s*(\d{1,9})\s*", told["frame_filter"] or ""):
        task.step = max(1, int(match[1]))
    task.start = whole(told["start_frame"] or 0, "start_frame", where, least=0)
    if told["size"] is None:
        return
    frames = whole(told["size"], "size", where, least=1)
    # A task or job may be a part of its video; `stop_frame` is not asked, since some programs count one more.
    last = task.start + task.step * (frames - 1)
    if last > video.last_index:
        raise SourceError(
            f"{where}: size is {frames} frames, the last of them number {last} from 0, but the video {video.title} has "
            f"{video.length}; {OTHER_VIDEO}"
        )
    if not video.has_length(last + task.step) and not video.has_length(last + 1):
        boxes.warn(f"{where}: is of {frames} frames, up to number {last}, and the video has {video.length}")


def _read_track(
    element: Element, tracks: dict[int, _Track], task: _Task, video: AnnotatedVideo, boxes: BoxCollector, path: Path
) -> None:
    where = f"{path}, track {element.get('id')}"
    shapes = [shape for shape in element if shape.tag in SHAPES and shape.get("outside") != "1"]
    if not is_person(element.get("label", "")):
        boxes.leave_out("other-class", len(shapes))
        return
    boxes.leave_out("not-a-box", sum(shape.tag != "box" for shape in shapes))
    track_id = whole(element.get("id"), "track id", where, least=0)
    if track_id in tracks:
        raise SourceError(f"{where}: there are two tracks of this id")
    track = _Track(where, is_interpolated=True)
    for box in element.iterfind("box"):
        task.lists_every_frame |= box.get("keyframe") == "0"
        _mark(track, whole(box.get("frame"), "frame", where, least=0), box, _attributes(box), video, boxes)
    if track.marks:
        tracks[track_id] = track


def _read_image(
    element: Element, tracks: dict[int, _Track], task: _Task, video: AnnotatedVideo, boxes: BoxCollector, path: Path
) -> None:
    frame = whole(element.get("id"), "image id", str(path), least=0)
    where = f"{path}, image {frame}"
    video.check_frame(frame, where)
    task.images.add(frame)
    video.check_size(element.get("width"), element.get("height"), where)
    for shape in element:
        if shape.tag not in SHAPES:
            continue
        if not is_person(shape.get("label", "")):
            boxes.leave_out("other-class")
        elif shape.tag != "box":
            boxes.leave_out("not-a-box")
        else:
            attributes = _attributes(shape)
            if "track_id" not in attributes:
                raise SourceError(
                    f"{where}: CVAT for images does not tell which boxes are of one person, unless they have the "
                    "attribute track_id; export the task as 'CVAT for video 1.1'"
                )
            track_id = whole(attributes["track_id"], "track_id", where, least=0)
            track = tracks.setdefault(track_id, _Track(f"{path}, track {track_id}", is_interpolated=False))
            _mark(track, frame, shape, attributes, video, boxes)


def _mark(
    track: _Track, frame: int, box: Element, attributes: Mapping[str, str], video: AnnotatedVideo, boxes: BoxCollector
) -> None:
    where = f"{track.where}, frame {frame}"
    video.check_frame(frame, where)
    if number(box.get("rotation", "0"), "rotation", where) != 0:
        raise SourceError(f"{where}: boxes must stand upright; got rotation {box.get('rotation')}")
    left, top, right, bottom = (number(box.get(side), side, where) for side in ("xtl", "ytl", "xbr", "ybr"))
    for name in PERSON_ATTRIBUTES:
        if attributes.get(name):  # CVAT writes an attribute that nobody filled in as an empty text
            track.people.add(person_number(attributes[name], name, where))
    if frame in track.marks:
        boxes.refuse("twice", f"{where}: the track has two boxes in this frame; the first is taken")
        return
    visible = attributes.get(VISIBLE_ATTRIBUTE)
    track.marks[frame] = _Mark(
        box=(left, top, right, bottom),
        visible=share(visible, VISIBLE_ATTRIBUTE, where) if visible else None,
        is_outside=box.get("outside") == "1",
    )


def _attributes(box: Element) -> dict[str, str]:
    return {attribute.get("name", ""): (attribute.text or "").strip() for attribute in box.iterfind("attribute")}


def _names(tracks: Mapping[int, _Track], path: Path) -> dict[int, int]:
    """Track id to person id, of all or of none."""
    for track in tracks.values():
        if len(track.people) > 1:
            raise SourceError(
                f"{track.where}: a track is one person; its boxes have the person ids {sorted(track.people)}"
            )
    names = {track_id: min(track.people) for track_id, track in tracks.items() if track.people}
    nameless = sorted(set(tracks) - set(names))
    if names and nameless:
        raise SourceError(
            f"{path}: all people must have a {PERSON_ATTRIBUTE} or none; track {nameless[0]} has none, track "
            f"{min(names)} has. Fill it in for all of them, or leave it empty"
        )
    return names


def _gaps(track: _Track) -> Iterator[tuple[int, int]]:
    """Neighbouring frames in which the track is there, and between which it goes on."""
    for (first, start), (last, end) in pairwise(sorted(track.marks.items())):
        if not start.is_outside and not end.is_outside:
            yield first, last


def _missing(tracks: Mapping[int, _Track], task: _Task) -> set[int]:
    """Frames of the task that somebody deleted, told only where the file lists every frame.

    Those are frames that are no image among images, or in which no track has a box though one goes on.
    """
    if not task.lists_every_frame:
        return set()
    there = task.images.union(*(track.marks for track in tracks.values()))
    gaps = [gap for track in tracks.values() if track.is_interpolated for gap in _gaps(track)]
    gaps += pairwise(sorted(task.images))
    return {
        frame
        for first, last in gaps
        for frame in range(first + 1, last)
        if (frame - task.start) % task.step == 0 and frame not in there
    }


def _same_tracks(tracks: Mapping[int, _Track]) -> dict[int, int]:
    """Track to the earlier one that it goes on from: two jobs had the same boxes where they overlap."""
    seen: dict[tuple[int, Box], int] = {}
    equal: Counter[tuple[int, int]] = Counter()
    frames = {
        track_id: {frame for frame, mark in track.marks.items() if not mark.is_outside}
        for track_id, track in tracks.items()
    }
    for track_id, track in tracks.items():
        for frame in frames[track_id]:
            equal[seen.setdefault((frame, track.marks[frame].box), track_id), track_id] += 1
    joined: dict[int, int] = {}
    for (earlier, track_id), count in equal.items():
        if earlier != track_id and count == len(frames[earlier] & frames[track_id]) >= MIN_OVERLAP:
            joined[track_id] = joined.get(earlier, earlier)
    return joined


def _filled(track: _Track, deleted: frozenset[int]) -> Iterator[tuple[int, _Mark]]:
    """Every frame in which the track is there."""
    yield from ((frame, mark) for frame, mark in sorted(track.marks.items()) if not mark.is_outside)
    if track.is_interpolated:
        for first, last in _gaps(track):
            for frame, box in straight_line(first, track.marks[first].box, last, track.marks[last].box):
                if frame not in deleted:
                    yield frame, _Mark(box, visible=None, is_outside=False)


def _lines(path: Path, tracked: TrackedBoxes, num_frames: int) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
    yield f"      <size>{num_frames}</size>\n      <mode>interpolation</mode>\n      <start_frame>0</start_frame>\n"
    yield f"      <stop_frame>{num_frames - 1}</stop_frame>\n      <labels>\n        <label>\n"
    yield f"          <name>{LABEL}</name>\n          <attributes>\n"
    for name, is_mutable in ((PERSON_ATTRIBUTE, False), (VISIBLE_ATTRIBUTE, True)):
        yield f"            <attribute><name>{name}</name><mutable>{is_mutable}</mutable>"
        yield "<input_type>text</input_type><default_value></default_value><values></values></attribute>\n"
    yield "          </attributes>\n        </label>\n      </labels>\n    </task>\n  </meta>\n"
    tracks: dict[int, dict[int, Box]] = {}
    for index, people in sorted(tracked.frames.items()):
        for track, box in people.items():
            tracks.setdefault(track, {})[index] = box
    for place, (track, boxes) in enumerate(sorted(tracks.items())):
        whole(track, "track", str(path), least=1 if tracked.identified else 0)
        yield f'  <track id="{place if tracked.identified else track}" label="{LABEL}" source="manual">\n'
        attribute = {PERSON_ATTRIBUTE: str(track)} if tracked.identified else {}
        for index, box in boxes.items():
            check_size(box, f"{path}, track {track}, frame {index}")
            visible = tracked.visible.get(index, {}).get(track)
            seen = {} if visible is None else {VISIBLE_ATTRIBUTE: repr(float(visible))}
            yield from _box_lines(index, box, attribute | seen)
            if index + 1 not in boxes and index + 1 < num_frames:
                yield from _box_lines(index + 1, box, attribute, is_outside=True)
        yield "  </track>\n"
    yield "</annotations>\n"


def _box_lines(index: int, box: Box, attributes: Mapping[str, str], *, is_outside: bool = False) -> Iterator[str]:
    sides = " ".join(f'{name}="{float(side)!r}"' for name, side in zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True))
    yield f'    <box frame="{index}" outside="{is_outside:d}" occluded="0" keyframe="1" {sides} z_order="0">\n'
    for name, value in attributes.items():
        yield f'      <attribute name="{name}">{value}</attribute>\n'
    yield "    </box>\n"
