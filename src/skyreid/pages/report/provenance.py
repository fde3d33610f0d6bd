"""Where the numbers come from: the protocol in words, and what a reader needs to make the page again."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.pages.report.score_table import ScoredDirection
from skyreid.pages.search_page import RANKING_NOTICE
from skyreid.pages.templates import render


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
