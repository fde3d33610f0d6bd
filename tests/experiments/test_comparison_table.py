"""The table from outcomes that are made up, and once from a training."""

import json
from dataclasses import replace

import pytest

from skyreid.experiments.cost import Cost, ParameterCounts
from skyreid.experiments.method_comparison import ComparisonTable, Outcome, Refusal, compare_methods, summarize
from skyreid.experiments.method_settings import ComparisonConfig, Reduction

COST = Cost(
    parameters=ParameterCounts(all=26_150_000, without_heads=24_240_000, trained=26_140_000),
    gflops_per_clip=65.5,
    clips_per_s=12.25,
)


def outcome(method="ap3d", seed=0, **changes):
    found = Outcome(
        method=method,
        seed=seed,
        start="resnet50-19c8e357.pth",
        mAP=0.6,
        rank_1=0.5,
        rank_5=0.7,
        rank_10=0.8,
        clip_length=8,
        image_size=(256, 128),
        cost=COST,
        training_s=100.0,
    )
    return replace(found, **changes)


def table(tmp_path, outcomes, **changes):
    return ComparisonTable(
        config=ComparisonConfig(
            benchmark="g2a-vreid", data_root=tmp_path, reduction=changes.pop("reduction", Reduction())
        ),
        rows=tuple(summarize(outcomes)),
        **{"refusals": (), "is_papers_data": True, "provenance": {}, **changes},
    )


def test_a_row_has_means_over_seeds_and_the_deviation_of_mean_average_precision():
    outcomes = [
        outcome(),
        outcome(seed=1, mAP=0.7, rank_1=0.6, training_s=None),
        outcome("tf-clip", training_s=None),
    ]
    ap3d, tf_clip = summarize(outcomes)
    assert (ap3d.method, ap3d.seeds, ap3d.rank_1) == ("ap3d", 2, pytest.approx(0.55))
    assert (ap3d.mAP.mean, ap3d.mAP.sd) == (pytest.approx(0.65), pytest.approx(0.0707, abs=1e-4))
    assert ap3d.training_s == 100.0  # of the one that was not interrupted
    assert ap3d.paper == {"mAP": 0.677, "rank-1": 0.575}
    assert (tf_clip.mAP.sd, tf_clip.training_s, tf_clip.paper) == (None, None, None)


def test_a_line_says_it_all(tmp_path):
    _, heading, ap3d, tf_clip, refused = table(
        tmp_path,
        [outcome(), outcome("tf-clip", training_s=None, start="random weights")],
        refusals=(Refusal(method="mgh", seed=1, reason="mgh: a reason"),),
    ).lines()
    assert heading.split() == (
        "mAP rank-1 rank-5 rank-10 clip all no heads trained GFLOP clips/s training paper starts from".split()
    )
    assert ap3d.split() == (
        "ap3d 60.0% 50.0 70.0 80.0 8x256x128 26.15M 24.24M 26.14M 65.50 12.25 100s 67.7/57.5 "
        "resnet50-19c8e357.pth".split()
    )
    assert tf_clip.split()[-4:] == ["resumed", "-", "random", "weights"]
    assert refused == "mgh, seed 1: not run: mgh: a reason"


def test_figures_stand_in_their_columns(tmp_path):
    _, heading, ap3d, tf_clip = table(tmp_path, [outcome(), outcome("tf-clip", training_s=None)]).lines()
    for name in ("rank-10", "clip", "no heads", "GFLOP", "clips/s", "training"):
        end = heading.index(name) + len(name)
        assert not ap3d[end - 1].isspace()
        assert ap3d[end].isspace()
    starts = {line.index(word) for line, word in ((heading, "starts"), (ap3d, "resnet"), (tf_clip, "resnet"))}
    assert len(starts) == 1


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({}, "The same benchmark as the paper's; which frames, losses and schedules it gave others is unknown."),
        ({"is_papers_data": False}, "NOT COMPARABLE with the paper's figures: this is not its data."),
        (
            {"reduction": Reduction(epochs=1)},
            "NOT COMPARABLE with the paper's figures: the settings are reduced.",
        ),
    ],
)
def test_what_cannot_be_compared_with_the_paper_is_marked(tmp_path, changes, notice):
    made = table(tmp_path, [outcome()], **changes)
    assert made.lines()[0] == notice
    content = made.to_json()
    assert (content["notice"], content["comparable"]) == (notice, not changes)


def test_a_start_from_random_weights_cannot_be_compared_with_the_paper(tmp_path):
    made = table(tmp_path, [outcome(), outcome("sinet", start="random weights")])
    assert made.notice == "NOT COMPARABLE with the paper's figures: methods start from random weights."


def test_the_table_is_written_as_json_with_its_runs_and_where_it_came_from(tiny_g2a, tmp_path):
    config = ComparisonConfig(
        benchmark="g2a-vreid",
        data_root=tiny_g2a,
        methods=("vsla-clip", "mgh"),
        reduction=Reduction(image_size=(64, 32), epochs=1, batch=(2, 2)),
    )
    made = compare_methods(config, tmp_path)
    content = json.loads((tmp_path / "table2.json").read_text())
    assert content == json.loads(json.dumps(made.to_json()))
    assert content["comparable"] is False  # a benchmark that skyreid wrote is not the paper's
    (row,) = content["rows"]
    assert (row["method"], row["start"], row["image_size"]) == ("vsla-clip", "small CLIP of drawn people", [64, 32])
    assert row["cost"]["parameters"]["all"] > row["cost"]["parameters"]["without_heads"] > 0
    assert [refusal["method"] for refusal in content["refusals"]] == ["mgh"]
    assert content["provenance"]["torch"]
