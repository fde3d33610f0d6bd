import pytest

from skyreid.datasets.benchmarks import mevid
from skyreid.errors import DatasetError


def test_rows_count_from_0_and_a_camid_is_the_camera_of_the_collection(miniature):
    benchmark = mevid.survey(miniature("mevid")).benchmark()
    assert [(t.tracklet_id, t.pid, t.camid, len(t.frames)) for t in benchmark.train] == [
        ("train-00000", 103, 424, 3),
        ("train-00001", 103, 330, 1),
    ]
    assert [(t.pid, t.camid) for t in benchmark.query] == [(201, 330)]
    assert [(t.pid, t.camid) for t in benchmark.gallery] == [(201, 336), (202, 336)]
    assert benchmark.train[0].frames[2].path.endswith("/bbox_train/0103/0103O020C424T000F00006.jpg")


def test_a_row_of_another_camera_is_refused(miniature):
    root = miniature("mevid")
    table = (root / "track_test_info.txt").read_text()
    (root / "track_test_info.txt").write_text(table.replace("3.3600", "3.3900"))
    with pytest.raises(DatasetError, match="test row 1: the table says pid 201, camid 339, the crop is called 0201"):
        mevid.survey(root).benchmark()


@pytest.mark.parametrize("line", ["1 2 3", "0 1 2 3 camera", "0 1.5 201 3 330"])
def test_a_line_that_is_not_five_whole_numbers_is_refused(miniature, line):
    root = miniature("mevid")
    (root / "track_test_info.txt").write_text(f"{line}\n")
    with pytest.raises(DatasetError, match=f"line 1 must be 5 whole numbers; got '{line}'"):
        mevid.survey(root).benchmark()
