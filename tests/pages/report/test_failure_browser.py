import re

import numpy as np
import pytest

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.ranked_list import RankedTracklet
from skyreid.pages.report.failure_browser import DirectionFailures, FailedQuery, failure_section, gather_failures
from tests.pages.report.reading import words
from tests.pages.report.small_world import HOSTILE, make_world


def failed(world, pid, place, *, prefix="", **slices):
    return FailedQuery(
        query=world.tracklets[f"{prefix}ground-{pid}"],
        mistaken=RankedTracklet(tracklet=world.tracklets[f"{prefix}aerial-1"], similarity=0.75, is_match=False),
        match=RankedTracklet(tracklet=world.tracklets[f"{prefix}aerial-{pid}"], similarity=0.5, is_match=True),
        match_place=place,
        average_precision=1 / (place + 1),
        slices=slices,
    )


def section(*failures):
    found = failure_section(failures)
    assert found is not None
    return found.html()


def direction(*worst, name="up", num_failed=2):
    return DirectionFailures(direction=name, worst=worst, num_failed=num_failed, num_queries=40)


def test_the_worst_stands_first_and_each_card_says_what_happened(world):
    html = section(direction(failed(world, 2, 1), failed(world, 3, 1_200)))
    cards = [words(card) for card in re.findall(r'<li class="mistake".*?</ul></li>', html, re.DOTALL)]
    assert cards == [
        "asked for ● ground ground-3 ✕ place 1 ▲ aerial 0.750 aerial-1 ✓ place 1,201 ▲ aerial 0.500 aerial-3 AP 0.1%",
        "asked for ● ground ground-2 ✕ place 1 ▲ aerial 0.750 aerial-1 ✓ place 2 ▲ aerial 0.500 aerial-2 AP 50.0%",
    ]
    assert re.findall(r'data-place="(\d+)" data-precision="([\d.]+)" data-lead="([\d.]+)"', html) == [
        ("1201", "0.000833", "0.250000"),
        ("2", "0.500000", "0.250000"),
    ]


def test_those_left_out_are_counted(world):
    text = words(section(direction(failed(world, 2, 1), num_failed=1_234)))
    assert "up: 1,234 of 40 queries found somebody else first (the 1 worst are shown, 1,233 left out)." in text
    assert "left out" not in words(section(direction(failed(world, 2, 1), num_failed=1)))


def test_slices_become_filters_that_count_their_cards(world):
    one, two = failed(world, 2, 1, scene="plaza", view="steep"), failed(world, 3, 2, scene="plaza")
    html = section(direction(one, two))
    chips = re.findall(r'data-column="(\d)" data-value="(\w+)">\w+ <small>(\d)', html)
    assert chips == [("0", "plaza", "2"), ("1", "steep", "1")]
    assert re.findall(r'data-slice-(\d)="(\w+)"', html) == [("0", "plaza"), ("0", "plaza"), ("1", "steep")]


def test_of_several_directions_the_direction_is_a_filter_too(world):
    both = section(direction(failed(world, 2, 1), name="up"), direction(failed(world, 3, 1), name="down"))
    assert re.findall(r'data-value="(\w+)">', both) == ["down", "up"]
    assert "data-value" not in section(direction(failed(world, 2, 1), name="up"))


def test_hostile_names_never_become_markup(tmp_path):
    world = make_world(tmp_path, prefix=HOSTILE)
    html = section(direction(failed(world, 2, 1, prefix=HOSTILE, **{HOSTILE: HOSTILE}), name=HOSTILE))
    assert "<script" not in html
    assert words(html).count(HOSTILE) == 8


def test_where_nothing_failed_there_is_nothing_to_browse():
    html = section(direction(num_failed=0))
    assert "up: 0 of 40 queries found somebody else first." in words(html)
    assert "<ol" not in html


def test_where_nobody_looked_there_is_no_section():
    assert failure_section([]) is None


@pytest.fixture
def scores(world):
    return evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)


def test_failures_are_those_that_found_somebody_else_first(world, scores):
    failures = gather_failures(
        world.ground,
        world.aerial,
        scores,
        world.tracklets,
        direction="up",
        slices={"scene": ["plaza", "park", None, "park"]},
    )
    assert (failures.num_failed, failures.num_queries) == (2, 4)
    three, two = failures.worst
    assert (three.query.tracklet_id, three.match_place, three.slices) == ("ground-3", 2, {})
    assert (two.query.tracklet_id, two.match_place, two.slices) == ("ground-2", 1, {"scene": "park"})
    assert (three.mistaken.tracklet.tracklet_id, three.match.tracklet.tracklet_id) == ("aerial-4", "aerial-3")
    assert three.match.similarity == pytest.approx(np.cos(np.deg2rad(30)))
    assert three.average_precision == pytest.approx(1 / 3)


def test_of_too_many_failures_the_worst_are_kept_and_all_are_counted(world, scores):
    failures = gather_failures(world.ground, world.aerial, scores, world.tracklets, direction="up", slices={}, most=1)
    assert [failed.query.tracklet_id for failed in failures.worst] == ["ground-3"]
    assert failures.num_failed == 2
