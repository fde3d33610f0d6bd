import json
from typing import get_args, get_type_hints

import numpy as np
import pytest

from skyreid.cli.evaluate import calibrate
from skyreid.datasets.protocol import PROTOCOLS
from skyreid.evaluation.calibration import load_calibration
from skyreid.retrieval.embedding_table import save_table
from tests.evaluation.pair_loops import crowd


@pytest.fixture
def table_paths(tmp_path):
    generator = np.random.default_rng(7)
    save_table(tmp_path / "query.npz", crowd(generator, 100, 30))
    save_table(tmp_path / "gallery.npz", crowd(generator, 200, 30, first_id=100))
    return tmp_path / "query.npz", tmp_path / "gallery.npz"


def test_what_is_printed_is_what_is_written(table_paths, tmp_path, capsys):
    out = tmp_path / "cal.json"
    calibrate(*table_paths, protocol="cross-camera", out=out, prior=0.1)
    fitted = load_calibration(out)
    assert capsys.readouterr().out == "\n".join(fitted.lines()) + "\n"
    assert (fitted.pair.false_positive_rate, fitted.probability.prior) == (0.01, 0.1)
    calibrate(*table_paths, protocol="cross-camera", out=out, prior=0.1, json=True)
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text())


def test_every_protocol_can_be_asked_for():
    assert set(get_args(get_type_hints(calibrate)["protocol"])) == set(PROTOCOLS)
