import itertools
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.pages.report.section import Axes, chart_svg, round_ticks


@given(low=st.floats(-1e3, 1e3), span=st.floats(1e-3, 1e4))
def test_ticks_are_few_even_and_within_the_range(low, span):
    ticks = round_ticks(low, low + span)
    assert 3 <= len(ticks) <= 9
    assert low - 1e-6 * span <= ticks[0]
    assert ticks[-1] <= low + span * (1 + 1e-6)
    steps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-1.0, 1.0, [-1, -0.5, 0, 0.5, 1]),
        (0.0, 0.13, [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert round_ticks(low, high) == ticks


def test_both_scales_are_linear_and_up_is_more():
    axes = Axes(x_range=(-1.0, 1.0), y_range=(0.0, 10.0))
    assert axes.x(0.0) == pytest.approx((axes.x(-1.0) + axes.x(1.0)) / 2)
    assert axes.y(5.0) == pytest.approx((axes.y(0.0) + axes.y(10.0)) / 2)
    assert axes.x(1.0) > axes.x(-1.0)
    assert axes.y(10.0) < axes.y(0.0)


def test_words_in_a_drawing_never_become_markup():
    axes = Axes(x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    svg = ElementTree.fromstring(chart_svg('<&">', axes.grid([(0.0, "<x>")], [(1.0, "&y")], "<k>")))
    assert svg.get("aria-label") == '<&">'
    assert [text.text for text in svg.iter("text")] == ["&y", "<x>", "<k>"]
