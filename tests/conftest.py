"""Where the tests find what is not in the repository."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# One thread, here and in the processes that tests start: a sum over two threads rounds otherwise than over
# one, and the comparisons between one process and two are as tight as that.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# A busy machine is no failure: timings belong into benchmarks/.
settings.register_profile("skyreid", deadline=None)
settings.load_profile("skyreid")


def _folder_from_environment(variable: str) -> Path:
    folder = os.environ.get(variable)
    if folder is None:
        pytest.skip(f"{variable} is not set")
    if not Path(folder).is_dir():
        pytest.fail(f"{variable} must name a folder; got {folder!r}")
    return Path(folder)


@pytest.fixture(scope="session")
def footage_dir() -> Path:
    """Real video, under licences that let us test with it but not ship it."""
    return _folder_from_environment("SKYREID_FOOTAGE")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Published weights, in the places of our cache."""
    return _folder_from_environment("SKYREID_MODELS")


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The large stored outputs of the authors' program; the small ones are in tests/reference."""
    return _folder_from_environment("SKYREID_REFERENCE")
