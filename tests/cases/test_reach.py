"""Who can have come from one sighting to another, as the searches of a table say it."""

from dataclasses import replace
from datetime import datetime

import pytest

from skyreid.cases.search.reach import seconds_between
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import set_clock
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.work.importing import import_build
from skyreid.errors import SettingError
from skyreid.pages.spans import seconds_in_words
from skyreid.retrieval.candidates import Seen, why_impossible
from tests.cases.builds import PEOPLE, drawn, write_build
from tests.cases.conftest import new_case

HERE = (48.137, 11.575)
PLACES = dict(zip(PEOPLE, (0.0, 0.0001, 0.01, 0.0003, 0.003, 0.03), strict=True))
"""Degrees to the north of HERE; 0.001 are 111 m."""


@pytest.fixture(scope="module")
def placed(tmp_path_factory, database):
    """A case whose people have positions, one of them a vague one."""
    root = tmp_path_factory.mktemp("placed")

    def at(name):
        told = {"latitude": HERE[0] + PLACES[name], "longitude": HERE[1]}
        return told | ({"position error, m": 5_000.0} if name == PEOPLE[5] else {})

    write_build(root / "built", embeddings=drawn(), attributes={name: at(name) for name in PEOPLE})
    with new_case(root / "case", database) as case:
        import_build(case, root / "built", by="anna", purpose="a test")
        yield case


@pytest.mark.parametrize("max_speed", [0.5, 2.0, 10.0, 100.0])
def test_those_are_left_out_of_whom_a_search_in_a_table_says_that_they_cannot_be(placed, max_speed):
    seen = {one.tracklet.tracklet_id: one for one in read_tracklets(placed)}
    asks = seen[PEOPLE[0]]

    def cannot_be(other):
        # Of no known film: two in one picture are another rule.
        pair = (Seen(tracklet=one.tracklet, sighting=replace(one.sighting, file=None)) for one in (asks, other))
        return why_impossible(*pair, max_speed=max_speed) is not None

    ranking = CaseSearch(placed).search([PEOPLE[0]], max_speed=max_speed)
    found = {one.seen.tracklet.tracklet_id for one in ranking.candidates}
    assert found == {name for name in PEOPLE[1:] if not cannot_be(seen[name])}
    assert PEOPLE[5] in found
    assert ranking.left_out[-1].count == len(PEOPLE) - 1 - len(found)


def test_a_speed_that_is_none_is_refused(placed):
    with pytest.raises(SettingError, match="metres a second"):
        CaseSearch(placed).search([PEOPLE[0]], max_speed=float("nan"))


def test_without_a_clock_nobody_is_left_out_and_nothing_is_said_of_time(placed):
    gate, roof = (
        next(one for one in read_tracklets(placed) if one.tracklet.tracklet_id == name) for name in PEOPLE[::3]
    )
    assert seconds_between(gate, roof) == (roof.sighting.clock - gate.sighting.clock).total_seconds()
    set_clock(placed, "roof-a", by="anna", start_time=None, offset_s=0)
    roofs = [one for one in read_tracklets(placed) if one.source.name == "roof-a"]
    assert seconds_between(gate, roofs[0]) is None
    assert seconds_between(roofs[0], roofs[1]) == 1.0
    ranking = CaseSearch(placed).search([PEOPLE[0]], max_speed=0.01)
    assert {one.seen.source.name for one in ranking.candidates} >= {"roof-a"}
    set_clock(placed, "roof-a", by="anna", start_time=datetime.fromisoformat("2026-05-04T11:00:10+02:00"), offset_s=0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.0, "+0.0 s"),
        (-3.24, "-3.2 s"),
        (59.6, "+1 min"),
        (-3725.0, "-1 h 2 min"),
        (2 * 86_400.0, "+2 d"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(seconds, words):
    assert seconds_in_words(seconds) == words
