"""`skyreid evaluate tables`."""

import json

import numpy as np
import pytest

from skyreid.cli import main
from skyreid.cli.evaluate import evaluate_tables
from skyreid.datasets.protocol import CROSS_CAMERA
from skyreid.errors import CalibrationError
from skyreid.evaluation.pair_scores import pair_scores
from skyreid.evaluation.results.result_file import read_result
from skyreid.retrieval.embedding_table import load_table, save_table
from tests.evaluation.pair_loops import crowd


@pytest.fixture
def tables(tmp_path):
    generator = np.random.default_rng(7)
    paths = tmp_path / "query.npz", tmp_path / "gallery.npz"
    save_table(paths[0], crowd(generator, 20, 6))
    save_table(paths[1], crowd(generator, 40, 6, first_id=20))
    return paths


@pytest.mark.parametrize(
    ("ranker", "name"),
    [("cosine", "cosine"), ("k-reciprocal", "k-reciprocal (20, 6, 0.3)"), ("query-expansion", "query expansion (k 5")],
)
def test_the_ranker_and_the_model_stand_in_the_result(tables, tmp_path, capsys, ranker, name):
    evaluate_tables(*tables, protocol="cross-camera", ranker=ranker, model="ours", out=tmp_path / "result.json")
    card = read_result(tmp_path / "result.json").card
    assert card.ranker.startswith(name)
    assert card.model == "ours"
    assert "95% intervals" in capsys.readouterr().out


def test_all_pairs_are_scored_when_asked_for(tables, capsys):
    evaluate_tables(*tables, protocol="cross-camera", pairs=True, json=True)
    content = json.loads(capsys.readouterr().out)["pairs"]
    expected = pair_scores(*map(load_table, tables), CROSS_CAMERA)
    assert content["tpr_at_fpr"]["0.1"]["true_positive_rate"] == expected.points[0].true_positive_rate
    assert content["tpr_at_fpr"]["0.0001"] is None  # too few pairs to tell


def test_a_result_that_cannot_be_written_ends_in_one_line(tables, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    paths = [str(path) for path in tables]
    status = main(["evaluate", "tables", *paths, "--protocol", "cross-camera", "--out", str(tmp_path / "folder")])
    assert status == 1
    assert "folder: Is a directory" in capsys.readouterr().err


def test_a_calibration_that_is_missing_is_refused_before_anything_is_written(tables, tmp_path):
    with pytest.raises(CalibrationError, match=r"must be a calibration .*; nothing lies there"):
        evaluate_tables(
            *tables, protocol="cross-camera", calibration=tmp_path / "none.json", out=tmp_path / "result.json"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery.npz", "query.npz"]
