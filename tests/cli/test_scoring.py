"""`skyreid evaluate tables`."""

import numpy as np
import pytest

from skyreid.cli.scoring import evaluate_tables
from skyreid.errors import CalibrationError
from skyreid.retrieval.embedding_table import save_table
from tests.evaluation.pairs.pair_loops import crowd


def test_a_calibration_that_is_missing_is_refused_before_anything_is_written(tmp_path):
    generator = np.random.default_rng(7)
    tables = tmp_path / "query.npz", tmp_path / "gallery.npz"
    save_table(tables[0], crowd(generator, 20, 6))
    save_table(tables[1], crowd(generator, 40, 6, first_id=20))
    with pytest.raises(CalibrationError, match="no such calibration"):
        evaluate_tables(
            *tables, protocol="cross-camera", calibration=tmp_path / "none.json", out=tmp_path / "result.json"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery.npz", "query.npz"]
