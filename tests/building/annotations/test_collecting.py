from pathlib import Path

import pytest

from skyreid.building.annotations.collecting import BoxCollector, is_person
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video


def collector(**of_the_video):
    return BoxCollector(Path("a.txt"), video(100, 80, **of_the_video), first_frame=1)


def finish(boxes, people="everybody"):
    return boxes.finish(people, read_as="rows", identified=True, because="told")


def test_frames_count_from_0_whatever_the_file_does():
    boxes = collector()
    boxes.add(1, 4, (0.0, 0.0, 10.0, 20.0), "here")
    boxes.add(5, 4, (0.0, 0.0, 10.0, 20.0), "here", visible=0.5)
    people = finish(boxes)
    assert people.frames == {0: {4: (0, 0, 10, 20)}, 4: {4: (0, 0, 10, 20)}}
    assert people.visible == {4: {4: 0.5}}


def test_half_of_a_box_must_lie_in_the_picture():
    boxes = collector()
    boxes.add(1, 1, (-10.0, 0.0, 10.0, 20.0), "here", visible=0.5)
    boxes.add(1, 2, (-10.5, 0.0, 10.0, 20.0), "here", visible=0.5)
    boxes.add(1, 3, (95.0, 60.0, 105.0, 80.0), "here")
    people = finish(boxes)
    assert people.frames == {0: {1: (0, 0, 10, 20), 3: (95, 60, 100, 80)}}
    assert people.dropped == {"outside": 1}
    assert people.visible == {0: {1: 0.5}}


def crowd(boxes, number=20):
    """Boxes that can be."""
    for frame in range(1, number + 1):
        boxes.add(frame, 7, (0.0, 0.0, 10.0, 20.0), f"a.txt, line {frame}")
    return boxes


@pytest.mark.parametrize(
    ("bad", "reason"),
    [((200.0, 0.0, 210.0, 20.0), "outside"), ((5.0, 0.0, 5.0, 20.0), "no-size"), ((9.0, 9.0, 5.0, 20.0), "no-size")],
)
def test_one_bad_row_is_counted_and_not_the_end(bad, reason):
    """Kind B7."""
    boxes = crowd(collector())
    boxes.add(3, 8, bad, "a.txt, line 21")
    people = finish(boxes)
    assert people.dropped == {reason: 1}
    assert len(people.frames) == 20


def test_more_than_a_tenth_bad_is_refused_with_the_first_three():
    """Kind B7."""
    boxes = crowd(collector(), 18)
    for line in (19, 20):
        boxes.add(1, line, (200.0, 0.0, 210.0, 20.0), f"a.txt, line {line}")
    assert finish(boxes).dropped == {"outside": 2}
    for line in (21, 22):
        boxes.add(1, line, (5.0, 0.0, 5.0, 20.0), f"a.txt, line {line}")
    with pytest.raises(SourceError) as caught:
        finish(boxes)
    assert str(caught.value) == (
        "a.txt: 4 of 22 boxes cannot be, and one in 10 is too many; are these the annotations of this video, in pixels "
        "of its full size? The first: line 19: the box lies outside the picture of 100x80; line 20: the box lies "
        "outside the picture of 100x80; line 21: a box must have a width and a height; got 0x20"
    )


def test_of_a_doubled_row_the_first_stays_if_they_are_equal_and_none_if_not():
    """Kind B7."""
    boxes = crowd(collector(), 30)
    boxes.add(3, 7, (0.5, 0.0, 10.0, 20.0), "a.txt, line 31")
    assert finish(boxes).frames[2] == {7: (0, 0, 10, 20)}
    boxes.add(4, 7, (50.0, 0.0, 60.0, 20.0), "a.txt, line 32")
    people = finish(boxes)
    assert 3 not in people.frames
    assert people.dropped == {"twice": 3}


def test_a_named_person_is_in_one_place():
    """Kind B3: one person twice in overlapping jobs."""
    boxes = collector()
    for _ in range(2):
        boxes.add(3, 7, (0.0, 0.0, 10.0, 20.0), "here", is_named=True)
    assert finish(boxes).dropped == {"twice": 1}
    with pytest.raises(SourceError) as caught:
        boxes.add(3, 7, (50.0, 0.0, 60.0, 20.0), "there", is_named=True)
    assert str(caught.value) == (
        "there: id 7 stands twice in frame 3, at (0, 0, 10, 20) and (50, 0, 60, 20): a person is in one place. Give "
        "one of them another number, or end one of them where the other begins"
    )


def test_a_frame_beyond_the_video_is_named_and_so_are_more_boxes_than_anybody_draws():
    """Kind B4 of hostile files: intervals over a billion frames."""
    boxes = collector(num_frames=100)
    boxes.add(102, 7, (0.0, 0.0, 10.0, 20.0), "here")  # programs count a little differently
    with pytest.raises(SourceError) as caught:
        boxes.add(1_000_000_000, 7, (0.0, 0.0, 10.0, 20.0), "here")
    assert str(caught.value) == (
        "here: stands in frame 999999999 from 0, but the video gate.mp4 has 100 frames; are these the annotations of "
        "this video?"
    )
    boxes.expect(10_000_000)
    with pytest.raises(SourceError, match="keyframes stand for more than 10,000,000 boxes; split the video"):
        boxes.expect(1)


def test_annotations_that_end_early_are_told():
    """Kind B1: a tracker that looked at every second frame."""
    assert (
        "its last box stands in frame 19 from 0, and the video has 40"
        in finish(crowd(collector(num_frames=40))).warnings[0]
    )
    assert not finish(crowd(collector(num_frames=30))).warnings


def test_a_file_without_people_is_refused():
    boxes = collector()
    boxes.leave_out("other-class", 0)
    boxes.leave_out("ignored", 2)
    with pytest.raises(SourceError) as caught:
        finish(boxes, "dressed in red")
    assert str(caught.value) == (
        "a.txt: must hold boxes of people (dressed in red); none is left of 2 boxes {'ignored': 2}"
    )


@pytest.mark.parametrize("label", ["person", "Pedestrian", " people ", "HUMAN"])
def test_people_have_several_words(label):
    assert is_person(label)
    assert not is_person(f"{label} on a bicycle")


def test_many_boxes_that_lie_mostly_outside_are_told():
    """Kind B3: corners that are read as a corner and a size reach out of the picture."""
    boxes = crowd(collector())
    assert not finish(boxes).warnings
    for frame in range(21, 41):
        boxes.add(frame, 7, (60.0, 40.0, 200.0, 160.0), "here")
    (warning,) = [told for told in finish(boxes).warnings if "outside" in told]
    assert warning == (
        "a.txt: 20 of 40 boxes lie mostly outside the picture of 100x80; are their numbers left, top, width and "
        "height, in pixels of its full size?"
    )
