"""The evaluation as one HTML file: charts of all queries, cases of single ones, put together by `report_page`."""

from skyreid.pages.report.attention_strip import AttentionStrip
from skyreid.pages.report.distance_distribution import DistanceDistribution
from skyreid.pages.report.failure_browser import DirectionFailures, FailedQuery, gather_failures
from skyreid.pages.report.ranked_example import RankedExample, gather_examples
from skyreid.pages.report.report_page import ReportPicture, write_report
from skyreid.pages.report.score_table import ScoredDirection, SliceBar, SliceBars

__all__ = [
    "AttentionStrip",
    "DirectionFailures",
    "DistanceDistribution",
    "FailedQuery",
    "RankedExample",
    "ReportPicture",
    "ScoredDirection",
    "SliceBar",
    "SliceBars",
    "gather_examples",
    "gather_failures",
    "write_report",
]
