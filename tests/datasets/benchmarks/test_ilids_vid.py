import numpy as np
import pytest
from scipy.io import savemat

from skyreid.datasets.benchmarks import ilids_vid
from skyreid.errors import DatasetError, MissingFrameError


def test_the_first_half_of_a_row_tests_and_the_pid_is_the_folders_number(miniature):
    benchmark = ilids_vid.survey(miniature("ilids-vid")).benchmark()  # row 4 1 3 2 of people 1, 2, 3, 5
    assert [(t.tracklet_id, t.pid, t.camid) for t in benchmark.query] == [
        ("cam1/person001", 1, 0),
        ("cam1/person005", 5, 0),
    ]
    assert [(t.tracklet_id, t.pid, t.camid) for t in benchmark.gallery] == [
        ("cam2/person001", 1, 1),
        ("cam2/person005", 5, 1),
    ]
    assert [(t.pid, t.camid, len(t.frames)) for t in benchmark.train] == [
        (2, 0, 3),
        (2, 1, 3),
        (3, 0, 4),
        (3, 1, 4),
    ]


def test_frames_are_sorted_and_carry_the_number_of_the_source_video(miniature):
    frames = ilids_vid.survey(miniature("ilids-vid")).benchmark().train[0].frames
    assert [frame.index for frame in frames] == [317, 318, 319]


def test_the_ten_splits_differ_and_keep_everybody(miniature):
    root = miniature("ilids-vid")
    benchmarks = [ilids_vid.survey(root, split).benchmark() for split in range(10)]
    for benchmark in benchmarks:
        assert {t.pid for t in (*benchmark.train, *benchmark.query)} == {1, 2, 3, 5}
    assert len({tuple(t.pid for t in benchmark.query) for benchmark in benchmarks}) == 4
    with pytest.raises(DatasetError, match=r"^ilids-vid: split must be from 0 to 9; got 10$"):
        ilids_vid.survey(root, 10).benchmark()


def write_split(root, row):
    path = root / "train-test people splits/train_test_splits_ilidsvid.mat"
    savemat(path, {"ls_set": np.array([row])})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1, 2, 3], "divides 3 people, i-LIDS-VID/sequences/cam1 holds 4; its numbers would mean others"),
        ([1, 2, 3, 5], r"split 0 names person 4 \(from 0\) of 4"),
        ([1, 2, 2, 3], r"split 0 names person 1 \(from 0\) twice"),
    ],
)
def test_a_split_of_other_people_is_refused(miniature, row, message):
    root = miniature("ilids-vid")
    write_split(root, row)
    with pytest.raises(DatasetError, match=message):
        ilids_vid.survey(root).benchmark()


def test_a_split_file_with_fewer_splits_is_refused(miniature):
    root = miniature("ilids-vid")
    write_split(root, [1, 2, 3, 4])
    with pytest.raises(DatasetError, match="has 1 splits; split 4 was asked for"):
        ilids_vid.survey(root, 4).benchmark()


def test_a_person_without_frames_in_one_camera_is_missing(miniature):
    root = miniature("ilids-vid")
    for path in (root / "i-LIDS-VID/sequences/cam2/person003").iterdir():
        path.unlink()
    with pytest.raises(MissingFrameError, match="the first is i-LIDS-VID/sequences/cam2/person003"):
        ilids_vid.survey(root).benchmark()
