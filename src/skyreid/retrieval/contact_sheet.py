"""A search as a page that opens anywhere: the query and the tracklets most similar to it."""

from collections.abc import Sequence
from pathlib import Path

from skyreid.retrieval.page import write_page
from skyreid.retrieval.ranked_list import RankedTracklet, ranked_list_html
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
) -> None:
    """Write one HTML file, pictures inside, that opens without network, server or script.

    Args:
        path: the .html file; an older one is replaced.
        title: heading of the page.
        query: the tracklet that was asked for.
        ranked: what was found, the most similar first.
        num_searched: how many tracklets were compared with the query.
        notice: banner above everything, such as "Synthetic data".

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    write_page(
        path,
        title=title,
        lead=f"The {len(ranked)} most similar of {num_searched:,} tracklets, every one compared.",
        notice=notice,
        body=ranked_list_html(query, ranked),
        footer=f"<p>{RANKING_NOTICE}</p>",
    )
