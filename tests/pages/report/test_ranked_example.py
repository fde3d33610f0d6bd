import re

import numpy as np
import pytest

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.errors import TableError
from skyreid.evaluation.ranking_examples import ExampleKind
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.report.failure_browser import gather_failures
from skyreid.pages.report.ranked_example import RankedExample, example_section, gather_examples
from tests.pages.report.reading import words
from tests.pages.report.small_world import HOSTILE


def test_the_first_list_of_each_kind_is_open_and_says_its_kind(world):
    query = world.tracklets["ground-1"]
    kinds = [ExampleKind.BEST, ExampleKind.BEST, ExampleKind.NEAR_MISS, ExampleKind.WORST, None, ExampleKind.WORST]
    section = example_section(
        [RankedExample(name=f"list {n}", query=query, ranked=(), kind=k) for n, k in enumerate(kinds)]
    )
    assert section is not None
    summaries = re.findall(r'<details class="example"( open)?>\n<summary>(.*?)</summary>', section.html())
    assert [(bool(opened), words(summary)) for opened, summary in summaries] == [
        (True, "✓ best list 0"),
        (False, "✓ best list 1"),
        (True, "≈ near miss list 2"),
        (True, "✕ worst list 3"),
        (True, "list 4"),
        (False, "✕ worst list 5"),
    ]


def test_a_name_never_becomes_markup(world):
    section = example_section([RankedExample(name=HOSTILE, query=world.tracklets["ground-1"], ranked=())])
    assert section is not None
    assert HOSTILE in words(section.html())


def test_without_examples_there_is_no_section():
    assert example_section([]) is None


@pytest.fixture
def scores(world):
    return evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)


def ids(ranked):
    return [entry.tracklet.tracklet_id for entry in ranked]


def test_examples_show_what_was_scored(world, scores):
    best, near_miss, worst = gather_examples(
        world.ground, world.aerial, scores, world.tracklets, direction="up", each=1, top_k=3
    )
    assert (best.kind, near_miss.kind, worst.kind) == (ExampleKind.BEST, ExampleKind.NEAR_MISS, ExampleKind.WORST)
    assert near_miss.name == "up: person 2, first found at place 2, AP 50.0%"
    assert near_miss.query.tracklet_id == "ground-2"
    assert ids(near_miss.ranked) == ["aerial-1", "aerial-2", "aerial-4"]
    assert [entry.is_match for entry in near_miss.ranked] == [False, True, False]
    assert near_miss.ranked[0].similarity == pytest.approx(np.cos(np.deg2rad(4)))
    assert ids(worst.ranked) == ["aerial-4", "aerial-2", "aerial-3"]


def test_a_list_too_short_for_the_right_person_says_where_it_stood(world, scores):
    *_, worst = gather_examples(world.ground, world.aerial, scores, world.tracklets, direction="up", each=1, top_k=1)
    assert ids(worst.ranked) == ["aerial-4", "aerial-3"]
    assert [(entry.rank, entry.is_match) for entry in worst.ranked] == [(None, False), (3, True)]
    assert worst.ranked[1].similarity == pytest.approx(np.cos(np.deg2rad(30)))


def test_a_tracklet_that_nobody_gave_is_refused_by_name(world, scores):
    fewer = {name: tracklet for name, tracklet in world.tracklets.items() if name != "aerial-3"}
    message = "tracklet 'aerial-3' of the table is not among the 7 given tracklets: it cannot be shown"
    with pytest.raises(TableError, match=f"^{re.escape(message)}"):
        gather_failures(world.ground, world.aerial, scores, fewer, direction="up", slices={})
