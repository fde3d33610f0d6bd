import numpy as np
import pytest
from scipy.io import savemat

from skyreid.datasets.benchmarks import g2a_vreid
from skyreid.errors import DatasetError
from skyreid.tracklet import Platform


def test_camera_1_is_on_the_ground_and_camera_2_in_the_air(miniature):
    benchmark = g2a_vreid.survey(miniature("g2a-vreid")).benchmark()
    assert [(t.pid, t.camid, t.platform) for t in benchmark.query] == [
        (2, 0, Platform.GROUND),
        (5, 0, Platform.GROUND),
    ]
    assert [(t.pid, t.camid, t.platform) for t in benchmark.gallery] == [
        (2, 1, Platform.AERIAL),
        (5, 1, Platform.AERIAL),
    ]
    assert [(t.camid, t.platform) for t in benchmark.train] == [(0, Platform.GROUND), (1, Platform.AERIAL)]


def test_the_ground_asks_the_drone(miniature):
    protocol = g2a_vreid.survey(miniature("g2a-vreid")).benchmark().protocol
    assert (protocol.query_platform, protocol.gallery_platform) == (Platform.GROUND, Platform.AERIAL)


def test_a_query_from_the_drone_is_refused(miniature):
    root = miniature("g2a-vreid")
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([[1, 4]])})
    with pytest.raises(DatasetError) as refusal:
        g2a_vreid.survey(root).benchmark()
    assert str(refusal.value) == (
        "g2a-vreid: query test-00003: queries must come from the ground camera (camid 0); this one has camid 1"
    )


def test_a_name_that_no_file_can_have_is_a_missing_one(miniature):
    """Kind B7: a zero byte in a list of names."""
    root = miniature("g2a-vreid")
    names = root / "info/test_name.txt"
    lines = names.read_text().splitlines()
    names.write_text("\n".join([f"00\0{lines[0][3:]}", *lines[1:]]) + "\n")
    with pytest.raises(DatasetError):
        g2a_vreid.survey(root).benchmark()
