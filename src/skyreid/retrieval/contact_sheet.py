"""A search as a page that opens anywhere: the query and the tracklets most similar to it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from skyreid.retrieval.page import write_page
from skyreid.retrieval.ranked_list import RankedTracklet, ranked_list_html
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Tracklet

RANKING_NOTICE = "A ranking is not an identification. It orders tracklets by similarity of appearance only."


def write_contact_sheet(
    path: Path,
    title: str,
    query: Tracklet,
    ranked: Sequence[RankedTracklet],
    *,
    num_searched: int,
    notice: str | None = None,
    sighting: Sighting | None = None,
    answer: str | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Write one HTML file, pictures inside, that opens without network, server or script.

    Args:
        path: the .html file; an older one is replaced.
        title: heading of the page.
        query: the tracklet that was asked for.
        ranked: what was found, the most similar first.
        num_searched: how many tracklets were compared with the query.
        notice: banner above everything, such as "Synthetic data".
        sighting: where and when the query was seen.
        answer: what a calibration says of the whole gallery.
        warnings: in which respects that calibration does not fit.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    said = [f'<p class="answer">{escape(answer)}</p>'] if answer else []
    said += [f'<p class="warning">Warning: {escape(warning)}</p>' for warning in warnings]
    write_page(
        path,
        title=title,
        lead=f"The {len(ranked)} most similar of {num_searched:,} tracklets, every one compared.",
        notice=notice,
        body="\n".join([*said, ranked_list_html(query, ranked, sighting)]),
        footer=f"<p>{RANKING_NOTICE}</p>",
    )
