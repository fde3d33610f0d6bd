import json

import pytest

from skyreid.datasets.benchmarks import prid_2011
from skyreid.errors import DatasetError


def test_camera_a_asks_camera_b(miniature):
    benchmark = prid_2011.survey(miniature("prid-2011")).benchmark()
    assert [(t.tracklet_id, t.pid, t.camid) for t in benchmark.query] == [("cam_a/person_0001", 1, 0)]
    assert [(t.tracklet_id, t.pid, t.camid) for t in benchmark.gallery] == [("cam_b/person_0001", 1, 1)]
    assert [(t.pid, t.camid, len(t.frames)) for t in benchmark.train] == [(2, 0, 3), (2, 1, 3)]


def test_people_outside_the_split_are_counted_and_not_ranked(miniature):
    left_out = prid_2011.survey(miniature("prid-2011")).left_out
    assert [t.tracklet_id for t in left_out] == ["cam_a/person_0003", "cam_b/person_0003"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            {"train": ["person_0002"], "test": ["person_0201"]},
            "people 1 to 200 are in both cameras; split 0 names 'person_0201'",
        ),
        ({"train": ["person_0002"], "test": ["person_0002"]}, "split 0 names 'person_0002' twice"),
        ({"train": ["person_0002"]}, "must be a JSON list of at least 1 splits"),
    ],
)
def test_an_impossible_split_is_refused(miniature, split, message):
    root = miniature("prid-2011")
    (root / "splits_prid2011.json").write_text(json.dumps([split]))
    with pytest.raises(DatasetError, match=message):
        prid_2011.survey(root).benchmark()
