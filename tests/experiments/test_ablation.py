"""An ablation from nothing to its table, in a world that is too small to say anything."""

import json
import re
from dataclasses import replace

import pytest

from skyreid.errors import CheckpointError, SettingError
from skyreid.experiments.ablation import AblationConfig, Outcome, ablate, summarize
from skyreid.experiments.paper_tables import ABLATIONS, Row

SMALL = AblationConfig(identities=50, frames_per_tracklet=2, epochs=1, seeds=2)


def outcome(row: str, seed: int, mean_ap: float) -> Outcome:
    return Outcome(row=row, seed=seed, mAP=mean_ap, rank_1=mean_ap / 2, overall=1.0, tunable=0.5)


def test_a_line_has_mean_deviation_and_the_paired_gain_over_the_row_before():
    rows = {"IFA": [0.50, 0.60], "IFA+VSA": [0.56, 0.64]}
    outcomes = [outcome(row, seed, value) for row, values in rows.items() for seed, value in enumerate(values)]
    paper = (Row(name="IFA", change=lambda config: config, paper={"mAP": 0.7382}),)
    first, second = summarize(outcomes, paper)
    assert (first.mAP.mean, first.gain, first.paper) == (pytest.approx(0.55), None, {"mAP": 0.7382})
    assert first.mAP.sd == pytest.approx(0.0707, abs=1e-4)
    assert (second.gain.mean, second.gain.sd) == (pytest.approx(0.05), pytest.approx(0.0141, abs=1e-4))


def test_an_unknown_table_is_refused(tmp_path):
    message = "the paper has no ablation called 'table9'; there are table3, table4, table5, fig4"
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        ablate("table9", SMALL, tmp_path)


def test_an_ablation_of_nothing_is_refused():
    with pytest.raises(SettingError, match=r"^an ablation's seeds must be at least 1; got 0$"):
        AblationConfig(seeds=0)


@pytest.mark.slow  # five trainings, each in a process that loads PyTorch
def test_a_table_is_trained_once_and_printed_beside_the_paper_s(tmp_path, monkeypatch):
    monkeypatch.setitem(ABLATIONS, "table3", ABLATIONS["table3"][-1:])
    result = ablate("table3", SMALL, tmp_path, num_workers=2)
    assert [line.name for line in result.table_lines] == ["colour stripes", "zero-shot", "IFA+VSA+CFAA+PBP"]
    assert result.lines()[-1].endswith("mAP 81.29 %, rank-1 74.27 %, overall 140.0 M, tunable 14.5 M")
    written = (tmp_path / "table3.json").read_bytes()
    assert [run["row"] for run in json.loads(written)["runs"]] == [
        name for name in ("colour stripes", "zero-shot", "IFA+VSA+CFAA+PBP") for _ in range(2)
    ]
    weights = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/state*")}
    assert ablate("table3", SMALL, tmp_path, num_workers=2).outcomes == result.outcomes
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/state*")} == weights
    with pytest.raises(CheckpointError, match="data_root"):
        ablate("table3", replace(SMALL, identities=53), tmp_path, num_workers=2)
