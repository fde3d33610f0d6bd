import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.errors import DatasetError
from skyreid.simulation.scene_truth import (
    DescribedPerson,
    SceneCamera,
    SceneFace,
    SceneFrame,
    ScenePerson,
    mot_lines,
    read_scene_truth,
    write_people,
    write_scene_truth,
)

CAMERA = SceneCamera(
    position=(0.0, 1.0, 2.0), axes=((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)), focal_px=900.0
)
FACE = SceneFace(box=(4.5, 1.0, 6.0, 3.0), facing=0.8, visible=1.0)
PERSON = ScenePerson(pid=3, box=(0.0, 1.0, 10.25, 30.0), visible=0.87, head=(4.0, 1.0, 7.0, 4.0), face=FACE)
numbers = st.floats(-1e6, 1e6)
shares = st.floats(0, 1)
vectors = st.tuples(numbers, numbers, numbers)
boxes = st.tuples(numbers, numbers, st.floats(1, 1e6), st.floats(1, 1e6)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
faces = st.fixed_dictionaries({"box": boxes, "facing": shares, "visible": shares})
persons = st.fixed_dictionaries(
    {"pid": st.integers(1, 99), "box": boxes, "visible": shares, "head": boxes, "face": st.none() | faces}
)
cameras = st.fixed_dictionaries(
    {"position": vectors, "axes": st.tuples(vectors, vectors, vectors), "focal_px": numbers}
)
crowds = st.lists(persons, max_size=3, unique_by=lambda person: person["pid"])


def scene_frame(index, time_s, camera, people):
    """Built in the test and not in a strategy, where the type checker of the tests would draw random numbers."""
    return SceneFrame(
        index=index,
        time_s=time_s,
        camera=SceneCamera(**camera),
        people=tuple(
            ScenePerson(**{**person, "face": person["face"] and SceneFace(**person["face"])}) for person in people
        ),
    )


def frame(index=0, people=(PERSON,)):
    return SceneFrame(index=index, time_s=index / 25, camera=CAMERA, people=people)


@given(st.lists(st.tuples(numbers, cameras, crowds), min_size=1, max_size=3))
def test_what_is_written_is_read_back(tmp_path_factory, scene):
    frames = [scene_frame(index, *seen) for index, seen in enumerate(scene)]
    path = tmp_path_factory.mktemp("truth") / "a.jsonl"
    write_scene_truth(path, frames)
    assert read_scene_truth(path) == tuple(frames)
    before = path.read_bytes()
    write_scene_truth(path, iter(frames))
    assert path.read_bytes() == before


def test_a_line_is_the_documented_json(tmp_path):
    turned_away = ScenePerson(pid=4, box=PERSON.box, visible=1.0, head=PERSON.head, face=None)
    write_scene_truth(tmp_path / "a.jsonl", [frame(0, ()), frame(1, (PERSON, turned_away))])
    first, second = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    camera = {"position": [0, 1, 2], "axes": [[1, 0, 0], [0, 0, -1], [0, 1, 0]], "focal_px": 900}
    box, head = [0, 1, 10.25, 30], [4, 1, 7, 4]
    assert first == {"frame": 0, "time_s": 0, "camera": camera, "people": []}
    assert second["people"] == [
        {
            "pid": 3,
            "box": box,
            "visible": 0.87,
            "head": head,
            "face": {"box": [4.5, 1, 6, 3], "facing": 0.8, "visible": 1},
        },
        {"pid": 4, "box": box, "visible": 1, "head": head, "face": None},
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"frame":1', '"frame":2', "frame 1 stands here; got frame 2"),
        ('"frame":1', '"frame":true', "frame.index: expected int; got True"),
        ('"time_s":0.04', '"time_s":NaN', "numbers must be finite; got NaN"),
        ('"pid":3', '"pid":"3"', "frame.people.pid: expected int; got '3'"),
        ('"visible":0.87', '"visible":1.2', "frame.people: visible lies in 0-1; got 1.2"),
        ('"facing":0.8', '"facing":-0.8', "frame.people.face: facing lies in 0-1; got -0.8"),
        (
            "[0.0,1.0,10.25,30.0]",
            "[0.0,1.0,0.0,30.0]",
            "frame.people: a box has left < right and top < bottom; got (0.0, 1.0, 0.0, 30.0)",
        ),
        ("[0.0,1.0,10.25,30.0]", "[0.0,1.0,10.25]", "frame.people.box: expected 4 values; got 3"),
        ('"focal_px"', '"focal"', "frame.camera: SceneCamera has no field focal"),
        ('"frame"', '"index"', "expected the key frame; got {'index'"),
        ("{", "[", "Expecting ',' delimiter"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, old, new, complaint):
    path = tmp_path / "a.jsonl"
    write_scene_truth(path, [frame(0), frame(1)])
    first, second = path.read_text().splitlines()
    assert old in second
    path.write_text(f"{first}\n{second.replace(old, new, 1)}\n")
    with pytest.raises(DatasetError) as raised:
        read_scene_truth(path)
    assert str(raised.value).startswith(f"{path}: line 2 is damaged: {complaint}")


def test_a_cut_an_empty_and_a_missing_file_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(DatasetError, match="must be the truth of a video; it cannot be read: No such file"):
        read_scene_truth(path)
    write_scene_truth(path, [frame(0), frame(1)])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match="must be one line for each video frame; it is cut"):
        read_scene_truth(path)
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match="must be one line for each video frame; it is empty"):
        read_scene_truth(path)


