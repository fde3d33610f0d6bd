"""An evaluation as a page that a person enjoys: scores, curves, ranked lists, and where they come from."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from skyreid.datasets.protocol import EvaluationProtocol
from skyreid.evaluation.cmc_curve import CmcCurve, cmc_svg
from skyreid.evaluation.ranking_scores import REPORTED_RANKS, Scores
from skyreid.retrieval.contact_sheet import RANKING_NOTICE
from skyreid.retrieval.page import write_page
from skyreid.retrieval.ranked_list import RankedTracklet, ranked_list_html
from skyreid.tracklet import Tracklet


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredDirection:
    """The scores of one direction, such as ground to aerial."""

    name: str
    after: Scores
    before: Scores | None = None
    """The same tracklets with the embeddings to compare with; None = there are none."""


@dataclass(frozen=True, kw_only=True)
class RankedExample:
    """One query and what was found for it."""

    name: str
    query: Tracklet
    ranked: tuple[RankedTracklet, ...]


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
    examples: Sequence[RankedExample],
    provenance: Mapping[str, str],
    pictures: Sequence[ReportPicture] = (),
    notice: str | None = None,
    before_label: str = "before training",
    after_label: str = "after training",
) -> None:
    """Write one HTML file, pictures inside, that opens without network, server or script.

    Args:
        path: the .html file; an older one is replaced.
        title: heading of the page.
        summary: one or two sentences under the heading.
        directions: what was scored; each gets a block of the table and a CMC curve.
        examples: ranked lists to show, in this order.
        provenance: what a reader needs to make the page again: dataset, its hash, seed, commit.
        pictures: shown first, such as the places where people were filmed.
        notice: banner above everything, such as "Synthetic data: …".
        before_label: what the `before` scores of the directions are.
        after_label: what the `after` scores are.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    body = "\n".join(
        [
            _pictures(pictures),
            _score_table(directions, before_label, after_label),
            _curves(directions, before_label, after_label),
            _examples(examples),
        ]
    )
    write_page(
        path,
        title=title,
        lead=summary,
        notice=notice,
        body=body,
        footer=f"{_facts('Protocol', _protocols(directions))}\n{_facts('Provenance', provenance)}\n"
        f"<p>{RANKING_NOTICE}</p>",
    )


def _pictures(pictures: Sequence[ReportPicture]) -> str:
    figures = "\n".join(
        f'<figure><img src="data:image/jpeg;base64,{b64encode(picture.jpeg).decode("ascii")}" '
        f'alt="{escape(picture.caption)}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
        for picture in pictures
    )
    return f'<section>\n<div class="pictures">\n{figures}\n</div></section>' if pictures else ""


def _score_table(directions: Sequence[ScoredDirection], before_label: str, after_label: str) -> str:
    ranks = "".join(f"<th>rank-{k}</th>" for k in REPORTED_RANKS)
    blocks = "\n".join(_score_rows(direction, before_label, after_label) for direction in directions)
    return f"""<section>
<h2>Scores</h2>
<div class="scroll"><table>
<thead><tr><th>per cent</th><th>mAP</th>{ranks}<th>queries</th><th>without a match</th></tr></thead>
{blocks}
</table></div>
<p class="lead">Rank-k: how many queries have the right person among the first k tracklets.
mAP: how near the top all of the person's tracklets stand. Queries without a match in the gallery count in neither.</p>
</section>"""


def _score_rows(direction: ScoredDirection, before_label: str, after_label: str) -> str:
    columns = len(REPORTED_RANKS) + 4
    rows = [f'<tr><th scope="rowgroup" colspan="{columns}">{escape(direction.name)}</th></tr>']
    if direction.before is not None:
        rows.append(_score_row("before", before_label, direction.before))
    rows.append(_score_row("after", after_label, direction.after))
    if direction.before is not None:
        gains = [a - b for a, b in zip(_values(direction.after), _values(direction.before), strict=True)]
        cells = "".join(f"<td>{gain * 100:+.1f}</td>" for gain in gains)
        rows.append(f'<tr class="gain"><th scope="row">difference</th>{cells}<td></td><td></td></tr>')
    return "<tbody>\n" + "\n".join(rows) + "\n</tbody>"


def _score_row(style: str, label: str, scores: Scores) -> str:
    cells = "".join(f"<td>{value * 100:.1f}</td>" for value in _values(scores))
    return (
        f'<tr class="{style}"><th scope="row">{escape(label)}</th>{cells}'
        f"<td>{scores.queries:,}</td><td>{scores.queries_without_match:,}</td></tr>"
    )


def _values(scores: Scores) -> list[float]:
    return [scores.mAP, *(scores.rank(k) for k in REPORTED_RANKS)]


def _curves(directions: Sequence[ScoredDirection], before_label: str, after_label: str) -> str:
    figures = []
    for direction in directions:
        curves = [CmcCurve(label=after_label, style="after", cmc=direction.after.cmc)]
        if direction.before is not None:
            curves.insert(0, CmcCurve(label=before_label, style="before", cmc=direction.before.cmc))
        figures.append(f"<figure>{cmc_svg(direction.name, curves)}</figure>")
    return (
        '<section>\n<h2>Found among the first k</h2>\n<div class="curves">\n'
        + "\n".join(figures)
        + "\n</div></section>"
    )


def _examples(examples: Sequence[RankedExample]) -> str:
    lists = "\n".join(
        f"<article><h3>{escape(example.name)}</h3>\n{ranked_list_html(example.query, example.ranked)}</article>"
        for example in examples
    )
    return f"<section>\n<h2>Ranked lists</h2>\n{lists}\n</section>" if examples else ""


def _protocols(directions: Sequence[ScoredDirection]) -> dict[str, str]:
    return {direction.name: _in_words(direction.after.protocol) for direction in directions}


def _in_words(protocol: EvaluationProtocol) -> str:
    asked, searched = protocol.query_platform or "all", protocol.gallery_platform or "whole"
    words = [f"{protocol.name}: {asked} queries against the {searched} gallery"]
    if protocol.other_platform_only:
        words.append("only tracklets of the other platform are ranked")
    if protocol.gallery_includes_queries:
        words.append("the queries stand in the gallery too")
    if protocol.junk_same_camera:
        words.append("tracklets of the same person and the same camera are ignored")
    words.append("cosine similarity, no re-ranking")
    return "; ".join(words) + "."


def _facts(heading: str, facts: Mapping[str, str]) -> str:
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f'<h3>{heading}</h3>\n<dl class="facts">\n{rows}\n</dl>'
