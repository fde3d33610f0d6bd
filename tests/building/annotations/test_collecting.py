from pathlib import Path

import pytest

from skyreid.building.annotations.collecting import BoxCollector, is_person
from skyreid.errors import SourceError


def collector():
    return BoxCollector(Path("a.txt"), width=100, height=80, first_frame=1)


def test_frames_count_from_0_whatever_the_file_does():
    boxes = collector()
    boxes.add(1, 4, (0.0, 0.0, 10.0, 20.0), "here")
    boxes.add(5, 4, (0.0, 0.0, 10.0, 20.0), "here", visible=0.5)
    people = boxes.finish("everybody", identified=True)
    assert people.frames == {0: {4: (0, 0, 10, 20)}, 4: {4: (0, 0, 10, 20)}}
    assert people.visible == {4: {4: 0.5}}


def test_half_of_a_box_must_lie_in_the_picture():
    boxes = collector()
    boxes.add(1, 1, (-10.0, 0.0, 10.0, 20.0), "here", visible=0.5)
    boxes.add(1, 2, (-10.5, 0.0, 10.0, 20.0), "here", visible=0.5)
    boxes.add(1, 3, (95.0, 60.0, 105.0, 80.0), "here")
    people = boxes.finish("everybody", identified=True)
    assert people.frames == {0: {1: (0, 0, 10, 20), 3: (95, 60, 100, 80)}}
    assert people.dropped == {"outside": 1}
    assert people.visible == {0: {1: 0.5}}


def test_a_number_has_one_box_in_a_frame():
    boxes = collector()
    boxes.add(3, 7, (0.0, 0.0, 10.0, 20.0), "here")
    with pytest.raises(SourceError) as caught:
        boxes.add(3, 7, (50.0, 0.0, 60.0, 20.0), "there")
    assert str(caught.value) == "there: id 7 stands twice in frame 3"


def test_the_picture_must_be_that_of_the_video():
    boxes = collector()
    boxes.check_picture("100", 80, "here")
    with pytest.raises(SourceError) as caught:
        boxes.check_picture(100, 81, "here")
    assert str(caught.value) == (
        "here: annotated in a picture of 100x81, but the video has 100x80; are these the annotations of this video?"
    )


def test_a_file_without_people_is_refused():
    boxes = collector()
    boxes.leave_out("other-class", 0)
    boxes.leave_out("ignored", 2)
    with pytest.raises(SourceError) as caught:
        boxes.finish("dressed in red", identified=True)
    assert str(caught.value) == (
        "a.txt: must hold boxes of people (dressed in red); none is left of 2 boxes {'ignored': 2}"
    )


@pytest.mark.parametrize("label", ["person", "Pedestrian", " people ", "HUMAN"])
def test_people_have_several_words(label):
    assert is_person(label)
    assert not is_person(f"{label} on a bicycle")
