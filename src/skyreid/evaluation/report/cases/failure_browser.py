"""Every query that found somebody else first, to be filtered and stepped through; whole without a script too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

from skyreid.evaluation.report.section import Section
from skyreid.retrieval.frame_strip import draw_frame_strip
from skyreid.retrieval.ranked_list import RankedTracklet, platform_mark
from skyreid.tracklet import Tracklet

_STRIP_HEIGHT, _STRIP_WIDTH = 112, 118


@dataclass(frozen=True, kw_only=True)
class FailedQuery:
    """A query that has its person in the gallery and found somebody else first."""

    query: Tracklet
    mistaken: RankedTracklet
    """Who stands first."""
    match: RankedTracklet
    """The first tracklet of the right person."""
    match_place: int
    """Where that one stands, from 0."""
    average_precision: float
    slices: Mapping[str, str] = field(default_factory=dict)
    """What is known of the query, by column."""


@dataclass(frozen=True, kw_only=True)
class DirectionFailures:
    """What went wrong in one direction."""

    direction: str
    worst: tuple[FailedQuery, ...]
    """Those to show."""
    num_failed: int
    """All of them; more than are shown where some were left out."""
    num_queries: int
    """How many could have found their person."""


def failure_section(failures: Sequence[DirectionFailures]) -> Section | None:
    """All directions together, the worst first; None where nobody looked.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    if not failures:
        return None
    cards = [_Card(failed=failed, slices=_slices(failed, of, failures)) for of in failures for failed in of.worst]
    cards.sort(key=lambda card: (-card.failed.match_place, card.failed.query.tracklet_id))
    return Section(
        anchor="failures",
        title="Failures",
        lead=" ".join(map(_in_words, failures))
        + " Each card shows who was asked for, who stood first, and where the right person stood.",
        body=_shelf(cards) if cards else "",
    )


def failure_script() -> str:
    """What filters, sorts and steps; the page works without."""
    return files("skyreid.evaluation.report.cases").joinpath("failure_browser.js").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class _Card:
    """A failure with all that it can be filtered by."""

    failed: FailedQuery
    slices: Mapping[str, str]


def _slices(failed: FailedQuery, of: DirectionFailures, failures: Sequence[DirectionFailures]) -> Mapping[str, str]:
    return {"direction": of.direction, **failed.slices} if len(failures) > 1 else failed.slices


def _in_words(failures: DirectionFailures) -> str:
    left_out = failures.num_failed - len(failures.worst)
    rest = f" (the {len(failures.worst):,} worst are shown, {left_out:,} left out)" if left_out else ""
    return (
        f"{failures.direction}: {failures.num_failed:,} of {failures.num_queries:,} queries found somebody else "
        f"first{rest}."
    )


def _shelf(cards: Sequence[_Card]) -> str:
    columns = sorted({column for card in cards for column in card.slices})
    items = "\n".join(_card(card, columns) for card in cards)
    return f"""<div class="failures">
{_controls(cards, columns)}
<div class="shelf" tabindex="0" role="region" aria-label="Failures">
<ol class="cards">
{items}
</ol>
</div>
</div>"""


def _controls(cards: Sequence[_Card], columns: Sequence[str]) -> str:
    """Hidden until the script runs: a control that does nothing is worse than none."""
    filters = "\n".join(
        f'<fieldset class="chips"><legend>{escape(column)}</legend>{_chips(cards, column, number)}</fieldset>'
        for number, column in enumerate(columns)
    )
    return f"""<div class="controls" hidden>
{filters}
<label class="order">Order <select>
<option value="place">right person farthest down</option>
<option value="near">right person nearest the top</option>
<option value="precision">lowest average precision</option>
<option value="lead">largest lead of the wrong one</option>
</select></label>
<p class="turning"><button type="button" data-turn="-1">← Previous</button>
<span class="count" aria-live="polite"></span>
<button type="button" data-turn="1">Next →</button></p>
<p class="remark">Arrow keys step through the cards and from page to page.</p>
</div>"""


def _chips(cards: Sequence[_Card], column: str, number: int) -> str:
    counts: dict[str, int] = {}
    for card in cards:
        if column in card.slices:
            counts[card.slices[column]] = counts.get(card.slices[column], 0) + 1
    return "".join(
        f'<button type="button" aria-pressed="false" data-column="{number}" data-value="{escape(value)}">'
        f"{escape(value)} <small>{count}</small></button>"
        for value, count in sorted(counts.items())
    )


def _card(card: _Card, columns: Sequence[str]) -> str:
    failed, slices = card.failed, card.slices
    known = "".join(
        f' data-slice-{number}="{escape(slices[column])}"' for number, column in enumerate(columns) if column in slices
    )
    lead = failed.mistaken.similarity - failed.match.similarity
    place = failed.match_place + 1
    told = "".join(f"<li>{escape(column)}: {escape(value)}</li>" for column, value in sorted(slices.items()))
    return f"""<li class="mistake" data-place="{place}" data-precision="{failed.average_precision:.6f}" \
data-lead="{lead:.6f}"{known}>
<div class="three">
{_figure("asked", "asked for", failed.query, "")}
{_figure("other", "✕ place 1", failed.mistaken.tracklet, f"{failed.mistaken.similarity:.3f}")}
{_figure("match", f"✓ place {place:,}", failed.match.tracklet, f"{failed.match.similarity:.3f}")}
</div>
<ul class="told">{told}<li>AP {failed.average_precision:.1%}</li></ul></li>"""


def _figure(style: str, words: str, tracklet: Tracklet, similarity: str) -> str:
    strip = draw_frame_strip(tracklet, height=_STRIP_HEIGHT, width=_STRIP_WIDTH)
    name = escape(tracklet.tracklet_id)
    return (
        f'<figure class="{style}"><img src="{strip.data_uri}" width="{strip.width}" height="{strip.height}" '
        f'alt="frames of tracklet {name}"><figcaption><span class="mark">{words}</span> '
        f'{platform_mark(tracklet.platform)} <span class="similarity">{similarity}</span> '
        f'<span class="tracklet">{name}</span></figcaption></figure>'
    )
