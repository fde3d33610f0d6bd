"""Kind B3: a column is believed only when it is certain who wrote it. The rows are those of each program's writer."""

import pytest

from skyreid.building.annotations.mot import read_mot
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video


def read(tmp_path, rows, *, format="mot", labels=None):
    """Read what stands behind `frame,id,left,top,width,height` in frame after frame; `rows` are of one frame."""
    lines = [
        f"{frame},{person},{10 * person + 1},1,9,20,{end}"
        for frame in (1, 2)
        for person, end in enumerate(rows, start=1)
    ]
    (tmp_path / "gt.txt").write_text("\n".join(lines))
    if labels is not None:
        (tmp_path / "labels.txt").write_text("\n".join(labels))
    return read_mot(tmp_path / "gt.txt", video(200, 100), format=format)


def people(tracked):
    return sorted(tracked.frames[0])


def refusal(tmp_path, rows, **how):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, rows, **how)
    return str(caught.value).removeprefix(str(tmp_path))


@pytest.mark.parametrize(
    ("rows", "taken", "words"),
    [
        # MOTChallenge: pedestrian, car, one who does not count
        (["1,1,0.25", "1,3,1", "0,1,1"], [1], "MOTChallenge ground truth"),
        (["1,1,1.0", "1,1,1.0"], [1, 2], "MOTChallenge ground truth"),
        (["1,1,-1", "1,7,-1"], [1], "MOTChallenge ground truth"),  # as we write it
        # BoxMOT: confidence, class + 1, index of the detection
        (["0.912345,1,0", "0.85,1,1"], [1, 2], "BoxMOT"),
        (["0.912345,1,0", "0.85,3,1", "0.5,1,2"], [1, 3], "BoxMOT"),
        (["0.912345,1,-1", "0.85,1,-1"], [1, 2], "BoxMOT"),
        (["1,1,0", "1,1,1", "1,1,2"], [1, 2, 3], "BoxMOT"),
        (["0.9,0,0", "0.8,2,1"], [1], "BoxMOT's results (confidence, class 0 = person"),  # before it counted from 1
        (["0,1,0", "0,1,1", "0,3,2"], [1, 2], "BoxMOT"),  # confidence written as a whole number
        # Nothing is said
        (["1,-1,-1", "0.5,-1,-1"], [1, 2], "tracker results"),
        # MOT15: a flag and a place in the world; results without one
        (["1,-17.4,3.2,0", "0,-2.5,1.5,0"], [1], "10 columns (flag"),
        (["0.3,-1,-1,-1", "0,-1,-1,-1"], [1, 2], "tracker results"),
        (["-1,-1,-1,0", "-1,-1,-1,1"], [1, 2], "tracker results"),  # StrongSORT's scripts
    ],
)
def test_whoever_is_certain_is_read(tmp_path, rows, taken, words):
    tracked = read(tmp_path, rows)
    assert people(tracked) == taken
    assert words in tracked.read_as


def test_only_ground_truth_tells_what_is_seen(tmp_path):
    assert read(tmp_path, ["1,1,0.25", "1,1,0"]).visible[0] == {1: 0.25, 2: 0}
    assert read(tmp_path, ["0.9,1,0", "0.9,1,1"]).visible == {}


def test_what_nobody_called_a_person_is_taken_with_a_warning(tmp_path):
    warning, *_ = read(tmp_path, ["1,-1,-1"]).warnings
    assert "nothing in it says which rows are people; all are taken" in warning


def test_cvats_labels_stand_beside_its_rows_and_its_visibility_says_only_occluded(tmp_path):
    tracked = read(tmp_path, ["1,1,1.0", "1,2,0.0", "1,2,1.0", "0,2,1.0"], labels=["car", "Person"])
    assert people(tracked) == [2, 3]
    assert tracked.visible[0] == {3: 1.0}
    assert tracked.dropped == {"other-class": 2, "ignored": 2}


