import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.evaluation.pair_counts import CELL, just_above, num_let_in, unresolvable


@pytest.mark.parametrize(
    ("rate", "total", "let_in"), [(0.29, 100, 29), (0.07, 100, 7), (1e-4, 9_999, 0), (1e-4, 10**12, 10**8)]
)
def test_a_share_is_counted_as_people_read_it(rate, total, let_in):
    """In floating point 0.29 × 100 is below 29."""
    assert num_let_in(rate, total) == let_in


@given(st.floats(1e-6, 0.999), st.integers(1, 10**9))
def test_no_more_than_the_share_is_let_in(rate, total):
    assert num_let_in(rate, total) <= Fraction(str(rate)) * total < num_let_in(rate, total) + 1


@given(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))
def test_a_cell_is_narrower_than_a_millionth_and_starts_at_a_float32(similarity, other):
    above = just_above(similarity)
    start = above - CELL
    assert start <= similarity < above < start + 1e-6
    assert (start, above) == (np.float32(start), np.float32(above))
    assert (other >= above) == (just_above(other) > above)


@given(st.integers(2, 10**9))
def test_the_rate_that_a_refusal_asks_for_is_resolvable(total):
    advised = re.search(r"ask for at least (\S+),", unresolvable(total, "pairs"))
    assert advised is not None
    assert num_let_in(float(advised[1]), total) >= 1
    assert float(advised[1]) <= 1.11 / total


def test_with_one_pair_no_rate_will_do():
    assert unresolvable(1, "pairs") == "is not resolvable with 1 pairs: bring more"
