"""The small world of the pages' tests, for the rankings."""

from tests.pages.report.conftest import world

__all__ = ["world"]
