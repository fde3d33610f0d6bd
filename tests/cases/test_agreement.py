import pytest

from skyreid.cases.deciding.agreement import kappa_in_words, read_agreement
from skyreid.cases.deciding.decisions import decide, require, undo
from skyreid.errors import SettingError
from tests.cases.test_decisions import GATE, GATE2, GATE3, ROOF, ROOF2, ROOF3

PAIRS = ((GATE, ROOF), (GATE2, ROOF2), (GATE3, ROOF3), (GATE, ROOF2))


def say(case, person, *words):
    for pair, word in zip(PAIRS, words, strict=False):
        decide(case, *pair, word, annotator=person)


def two(case):
    (found,) = read_agreement(case).agreement
    return found


def test_two_agree_over_the_pairs_that_both_decided_blind(case):
    require(case, 2, annotator="anna")
    say(case, "anna", "confirmed", "rejected", "unsure", "rejected")
    say(case, "bert", "confirmed", "rejected", "confirmed")
    found = two(case)
    # Observed 2/3; by chance (1·2 + 1·1 + 1·0) / 9 = 1/3.
    assert (found.annotators, found.pairs, found.agreed) == (("anna", "bert"), 3, 2)
    assert found.kappa == pytest.approx(0.5)
    assert read_agreement(case).disagreements == (PAIRS[2],)
    decide(case, *PAIRS[2], "confirmed", annotator="anna")  # she has seen what he said
    assert two(case).agreed == 2 and read_agreement(case).disagreements == ()
    assert read_agreement(case).said["anna"] == {"confirmed": 2, "rejected": 2}


def test_what_was_seen_first_counts_for_nothing(case):
    say(case, "anna", "confirmed", "rejected")
    say(case, "bert", "confirmed", "rejected")
    assert (two(case).pairs, two(case).kappa) == (0, None)
    assert "no pair was decided by both without seeing the other" in kappa_in_words(two(case))
    require(case, 2, annotator="anna")
    decide(case, *PAIRS[2], "confirmed", annotator="anna")
    undo(case, annotator="anna")
    for person in ("bert", "anna"):
        decide(case, *PAIRS[2], "confirmed", annotator=person)
    assert (two(case).pairs, two(case).kappa) == (1, None)
    assert kappa_in_words(two(case)).endswith("undefined, since both always said one and the same")
    assert read_agreement(case).to_json()["required"] == 2


def test_nobody_is_no_number_of_people(case):
    with pytest.raises(SettingError, match="at least one"):
        require(case, 0, annotator="anna")
    assert read_agreement(case).agreement == ()


def test_who_asks_is_not_told_what_others_said_of_a_pair_that_waits(case):
    require(case, 2, annotator="anna")
    say(case, "anna", "confirmed", "rejected")
    say(case, "bert", "confirmed")
    assert read_agreement(case, person="bert").said == {"anna": {"confirmed": 1}, "bert": {"confirmed": 1}}
    assert read_agreement(case, person="anna").said["anna"] == {"confirmed": 1, "rejected": 1}
    assert read_agreement(case, person="bert").waiting == 1
