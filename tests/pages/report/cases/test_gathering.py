import re

import numpy as np
import pytest

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.errors import TableError
from skyreid.evaluation.ranking_examples import ExampleKind
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.report.cases.gathering import gather_examples, gather_failures


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
    assert (ids([three.mistaken]), ids([three.match])) == (["aerial-4"], ["aerial-3"])
    assert three.match.similarity == pytest.approx(np.cos(np.deg2rad(30)))
    assert three.average_precision == pytest.approx(1 / 3)


def test_of_too_many_failures_the_worst_are_kept_and_all_are_counted(world, scores):
    failures = gather_failures(world.ground, world.aerial, scores, world.tracklets, direction="up", slices={}, most=1)
    assert [failed.query.tracklet_id for failed in failures.worst] == ["ground-3"]
    assert failures.num_failed == 2


def test_a_tracklet_that_nobody_gave_is_refused_by_name(world, scores):
    fewer = {name: tracklet for name, tracklet in world.tracklets.items() if name != "aerial-3"}
    message = "tracklet 'aerial-3' of the table is not among the 7 given tracklets: it cannot be shown"
    with pytest.raises(TableError, match=f"^{re.escape(message)}"):
        gather_failures(world.ground, world.aerial, scores, fewer, direction="up", slices={})
