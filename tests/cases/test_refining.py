"""A refined list against plain NumPy in float64, and that it changes nothing but the order."""

import numpy as np
import pytest

from skyreid.cases.deciding.decisions import decide, undo
from skyreid.cases.search.refining import ALIKE, CONFIRMED, REJECTED
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.tracklets import read_models, read_table
from skyreid.cases.work.importing import import_build
from skyreid.retrieval.search import Asked
from skyreid.tracklet import Platform
from tests.cases.builds import drawn, write_build
from tests.cases.conftest import new_case

PEOPLE = tuple(f"{source}-{number:04d}" for source in ("gate-a", "roof-a") for number in range(1, 21))
QUERIES = ["gate-a-0001", "gate-a-0002"]


@pytest.fixture(scope="module")
def learned(tmp_path_factory, database):
    """A case of forty, three of whom are decided on: two sightings of the queries' person and one of somebody else."""
    folder = tmp_path_factory.mktemp("learned")
    vectors = drawn(PEOPLE, width=16)
    of = dict(zip(PEOPLE, vectors, strict=True))
    of["roof-a-0003"][:] = of["gate-a-0002"] + 0.5 * of["roof-a-0003"]
    for number, one in enumerate(PEOPLE[24:], start=1):  # they look as somebody who is rejected, and as the person
        of[one][:] = of["roof-a-0003"] + 0.02 * number * of[one]
    write_build(folder / "built", PEOPLE, embeddings=vectors)
    with new_case(folder / "case", database) as case:
        import_build(case, folder / "built", by="anna", purpose="a test")
        for first, second, decision in (
            ("gate-a-0001", "roof-a-0001", "confirmed"),
            ("roof-a-0001", "roof-a-0002", "confirmed"),  # by way of the first
            ("gate-a-0002", "roof-a-0003", "rejected"),
        ):
            decide(case, first, second, decision, annotator="anna")
        yield case


def order(ranking):
    return [one.seen.tracklet.tracklet_id for one in ranking.candidates]


def oracle(case, queries, confirmed, rejected):
    """Refined score and similarity of everybody, by id."""
    (model,) = read_models(case)
    table = read_table(case, model)
    units = table.embeddings.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    of = dict(zip(table.tracklet_ids.tolist(), units, strict=True))
    asked, others = sum(of[one] for one in queries), np.array([of[one] for one in rejected])
    score = (asked + CONFIRMED * sum(of[one] for one in confirmed)) / (len(queries) + CONFIRMED * len(confirmed))
    penalty = {one: REJECTED * max(0, (others @ unit).max() - ALIKE) for one, unit in of.items()}
    return {one: (float(unit @ score) - penalty[one], float(unit @ asked) / len(queries)) for one, unit in of.items()}


@pytest.mark.parametrize("top_k", [1, 5, 40])
@pytest.mark.parametrize("with_decided", [False, True])
def test_the_order_is_that_of_the_formula_and_similarities_stay_those_of_the_queries(learned, top_k, with_decided):
    searching = CaseSearch(learned)
    asked = {"queries": QUERIES, "with_decided": with_decided}
    refined, raw = searching.search(**asked, top_k=top_k, refine=True), searching.search(**asked, top_k=40)
    expected = oracle(learned, QUERIES, ["roof-a-0001", "roof-a-0002"], ["roof-a-0003"])
    left = sorted(order(raw), key=lambda one: -expected[one][0])
    assert order(refined) == left[:top_k] and len(left) == (38 if with_decided else 35)
    assert (refined.refined.confirmed, refined.refined.rejected) == (2, 1) and raw.refined is None
    of_raw = {one.seen.tracklet.tracklet_id: one for one in raw.candidates}
    for place, one in enumerate(refined.candidates, start=1):
        same = of_raw[one.seen.tracklet.tracklet_id]
        assert (one.place, one.rank, one.similarity, one.state) == (place, same.rank, same.similarity, same.state)
        assert one.similarity == pytest.approx(expected[one.seen.tracklet.tracklet_id][1], abs=1e-6)
    assert top_k == 1 or order(refined) != order(raw)[:top_k]


def test_a_list_learns_from_a_decision_and_forgets_what_is_taken_back(learned):
    searching = CaseSearch(learned)
    before = searching.search(["gate-a-0009"], platform=Platform.AERIAL, refine=True)
    assert before.refined is None and [one.place for one in before.candidates] == [o.rank for o in before.candidates]
    decide(learned, "gate-a-0009", order(before)[0], "confirmed", annotator="ben")
    after = searching.search(["gate-a-0009"], platform=Platform.AERIAL, refine=True)
    assert after.refined.confirmed == 1 and set(order(after)) == set(order(before)[1:])
    assert order(after) != order(before)[1:]
    undo(learned, annotator="ben")
    assert order(searching.search(["gate-a-0009"], platform=Platform.AERIAL, refine=True)) == order(before)


def test_a_text_that_asks_beside_a_tracklet_is_refined_by_its_own_part_of_the_vectors(learned):
    asked = [Asked(words="red", embedding=np.arange(1, 5, dtype=np.float32), first_column=12)]
    searching = CaseSearch(learned)
    refined = searching.search(QUERIES[:1], asked=asked, top_k=40, refine=True)
    raw = searching.search(QUERIES[:1], asked=asked, top_k=40)
    by_id = {one.seen.tracklet.tracklet_id: (one.rank, one.similarity) for one in raw.candidates}
    assert {one.seen.tracklet.tracklet_id: (one.rank, one.similarity) for one in refined.candidates} == by_id
    assert order(refined) != order(raw)
