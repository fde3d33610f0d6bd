"""The fields are those of TAO's toolkit and of MMTracking's documentation of CocoVID; the files are written by hand."""

import json
from dataclasses import replace

import pytest

from skyreid.building.annotations import read_annotations
from skyreid.building.annotations.coco_video import read_coco_video
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video


def content(**changes):
    """Two videos that both have a track 0, as MMTracking writes them."""
    return {
        "videos": [{"id": 1, "name": "gate"}, {"id": 2, "name": "sequences/drone.mp4"}],
        "images": [
            {"id": 1, "video_id": 1, "frame_id": 0, "file_name": "gate/0.jpg", "width": 100, "height": 80},
            {"id": 2, "video_id": 1, "frame_id": 4, "file_name": "gate/4.jpg", "width": 100, "height": 80},
            {"id": 3, "video_id": 2, "frame_id": 0, "file_name": "drone/0.jpg", "width": 300, "height": 200},
        ],
        "annotations": [
            annotation(1, 1, 0, [0, 0, 10, 20], visibility=0.5),
            annotation(2, 2, 0, [1.5, 0, 10, 20]),
            annotation(3, 2, 4, [90, 0, 15, 20]),
            annotation(4, 3, 0, [250, 0, 10, 20]),
        ],
        "categories": [{"id": 1, "name": "pedestrian"}, {"id": 3, "name": "car"}],
        **changes,
    }


def annotation(number, image, instance, bbox, *, key="instance_id", **more):
    return {"id": number, "image_id": image, "category_id": 1, key: instance, "bbox": bbox, "iscrowd": 0, **more}


def changed(**changes):
    """The file with its second annotation changed; None removes a key."""
    made = content()
    made["annotations"][1].update(changes)
    made["annotations"][1] = {key: value for key, value in made["annotations"][1].items() if value is not None}
    return made


def read(tmp_path, made, *, width=100, height=80, **of_the_video):
    (tmp_path / "a.json").write_text(made if isinstance(made, str) else json.dumps(made))
    return read_coco_video(tmp_path / "a.json", video(width, height, **of_the_video))


def refusal(tmp_path, made, **of_the_video):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, made, **of_the_video)
    return str(caught.value).removeprefix(str(tmp_path / "a.json"))


def test_one_video_is_chosen_by_its_name_and_its_tracks_are_its_own(tmp_path):
    gate = read(tmp_path, content())
    assert gate.frames == {0: {0: (0, 0, 10, 20)}, 4: {0: (1.5, 0, 11.5, 20), 4: (90, 0, 100, 20)}}
    assert gate.visible == {0: {0: 0.5}}
    assert not gate.identified
    drone = read(tmp_path, content(), name="drone.mp4", width=300, height=200)
    assert drone.frames == {0: {0: (250, 0, 260, 20)}}
    assert not drone.identified


def test_the_only_video_needs_no_name_and_not_another_one(tmp_path):
    """Kind B1: annotations that name another video."""
    made = content(videos=[{"id": 1}])
    made["annotations"].pop()
    assert sorted(read(tmp_path, made).frames) == [0, 4]
    made["videos"] = [{"id": 1, "name": "seq/other.mp4"}]
    assert refusal(tmp_path, made) == (
        ", videos: is about 'seq/other.mp4', but the video is 'gate.mp4'; are these the annotations of this video? If "
        "they are, say so in the source: annotations_of=other.mp4"
    )
    assert sorted(read(tmp_path, made, annotated_as="other.mp4").frames) == [0, 4]


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"width": 640, "height": 480}, "annotated in a picture of 640x480, but the video has 100x80"),
        ({"length": 250}, "counts 250 frames, but the video gate.mp4 has 100"),
        ({"fps": 30.0}, "tells 30 frames a second, but the video gate.mp4 has 25"),
    ],
)
def test_what_the_file_tells_of_its_video_is_compared(tmp_path, told, complaint):
    """Kind B1: annotations of another size, length or rate."""
    made = content()
    made["videos"][0] |= told
    assert f", video 1: {complaint}; are these the annotations of this video?" in refusal(
        tmp_path, made, num_frames=100, frame_rate=25.0
    )


def test_as_many_frames_at_another_rate_are_the_same_pictures(tmp_path):
    made = content()
    made["videos"][0] |= {"length": 6, "fps": 30}
    (warning,) = read(tmp_path, made, num_frames=6, frame_rate=25.0).warnings
    assert "tells 30 frames a second, but the video gate.mp4 has 25; the frames are as many" in warning


def test_frames_of_tao_count_from_0_even_where_the_first_is_not_listed(tmp_path):
    made = content()
    for image in made["images"]:
        image["frame_index"] = image.pop("frame_id") + 30
    assert sorted(read(tmp_path, made).frames) == [30, 34]


def test_a_track_may_be_called_track(tmp_path):
    made = content(annotations=[annotation(1, 1, 6, [0, 0, 10, 20], key="track_id")])
    assert read(tmp_path, made).frames == {0: {6: (0, 0, 10, 20)}}


