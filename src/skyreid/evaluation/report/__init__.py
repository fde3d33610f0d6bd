"""The evaluation as one HTML file: charts of all queries, cases of single ones, put together by `report_page`."""

from skyreid.evaluation.report.cases.attention_strip import AttentionStrip
from skyreid.evaluation.report.cases.failure_browser import DirectionFailures, FailedQuery
from skyreid.evaluation.report.cases.gathering import gather_examples, gather_failures
from skyreid.evaluation.report.cases.ranked_example import RankedExample
from skyreid.evaluation.report.charts.distance_distribution import DistanceDistribution
from skyreid.evaluation.report.charts.slice_bars import SliceBar, SliceBars
from skyreid.evaluation.report.report_page import ReportPicture, write_report
from skyreid.evaluation.report.score_table import ScoredDirection

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
