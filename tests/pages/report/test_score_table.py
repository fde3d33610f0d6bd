import re
from dataclasses import replace

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.report.score_table import ScoredDirection, headline, score_section
from tests.pages.report.reading import lines, words


def table_lines(direction, note="95 % interval"):
    return lines(score_section([direction], "before", "after", note).html())[1:]


def test_every_score_stands_in_the_table_with_what_changed(world):
    after = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    before = evaluate(world.ground, world.aerial.select(world.aerial.pids < 3), GROUND_TO_AERIAL)
    # The world: two of four first, one second, one third. Before: two in a gallery of two, first and second.
    assert table_lines(ScoredDirection(name="up", after=after, before=before)) == [
        "per cent mAP rank-1 rank-5 rank-10 rank-20 mINP queries without a match",
        "up",
        "before 75.0 50.0 100.0 100.0 100.0 75.0 4 2",
        "after 70.8 50.0 100.0 100.0 100.0 70.8 4 0",
        "difference -4.2 +0.0 +0.0 +0.0 +0.0 -4.2",
    ]


def test_a_protocol_that_cuts_has_a_column_of_its_own(world):
    scores = evaluate(world.ground, world.aerial, replace(GROUND_TO_AERIAL, mAP_cut=2))
    heads, _, row = table_lines(ScoredDirection(name="up", after=scores))
    assert heads == "per cent mAP rank-1 rank-5 rank-10 rank-20 mINP mAP@2 queries without a match"
    assert row == "after 70.8 50.0 100.0 100.0 100.0 70.8 62.5 4 0"


def test_reranked_scores_are_a_row_of_their_own(world):
    scores = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    other = evaluate(world.ground, world.aerial.select(world.aerial.pids != 2), GROUND_TO_AERIAL)
    rows = table_lines(ScoredDirection(name="up", after=scores, reranked=other, reranked_name="k <20>"))
    assert rows[2].startswith("after 70.8 ")
    assert rows[3].startswith("k <20> 83.3 66.7 ")
    assert rows[4].startswith("difference by re-ranking +12.5 +16.7 ")


def test_scores_by_all_frames_stand_beside_those_by_one_clip(world):
    scores = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    other = evaluate(world.ground, world.aerial.select(world.aerial.pids != 2), GROUND_TO_AERIAL)
    rows = table_lines(ScoredDirection(name="up", after=scores, all_frames=other))
    assert rows[3].startswith("all-frames, cosine 83.3 66.7 ")
    assert rows[4].startswith("difference by all frames +12.5 +16.7 ")


def test_intervals_stand_with_their_scores_and_are_explained(world):
    scores = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    direction = ScoredDirection(name="up", after=scores, mAP_interval=(0.6, 0.81), rank_1_interval=(0.25, 0.75))
    html = score_section([direction], "before", "after", "99 % of resamples").html()
    assert lines(html)[3].startswith("after 70.8 60.0–81.0 50.0 25.0–75.0 100.0 ")  # noqa: RUF001
    assert "Small figures: 99 % of resamples." in words(html)
    assert "Small figures" not in words(
        score_section([replace(direction, mAP_interval=None, rank_1_interval=None)], "", "", "").html()
    )


def test_the_headline_draws_what_it_says(world):
    scores = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    html = headline([ScoredDirection(name="up <&>", after=scores, mAP_interval=(0.6, 0.81))])
    assert words(html) == "up <&> mAP 70.8 % 60.0–81.0 rank-1 50.0 %"  # noqa: RUF001
    assert re.findall(r'class="value" width="([\d.]+)"', html) == ["70.83", "50.00"]
    assert re.findall(r'class="interval" x="([\d.]+)" width="([\d.]+)"', html) == [
        ("60.00", "21.00"),
        ("50.00", "0.00"),
    ]
