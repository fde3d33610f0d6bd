from datetime import datetime

import numpy as np
import pytest

from skyreid.cases.deciding.decisions import decide
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import set_clock
from skyreid.cases.tracklets import read_models, read_table
from skyreid.errors import CaseError, NothingFoundError, SettingError, TableError
from skyreid.retrieval.filters import Filters
from skyreid.retrieval.search import Asked, search
from skyreid.tracklet import Platform

GATE, ROOF = "gate-a-0001", "roof-a-0001"


def found(ranking):
    return [(one.seen.tracklet.tracklet_id, one.similarity) for one in ranking.candidates]


@pytest.mark.parametrize("queries", [[GATE], [GATE, "gate-b-0001"]])
@pytest.mark.parametrize("platform", [None, Platform.AERIAL])
@pytest.mark.parametrize("top_k", [1, 20])
def test_a_search_finds_what_a_search_in_the_table_finds_to_the_last_bit(case, queries, platform, top_k):
    (model,) = read_models(case)
    expected = search(read_table(case, model), queries, platform=platform, top_k=top_k)
    ranking = CaseSearch(case).search(queries, platform=platform, top_k=top_k)
    assert found(ranking) == [(entry.tracklet_id, entry.similarity) for entry in expected]
    assert ranking.num_searched == expected.num_searched


def test_what_was_decided_is_not_suggested_again_unless_it_is_asked_for(case):
    decide(case, GATE, "roof-a-0002", "rejected", annotator="anna")
    decide(case, GATE, "roof-a-0003", "confirmed", annotator="anna")
    searching = CaseSearch(case)
    ranking = searching.search([GATE])
    assert {one for one, _ in found(ranking)} == {"gate-a-0002", "gate-b-0001", ROOF}
    assert ranking.num_decided == 2
    states = {c.seen.tracklet.tracklet_id: c.state for c in searching.search([GATE], with_decided=True).candidates}
    assert (states["roof-a-0002"], states["roof-a-0003"], states[ROOF]) == ("rejected", "confirmed", "open")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(cameras=["roof"]), {"roof-a-0001", "roof-a-0002", "roof-a-0003"}),
        (Filters(after=5.5), {"roof-a-0003", "roof-a-0002"}),
        (Filters(before=1.5), {"gate-a-0002"}),
        (Filters(after=datetime.fromisoformat("2026-05-04T09:00:30+00:00")), {"gate-b-0001"}),
        (Filters(before=datetime.fromisoformat("2026-05-04T10:00:00")), {"gate-a-0002", "gate-b-0001"}),
        (Filters(min_height_px=1), {"gate-a-0002", "gate-b-0001", "roof-a-0001", "roof-a-0002", "roof-a-0003"}),
    ],
)
def test_filters_apply_before_anything_is_ranked(case, filters, expected):
    ranking = CaseSearch(case).search([GATE], filters=filters)
    assert {one for one, _ in found(ranking)} == expected
    assert ranking.num_searched == len(expected)


def test_a_clock_that_is_put_right_counts_at_the_next_search(case):
    searching = CaseSearch(case)
    late = Filters(after=datetime.fromisoformat("2026-05-04T10:00:00+00:00"))
    with pytest.raises(NothingFoundError, match="after 2026-05-04 10:00:00"):
        searching.search([GATE], filters=late)
    set_clock(case, "roof-a", by="anna", start_time=datetime.fromisoformat("2026-05-04T09:00:10+00:00"), offset_s=3600)
    assert len(searching.search([GATE], filters=late).candidates) == 3


def test_a_picture_or_a_text_asks_by_its_own_part_of_the_vectors(case):
    (model,) = read_models(case)
    table = read_table(case, model)
    picture = Asked(words="a.jpg", embedding=np.arange(8, dtype=np.float32))
    text = Asked(words="red", embedding=np.array([1, -2, 3], dtype=np.float32), first_column=5)
    for asked in ([picture], [text], [picture, text]):
        expected = search(table, asked, top_k=3)
        got = CaseSearch(case).search(asked=asked, top_k=3)
        assert found(got) == [(entry.tracklet_id, entry.similarity) for entry in expected]
    with pytest.raises(TableError, match="red: must be 3 finite numbers"):
        CaseSearch(case).search(asked=[Asked(words="red", embedding=np.ones(4, dtype=np.float32), first_column=5)])


@pytest.mark.parametrize(
    ("arguments", "error", "refusal"),
    [
        ({}, SettingError, "a search asks with something"),
        ({"queries": ["gate-a-0009"]}, CaseError, "has no tracklet 'gate-a-0009'"),
        ({"queries": [GATE], "model": 7}, CaseError, "has no vectors to search by model 7"),
        ({"queries": [GATE], "top_k": 0}, SettingError, "finds 1 to 1000"),
        ({"queries": [GATE], "filters": Filters(cameras=["dor"])}, SettingError, "no camera is called 'dor'"),
    ],
)
def test_what_cannot_be_asked_is_refused(case, arguments, error, refusal):
    with pytest.raises(error, match=refusal):
        CaseSearch(case).search(**arguments)


def test_an_empty_case_says_where_vectors_come_from(empty):
    with pytest.raises(CaseError, match=r"has no vectors to search; 'skyreid case work' makes them"):
        CaseSearch(empty).search(asked=[Asked(words="a", embedding=np.ones(8, dtype=np.float32))])
