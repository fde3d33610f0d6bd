"""The evaluation as one HTML file: charts of all queries, cases of single ones, put together by `report_page`."""

from skyreid.pages.report.cases.attention_strip import AttentionStrip
from skyreid.pages.report.cases.failure_browser import DirectionFailures, FailedQuery
from skyreid.pages.report.cases.gathering import gather_examples, gather_failures
from skyreid.pages.report.cases.ranked_example import RankedExample
from skyreid.pages.report.charts.distance_distribution import DistanceDistribution
from skyreid.pages.report.charts.slice_bars import SliceBar, SliceBars
from skyreid.pages.report.report_page import ReportPicture, write_report
from skyreid.pages.report.score_table import ScoredDirection

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
