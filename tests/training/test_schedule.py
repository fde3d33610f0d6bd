"""Learning rates of every epoch against the released program's."""

from pathlib import Path

import numpy as np
import pytest

from skyreid.training.schedule import CosineSchedule, StepSchedule

STORED = np.load(Path(__file__).parents[1] / "reference" / "schedules" / "schedules.npz")


def test_stage_1_matches_the_release_at_every_epoch():
    ours = [CosineSchedule().learning_rate(epoch, 120) for epoch in STORED["epoch"].tolist()]
    assert ours == pytest.approx(STORED["stage1"].tolist(), rel=1e-12)


@pytest.mark.parametrize("peak", ["0.0001", "5e-06"])
def test_stage_2_matches_the_release_at_every_epoch(peak):
    ours = [StepSchedule(peak=float(peak)).learning_rate(epoch) for epoch in STORED["epoch"].tolist()]
    assert ours == pytest.approx(STORED[f"stage2_lr{peak}"].tolist(), rel=1e-12)
    assert [2 * rate for rate in ours] == pytest.approx(STORED[f"stage2_lr{peak}_bias"].tolist(), rel=1e-12)
