import re

import numpy as np
import pytest

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.report.cmc_curve import CmcCurve, cmc_section, cmc_svg
from skyreid.pages.report.score_table import ScoredDirection
from tests.pages.report.reading import drawing, points_of, words

BEFORE = CmcCurve(label="before <&>", style="before", cmc=np.linspace(0.0, 0.49, 50))
AFTER = CmcCurve(label="after", style="after", cmc=np.concatenate([[0.5], np.ones(49)]), rank_1_interval=(0.25, 0.75))


def group(svg, style):
    [found] = [group for group in svg.iter("g") if group.get("class") == style]
    return found


def heights(svg, ys):
    """Where they stand between the lowest and the highest gridline."""
    gridlines = {float(line.get("y1", "nan")) for line in svg.iter("line") if line.get("class") == "grid"}
    bottom, top = max(gridlines), min(gridlines)
    return (bottom - np.array(ys)) / (bottom - top)


@pytest.mark.parametrize("curve", [BEFORE, AFTER], ids=["before", "after"])
def test_the_line_shows_the_curve_on_the_drawn_axes(curve):
    svg = drawing(cmc_svg("Ground → aerial", [BEFORE, AFTER]))
    [line] = [path for path in group(svg, curve.style).iter("path") if path.get("class") == "line"]
    points = np.array(points_of(line))
    np.testing.assert_allclose(heights(svg, points[:, 1]), curve.cmc[:20], atol=1e-3)
    assert np.ptp(np.diff(points[:, 0])) < 0.2  # ranks are evenly spaced
    assert np.all(np.diff(points[:, 0]) > 0)


def test_the_interval_at_rank_1_is_a_whisker_of_its_height():
    svg = drawing(cmc_svg("t", [AFTER]))
    [whisker] = [path.get("d", "") for path in svg.iter("path") if path.get("class") == "whisker"]
    low, high = re.findall(r"M[\d.]+ ([\d.]+) h10", whisker)
    np.testing.assert_allclose(heights(svg, [float(low), float(high)]), [0.25, 0.75], atol=1e-3)


def test_curves_differ_in_shape_and_not_only_in_colour():
    reranked = CmcCurve(label="re-ranked", style="reranked", cmc=AFTER.cmc)
    svg = drawing(cmc_svg("t", [BEFORE, AFTER, reranked]))
    dots = {
        style: [mark.tag for mark in group(svg, style).iter() if mark.get("class") == "dot"]
        for style in ("before", "after", "reranked")
    }
    assert dots == {"before": ["rect"] * 4, "after": ["circle"] * 4, "reranked": ["path"] * 4}


def test_a_screen_reader_hears_the_scores():
    label = drawing(cmc_svg("Ground → aerial", [AFTER])).get("aria-label")
    assert label == "Ground → aerial. after: rank 1 50.0%, rank 5 100.0%, rank 10 100.0%, rank 20 100.0%"


def test_each_direction_has_a_drawing_with_every_ranking_in_its_legend(world):
    scores = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    direction = ScoredDirection(
        name="up <&>", after=scores, before=scores, rank_1_interval=(0.25, 0.75), reranked=scores, reranked_name="k-r"
    )
    text = words(cmc_section([direction], "new").html())
    assert "up <&>" in text
    assert "before training: 50.0 % at k = 1 new: 50.0 (25.0–75.0) % at k = 1 k-r: 50.0 % at k = 1" in text  # noqa: RUF001
