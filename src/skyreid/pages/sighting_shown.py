"""A sighting as a page shows it: frames that play, camera, file and moment, and the whole frame around the person."""

from pathlib import Path

from skyreid.building.scenes import SCENES, Scene
from skyreid.errors import MissingFrameError
from skyreid.pages.frame_strip import draw_film, jpeg_uri
from skyreid.pages.ranked_list import in_minutes, moment_in_words
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Tracklet

SIGHTING_STYLE = "sighting.css"
"""What a page with the macros `film` and `scene` of `tracklets.html` needs before its own style."""
SMALL_CELL = (80, 144)
"""Width and height of a frame of the film, in pixels."""


def shown_sighting(
    tracklet: Tracklet, sighting: Sighting, scene: Scene | None, folder: Path, *, cell: tuple[int, int] = SMALL_CELL
) -> dict[str, object]:
    """Give what the macros `facts`, `film`, `measures` and `scene` of `tracklets.html` take.

    Args:
        tracklet: who.
        sighting: where and when.
        scene: the whole frame; None = the video is not at hand.
        folder: of the build, with the scene's picture.
        cell: width and height of the film, in pixels.

    Raises:
        MissingFrameError: a crop or the scene's picture is missing or is no picture.
    """
    return {
        **told_sighting(tracklet, sighting),
        "film": draw_film(tracklet, cell=cell),
        "scene": None if scene is None else _shown_scene(scene, folder),
    }


def told_sighting(tracklet: Tracklet, sighting: Sighting) -> dict[str, object]:
    """Give what the macros `facts` and `measures` of `tracklets.html` take: words, no pictures.

    Args:
        tracklet: who.
        sighting: where and when.
    """
    return {
        "tracklet": tracklet,
        "sighting": sighting,
        "moment": moment_in_words(sighting),
        "tallest": _tallest_px(tracklet),
        "seconds": 0.0 if sighting.offset_s is None else sighting.offset_s[1] - sighting.offset_s[0],
    }


def _tallest_px(tracklet: Tracklet) -> int:
    """Of the person in the video's frame; 0 where nobody knows."""
    return round(max((frame.box[3] - frame.box[1] for frame in tracklet.frames if frame.box), default=0.0))


def _shown_scene(scene: Scene, folder: Path) -> dict[str, object]:
    try:
        jpeg = (folder / SCENES / scene.picture).read_bytes()
    except OSError as error:
        raise MissingFrameError(f"{folder / SCENES / scene.picture}: {error.strerror}") from None
    left, top, right, bottom = scene.box
    return {
        "uri": jpeg_uri(jpeg),
        "width": scene.width,
        "height": scene.height,
        "box": (
            f"left:{left / scene.width:.2%};top:{top / scene.height:.2%};"
            f"width:{(right - left) / scene.width:.2%};height:{(bottom - top) / scene.height:.2%}"
        ),
        "at": in_minutes(scene.time_s),
    }
