"""A query and its ranked list as HTML: what the search page and the evaluation report both show."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from skyreid.pages.frame_strip import FrameStrip, draw_frame_strip
from skyreid.pages.page import render
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Tracklet

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
    impossible: str | None = None
    """Why it cannot be the person asked for; None = it can, as far as anybody knows."""


def ranked_list_html(query: Tracklet, ranked: Sequence[RankedTracklet]) -> Markup:
    """The strip of the query above the strips of its ranked list, each with what is known of it.

    Args:
        query: who was asked for.
        ranked: the most similar first.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    return query_html(query) + ranked_html(ranked)


def query_html(query: Tracklet, sighting: Sighting | None = None) -> Markup:
    """The strip of a tracklet that was asked with, and where and when it was seen."""
    return render("query.html", query=_shown(query, sighting, width=_QUERY_WIDTH))


def ranked_html(ranked: Sequence[RankedTracklet]) -> Markup:
    """The strips of a ranked list, the most similar first."""
    return render("ranked_list.html", entries=[_entry(number, entry) for number, entry in enumerate(ranked, start=1)])


def _shown(tracklet: Tracklet, sighting: Sighting | None, *, width: int) -> dict[str, object]:
    strip: FrameStrip = draw_frame_strip(tracklet, width=width)
    return {"tracklet": tracklet, "strip": strip, "sighting": sighting, "moment": moment_in_words(sighting)}


def _entry(number: int, entry: RankedTracklet) -> dict[str, object]:
    verdict, mark = _VERDICTS[entry.is_match]
    return {
        **_shown(entry.tracklet, entry.sighting, width=_RANK_WIDTH),
        # An entry from farther down stands apart from the head of the list.
        "style": verdict if entry.rank is None else f"{verdict} farther",
        "impossible": entry.impossible,
        "mark": mark,
        "rank": entry.rank or number,
        "filled": f"{max(0.0, min(1.0, entry.similarity)):.1%}",
        "similarity": f"{entry.similarity:.3f}",
        "probability": None if entry.probability is None else f"{entry.probability:.0%}",
    }


def moment_in_words(sighting: Sighting | None) -> str:
    """File and offset of the place in the video where somebody was seen."""
    if sighting is None:
        return ""
    words = sighting.file or ""
    if sighting.offset_s is not None:
        start, end = map(in_minutes, sighting.offset_s)
        words = f"{words} {start}" if start == end else f"{words} {start} to {end}"
    return words.strip()


def in_minutes(offset_s: float) -> str:
    """Seconds as a player shows them: 1:02:03.5."""
    tenths = round(offset_s * 10)
    minutes, seconds = divmod(tenths / 10, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{seconds:04.1f}" if hours else f"{minutes}:{seconds:04.1f}"
