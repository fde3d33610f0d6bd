import numpy as np
import pytest
from scipy.io import loadmat, savemat

from skyreid.datasets.benchmarks import mars
from skyreid.errors import DatasetError, MissingFrameError
from skyreid.tracklet import Platform


def tuples(tracklets):
    return [(t.tracklet_id, t.pid, t.camid, len(t.frames)) for t in tracklets]


def test_rows_become_tracklets_with_cameras_from_0_and_without_junk(miniature):
    benchmark = mars.survey(miniature("mars")).benchmark()
    assert tuples(benchmark.train) == [
        ("train-00000", 1, 0, 3),
        ("train-00001", 1, 1, 2),
        ("train-00002", 3, 5, 2),
    ]
    assert tuples(benchmark.query) == [("test-00002", 2, 0, 2), ("test-00004", 4, 4, 1)]
    assert tuples(benchmark.gallery) == [
        ("test-00001", 0, 2, 1),
        ("test-00003", 2, 1, 3),
        ("test-00005", 4, 0, 2),
    ]
    assert {t.platform for t in benchmark.train} == {Platform.GROUND}


def test_the_gallery_is_not_given_the_queries_by_the_reader_but_by_the_protocol(miniature):
    benchmark = mars.survey(miniature("mars")).benchmark()
    assert benchmark.protocol.gallery_includes_queries
    assert not {t.tracklet_id for t in benchmark.query} & {t.tracklet_id for t in benchmark.gallery}


def test_frames_follow_the_name_list_and_both_ends_of_a_row_belong_to_it(miniature):
    root = miniature("mars")
    names = (root / "info/train_name.txt").read_text().splitlines()
    names[0], names[2] = names[2], names[0]
    (root / "info/train_name.txt").write_text("\n".join(names))
    frames = mars.survey(root).benchmark().train[0].frames
    assert [frame.path for frame in frames] == [f"{root}/bbox_train/0001/{name}" for name in names[:3]]


def test_only_split_0_exists(miniature):
    with pytest.raises(DatasetError, match=r"^mars: split must be from 0 to 0; got 1$"):
        mars.survey(miniature("mars"), 1).benchmark()


def test_missing_layout_files_are_named_together(miniature):
    root = miniature("mars")
    (root / "info/query_IDX.mat").unlink()
    (root / "info/test_name.txt").unlink()
    message = f"mars: 2 of 7 expected files missing under {root}: info/test_name.txt, info/query_IDX.mat"
    with pytest.raises(DatasetError) as refusal:
        mars.survey(root).benchmark()
    assert str(refusal.value) == message


def test_missing_frames_are_counted_and_the_first_is_named(miniature):
    root = miniature("mars")
    (root / "bbox_train/0003/0003C6T0003F001.jpg").unlink()
    (root / "bbox_test/0002/0002C1T0003F002.jpg").unlink()
    with pytest.raises(MissingFrameError) as refusal:
        mars.survey(root).benchmark()
    assert str(refusal.value) == (
        f"mars: 2 of 18 listed frames are missing under {root}; the first is bbox_train/0003/0003C6T0003F001.jpg"
    )


@pytest.mark.parametrize("bad_row", [(0, 3, 1, 1), (1, 99, 1, 1), (3, 2, 1, 1)])
def test_a_row_outside_the_name_list_is_refused(miniature, bad_row):
    root = miniature("mars")
    rows = loadmat(root / "info/tracks_train_info.mat")["track_train_info"]
    rows[0] = bad_row
    savemat(root / "info/tracks_train_info.mat", {"track_train_info": rows})
    message = rf"train row 0: names {bad_row[0] - 1} to {bad_row[1] - 1} \(from 0\) are not a range within the 7 names"
    with pytest.raises(DatasetError, match=message):
        mars.survey(root).benchmark()


def test_a_seventh_camera_is_refused(miniature):
    root = miniature("mars")
    rows = loadmat(root / "info/tracks_train_info.mat")["track_train_info"]
    rows[0, 3] = 7
    savemat(root / "info/tracks_train_info.mat", {"track_train_info": rows})
    with pytest.raises(DatasetError, match=r"mars: train row 0: there is no camera 6 \(from 0\)"):
        mars.survey(root).benchmark()


@pytest.mark.parametrize(("column", "value"), [(2, 9), (3, 4)])
def test_a_table_that_contradicts_the_crop_names_is_refused(miniature, column, value):
    root = miniature("mars")
    rows = loadmat(root / "info/tracks_test_info.mat")["track_test_info"]
    rows[3, column] = value
    savemat(root / "info/tracks_test_info.mat", {"track_test_info": rows})
    with pytest.raises(DatasetError, match=r"test row 3: the table says pid .*, the crop is called 0002C2"):
        mars.survey(root).benchmark()


def test_rows_that_share_frames_are_refused(miniature):
    root = miniature("mars")
    rows = loadmat(root / "info/tracks_train_info.mat")["track_train_info"]
    rows[1, 0] = 3
    savemat(root / "info/tracks_train_info.mat", {"track_train_info": rows})
    with pytest.raises(DatasetError, match="train row 1: shares frames with row 0 of the same table"):
        mars.survey(root).benchmark()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ([3, 7], "query row 6: the test table has 6 rows"),
        ([3, 0], "query row -1: the test table has 6 rows"),
        ([3, 3], "query row 2: stands twice among the queries"),
        ([1], "query row 0: junk .pid -1. cannot ask"),
    ],
)
def test_impossible_queries_are_refused(miniature, query, message):
    root = miniature("mars")
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([query])})
    with pytest.raises(DatasetError, match=message):
        mars.survey(root).benchmark()


def test_a_table_with_other_columns_is_refused(miniature):
    root = miniature("mars")
    savemat(root / "info/tracks_train_info.mat", {"track_train_info": np.ones((2, 5))})
    with pytest.raises(DatasetError, match=r"rows are \(start, end, pid, camera\); got 5 columns"):
        mars.survey(root).benchmark()


def test_a_name_that_leaves_its_folder_is_refused(miniature):
    root = miniature("mars")
    names = (root / "info/train_name.txt").read_text().splitlines()
    names[1] = "0001/../../../secret.jpg"
    (root / "info/train_name.txt").write_text("\n".join(names))
    with pytest.raises(DatasetError, match=r"line 2 must be the bare file name of a crop; got '0001/\.\./"):
        mars.survey(root).benchmark()
