import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.linking.event_log import Decision, RequireEvent, new_event_id, now
from skyreid.building.linking.link_report import agreements, link_report
from skyreid.building.linking.link_state import fingerprints, replay
from skyreid.building.linking.presence import presences
from tests.building.linking.folders import INFO, says, seen

NAMES = ["gate-a-0001", "gate-a-0002", "door-a-0001", "roof-a-0001", "roof-a-0002", "roof-a-0003"]
TRACKLETS = [seen(name, pid=number) for number, name in enumerate(NAMES, start=1)]
G1, G2, D1, R1, R2, R3 = TRACKLETS


def report_of(*events, torn_bytes=0):
    state = replay(events, fingerprints(TRACKLETS))
    return link_report(TRACKLETS, presences(TRACKLETS, INFO), state, torn_bytes=torn_bytes)


def test_before_any_decision_everything_is_open():
    report = report_of()
    assert (report.identities, report.identities_on_both_platforms, report.open_pairs) == (6, 0, 9)
    assert report.lines() == [
        "6 tracklets, 6 identities, 0 of them on both platforms",
        "0 links count (1 annotator required), 0 wait for another annotator, 9 pairs are open",
    ]


def test_everything_that_a_person_has_to_mend_is_named():
    gone = seen("gate-a-0009")
    report = report_of(
        says("ann", "same", G1, R1),
        says("ann", "same", R1, G2),  # at the same time as G1 in the same camera
        says("ann", "same", D1, R2),
        says("ann", "same", R2, R3),
        says("bob", "different", D1, R3),
        says("bob", "same", G1, R1),
        says("bob", "unsure", R1, D1),
        says("ann", "different", R1, D1),
        says("ann", "same", gone, R1),
        torn_bytes=17,
    )
    assert (report.identities, report.identities_on_both_platforms, report.links, len(report.outdated)) == (4, 1, 4, 1)
    assert report.open_pairs == 5 - 1  # G1, G2 with R2, R3; D1 with R2, R3 is decided, with R1 as well
    assert report.lines() == [
        "6 tracklets, 4 identities, 1 of them on both platforms",
        "4 links count (1 annotator required), 0 wait for another annotator, 4 pairs are open",
        "ann: 4 same, 1 different, 0 unsure",
        "bob: 1 same, 1 different, 1 unsure",
        "ann and bob: 1 of 2 shared pairs agree, Cohen's kappa 0.333",
        "1 decisions count for nothing: their tracklets are gone or were built otherwise",
        "  ann: gate-a-0009 and roof-a-0001 were same",
        "the file of decisions ends in 17 bytes of an unfinished event, ignored",
        "contradiction: door-a-0001 and roof-a-0003 are called different, but door-a-0001 = roof-a-0002 = roof-a-0003; "
        "none of these links counts until one decision is undone or changed",
        "conflict: gate-a-0001 and gate-a-0002 are identity 1, but one camera saw both at the same time",
        "disagreement: door-a-0001 and roof-a-0001: ann says different, bob says unsure",
    ]


def test_a_link_that_waits_for_a_second_person_is_counted_apart():
    rule = RequireEvent(event_id=new_event_id(), time=now(), annotator="ann", annotators=2)
    report = report_of(rule, says("ann", "same", G1, R1))
    assert (report.links, report.waiting, report.identities) == (0, 1, 6)
    assert "0 links count (2 annotators required), 1 wait" in report.lines()[1]


def test_the_report_is_plain_json():
    report = report_of(says("ann", "same", G1, R1), says("bob", "different", G1, R1))
    content = json.loads(json.dumps(report.to_json()))
    assert content["decisions"] == {
        "ann": {"same": 1, "different": 0, "unsure": 0},
        "bob": {"same": 0, "different": 1, "unsure": 0},
    }
    assert content["agreement"] == [{"annotators": ["ann", "bob"], "pairs": 1, "agreed": 0, "kappa": 0.0}]
    assert content["disagreements"] == [
        {"tracklets": ["gate-a-0001", "roof-a-0001"], "decisions": {"ann": "same", "bob": "different"}}
    ]
    assert (content["tracklets"], content["identities"], content["contradictions"], content["conflicts"]) == (
        6,
        6,
        [],
        [],
    )


S, D, U = Decision.SAME, Decision.DIFFERENT, Decision.UNSURE


def decisions_of(rows):
    return {(f"a{number:03d}", f"b{number:03d}"): said for number, said in enumerate(rows)}


def both(answers):
    return decisions_of([{"ann": one, "bob": other} for one, other in answers])


def test_kappa_is_what_one_calculates_by_hand():
    # 50 pairs: 35 agree; by chance 0.5 × 0.6 + 0.5 × 0.4 = 0.5; (0.7 - 0.5) / 0.5 = 0.4
    (agreement,) = agreements(both([(S, S)] * 20 + [(S, D)] * 5 + [(D, S)] * 10 + [(D, D)] * 15))
    assert agreement.annotators == ("ann", "bob")
    assert (agreement.pairs, agreement.agreed) == (50, 35)
    assert agreement.kappa == pytest.approx(0.4)


def test_three_categories_by_hand():
    # 10 pairs, 7 agree; by chance (5 × 4 + 3 × 4 + 2 × 2) / 100 = 0.36; 0.34 / 0.64 = 0.53125
    (agreement,) = agreements(both([(S, S)] * 3 + [(S, D)] * 2 + [(D, D)] * 2 + [(D, S)] + [(U, U)] * 2))
    assert (agreement.pairs, agreement.agreed, agreement.kappa) == (10, 7, 0.53125)


@pytest.mark.parametrize("answers", [[], [(S, S)], [(D, D)] * 7])
def test_kappa_is_undefined_where_chance_explains_everything(answers):
    lone = {("x", "y"): {"ann": S}, ("x", "z"): {"bob": U}}
    (agreement,) = agreements({**lone, **both(answers)})
    assert agreement.kappa is None
    assert agreement.pairs == len(answers)


def test_always_against_each_other_is_below_chance():
    (agreement,) = agreements(both([(S, D), (D, S)]))
    assert agreement.kappa == -1.0


def test_every_two_annotators_are_compared_on_what_both_decided():
    found = agreements(decisions_of([{"ann": S, "bob": S, "cy": U}, {"bob": D, "cy": D}]))
    assert [(two.annotators, two.pairs, two.agreed) for two in found] == [
        (("ann", "bob"), 1, 1),
        (("ann", "cy"), 1, 0),
        (("bob", "cy"), 2, 1),
    ]


def test_one_annotator_alone_agrees_with_nobody():
    assert agreements(decisions_of([{"ann": S}])) == []


words = st.sampled_from(list(Decision))


@given(st.lists(st.tuples(words, words), max_size=30))
def test_kappa_is_what_its_definition_says(answers):
    """Over all pairs of one answer of the first and any answer of the second."""
    (agreement,) = agreements({("x", "y"): {"ann": S}, ("x", "z"): {"bob": S}, **both(answers)})
    count = len(answers)
    chance = sum(one is other for one, _ in answers for _, other in answers)
    if not count or chance == count**2:
        assert agreement.kappa is None
        return
    observed, expected = Fraction(sum(one is other for one, other in answers), count), Fraction(chance, count**2)
    assert agreement.kappa == pytest.approx(float((observed - expected) / (1 - expected)))
