"""Where the numbers come from: the protocol in words, and what a reader needs to make the page again."""

from collections.abc import Mapping, Sequence
from html import escape

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.evaluation.report.score_table import ScoredDirection
from skyreid.retrieval.contact_sheet import RANKING_NOTICE


def provenance_html(directions: Sequence[ScoredDirection], provenance: Mapping[str, str]) -> str:
    """The foot of the page."""
    protocols = {direction.name: _in_words(direction.after.protocol) for direction in directions}
    return f"{_facts('Protocol', protocols)}\n{_facts('Provenance', provenance)}\n<p>{RANKING_NOTICE}</p>"


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


def _facts(heading: str, facts: Mapping[str, str]) -> str:
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f'<h3>{heading}</h3>\n<dl class="facts">\n{rows}\n</dl>'
