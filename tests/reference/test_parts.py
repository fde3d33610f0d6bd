"""Every part of the method against the stored outputs of the released program."""

import pytest

from tests.reference.comparison import assert_all_close
from tests.reference.parts import PARTS


@pytest.mark.parametrize("part", PARTS)
def test_matches_the_release(part):
    assert_all_close(PARTS[part]())
