import pytest

from tests.pages.report.small_world import SmallWorld, make_world


@pytest.fixture
def world(tmp_path) -> SmallWorld:
    return make_world(tmp_path / "frames")
