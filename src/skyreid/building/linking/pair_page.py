"""Two tracklets on one page, to decide whether they are one person."""

from html import escape
from pathlib import Path

from skyreid.retrieval.frame_strip import draw_frame_strip
from skyreid.retrieval.page import write_page
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
        body="\n".join(map(_figure, (first, second))),
        footer=f"<p>{SIMILARITY_NOTICE}</p>",
    )


def _figure(tracklet: Tracklet) -> str:
    strip = draw_frame_strip(tracklet, width=_WIDTH)
    name = escape(tracklet.tracklet_id)
    return f"""<section class="query">
<figure><img src="{strip.data_uri}" width="{strip.width}" height="{strip.height}" alt="frames of tracklet {name}">
<figcaption><span class="platform {tracklet.platform}">{tracklet.platform}</span>
<span class="tracklet">{name}</span></figcaption></figure>
</section>"""
