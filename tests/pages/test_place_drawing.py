import math
import re

import pytest

from skyreid.pages.place_drawing import (
    HEIGHT,
    MOST_MARKS,
    WIDTH,
    Area,
    Mark,
    fitted,
    places_svg,
    projected,
    whole_area,
)
from skyreid.tracklet import Platform


def mark(latitude, longitude, number=1, *, platform=Platform.GROUND, is_decided=True, error_m=None):
    east, north = projected(float(latitude), float(longitude))
    words, href = f"<{number}>", f"/t/{number}"
    return Mark(
        east=east, north=north, platform=platform, is_decided=is_decided, error_m=error_m, href=href, words=words
    )


def drawn(marks, area=None, trails=()):
    address = "?view={0.left:.2f},{0.top:.2f},{0.right:.2f},{0.bottom:.2f}".format
    return places_svg(marks, trails, area or whole_area(marks), address)


def test_north_is_above_and_east_is_right_and_metres_are_true():
    here, degree_m = mark(60.0, 10.0), 111_319.5
    east_of_here = mark(60.0, 10.0 + 100 / (degree_m * math.cos(math.radians(60))), 3)
    area = fitted(here.east - 500, here.north + 500, here.east + 500, here.north - 500)
    svg = drawn([here, mark(60.0 + 100 / degree_m, 10.0, 2), east_of_here], area)
    found = re.findall(r'/t/(\d)"><circle class="seen ground decided" cx="([\d.]+)" cy="([\d.]+)"', svg)
    x, y = ({one[0]: float(one[axis]) for one in found} for axis in (1, 2))
    assert (x["1"], y["1"]) == (WIDTH / 2, HEIGHT / 2) and x["2"] == x["1"] and y["3"] == y["1"]
    step = float(re.search(r'class="scale" d="M16 \d+ v6 h([\d.]+)', drawn([here], area))[1])
    said = float(re.search(r">(\d+) m<", drawn([here], area))[1])
    # A hundred metres are as long as the bar says, at 60° where Mercator's are twice as long.
    assert x["3"] - x["1"] == pytest.approx(100 / said * step, rel=0.01)
    assert y["1"] - y["2"] == pytest.approx(100 / said * step, rel=0.01)


def test_marks_tell_side_state_and_error_without_colour():
    svg = drawn([mark(47, 8, 1, error_m=5.0), mark(47.0001, 8, 2, platform=Platform.AERIAL, is_decided=False)])
    assert '<circle class="seen ground decided"' in svg and '<path class="seen aerial open"' in svg
    assert svg.count('class="halo') == 1 and "&lt;1&gt;" in svg and "<1>" not in svg
    assert "47.00005° N, 8.00000° E" in svg


def test_more_than_can_be_told_apart_are_counted_and_lead_closer():
    marks = [mark(47 + number % 20 / 1e4, 8 + number // 20 / 1e4, number) for number in range(MOST_MARKS + 20)]
    svg = drawn(marks)
    counts = [int(count) for count in re.findall(r">(\d+)</text></a>", svg)]
    assert sum(counts) == len(marks) and "/t/" not in svg
    left, top, right, bottom = map(float, re.search(r"view=([\d.,-]+)", svg)[1].split(","))
    assert "/t/" in drawn(marks, Area(left=left, top=top, right=right, bottom=bottom))


def test_an_area_has_the_shape_of_the_drawing_and_never_less_than_positions_tell():
    alone = whole_area([mark(47, 8)])
    assert alone.right - alone.left == pytest.approx(23)
    for area in (alone, fitted(0.0, 900.0, 100.0, 0.0), alone.zoomed(2.0), alone.moved(0.5, 0.5)):
        assert (area.right - area.left) / (area.top - area.bottom) == pytest.approx(WIDTH / HEIGHT)
    assert alone.moved(0.0, -0.5).top > alone.top  # up is north
    assert whole_area([]) is None
