"""The format is described in the VisDrone2018-MOT toolkit; the lines are written by hand."""

import pytest

from skyreid.building.annotations.visdrone import read_visdrone
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video


def read(tmp_path, *lines):
    (tmp_path / "gt.txt").write_text("\n".join(lines) + "\n")
    return read_visdrone(tmp_path / "gt.txt", video(100, 80))


def refusal(tmp_path, *lines):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, *lines)
    return str(caught.value).removeprefix(str(tmp_path / "gt.txt"))


BAD = (
    ": 1 of 1 boxes cannot be, and one in 10 is too many; are these the annotations of this video, in pixels of its "
    "full size? The first: line 1: "
)


def test_frames_count_from_1_and_targets_and_pixels_from_0(tmp_path):
    people = read(tmp_path, "1,0,0,0,10,20,1,1,0,0", "3,0,90,60,10,20,1,2,0,0")
    assert people.frames == {0: {0: (0, 0, 10, 20)}, 2: {0: (90, 60, 100, 80)}}
    assert not people.dropped
    assert not people.identified


def test_only_people_are_taken_and_the_rest_is_counted(tmp_path):
    people = read(
        tmp_path,
        "1,1,0,0,10,20,1,1,0,0",
        "1,2,0,0,10,20,0,1,0,0",  # not evaluated
        "1,0,0,0,10,20,1,0,0,0",  # ignored region
        "1,3,0,0,10,20,1,4,0,0",  # car
        "1,4,0,0,10,20,1,11,0,0",
        "1,5,-30,0,40,20,1,1,1,0",
    )
    assert people.frames == {0: {1: (0, 0, 10, 20)}}
    assert people.dropped == {"ignored": 2, "other-class": 2, "outside": 1}


@pytest.mark.parametrize(
    ("truncation", "occlusion", "visible"),
    [(0, 0, 1.0), (0, 1, 0.75), (0, 2, 0.25), (1, 0, 0.75), (1, 2, 0.1875)],
)
def test_grades_of_truncation_and_occlusion_are_shares_of_what_is_seen(tmp_path, truncation, occlusion, visible):
    people = read(tmp_path, f"1,1,0,0,10,20,1,1,{truncation},{occlusion}")
    assert people.visible == {0: {1: visible}}


def test_results_of_a_tracker_do_not_tell_what_is_seen(tmp_path):
    people = read(tmp_path, "1,1,0.5,0.25,10,20,0.4,1,-1,-1")
    assert people.frames == {0: {1: (0.5, 0.25, 10.5, 20.25)}}
    assert people.visible == {}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1,1,0,0,10,20,1,1", ", line 1: must have 10 columns (VisDrone-MOT or VID); got 8"),
        ("0,1,0,0,10,20,1,1,0,0", ", line 1: frames count from 1; got 0. If yours begin with 0, add 1 to all"),
        (
            "1,-1,0,0,10,20,1,1,-1,-1",
            BAD + "target (-1 in detections, which have no identities) must be a whole number from 0; got -1",
        ),
        ("1,1,0,0,10,20,1,12,0,0", BAD + "category must be from 0 to 11; got 12"),
        ("1,1,0,0,10,20,1,1.5,0,0", BAD + "category must be from 0 to 11; got 1.5"),
        ("1,1,0,0,10,20,1,1,2,0", BAD + "truncation must be one of [-1, 0, 1]; got 2"),
        ("1,1,0,0,10,20,1,1,0,0.5", BAD + "occlusion must be one of [-1, 0, 1, 2]; got 0.5"),
        (
            "1,1,x,0,10,20,1,1,0,0",
            ": 1 of 1 rows cannot be read, and one in 10 is too many. The first: line 1: must hold finite numbers "
            "only; got '1,1,x,0,10,20,1,1,0,0'",
        ),
        ("1,1,0,0,10,0,1,1,0,0", BAD + "a box must have a width and a height; got 10x0"),
        ("1,1,200,0,10,20,1,1,0,0", BAD + "the box lies outside the picture of 100x80"),
        (
            "1,1,0,0,10,20,1,4,0,0",
            ": must hold boxes of people (categories 1 and 2); none is left of 1 boxes {'other-class': 1}",
        ),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, line, complaint):
    assert refusal(tmp_path, line) == complaint


def test_a_target_twice_in_a_frame_is_a_bad_row(tmp_path):
    line = "4,1,0,0,10,20,1,1,0,0"
    assert "line 2: id 1 stands twice in frame 4" in refusal(tmp_path, line, line)


def test_one_bad_row_is_counted(tmp_path):
    """Kind B7."""
    rows = [f"{frame},1,0,0,10,20,1,1,0,0" for frame in range(1, 31)]
    people = read(tmp_path, *rows, "31,1,0,0,10,20,1,12,0,0", "31,1,0,nan,10,20,1,1,0,0", "31,1,0")
    assert (people.dropped, len(people.frames)) == ({"unreadable": 3}, 30)
