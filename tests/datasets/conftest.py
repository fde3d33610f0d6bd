"""Miniature benchmarks for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.datasets.miniature_trees import MINIATURES


@pytest.fixture
def miniature(tmp_path: Path) -> Callable[[str], Path]:
    """Write the intact miniature of a benchmark and give its root."""

    def write(name: str) -> Path:
        root = tmp_path / name
        root.mkdir()
        MINIATURES[name](root)
        return root

    return write
