import re

from skyreid.pages.report.charts.slice_bars import SliceBar, SliceBars, slice_section
from tests.pages.report.reading import lines, words
from tests.pages.report.small_world import HOSTILE

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
