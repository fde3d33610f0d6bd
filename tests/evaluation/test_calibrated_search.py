import json

import numpy as np
import pytest

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.calibrated_search import calibrate_ranking
from skyreid.evaluation.calibration import calibrate
from skyreid.retrieval.search import search
from skyreid.tracklet import Platform
from tests.evaluation.pair_loops import crowd

MODEL = "a" * 64


@pytest.fixture(scope="module")
def gallery():
    return crowd(np.random.default_rng(5), 800, 100, first_id=400, model=MODEL)


@pytest.fixture(scope="module")
def calibration(gallery):
    query = crowd(np.random.default_rng(6), 400, 100, model=MODEL)
    return calibrate(query, gallery, GROUND_TO_AERIAL, false_positive_rate=0.01, prior=0.02)


def read(calibration, gallery, query, *, platform: Platform | None = Platform.AERIAL, model: str | None = MODEL):
    return calibrate_ranking(
        search(gallery, query, platform=platform, top_k=5),
        calibration,
        model=model,
        feeding=None,
        query_platform=Platform.GROUND,
        gallery_platform=platform,
        ranker="cosine",
    )


def test_somebody_of_the_gallery_is_possibly_there(calibration, gallery):
    row = int(np.flatnonzero(gallery.platforms == 0)[0])
    found = read(calibration, gallery, row)
    assert found.is_in_gallery
    assert found.warnings == ()
    assert list(found.probabilities) == sorted(found.probabilities, reverse=True)
    assert found.probabilities[0] > 0.8
    lines = found.lines()
    assert len(lines) == 5 + 2
    assert lines[0].endswith(f"  {found.ranking.tracklet_ids[0]}")
    assert lines[5].startswith("Possibly in this gallery: the closest entry is at ")
    assert lines[6] == "Probabilities: if 0.02 of all entries were the same person."


def test_a_stranger_is_probably_not_there(calibration, gallery):
    away = -gallery.unit_embeddings.mean(axis=0)
    found = read(calibration, gallery, away)
    assert not found.is_in_gallery
    assert found.answer == (
        f"Probably not in this gallery: the closest entry is at {found.ranking.similarities[0]:.4f}, "
        f"below {calibration.gallery.threshold:.4f}; where the person is there, this is said of "
        f"{calibration.gallery.false_negative_identification_rate:.2%}."
    )


def test_another_direction_and_model_are_warned_of_first(calibration, gallery):
    found = read(calibration, gallery, 0, platform=None, model=None)
    assert found.lines()[:3] == [f"warning: {warning}" for warning in found.warnings]
    assert "and is used on an unknown model" in found.warnings[0]
    assert "fitted on ground-to-aerial and is used on cross-camera" in found.warnings[1]
    assert "entries and is used on 799" in found.warnings[2]


def test_a_reading_is_written_for_programs(calibration, gallery):
    found = read(calibration, gallery, 0)
    content = json.loads(json.dumps(found.to_json()))
    assert [entry["probability"] for entry in content["entries"]] == list(found.probabilities)
    assert content["num_searched"] == np.count_nonzero(gallery.platforms[1:] == 1)
