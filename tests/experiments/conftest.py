"""The tiny benchmark of the trainings."""

from tests.training.conftest import tiny_g2a

__all__ = ["tiny_g2a"]
