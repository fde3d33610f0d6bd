from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.linking.agreement import agreements
from skyreid.building.linking.events import Decision

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
