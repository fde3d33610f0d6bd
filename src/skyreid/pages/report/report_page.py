"""An evaluation as a page that a person enjoys: scores, curves, pictures, and where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.evaluation.embedding_map import EmbeddingMap
from skyreid.pages.frame_strip import jpeg_uri
from skyreid.pages.page import packaged_text, render, write_page
from skyreid.pages.report.attention_strip import AttentionStrip, attention_section
from skyreid.pages.report.cmc_curve import cmc_section
from skyreid.pages.report.distance_distribution import DistanceDistribution, distance_section
from skyreid.pages.report.failure_browser import DirectionFailures, failure_section
from skyreid.pages.report.map_drawing import map_section
from skyreid.pages.report.ranked_example import RankedExample, example_section
from skyreid.pages.report.score_table import ScoredDirection, SliceBars, headline, score_section, slice_section
from skyreid.pages.search_page import RANKING_NOTICE


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
    after_label: str = "after training",
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
        after_label: what the `after` scores are.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    sections = [
        score_section(directions, after_label),
        cmc_section(directions, after_label),
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
        script=packaged_text("report/failure_browser.js") if any(of.worst for of in failures) else "",
    )


def provenance_html(directions: Sequence[ScoredDirection], provenance: Mapping[str, str]) -> Markup:
    """The foot of the page."""
    protocols = {direction.name: _in_words(direction.after.protocol) for direction in directions}
    return render("report/provenance.html", protocols=protocols, provenance=provenance, notice=RANKING_NOTICE)


def _in_words(protocol: EvaluationProtocol) -> str:
    asked, searched = protocol.query_platform or "all", protocol.gallery_platform or "whole"
    words = [f"{protocol.name}: {asked} queries against the {searched} gallery"]
    if protocol.other_platform_only:
        words.append("only tracklets of the other platform are ranked")
    if protocol.gallery_includes_queries:
        words.append("the queries stand in the gallery too")
    if protocol.junk_same_camera:
        words.append("tracklets of the same person and the same camera are ignored")
    if protocol.mAP_cut is not None:
        words.append(f"mAP@{protocol.mAP_cut} counts the first {protocol.mAP_cut} places only")
    words.append("cosine similarity, no re-ranking but where a row says so")
    return "; ".join(words) + "."
