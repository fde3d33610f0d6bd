"""Two tracklets on one page, to decide whether they are one person."""

from pathlib import Path

from markupsafe import Markup

from skyreid.pages.frame_strip import draw_frame_strip
from skyreid.pages.page import render, write_page
from skyreid.tracklet import Tracklet

SIMILARITY_NOTICE = "Similarity of appearance only, not proof of identity."
_WIDTH = 800


def write_pair_page(path: Path, first: Tracklet, second: Tracklet) -> None:
    """Write one HTML file, pictures inside; an older one is replaced.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    write_page(
        path,
        title=f"{first.tracklet_id} · {second.tracklet_id}",
        lead="Is this one person?",
        notice=None,
        body=render("pair.html", shown=[(draw_frame_strip(one, width=_WIDTH), one) for one in (first, second)]),
        footer=Markup("<p>{}</p>").format(SIMILARITY_NOTICE),
    )
