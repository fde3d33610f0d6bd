"""The fields are those of Label Studio's documentation of VideoRectangle; the files are written by hand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.annotations.label_studio import read_label_studio, write_label_studio
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video

# The keyframes of the documentation's example, of 1051 frames, in a video of 200x100.
DOCUMENTED = [
    {"x": 16, "y": 51, "width": 30, "height": 28, "rotation": 0, "enabled": True, "frame": 1, "time": 0.04},
    {"x": 44.7, "y": 51.5, "width": 30.1, "height": 28.8, "rotation": 0, "enabled": True, "frame": 18, "time": 0.72},
    {"x": 44.7, "y": 51.5, "width": 30.1, "height": 28.8, "rotation": 0, "enabled": False, "frame": 25, "time": 1},
]


def key(frame, *, enabled=True, x=0, width=10, **more):
    return {"frame": frame, "enabled": enabled, "x": x, "y": 0, "width": width, "height": 20, "rotation": 0, **more}


def region(name, *sequence, labels=("Person",), frames_count=30, duration=1.2):
    value = {"framesCount": frames_count, "duration": duration, "sequence": list(sequence), "labels": list(labels)}
    return {"id": name, "type": "videorectangle", "from_name": "box", "to_name": "video", "value": value}


def who(name, number):
    return {"id": name, "type": "number", "from_name": "person_id", "to_name": "video", "value": {"number": number}}


def task(*result, number=1, file="/data/upload/1/5d1f2c3a-gate.mp4", more=()):
    return {"id": number, "data": {"video": file}, "annotations": [{"id": 7, "result": list(result)}, *more]}


def read(tmp_path, *tasks, name="gate.mp4", num_frames=30, frame_rate=25.0):
    (tmp_path / "a.json").write_text(json.dumps(list(tasks)))
    film = video(200, 100, name=name, num_frames=num_frames, frame_rate=frame_rate)
    return read_label_studio(tmp_path / "a.json", film)


def refusal(tmp_path, *tasks, **of_the_video):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, *tasks, **of_the_video)
    return str(caught.value).removeprefix(str(tmp_path / "a.json"))


def test_the_documented_example_is_percent_from_frame_1_and_ends_where_it_is_not_enabled(tmp_path):
    people = read(tmp_path, task(region("a", *DOCUMENTED, frames_count=1051, duration=42.04)), num_frames=1051)
    assert sorted(people.frames) == list(range(25))
    assert people.frames[0][1] == pytest.approx((32, 51, 92, 79))
    assert people.frames[17][1] == pytest.approx((89.4, 51.5, 149.6, 80.3))
    assert people.frames[24] == people.frames[17]
    assert not people.identified


@pytest.mark.parametrize("identified", [True, False])
def test_what_was_written_comes_back(tmp_path, identified):
    boxes = {index: {who: (10.5 * who, 3.0, 10.5 * who + 8.25, 90.0) for who in (2, 7)} for index in (0, 1, 2, 9)}
    boxes[29] = {7: (0.0, 0.0, 200.0, 100.0)}
    film = video(200, 100, name="gate.mp4", num_frames=30, frame_rate=29.97)
    write_label_studio(tmp_path / "a.json", TrackedBoxes(frames=boxes, dropped={}, identified=identified), film)
    people = read_label_studio(tmp_path / "a.json", film)
    assert people.identified is identified
    number_of = dict(zip((2, 7), sorted({who for there in people.frames.values() for who in there}), strict=True))
    assert not identified or number_of == {2: 2, 7: 7}
    assert people.frames.keys() == boxes.keys()
    for index, there in boxes.items():
        assert people.frames[index].keys() == {number_of[who] for who in there}
        for who, box in there.items():
            assert people.frames[index][number_of[who]] == pytest.approx(box, abs=1e-6)


def test_a_video_without_a_length_or_with_fewer_frames_cannot_be_written_of(tmp_path):
    boxes = TrackedBoxes(frames={40: {1: (0.0, 0.0, 9.0, 9.0)}}, dropped={}, identified=True)
    for num_frames, told in ((None, "does not tell both"), (30, "frame 40 from 0")):
        film = video(200, 100, name="gate.mp4", num_frames=num_frames, frame_rate=25.0)
        with pytest.raises(SourceError, match=told):
            write_label_studio(tmp_path / "a.json", boxes, film)
    assert not (tmp_path / "a.json").exists()


SEQUENCES = st.dictionaries(st.integers(1, 20), st.tuples(st.integers(0, 80), st.booleans()), min_size=1, max_size=6)


@given(keyframes=SEQUENCES, order=st.randoms(use_true_random=False))
def test_a_region_goes_straight_while_enabled_and_stays_till_the_end(tmp_path_factory, keyframes, order):
    sequence = [key(frame, x=x, enabled=enabled) for frame, (x, enabled) in keyframes.items()]
    order.shuffle(sequence)
    people = read(tmp_path_factory.mktemp("ls"), task(region("a", *sequence)))
    for frame in range(1, 31):
        before = max((other for other in keyframes if other <= frame), default=None)
        after = min((other for other in keyframes if other >= frame), default=None)
        if before is None or (before != frame and not keyframes[before][1]):
            assert frame - 1 not in people.frames
            continue
        x = keyframes[before][0]
        if after not in (None, before):
            x += (keyframes[after][0] - x) * (frame - before) / (after - before)
        assert people.frames[frame - 1][1] == pytest.approx((2 * x, 0, 2 * x + 20, 20))


def test_a_number_for_each_region_is_the_person(tmp_path):
    people = read(tmp_path, task(region("a", key(1, enabled=False)), who("a", 41), region("b", key(3)), who("b", 7)))
    assert people.frames[0] == {41: (0, 0, 20, 20)}
    assert people.frames[29] == {7: (0, 0, 20, 20)}
    assert people.identified


def test_only_people_are_taken_and_the_rest_is_counted_in_frames(tmp_path):
    others = [
        region("b", key(1), key(4, enabled=False), labels=("Car",)),
        region("c", key(1), key(3, enabled=False), labels=()),
        region("d", key(1, x=-8, enabled=False)),
        region("e"),
        {"id": "f", "type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 5}]}},
    ]
    people = read(tmp_path, task(region("a", key(1, enabled=False)), *others))
    assert people.frames == {0: {1: (0, 0, 20, 20)}}
    assert people.dropped == {"other-class": 4, "unlabelled": 3, "outside": 1}


@pytest.mark.parametrize("root", ["", "warehouse%2F", "C:\\films\\"])
def test_a_file_of_local_storage_is_named_in_the_query(tmp_path, root):
    """Kind B1: the address of local storage names its file behind ?d=, not in its path."""
    own, other = (task(region("a", key(1)), file=f"/data/local-files/?d={root}{name}.mp4") for name in ("gate", "door"))
    assert len(read(tmp_path, other, own).frames) == 30
    assert "is about 'door.mp4', but the video is 'gate.mp4'" in refusal(tmp_path, other)


def test_a_task_is_chosen_by_the_name_of_its_video(tmp_path):
    gate = task(region("a", key(1, enabled=False)))
    drone = task(region("a", key(5, enabled=False)), number=2, file="drone.mp4")
    assert list(read(tmp_path, gate, drone).frames) == [0]
    assert list(read(tmp_path, gate, drone, name="drone.mp4").frames) == [4]
    assert refusal(tmp_path, gate, drone, name="tower.mp4") == (
        ": must hold the video 'tower.mp4' once, by its file's name; it holds ['5d1f2c3a-gate.mp4', 'drone.mp4']. If "
        "it has another name there, say so in the source: annotations_of=NAME"
    )


def test_what_an_annotator_skipped_is_not_read(tmp_path):
    skipped = {"id": 8, "was_cancelled": True, "result": [region("z", key(9))]}
    assert list(read(tmp_path, task(region("a", key(1, enabled=False)), more=[skipped])).frames) == [0]


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        ([region("a", key(1, rotation=15))], ", region a, frame 1: boxes must stand upright; got rotation 15"),
        ([region("a", key(0))], ", region a: frame must be a whole number from 1; got 0"),
        ([region("a", key(31))], ", region a, frame 31: lies beyond the 30 frames of framesCount"),
        ([region("a", key(1), frames_count=None)], ", region a: framesCount must be a finite number; got None"),
        ([region("a", key(1, enabled=None))], ", region a, frame 1: enabled must be true or false; got None"),
        ([region("a", key(1, x="left"))], ", region a, frame 1: x must be a finite number; got 'left'"),
        (
            [region("a", key(1, width=0, enabled=False), key(9, x=150, enabled=False), key(9))],
            ": 3 of 3 boxes cannot be, and one in 10 is too many; are these the annotations of this video, in pixels "
            "of its full size? The first: region a: frame 9 stands twice; the first is taken; region a, frame 0 from "
            "0: a box must have a width and a height; got 0x20; region a, frame 8 from 0: the box lies outside the "
            "picture of 200x100",
        ),
        (
            [region("a", key(1)), region("b", key(1)), who("a", 3)],
            ", region b: all people must have a person_id or none; this one has none",
        ),
        ([region(["a"], key(1))], ", region: id must be a number or a text; got ['a']"),
        ([region("a", key(1)), who("a", 0)], ", region a: person_id must be a whole number from 1; got 0. Who"),
        (
            [region("a", key(1)), region("b", key(1, x=50)), who("a", 3), who("b", 3)],
            ", region b, frame 0 from 0: id 3 stands twice in frame 0, at (0, 0, 20, 20) and (100, 0, 120, 20): a "
            "person is in one place. Give one of them another number, or end one of them where the other begins",
        ),
        ([], ": must hold boxes of people (labels person, people, pedestrian, human); none is left of 0 boxes {}"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, result, complaint):
    assert refusal(tmp_path, task(*result)).startswith(complaint)


def test_two_annotations_of_a_task_are_refused(tmp_path):
    assert refusal(tmp_path, task(more=[{"id": 8, "result": []}])) == (
        ", task 1: must have one annotation that was not skipped; got 2. Keep the one that counts"
    )


def test_what_is_no_list_of_tasks_is_refused(tmp_path):
    assert refusal(tmp_path, 3) == ": tasks must be a list of objects; got '[3]'"
    assert refusal(tmp_path, {"id": 1, "data": {}}) == ", task 1: annotations must be a list of objects; got 'None'"
    assert refusal(tmp_path, {"id": 1}) == (
        ": Label Studio's tasks have data and annotations; got ['id']. Export the project as JSON"
    )


def test_one_task_alone_is_a_list_of_one(tmp_path):
    """Kind B3: the interface for programs gives it so."""
    (tmp_path / "a.json").write_text(json.dumps(task(region("a", key(1)))))
    assert len(read_label_studio(tmp_path / "a.json", video(200, 100, num_frames=30)).frames) == 30


def test_its_short_form_and_predictions_alone_are_named_with_the_remedy(tmp_path):
    """Kind B3."""
    short = {"video": "/data/gate.mp4", "id": 1, "box": [region("a", key(1))["value"]], "annotator": 1}
    assert refusal(tmp_path, short) == (
        ": Label Studio's tasks have data and annotations; got its short form JSON_MIN, in which regions have no ids. "
        "Export the project as JSON"
    )
    guessed = {**task(), "annotations": [], "predictions": [{"result": [region("a", key(1))]}]}
    assert refusal(tmp_path, guessed) == (
        ", task 1: must have an annotation; it has predictions only, which a model made and nobody looked at. Accept "
        "them in Label Studio (submit the task) and export it again"
    )


LONG = {"num_frames": 390, "frame_rate": 30.0}


def timed(rate, *, start=0, **more):
    """A region that walks through 13 s, as a project of this rate writes it; `start` is the time of frame 1 in "
    "frames."""
    last = round(12.9 * rate)
    ends = [key(1, time=start / rate), key(last, x=80, enabled=False, time=(last - 1 + start) / rate)]
    return region("a", *ends, frames_count=13 * rate, **({"duration": 13.0} | more))


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("rate", [24, 25, 60])
def test_frames_of_another_rate_are_converted_by_their_times(tmp_path, rate, start):
    """Kind B1: Label Studio at another rate than the video."""
    wanted = read(tmp_path, task(timed(30)), **LONG)
    people = read(tmp_path, task(timed(rate, start=start)), **LONG)
    assert abs(len(people.frames) - len(wanted.frames)) <= 1
    for index in sorted(set(people.frames) & set(wanted.frames)):
        assert people.frames[index][1] == pytest.approx(wanted.frames[index][1], abs=1.5)  # of 160 px
    assert not wanted.warnings
    (warning,) = people.warnings
    assert f"counts {13 * rate} frames, {rate} a second, and the video has 390, 30 a second" in warning


