"""An evaluation as a page that a person enjoys: scores, curves, pictures, and where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skyreid.evaluation.embedding_map import EmbeddingMap
from skyreid.pages.frame_strip import jpeg_uri
from skyreid.pages.page import packaged_text, write_page
from skyreid.pages.report.cases.attention_strip import AttentionStrip, attention_section
from skyreid.pages.report.cases.failure_browser import DirectionFailures, failure_section
from skyreid.pages.report.cases.ranked_example import RankedExample, example_section
from skyreid.pages.report.charts.cmc_curve import cmc_section
from skyreid.pages.report.charts.distance_distribution import DistanceDistribution, distance_section
from skyreid.pages.report.charts.map_drawing import map_section
from skyreid.pages.report.charts.slice_bars import SliceBars, slice_section
from skyreid.pages.report.provenance import provenance_html
from skyreid.pages.report.score_table import ScoredDirection, headline, score_section
from skyreid.pages.templates import render


@dataclass(frozen=True, kw_only=True)
class ReportPicture:
    """A picture to show above the scores."""

    caption: str
    jpeg: bytes


def write_report(
    path: Path,
    *,
    title: str,
    summary: str,
    directions: Sequence[ScoredDirection],
    provenance: Mapping[str, str],
    examples: Sequence[RankedExample] = (),
    slices: Sequence[SliceBars] = (),
    distances: Sequence[DistanceDistribution] = (),
    embedding_map: EmbeddingMap | None = None,
    attention: Sequence[AttentionStrip] = (),
    failures: Sequence[DirectionFailures] = (),
    pictures: Sequence[ReportPicture] = (),
    notice: str | None = None,
    before_label: str = "before training",
    after_label: str = "after training",
    interval_note: str = "95 % bootstrap interval over queries",
) -> None:
    """Write one HTML file, pictures inside, that opens without network or server and is whole without scripts.

    What is not given has no section on the page.

    Args:
        path: the .html file; an older one is replaced.
        title: heading of the page.
        summary: one or two sentences under the heading.
        directions: what was scored; each gets a card, a block of the table and a CMC curve.
        provenance: what a reader needs to make the page again: dataset, its hash, seed, commit.
        examples: ranked lists to show, in this order.
        slices: scores by what is known of the queries.
        distances: how alike pairs of one person and of two people look.
        embedding_map: all tracklets on a plane.
        attention: where the model looked in some tracklets.
        failures: queries that found somebody else first.
        pictures: shown first, such as the places where people were filmed.
        notice: banner above everything, such as "Synthetic data: …".
        before_label: what the `before` scores of the directions are.
        after_label: what the `after` scores are.
        interval_note: what the intervals of scores and slices are.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    sections = [
        score_section(directions, before_label, after_label, interval_note),
        cmc_section(directions, before_label, after_label),
        slice_section(slices),
        distance_section(distances),
        example_section(examples),
        map_section(embedding_map),
        attention_section(attention),
        failure_section(failures),
    ]
    shown = [section for section in sections if section is not None]
    write_page(
        path,
        title=title,
        lead=summary,
        notice=notice,
        body=render(
            "report/report.html",
            pictures=[{"uri": jpeg_uri(picture.jpeg), "caption": picture.caption} for picture in pictures],
            headline=headline(directions),
            sections=shown,
        ),
        footer=provenance_html(directions, provenance),
        style=packaged_text("report/report.css"),
        script=packaged_text("report/cases/failure_browser.js") if any(of.worst for of in failures) else "",
    )
