"""A pair of sources, and what was built of it."""

import shutil

import pytest

from skyreid.building.build import build
from tests.building.source_pairs import write_pair


@pytest.fixture
def pair(tmp_path):
    """Two sources that a test may change."""
    return write_pair(tmp_path / "in")


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """What a build of such a pair leaves; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    return build(write_pair(folder / "somewhere/else"), folder / "out")


@pytest.fixture
def finished(tmp_path, whole):
    """A copy of it."""
    return shutil.copytree(whole.manifest_path.parent, tmp_path / "out")
