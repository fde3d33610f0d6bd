"""Scores of parts of the queries."""

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.errors import MissingFrameError
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.evaluation.results.slices import MAX_TEXTS, columns_of, slice_scores
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Frame, Platform, Tracklet


def table(embeddings, pids, platform):
    return EmbeddingTable(
        embeddings=np.asarray(embeddings, dtype=np.float32),
        pids=np.asarray(pids),
        camids=np.full(len(pids), platform),
        platforms=np.full(len(pids), platform),
        tracklet_ids=np.array([f"{platform}-{row}" for row in range(len(pids))]),
    )


@pytest.fixture
def scored():
    """Eight people; queries 0 to 3 look like themselves, 4 to 7 like the next one."""
    people = np.eye(8)
    query = table(np.concatenate([people[:4], np.roll(people[4:], 1, axis=0)]), range(8), 0)
    return query, evaluate(query, table(people, range(8), 1), GROUND_TO_AERIAL)


def slices_of(scored, **columns):
    query, scores = scored
    return slice_scores(scores, query.pids, columns, rng=np.random.default_rng(0))


def test_a_text_is_a_slice_and_its_score_is_that_of_its_queries(scored):
    place = ["near"] * 4 + ["far"] * 4
    far, near = slices_of(scored, place=place)
    assert [(s.column, s.label, s.queries) for s in (far, near)] == [("place", "far", 4), ("place", "near", 4)]
    assert (near.mAP, near.mAP_low, near.mAP_high, near.rank_1) == (1.0, 1.0, 1.0, 1.0)
    assert far.mAP == np.nanmean(scored[1].average_precisions[4:])
    assert far.rank_1 == 0.0
    assert far.mAP_low <= far.mAP <= far.mAP_high < 1


def test_a_number_and_its_text_are_one_slice(scored):
    parts = slices_of(scored, scene=["1.0"] * 2 + [1.0] * 2 + ["two"] * 4)
    assert [(part.label, part.queries) for part in parts] == [("1.0", 4), ("two", 4)]


def test_slices_of_one_column_are_all_queries_that_are_known(scored):
    parts = slices_of(scored, altitude=[20.0, 25.0, None, 35.0, 40.0, 45.0, 50.0, 60.0])
    assert sum(part.queries for part in parts) == 7
    assert [part.label for part in parts] == ["20 to 25", "35 to 40", "45", "50 to 60"]


def test_equal_numbers_stay_together(scored):
    parts = slices_of(scored, frames=[4.0] * 6 + [8.0] * 2)
    assert [(part.label, part.queries) for part in parts] == [("4", 6), ("8", 2)]


@pytest.mark.parametrize("values", [["one"] * 8, [None] * 8, [3.0] * 8])
def test_a_column_in_which_all_are_alike_has_no_slices(scored, values):
    assert slices_of(scored, column=values) == ()


def test_a_column_of_names_has_no_slices():
    people = np.eye(MAX_TEXTS + 1)
    query, gallery = (table(people, range(len(people)), platform) for platform in (0, 1))
    scores = evaluate(query, gallery, GROUND_TO_AERIAL)
    names = {"name": [f"name {row}" for row in range(len(people))]}
    assert slice_scores(scores, query.pids, names, rng=np.random.default_rng(0)) == ()


def test_columns_are_what_is_known_about_the_tracklets(scored, tmp_path):
    query, _ = scored
    Image.new("RGB", (17, 40)).save(tmp_path / "crop.png")
    known = Tracklet(
        tracklet_id="0-3",
        frames=(Frame(str(tmp_path / "crop.png")),) * 2,
        pid=3,
        camid=0,
        platform=Platform.GROUND,
        attributes={"scene": "campus"},
    )
    columns = columns_of(query, [known])
    assert {name: values[3] for name, values in columns.items()} == {
        "platform": "ground",
        "frames": 2.0,
        "crop width": 17.0,
        "scene": "campus",
    }
    assert all(values[0] is None for values in columns.values())


def test_a_crop_that_cannot_be_measured_is_named(scored, tmp_path):
    lost = Tracklet(
        tracklet_id="0-3", frames=(Frame(str(tmp_path / "lost.png")),), pid=3, camid=0, platform=Platform.GROUND
    )
    with pytest.raises(MissingFrameError, match=r"tracklet '0-3': .*lost\.png: is missing"):
        columns_of(scored[0], [lost])
