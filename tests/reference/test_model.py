"""The model and both stages of training against the stored outputs of the released program."""

import pytest

from tests.reference.comparison import assert_all_close
from tests.reference.parity import CHECKS, reference_loops
from tests.reference.stored_cases import CASES, IN_REPOSITORY, find_case


@pytest.fixture(params=CASES)
def case(request):
    if (IN_REPOSITORY / request.param).is_dir():
        return find_case(request.param, None)
    return find_case(request.param, request.getfixturevalue("reference_dir"))


@pytest.mark.parametrize("check", CHECKS)
def test_matches_the_release(case, check):
    assert_all_close(CHECKS[check](case))


def test_matches_the_release_s_own_training_loops(reference_dir):
    assert_all_close(reference_loops(find_case("pbp_3x16", reference_dir)))