def test_frames_out_of_order_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="every frame once, from 0; got frame 2 at 1"):
        write_scene_truth(tmp_path / "a.jsonl", [frame(0), frame(2)])
    assert not list(tmp_path.iterdir())


def test_nobody_stands_twice_in_a_frame():
    with pytest.raises(ValueError, match=r"a pid stands once in a frame; got \[3, 3\]"):
        frame(0, (PERSON, PERSON))


def test_who_there_is_is_written_in_words(tmp_path):
    path = tmp_path / "people.json"
    people = (
        DescribedPerson(pid=1, caption="a person in a red jacket", scene="campus"),
        DescribedPerson(pid=2, caption="a person with a hat", scene="library"),
    )
    write_people(path, 7, people)
    assert json.loads(path.read_text()) == {
        "seed": 7,
        "people": [
            {"pid": 1, "caption": "a person in a red jacket", "scene": "campus"},
            {"pid": 2, "caption": "a person with a hat", "scene": "library"},
        ],
    }


def lines_of(*people):
    frames = [
        SceneFrame(
            index=index,
            time_s=index / 6,
            camera=CAMERA,
            people=tuple(
                ScenePerson(pid=pid, box=box, visible=visible, head=box, face=None) for pid, box, visible in seen
            ),
        )
        for index, seen in enumerate(people)
    ]
    return b"".join(mot_lines(frames)).decode().splitlines()


def test_frames_and_pixels_count_from_one():
    assert lines_of([], [(7, (0.0, 10.5, 20.25, 60.0), 0.875)]) == ["2,7,1.00,11.50,20.25,49.50,1,1,0.875"]


def test_boxes_end_at_the_edge_of_the_picture():
    assert lines_of([(1, (-5.0, -8.0, 20.0, 60.0), 0.9), (2, (1270.0, 700.0, 1300.0, 780.0), 0.1)]) == [
        "1,1,1.00,1.00,20.00,60.00,1,1,0.900",
        "1,2,1271.00,701.00,10.00,20.00,1,1,0.100",
    ]


def test_who_hardly_shows_has_no_box():
    box = (10.0, 10.0, 30.0, 70.0)
    assert lines_of([(1, box, 0.019), (2, box, 0.02)]) == ["1,2,11.00,11.00,20.00,60.00,1,1,0.020"]