def test_person_ids_are_people_in_every_video(tmp_path):
    made = content()
    for entry in made["annotations"]:
        entry["person_id"] = 40 + entry["id"]
    people = read(tmp_path, made)
    assert people.frames == {0: {41: (0, 0, 10, 20)}, 4: {42: (1.5, 0, 11.5, 20), 43: (90, 0, 100, 20)}}
    assert people.identified


def test_only_people_are_taken_and_the_rest_is_counted(tmp_path):
    made = content()
    made["annotations"] += [
        {**annotation(5, 1, 7, [0, 0, 10, 20]), "category_id": 3},
        annotation(6, 1, 8, [0, 0, 10, 20]) | {"iscrowd": 1},
        annotation(7, 1, 9, [-30, 0, 40, 20]),
    ]
    people = read(tmp_path, made)
    assert people.frames[0] == {0: (0, 0, 10, 20)}
    assert people.dropped == {"other-class": 1, "crowd": 1, "outside": 1}


def from_1():
    made = content()
    for image in made["images"]:
        image["frame_id"] += 1
    return made


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        ("{", ": must be JSON; Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[" * 100_000, ": must be JSON; it is nested too deeply"),
        (
            {"images": [], "annotations": [], "categories": []},
            ": COCO-video is an object with videos, images, annotations, categories; got ['annotations', 'categories', "
            "'images']. COCO without videos and tracks does not tell which boxes are of one person; of Datumaro or "
            "CVAT, export 'CVAT for video 1.1'",
        ),
        (content(videos=7), ": videos must be a list of objects; got '7'"),
        (content(images=[]), ": must hold images of the video; none has its video_id"),
        (
            changed(instance_id=None),
            ", annotation 2: must have instance_id or track_id; COCO without them does not tell which boxes are of one "
            "person, run a tracker first",
        ),
        (changed(track_id=9), ", annotation 2: instance_id and track_id must be the same; got [0, 9]"),
        (changed(person_id=3), ", annotation 1: all people must have a person_id or none; this one has none"),
        (changed(image_id=77), ", annotation 2: image_id must be that of an image; got 77"),
        (changed(image_id=[1]), ", annotation 2: image_id must be a number or a text; got [1]"),
        (changed(bbox=[1, 2, 3]), ", annotation 2: bbox must be [left, top, width, height]; got [1, 2, 3]"),
        (changed(bbox=[1, 2, 3, "x"]), ", annotation 2: a side of bbox must be a finite number; got 'x'"),
        (
            changed(bbox=[1, 2, 0, 5]),
            ": 1 of 3 boxes cannot be, and one in 10 is too many; are these the annotations of this video, in pixels "
            "of its full size? The first: annotation 2: a box must have a width and a height; got 0x5",
        ),
        (changed(instance_id=-1), ", annotation 2: instance_id must be a whole number from 0; got -1"),
        (changed(instance_id=4), ": 2 of 3 boxes cannot be, and one in 10 is too many; are these the annotations"),
        (changed(visibility=2), ", annotation 2: visibility must be from 0 to 1; got 2"),
        (
            from_1(),
            ": no image of the video has frame_id 0, and some programs count from 1: list the first image, too, or "
            "name the frames frame_index, which counts from 0",
        ),
        (
            content(categories=[{"id": 3, "name": "car"}]),
            ": must hold boxes of people (labels person, people, pedestrian, human); none is left of 3 boxes "
            "{'other-class': 3}",
        ),
    ],
)
def test_what_cannot_be_is_named(tmp_path, made, complaint):
    assert refusal(tmp_path, made).startswith(complaint)


def test_two_images_of_one_frame_are_refused(tmp_path):
    made = content()
    made["images"][1]["frame_id"] = 0
    assert refusal(tmp_path, made) == ": two images of the video have the same id or the same frame"


def test_a_picture_of_another_size_is_refused(tmp_path):
    assert refusal(tmp_path, content(), width=200, height=160) == (
        ", image 1: annotated in a picture of 100x80, but the video has 200x160; are these the annotations of this "
        "video?"
    )


@pytest.mark.parametrize("name", ["tower.mp4", "gat.mp4"])
def test_a_video_that_is_not_there_is_refused_and_those_there_are_named(tmp_path, name):
    assert refusal(tmp_path, content(), name=name) == (
        f": must hold the video '{name}' once, by its file's name; it holds ['gate', 'sequences/drone.mp4']. If it has "
        "another name there, say so in the source: annotations_of=NAME"
    )


def test_frames_from_1_are_certain_where_every_frame_is_listed(tmp_path):
    """Kind B3: ByteTrack's converters count frame_id from 1."""
    made = content(
        videos=[{"id": 1, "file_name": "gate"}],
        images=[{"id": number, "video_id": 1, "frame_id": number} for number in (1, 2, 3)],
        annotations=[annotation(number, number, 4, [number, 0, 10, 20], key="track_id") for number in (1, 2, 3)],
    )
    people = read(tmp_path, made, num_frames=3)
    assert {index: boxes[4][0] for index, boxes in people.frames.items()} == {0: 1, 1: 2, 2: 3}
    assert "has frame_id 0" in refusal(tmp_path, made, num_frames=4)


