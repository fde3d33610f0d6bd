"""A query and its ranked list as HTML: what the contact sheet and the evaluation report both show."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from skyreid.retrieval.frame_strip import draw_frame_strip
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Platform, Tracklet

# Shapes and words, so that nothing is told by colour alone.
_PLATFORM_MARKS = {Platform.GROUND: "●", Platform.AERIAL: "▲"}
_VERDICTS = {True: ("match", "✓ same"), False: ("other", "✕ different"), None: ("open", "")}

_QUERY_WIDTH = 800
_RANK_WIDTH = 240


@dataclass(frozen=True, kw_only=True)
class RankedTracklet:
    """One entry of a ranked list."""

    tracklet: Tracklet
    similarity: float
    """Cosine, -1 to 1."""
    is_match: bool | None = None
    """Whether it is the person asked for; None = nobody knows."""
    probability: float | None = None
    """Of being the person asked for, by a calibration; None = there is none."""
    sighting: Sighting | None = None
    """Where and when; None = only the camera's number is known."""
    rank: int | None = None
    """From 1, where it does not follow the entry before; None = it does."""


def ranked_list_html(query: Tracklet, ranked: Sequence[RankedTracklet], sighting: Sighting | None = None) -> str:
    """The strip of the query above the strips of its ranked list, each with what is known of it.

    Args:
        query: who was asked for.
        ranked: the most similar first.
        sighting: where and when the query was seen.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    entries = "\n".join(_entry(number, entry) for number, entry in enumerate(ranked, start=1))
    return f"""<section class="query">
<figure>{_strip(query, width=_QUERY_WIDTH)}
<figcaption><span class="rank">Query</span> {_facts(query, sighting)}</figcaption></figure>
</section>
<ol class="ranked">
{entries}
</ol>"""


def _entry(number: int, entry: RankedTracklet) -> str:
    verdict, mark = _VERDICTS[entry.is_match]
    filled = max(0.0, min(1.0, entry.similarity))
    # An entry from farther down stands apart from the head of the list.
    style = verdict if entry.rank is None else f"{verdict} farther"
    return f"""<li class="{style}"><figure>{_strip(entry.tracklet, width=_RANK_WIDTH)}
<div class="bar"><span style="width:{filled:.1%}"></span></div>
<figcaption><span class="rank">{entry.rank or number:,}</span> <span class="mark">{mark}</span>
{_probability(entry.probability)}<span class="similarity" title="cosine similarity of appearance">\
{entry.similarity:.3f}</span>
<span class="facts">{_facts(entry.tracklet, entry.sighting)}</span></figcaption></figure></li>"""


def _probability(probability: float | None) -> str:
    if probability is None:
        return ""
    return f'<span class="probability" title="by the calibration">{probability:.0%} likely</span> '


def _strip(tracklet: Tracklet, *, width: int) -> str:
    strip = draw_frame_strip(tracklet, width=width)
    return (
        f'<img src="{strip.data_uri}" width="{strip.width}" height="{strip.height}" '
        f'alt="frames of tracklet {escape(tracklet.tracklet_id)}">'
    )


def platform_mark(platform: Platform) -> str:
    """The platform as a word with its shape."""
    return f'<span class="platform {platform}">{_PLATFORM_MARKS[platform]} {platform}</span>'


def _facts(tracklet: Tracklet, sighting: Sighting | None) -> str:
    seen = f'<span class="camera">camera {tracklet.camid}</span>' if sighting is None else _seen(sighting)
    return f'{platform_mark(tracklet.platform)} {seen} <span class="tracklet">{escape(tracklet.tracklet_id)}</span>'


def _seen(sighting: Sighting) -> str:
    parts = [f'<span class="camera">{escape(sighting.camera)}</span>']
    if sighting.clock is not None:
        moment = sighting.clock.replace(microsecond=0)
        parts.append(f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M:%S %Z}</time>')
    if sighting.file is not None or sighting.offset_s is not None:
        parts.append(f'<span class="moment">{_moment(sighting)}</span>')
    return " ".join(parts)


def _moment(sighting: Sighting) -> str:
    """File and offset, as a link that opens the video there where it was found."""
    words = escape(sighting.file or "")
    if sighting.offset_s is not None:
        start, end = map(_minutes, sighting.offset_s)
        words = f"{words} {start}" if start == end else f"{words} {start} to {end}"
    return words.strip() if sighting.link is None else f'<a href="{escape(sighting.link)}">{words.strip()}</a>'


def _minutes(offset_s: float) -> str:
    """Seconds as a player shows them: 1:02:03.5."""
    tenths = round(offset_s * 10)
    minutes, seconds = divmod(tenths / 10, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{seconds:04.1f}" if hours else f"{minutes}:{seconds:04.1f}"
