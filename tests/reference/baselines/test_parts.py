"""Losses and samplers of the compared methods against the stored values of their originals."""

import pytest

from tests.reference.baselines.parts import PARTS
from tests.reference.comparison import assert_all_close


@pytest.mark.parametrize("part", PARTS)
def test_matches_the_originals(part):
    assert_all_close(PARTS[part]())