def thinned(number=20, *, name="{}.jpg", first=0, **video_entry):
    """Somebody who walks through pictures that are numbered without a gap."""
    images = [
        {"id": place, "video_id": 1, "frame_id": place + first, "file_name": name.format(place, place * 5)}
        for place in range(number)
    ]
    people = [annotation(place, place, 4, [place, 0, 10, 20], key="track_id") for place in range(number)]
    return content(videos=[{"id": 1, "name": "gate", **video_entry}], images=images, annotations=people)


@pytest.mark.parametrize("first", [0, 1])
def test_pictures_that_are_a_selection_numbered_anew_are_refused(tmp_path, first):
    """Kind B1: annotations of every fifth frame, numbered 0, 1, 2, ..."""
    assert refusal(tmp_path, thinned(first=first), num_frames=98) == (
        f": lists 20 images of the video, frame_id {first} to {19 + first} without a gap, but the video gate.mp4 has "
        "98 frames; one of how many is each, numbered anew? Say it in the source, such as every=5; or every=1, if they "
        "are its first"
    )


def test_the_users_word_says_which_frames_they_are(tmp_path):
    """Kind B1."""
    (tmp_path / "a.json").write_text(json.dumps(thinned()))
    film = video(100, 80, num_frames=98, frame_rate=25.0)
    people = read_annotations(tmp_path / "a.json", replace(film, every=5))
    assert {index: boxes[4][0] for index, boxes in people.frames.items()} == {5 * place: place for place in range(20)}
    assert people.read_as == "COCO-video; every=5"
    assert sorted(read_annotations(tmp_path / "a.json", replace(film, every=1)).frames) == list(range(20))
    with pytest.raises(
        SourceError, match=r"stands in frame 12 from 0, but the video gate\.mp4 with every=10 has 10 frames"
    ):
        read_annotations(tmp_path / "a.json", replace(film, every=10))
    (tmp_path / "a.json").write_text(json.dumps(thinned(length=20, fps=5)))
    with pytest.raises(SourceError, match=r"counts 20 frames, .* has 98; .* If it counts one of 5 frames, .*every=5$"):
        read_annotations(tmp_path / "a.json", film)
    assert len(read_annotations(tmp_path / "a.json", replace(film, every=5)).frames) == 20


@pytest.mark.parametrize(
    ("name", "is_read"),
    [("gate/{1:06d}.jpg", True), ("gate_{1}.png", True), ("{0}.jpg", False), ("gate.jpg", False), ("{1}00.jpg", False)],
)
def test_pictures_named_after_their_frames_are_those_frames(tmp_path, name, is_read):
    """Kind B1."""
    backwards = thinned(name=name)
    for image in backwards["images"]:
        image["frame_id"] = 19 - image["frame_id"]
    assert "numbered anew? Say it" in refusal(tmp_path, backwards, num_frames=98)
    if not is_read:
        assert "numbered anew? Say it" in refusal(tmp_path, thinned(name=name), num_frames=98)
        return
    people = read(tmp_path, thinned(name=name), num_frames=98)
    assert sorted(people.frames) == list(range(0, 100, 5))
    (warning,) = people.warnings
    assert warning == "a.json: its images are one of 5 frames by their names, and numbered anew; names were believed"


def test_a_part_of_a_video_that_counts_its_frames_is_read(tmp_path):
    assert sorted(read(tmp_path, thinned(length=98), num_frames=98).frames) == list(range(20))


def test_corners_are_not_read_as_sizes(tmp_path):
    """Kind B3."""
    made = thinned()
    for place, entry in enumerate(made["annotations"]):
        entry["bbox"] = [40 + place, 30, 50 + place, 60]
    assert "20 of 20 boxes reach beyond the picture of 100x80" in refusal(tmp_path, made, num_frames=20)
    assert read(tmp_path, made, num_frames=20, sides="xyxy").frames[0] == {4: (40, 30, 50, 60)}


def test_youtube_vis_is_named(tmp_path):
    """Kind B3: its tracks are lists of boxes."""
    track = {"id": 1, "video_id": 1, "category_id": 1, "bboxes": [[0, 0, 10, 20], None], "length": 2}
    made = {"videos": [{"id": 1, "file_names": ["a/0.jpg"]}], "annotations": [track], "categories": []}
    message = refusal(tmp_path, made)
    assert "this is YouTube-VIS, whose annotations are tracks with a list of bboxes. Write each image as" in message


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_person_id_that_is_empty_is_none(tmp_path, nobody):
    """Kind B2."""
    made = content()
    for entry in made["annotations"]:
        entry["person_id"] = nobody
    assert not read(tmp_path, made).identified
    for entry in made["annotations"]:
        entry["person_id"] = "Anna"
    assert refusal(tmp_path, made) == (
        ", annotation 1: person_id must be a finite number; got 'Anna'. Who it is stands there as a number, the same "
        "in every video: names are not read"
    )
