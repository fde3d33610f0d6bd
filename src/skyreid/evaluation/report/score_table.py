"""The scores: large at the head of the page, and all of them in a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from skyreid.evaluation.ranking_scores import REPORTED_RANKS, Scores
from skyreid.evaluation.report.section import Section, as_percent, as_range


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredDirection:
    """The scores of one direction, such as ground to aerial."""

    name: str
    after: Scores
    before: Scores | None = None
    """The same tracklets with the embeddings to compare with; None = there are none."""
    mAP_interval: tuple[float, float] | None = None  # noqa: N815 - the field's own spelling
    """Where the mAP of `after` may lie; None = not known."""
    rank_1_interval: tuple[float, float] | None = None
    all_frames: Scores | None = None
    """As `after`, by every frame of a tracklet instead of one clip; None = not tried."""
    reranked: Scores | None = None
    """The embeddings of `after`, put in order by something else than cosine; None = not tried."""
    reranked_name: str = "re-ranked"


def headline(directions: Sequence[ScoredDirection]) -> str:
    """A card for each direction with the two numbers that everybody asks for."""
    cards = "\n".join(
        f'<li class="card"><h2>{escape(direction.name)}</h2>\n'
        f"{_large('mAP', direction.after.mAP, direction.mAP_interval)}\n"
        f"{_large('rank-1', direction.after.rank(1), direction.rank_1_interval)}</li>"
        for direction in directions
    )
    return f'<ul class="headline">\n{cards}\n</ul>'


def score_section(
    directions: Sequence[ScoredDirection], before_label: str, after_label: str, interval_note: str
) -> Section:
    """Every score of every direction, with what changed."""
    cuts = sorted({cut for direction in directions if (cut := direction.after.protocol.mAP_cut) is not None})
    names = ["mAP", *(f"rank-{k}" for k in REPORTED_RANKS), "mINP", *(f"mAP@{cut}" for cut in cuts)]
    heads = "".join(f'<th scope="col">{name}</th>' for name in (*names, "queries", "without a match"))
    blocks = "\n".join(_block(direction, before_label, after_label, cuts) for direction in directions)
    has_interval = any(
        interval is not None
        for direction in directions
        for interval in (direction.mAP_interval, direction.rank_1_interval)
    )
    return Section(
        anchor="scores",
        title="Scores",
        lead="Rank-k: how many queries have the right person among the first k tracklets. mAP: how near the top all "
        "of the person's tracklets stand. mINP: how soon the last of them is reached. Queries without a match in the "
        "gallery count in none." + (f" Small figures: {interval_note}." if has_interval else ""),
        body=f"""<div class="scroll" tabindex="0" role="region" aria-label="Table of scores"><table>
<thead><tr><th scope="col">per cent</th>{heads}</tr></thead>
{blocks}
</table></div>""",
    )


def _large(name: str, score: float, interval: tuple[float, float] | None) -> str:
    low, high = (score, score) if interval is None else interval
    between = "" if interval is None else f"<small>{as_range(interval)}</small>"
    return (
        f'<p class="score"><span class="name">{name}</span> <strong>{as_percent(score)}<span class="unit"> %</span>'
        f"</strong> {between}"
        '<svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="6"/><rect class="value" width="{score * 100:.2f}" height="6"/>'
        f'<rect class="interval" x="{low * 100:.2f}" width="{(high - low) * 100:.2f}" height="6"/></svg></p>'
    )


def _block(direction: ScoredDirection, before_label: str, after_label: str, cuts: Sequence[int]) -> str:
    columns = len(_values(direction.after, cuts)) + 3
    rows = [f'<tr><th scope="rowgroup" colspan="{columns}">{escape(direction.name)}</th></tr>']
    if direction.before is not None:
        rows.append(_row("before", before_label, direction.before, cuts))
    intervals = {0: direction.mAP_interval, 1: direction.rank_1_interval}
    rows.append(_row("after", after_label, direction.after, cuts, intervals))
    if direction.before is not None:
        rows.append(_difference("difference", direction.after, direction.before, cuts))
    if direction.all_frames is not None:
        rows.append(_row("all-frames", "all-frames, cosine", direction.all_frames, cuts))
        rows.append(_difference("difference by all frames", direction.all_frames, direction.after, cuts))
    if direction.reranked is not None:
        rows.append(_row("reranked", direction.reranked_name, direction.reranked, cuts))
        rows.append(_difference("difference by re-ranking", direction.reranked, direction.after, cuts))
    return "<tbody>\n" + "\n".join(rows) + "\n</tbody>"


def _row(
    style: str,
    label: str,
    scores: Scores,
    cuts: Sequence[int],
    intervals: Mapping[int, tuple[float, float] | None] | None = None,
) -> str:
    """One line of the table; the intervals are by column."""
    cells = []
    for column, value in enumerate(_values(scores, cuts)):
        interval = None if intervals is None else intervals.get(column)
        between = "" if interval is None else f" <small>{as_range(interval)}</small>"
        cells.append(f"<td>{as_percent(value)}{between}</td>")
    return (
        f'<tr class="{style}"><th scope="row">{escape(label)}</th>{"".join(cells)}'
        f"<td>{scores.queries:,}</td><td>{scores.queries_without_match:,}</td></tr>"
    )


def _difference(label: str, scores: Scores, other: Scores, cuts: Sequence[int]) -> str:
    gains = [value - of_other for value, of_other in zip(_values(scores, cuts), _values(other, cuts), strict=True)]
    cells = "".join(f"<td>{gain * 100:+.1f}</td>" for gain in gains)
    return f'<tr class="gain"><th scope="row">{label}</th>{cells}<td></td><td></td></tr>'


def _values(scores: Scores, cuts: Sequence[int]) -> list[float]:
    ranks = [scores.rank(k) for k in REPORTED_RANKS]
    return [scores.mAP, *ranks, scores.mINP, *(scores.mAP_at(cut) for cut in cuts)]
