import re
from xml.etree import ElementTree

import numpy as np
import pytest

from skyreid.evaluation.cmc_curve import CmcCurve, cmc_svg

BEFORE = CmcCurve(label="before <&>", style="before", cmc=np.linspace(0.0, 0.49, 50))
AFTER = CmcCurve(label="after", style="after", cmc=np.concatenate([[0.5], np.ones(49)]))


def drawn_points(svg: ElementTree.Element, style: str) -> np.ndarray:
    [path] = [path for group in svg.iter("g") if group.get("class") == style for path in group.iter("path")]
    return np.array([[float(number) for number in point.split()] for point in path.get("d", "").lstrip("M").split("L")])


def test_the_line_shows_the_curve_on_the_drawn_axes():
    svg = ElementTree.fromstring(cmc_svg("Ground → aerial", [BEFORE, AFTER]))
    gridlines = {float(line.get("y1", "nan")) for line in svg.iter("line") if line.get("class") == "grid"}
    bottom, top = max(gridlines), min(gridlines)
    for curve in (BEFORE, AFTER):
        points = drawn_points(svg, curve.style)
        assert len(points) == 20
        np.testing.assert_allclose((bottom - points[:, 1]) / (bottom - top), curve.cmc[:20], atol=1e-3)
        assert np.ptp(np.diff(points[:, 0])) < 0.2  # ranks are evenly spaced
        assert np.all(np.diff(points[:, 0]) > 0)


def test_curves_differ_in_shape_and_not_only_in_colour():
    svg = cmc_svg("t", [BEFORE, AFTER])
    groups = {match[0]: match[1] for match in re.findall(r'<g class="(\w+)"><path[^>]*>(.*?)</g>', svg)}
    assert groups["before"].count("<rect") == groups["after"].count("<circle") == 4


def test_a_screen_reader_hears_the_scores():
    svg = ElementTree.fromstring(cmc_svg("Ground → aerial", [AFTER]))
    assert svg.get("role") == "img"
    assert (
        svg.get("aria-label") == "Ground → aerial. after: rank 1 50.0%, rank 5 100.0%, rank 10 100.0%, rank 20 100.0%"
    )


@pytest.mark.parametrize("title", ["plain", """"><script>pwn()</script>&'"""])
def test_titles_and_labels_never_become_markup(title):
    svg = ElementTree.fromstring(cmc_svg(title, [BEFORE]))
    texts = [text.text for text in svg.iter("text")]
    assert title in texts
    assert "before <&>" in texts
