import re
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from skyreid.pages.timeline_drawing import MOST_BARS, Bar, Lane, Window, presence_counts, timeline_svg, whole_window
from skyreid.tracklet import Platform

NINE = datetime(2026, 5, 4, 9, tzinfo=UTC).timestamp()


def bar(first, last, number=1, is_decided=True):
    href = f"/t/{number}"
    return Bar(first_s=NINE + first, last_s=NINE + last, is_decided=is_decided, href=href, words=f"<{number}>")


def lane(*bars, camera="gate", platform=Platform.GROUND):
    return Lane(camera=camera, platform=platform, bars=bars)


def drawn(*lanes, window=None):
    return timeline_svg(lanes, window or whole_window(lanes), lambda one: f"?view={one.first_s:.1f},{one.last_s:.1f}")


def rects(svg):
    found = re.findall(r'href="/t/(\d+)"><rect class="([^"]*)"[^>]*? x="([\d.]+)" y="(\d+)" width="([\d.]+)"', svg)
    return {int(number): (style, float(x), int(y), float(width)) for number, style, x, y, width in found}


def test_a_bar_lies_where_its_time_does_and_none_hides_another():
    window = Window(first_s=NINE, last_s=NINE + 108)
    svg = drawn(lane(bar(0, 54, 1), bar(27, 54, 2, is_decided=False), bar(81, 200, 3)), window=window)
    found = rects(svg)
    assert found[1][1:] == (0, found[3][2], 540)
    assert found[2][1:] == (270, found[1][2] + 16, 270)
    assert found[3][1] == 810 and found[3][3] == 270  # cut off where the window ends
    assert found[1][0] == "seen ground decided" and found[2][0] == "seen ground open"
    assert 'fill="url(#open-ground)"' in svg and "&lt;1&gt;" in svg and "<1>" not in svg


def test_somebody_in_view_for_a_moment_can_still_be_pointed_at():
    svg = drawn(lane(bar(0, 0, 1), bar(7_200, 7_200, 2)))
    assert all(width == 4 for *_, width in rects(svg).values())
    assert rects(svg)[2][1] <= 1080 - 4


def test_a_crowd_is_counted_and_each_part_leads_closer():
    bars = [bar(number / 10, number / 10 + 5, number, is_decided=number % 2 == 0) for number in range(MOST_BARS + 1)]
    svg = drawn(lane(*bars))
    assert "/t/" not in svg and "up to 5" in svg  # about fifty at once
    assert len(re.findall(r"data-view-link><rect", svg)) == 30
    assert 'class="seen ground decided crowd"' in svg and 'class="seen ground open crowd"' in svg
    assert "/t/" in drawn(lane(*bars), window=Window(first_s=NINE, last_s=NINE + 0.2))


def test_counts_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    bars = [bar(first, first + abs(length)) for first, length in rng.uniform(-10, 110, (200, 2))]
    bars = [one for one in bars if one.last_s >= NINE and one.first_s <= NINE + 100]
    window, edges = Window(first_s=NINE, last_s=NINE + 100), np.linspace(0, 100, 51) + NINE
    expected = [sum(one.first_s < high and one.last_s >= low for one in bars) for low, high in pairwise(edges)]
    assert presence_counts(bars, window, 50).tolist() == expected
    assert presence_counts([], window, 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "09:00:00.1"), (30, "09:00:05"), (3_600, "09:10"), (40_000, "12:00"), (400_000, "2026-05-05")],
)
def test_the_clock_says_what_can_be_told_apart(seconds, words):
    svg = drawn(lane(bar(0, 1)), window=Window(first_s=NINE, last_s=NINE + seconds))
    ticks = re.findall(r">([\d:.-]+)</text>", svg)
    assert words in ticks and 3 <= len(ticks) <= 13 and "2026-05-0" in svg


def test_names_are_escaped_and_a_camera_without_anybody_is_said():
    svg = drawn(lane(bar(0, 1)), lane(camera="<roof>", platform=Platform.AERIAL))
    assert "&lt;roof&gt;" in svg and "0 of 0 in view" in svg and "<roof>" not in svg
    assert whole_window([lane()]) is None
