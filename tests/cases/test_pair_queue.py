import time

import numpy as np
import pytest

from skyreid.cases.deciding import pair_queue
from skyreid.cases.deciding.decisions import decide, require, undo
from skyreid.cases.deciding.pair_queue import PairQueue, doubts
from skyreid.cases.sources import set_clock
from skyreid.cases.work.importing import import_build
from skyreid.errors import CaseError
from tests.cases.builds import write_build
from tests.cases.conftest import new_case
from tests.cases.test_decisions import GATE, GATE2, GATE3, ROOF, ROOF2, ROOF3


@pytest.fixture
def asked(tmp_path, database):
    """The gate's second person has two who are as alike; the first and the third have one each who is far ahead."""
    angle = np.deg2rad([0, 60, 120, 2, 55, 65])
    write_build(tmp_path / "built", embeddings=np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32))
    with new_case(tmp_path / "case", database) as case:
        import_build(case, tmp_path / "built", by="anna", purpose="a test")
        for source in ("gate-a", "gate-b", "roof-a"):  # similarity alone
            set_clock(case, source, by="anna", start_time=None, offset_s=0)
        yield case


def pairs(queue, person="anna"):
    return [one.pair for one in queue.queue(person).pairs]


def test_what_can_go_either_way_is_asked_first_and_nothing_twice(asked):
    queue = PairQueue(asked)
    first = pairs(queue)
    assert len(first) == 9 and set(first[:2]) == {(GATE2, ROOF2), (GATE2, ROOF3)}
    for pair, decision in zip(first[:3], ("confirmed", "rejected", "unsure"), strict=True):
        decide(asked, *pair, decision, annotator="anna")
    left = pairs(queue)
    assert not set(left) & set(first[:3]) and first[2] in pairs(queue, "bert")  # unsure is asked of somebody else
    assert not set(first[:2]) & set(pairs(queue, "bert"))  # what is settled, of nobody
    undo(asked, annotator="anna")
    assert first[2] in pairs(queue)


def test_who_has_both_sides_comes_after_those_who_lack_one(asked):
    decide(asked, GATE2, ROOF2, "confirmed", annotator="anna")
    decide(asked, GATE, ROOF, "confirmed", annotator="anna")
    last = pairs(PairQueue(asked))[-2:]
    assert set(last) == {(GATE, ROOF2), (GATE2, ROOF)}


def test_with_four_eyes_what_others_began_comes_first_and_says_nothing(asked):
    require(asked, 2, annotator="anna")
    for pair, decision in (((GATE, ROOF3), "rejected"), ((GATE3, ROOF3), "confirmed"), ((GATE, GATE3), "unsure")):
        decide(asked, *pair, decision, annotator="anna")
    queue = PairQueue(asked)
    began = {(GATE, ROOF3), (GATE3, ROOF3), (GATE, GATE3)}
    assert set(pairs(queue, "bert")[:3]) == began and not began & set(pairs(queue, "anna"))
    for pair in began:
        decide(asked, *pair, "rejected", annotator="bert")
    assert not began & set(pairs(queue, "carl"))


def test_new_footage_is_asked_about_and_one_side_alone_is_said(asked, tmp_path, database):
    queue = PairQueue(asked)
    before = len(pairs(queue))
    write_build(tmp_path / "late", ["door-a-0001"], embeddings=np.array([[1, 0]], dtype=np.float32))
    import_build(asked, tmp_path / "late", by="anna", purpose="a test")
    assert len(pairs(queue)) == before + 3
    with new_case(tmp_path / "half", database) as half:
        import_build(half, tmp_path / "late", by="anna", purpose="a test")
        assert PairQueue(half).queue("anna").problem == "nobody was seen from the air yet"


def test_doubt_is_that_of_a_loop():
    scores = np.random.default_rng(0).uniform(0, 1, 15)
    sides = np.arange(15) % 3, np.arange(15) % 5
    expected = []
    for pair in range(15):
        share = 1.0
        for side in sides:
            own = [np.exp(scores[other] / 0.05) for other in range(15) if side[other] == side[pair]]
            share *= np.exp(scores[pair] / 0.05) / sum(own)
        expected.append(share * (1 - share))
    assert doubts(scores, *sides) == pytest.approx(expected)
    nothing = np.zeros(0, dtype=np.int64)
    assert doubts(np.zeros(0), nothing, nothing).size == 0


def test_a_few_are_the_first_of_all(asked):
    decide(asked, GATE, ROOF, "confirmed", annotator="anna")
    require(asked, 2, annotator="anna")
    decide(asked, GATE, GATE3, "unsure", annotator="bert")
    every = PairQueue(asked).queue("anna")
    few = PairQueue(asked).queue("anna", limit=3, first=(GATE2, ROOF2))
    assert every.num_left == few.num_left == len(every.pairs)
    expected = [(GATE2, ROOF2), *(one.pair for one in every.pairs if one.pair != (GATE2, ROOF2))]
    assert [one.pair for one in few.pairs] == expected[:3] and few.pairs[0].similarity is not None


def test_a_large_case_is_asked_about_some_until_all_is_ranked(asked, monkeypatch):
    every = pairs(PairQueue(asked))
    monkeypatch.setattr(pair_queue, "SOME", 1)
    queue = PairQueue(asked)
    some = queue.queue("anna")
    assert some.is_partial and {GATE} == {one for pair in some.pairs for one in pair.pair if one.startswith("gate")}
    while (found := queue.queue("anna")).is_partial:
        time.sleep(0.01)
    assert [one.pair for one in found.pairs] == every


def test_who_closes_a_case_ends_its_ranking(asked, monkeypatch):
    monkeypatch.setattr(pair_queue, "SOME", 1)
    queue = PairQueue(asked)
    queue.close()
    with pytest.raises(CaseError, match="was closed while its pairs were ranked"):
        queue.queue("anna")
