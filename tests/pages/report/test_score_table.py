import re
from dataclasses import replace

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.report.score_table import (
    ScoredDirection,
    SliceBar,
    SliceBars,
    headline,
    score_section,
    slice_section,
)
from tests.pages.report.reading import lines, words
from tests.pages.report.small_world import HOSTILE


def table_lines(direction):
    return lines(score_section([direction], "after").html())[1:]


def test_every_score_stands_in_the_table_with_what_changed(world):
    after = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    before = evaluate(world.ground, world.aerial.select(world.aerial.pids < 3), GROUND_TO_AERIAL)
    # The world: two of four first, one second, one third. Before: two in a gallery of two, first and second.
    assert table_lines(ScoredDirection(name="up", after=after, before=before)) == [
        "per cent mAP rank-1 rank-5 rank-10 rank-20 mINP queries without a match",
        "up",
        "before training 75.0 50.0 100.0 100.0 100.0 75.0 4 2",
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
    html = score_section([direction], "after").html()
    assert lines(html)[3].startswith("after 70.8 60.0–81.0 50.0 25.0–75.0 100.0 ")  # noqa: RUF001
    assert "Small figures: 95 % bootstrap interval over people." in words(html)
    assert "Small figures" not in words(
        score_section([replace(direction, mAP_interval=None, rank_1_interval=None)], "").html()
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


LOW = SliceBar(label="below 20 m", queries=1200, mAP=0.5, low=0.45, high=0.58, rank_1=0.625)
HIGH = SliceBar(label="above 20 m", queries=7, mAP=0.25, low=0.25, high=0.25, rank_1=0.0)


def section(*slices):
    found = slice_section(slices)
    assert found is not None
    return found.html()


def test_each_slice_is_a_row_of_numbers_in_the_given_order():
    rows = lines(section(SliceBars(column="altitude", bars=(LOW, HIGH))))
    assert rows[1].startswith("slice 0 50 100 % mAP rank-1 queries")
    assert rows[2:] == ["below 20 m 50.0 45.0–58.0 62.5 1,200", "above 20 m 25.0 0.0 7"]  # noqa: RUF001


def test_a_bar_is_as_long_as_its_score_and_bracketed_by_its_interval():
    html = section(SliceBars(column="altitude", bars=(LOW, HIGH)))
    assert re.findall(r'class="value" width="([\d.]+)%"', html) == ["50.00", "25.00"]
    assert re.findall(r'class="whisker"><line x1="([\d.]+)%" x2="([\d.]+)%"', html) == [("45.00", "58.00")]
    assert re.findall(r'<svg x="([\d.]+)%"', html) == ["62.50", "0.00"]


def test_names_of_slices_never_become_markup():
    html = section(
        SliceBars(column=HOSTILE, bars=(SliceBar(label=HOSTILE, queries=1, mAP=1.0, low=1.0, high=1.0, rank_1=1.0),))
    )
    assert "<script" not in html
    assert words(html).count(HOSTILE) == 2


def test_the_heading_says_of_which_direction_the_slices_are():
    html = section(SliceBars(column="altitude", bars=(LOW,), direction="ground → aerial"))
    assert "<caption>by altitude, ground → aerial</caption>" in html


def test_without_slices_there_is_no_section():
    assert slice_section([]) is None