@pytest.mark.parametrize(
    ("rows", "labels", "complaint"),
    [
        (
            ["1,1,1.0"],
            ["car", "bus"],
            "/labels.txt: must name the label of people (person, people, pedestrian, human);",
        ),
        (
            ["0.9,1,4"],
            ["person"],
            "/gt.txt, line 1: labels.txt beside it says that CVAT wrote it, but flag 0.9, label 1",
        ),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path, rows, labels, complaint):
    assert refusal(tmp_path, rows, labels=labels).startswith(complaint)


AMBIGUOUS = [
    ["1,1,1.0", "1,1,0.0"],  # CVAT's without its labels, or ground truth of somebody hidden
    ["1,1,0", "1,1,1"],  # BoxMOT's two detections, both certain
    ["1,1,1", "1,2,2"],  # UAVDT's, or BoxMOT's
    ["0.98,1,0.87", "0.9,1,1"],  # ground truth with confidences
    ["1,20,0.5"],  # a class that MOTChallenge does not have
]


@pytest.mark.parametrize("rows", AMBIGUOUS)
def test_what_could_be_two_is_refused_and_can_be_named(tmp_path, rows):
    message = refusal(tmp_path, rows)
    assert message.startswith(
        f"/gt.txt, line 1: columns 7 to 9 ({', '.join(f'{float(v):g}' for v in rows[0].split(','))}"
    )
    assert "name the format: mot-gt, boxmot, cvat-mot (with labels.txt beside it), or mot-results" in message
    assert people(read(tmp_path, rows, format="mot-results")) == list(range(1, len(rows) + 1))


def test_a_dialect_that_is_named_is_believed(tmp_path):
    hidden = read(tmp_path, AMBIGUOUS[0], format="mot-gt")
    assert hidden.visible[0] == {1: 1.0, 2: 0.0}
    assert read(tmp_path, AMBIGUOUS[1], format="boxmot").visible == {}
    assert people(read(tmp_path, AMBIGUOUS[2], format="boxmot")) == [1]
    occluded = read(tmp_path, AMBIGUOUS[0], format="cvat-mot", labels=["person"])
    assert occluded.visible[0] == {1: 1.0}


def test_uavdt_has_no_people(tmp_path):
    assert refusal(tmp_path, ["1,1,1", "2,3,2"]) == (
        "/gt.txt: columns 7 to 9 are UAVDT's (out of view, occlusion, category), which annotates cars, trucks and "
        "buses only; if these are people, name the format: mot-results, which takes all rows for people"
    )


def cars(tmp_path, name="cars.txt", size="40,20", end="1,1,1", format="mot"):
    (tmp_path / name).write_text("\n".join(f"{frame},1,{frame},1,{size},{end}" for frame in range(1, 31)))
    return read_mot(tmp_path / name, video(200, 100), format=format)


def test_rows_of_uavdt_that_all_end_in_1_are_told_from_ground_truth(tmp_path):
    """Cars that nothing hides: a name of the benchmark tells, or their shape, unless the file lies in MOTChallenge's
    layout."""
    for name in ("M0101_gt_whole.txt", "M0101_gt.txt"):
        with pytest.raises(SourceError, match=r"columns 7 to 9 are UAVDT's .* name the format: mot-results"):
            cars(tmp_path, name, size="9,20", end="1,1,1" if "whole" in name else "1,-1,-1")
    with pytest.raises(SourceError) as caught:
        cars(tmp_path)
    assert str(caught.value).removeprefix(str(tmp_path)) == (
        "/cars.txt: rows that end in 1,1,1 are ground truth's (flag, class, visibility) or UAVDT's (out of view, "
        "occlusion, category), which are of cars; 30 of 30 boxes are wider than tall, and people seldom are. If they "
        "are people, name the format: mot-gt, or mot-results, which believes no column behind the box"
    )
    assert len(cars(tmp_path, format="mot-gt").frames) == len(cars(tmp_path, format="mot-results").frames) == 30
    assert "ground truth" in cars(tmp_path, size="9,20").read_as
    assert "ground truth" in cars(tmp_path, end="1,1,1.0").read_as  # as we write people seen from above
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=cars\n")
    assert "ground truth" in cars(tmp_path).read_as


def test_the_format_mot_reads_any_ten_columns(tmp_path):
    for end in ("1,0,0,0", "1,40,20,7", "0.5,1,0,0"):
        assert people(read(tmp_path, [end])) == [1]


def test_a_dialect_of_nine_columns_is_not_read_from_ten(tmp_path):
    assert refusal(tmp_path, ["1,-1,-1,-1"], format="boxmot") == "/gt.txt, line 1: boxmot has 9 columns; got 10"


def test_cvats_dialect_without_labels_is_refused(tmp_path):
    assert refusal(tmp_path, ["1,1,1.0"], format="cvat-mot") == (
        "/gt.txt: CVAT's MOT export comes with labels.txt beside it, which names the classes"
    )