def test_a_converted_region_stands_still_until_the_end_and_a_lone_keyframe_in_its_frame(tmp_path):
    regions = [
        region("a", key(121), frames_count=312, duration=13.0),
        region("b", key(13, enabled=False), frames_count=312, duration=13.0),
    ]
    people = read(tmp_path, task(*regions), **LONG)
    assert [index for index in people.frames if 1 in people.frames[index]] == list(range(150, 390))
    assert [index for index in people.frames if 2 in people.frames[index]] == [15]


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        # The count is the video's, the times are not.
        (
            region("a", key(310, time=12.9, enabled=False), frames_count=390, duration=13.0),
            "frame 310 is at 12.9 s, but at 30 frames a second it is at 10.3 s; the video gate.mp4 has 30.0 a second",
        ),
        # The count is another one, and the times are the video's.
        (
            region("a", key(300, time=299 / 30, enabled=False), frames_count=312, duration=13.0),
            "frame 300 is at 9.96667 s, but at 24 frames a second it is at 12.4583 s",
        ),
        (
            timed(24, duration=None),
            "framesCount is 312, but the video gate.mp4 has 390 frames, and the file does not tell",
        ),
        (
            region("a", key(1), frames_count=480, duration=20.0),
            "framesCount is 480 in 20 s, but the video gate.mp4 has 390 frames in 13 s; are these the annotations",
        ),
        (
            region("a", key(1), frames_count=380, duration=12.7),
            "framesCount is 380 in 12.7 s, but the video gate.mp4 has",
        ),
    ],
)
def test_a_rate_that_is_not_certain_is_refused_with_both_values(tmp_path, made, complaint):
    """Kind B1: Label Studio at another rate than the video."""
    assert refusal(tmp_path, task(made), **LONG).startswith(f", region a: {complaint}")


def test_a_task_of_another_video_is_refused(tmp_path):
    """Kind B1: annotations that name another video."""
    assert refusal(tmp_path, task(region("a", key(1))), name="other.mp4") == (
        ", task 1: is about '5d1f2c3a-gate.mp4', but the video is 'other.mp4'; are these the annotations of this "
        "video? If they are, say so in the source: annotations_of=5d1f2c3a-gate.mp4"
    )
    assert read(tmp_path, task(region("a", key(1)), file="no name at all"), name="other.mp4").frames


def test_a_billion_frames_are_refused_before_one_is_filled_in(tmp_path):
    """Kind B4 of hostile files."""
    bomb = task(region("a", key(1), frames_count=10**9, duration=None))
    assert "framesCount is 1000000000, but the video gate.mp4 has 30 frames" in refusal(tmp_path, bomb)
    unknown = {"num_frames": None, "frame_rate": None}
    assert "stands in frame 999999999 from 0, but the video gate.mp4 cannot have more" in refusal(
        tmp_path, bomb, **unknown
    )
