"""A query and its ranked list as HTML: what the contact sheet and the evaluation report both show."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from skyreid.retrieval.frame_strip import draw_frame_strip
from skyreid.tracklet import Platform, Tracklet

# Shapes and words, so that nothing is told by colour alone.
_PLATFORM_MARKS = {Platform.GROUND: "●", Platform.AERIAL: "▲"}
_VERDICTS = {True: ("match", "✓ same"), False: ("other", "✕ different"), None: ("open", "")}

_QUERY_WIDTH = 800
_PLACE_WIDTH = 240


@dataclass(frozen=True, kw_only=True)
class RankedTracklet:
    """One place of a ranked list."""

    tracklet: Tracklet
    similarity: float
    """Cosine, -1 to 1."""
    is_match: bool | None = None
    """Whether it is the person asked for; None = nobody knows."""


def ranked_list_html(query: Tracklet, ranked: Sequence[RankedTracklet]) -> str:
    """The strip of the query above the strips of its ranked list, each with what is known of it.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    places = "\n".join(_place(place, entry) for place, entry in enumerate(ranked, start=1))
    return f"""<section class="query">
<figure>{_strip(query, width=_QUERY_WIDTH)}
<figcaption><span class="rank">Query</span> {_facts(query)}</figcaption></figure>
</section>
<ol class="ranked">
{places}
</ol>"""


def _place(place: int, entry: RankedTracklet) -> str:
    verdict, mark = _VERDICTS[entry.is_match]
    filled = max(0.0, min(1.0, entry.similarity))
    return f"""<li class="{verdict}"><figure>{_strip(entry.tracklet, width=_PLACE_WIDTH)}
<div class="bar"><span style="width:{filled:.1%}"></span></div>
<figcaption><span class="rank">{place}</span> <span class="mark">{mark}</span>
<span class="similarity" title="cosine similarity of appearance">{entry.similarity:.3f}</span>
<span class="facts">{_facts(entry.tracklet)}</span></figcaption></figure></li>"""


def _strip(tracklet: Tracklet, *, width: int) -> str:
    strip = draw_frame_strip(tracklet, width=width)
    return (
        f'<img src="{strip.data_uri}" width="{strip.width}" height="{strip.height}" '
        f'alt="frames of tracklet {escape(tracklet.tracklet_id)}">'
    )


def platform_mark(platform: Platform) -> str:
    """The platform as a word with its shape."""
    return f'<span class="platform {platform}">{_PLATFORM_MARKS[platform]} {platform}</span>'


def _facts(tracklet: Tracklet) -> str:
    return (
        f"{platform_mark(tracklet.platform)} "
        f'<span class="camera">camera {tracklet.camid}</span> '
        f'<span class="tracklet">{escape(tracklet.tracklet_id)}</span>'
    )
