"""Two tracklets on one page, to decide whether they are one person."""

from collections.abc import Mapping
from pathlib import Path

from skyreid.building.scenes import Scene
from skyreid.pages.frame_strip import draw_frame_strip
from skyreid.pages.page import packaged_text, render, write_page
from skyreid.pages.sighting_shown import SIGHTING_STYLE, shown_sighting
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Tracklet

SIMILARITY_NOTICE = "Similarity of appearance only, not proof of identity."
_STRIP_WIDTH = 800
_CELL = (150, 270)
"""Width and height of the film, in pixels, as pair.css has them."""


def write_pair_page(
    path: Path,
    pair: tuple[Tracklet, Tracklet],
    sightings: Mapping[str, Sighting],
    scenes: Mapping[str, Scene],
    *,
    folder: Path,
    is_masked: bool,
) -> None:
    """Write one HTML file, pictures inside; an older one is replaced.

    Args:
        path: the .html file.
        pair: who may be one person.
        sightings: where and when they were seen, by tracklet id.
        scenes: the whole frame around them, by tracklet id, as far as the videos are at hand.
        folder: of the build.
        is_masked: whether the build covered faces.

    Raises:
        MissingFrameError: a frame that would be shown is missing or is no picture.
    """
    shown = [
        shown_sighting(one, sightings[one.tracklet_id], scenes.get(one.tracklet_id), folder, cell=_CELL) for one in pair
    ]
    strips = [draw_frame_strip(one, width=_STRIP_WIDTH) for one in pair]
    write_page(
        path,
        title=" · ".join(one.tracklet_id for one in pair),
        lead="Is this one person?",
        notice=None,
        body=render(
            "pair.html",
            sides=[{**one, "strip": strip} for one, strip in zip(shown, strips, strict=True)],
            has_scenes=bool(scenes),
        ),
        footer=render("sightings_footer.html", notice=SIMILARITY_NOTICE, is_masked=is_masked),
        style=packaged_text(SIGHTING_STYLE) + packaged_text("pair.css"),
    )
