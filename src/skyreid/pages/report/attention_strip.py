"""Where the class token looked, frame by frame: each frame, and the same frame under its heat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image

from skyreid.pages.frame_strip import FrameStrip, as_jpeg, read_frame
from skyreid.pages.page import render
from skyreid.pages.report.section import Section
from skyreid.tracklet import Tracklet

_HEIGHT = 192
_MOST_OPAQUE = 0.7
# From nothing to the most; rises in lightness too, so that it reads without colour.
_HEAT = np.array([[13, 8, 60], [90, 10, 130], [190, 40, 110], [245, 110, 50], [255, 200, 50], [255, 255, 190]])


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionStrip:
    """A tracklet and what the model made of its frames."""

    tracklet: Tracklet
    """Its frames are those that the model saw, in their order."""
    maps: Float[np.ndarray, "frame row column"]
    """Share of each patch in the class token; from 0, in any unit."""

    def __post_init__(self) -> None:
        if len(self.maps) != len(self.tracklet.frames):
            raise ValueError(
                f"tracklet {self.tracklet.tracklet_id}: one map for each frame; "
                f"got {len(self.maps)} maps for {len(self.tracklet.frames)} frames"
            )


def attention_section(strips: Sequence[AttentionStrip]) -> Section | None:
    """One row of frames for each tracklet; None where there is none.

    Raises:
        MissingFrameError: a frame is missing or is no picture.
    """
    if not strips:
        return None
    return Section(
        anchor="attention",
        title="Where the model looked",
        lead="Roll-out of the class token over all layers, for each frame that the model saw: above the frame, below "
        "it the same frame under the attention that its patches received. It shows what was looked at, not why.",
        body=render(
            "report/attention.html",
            ramp=",".join(f"rgb({red} {green} {blue})" for red, green, blue in _HEAT),
            strips=[(strip.tracklet, _pictures(strip)) for strip in strips],
        ),
    )


def heat_overlay(picture: UInt8[np.ndarray, "height width 3"], heat: Float[np.ndarray, "row column"]) -> np.ndarray:
    """Lay a map of values from 0 to 1 over a picture; where nothing was looked at, the picture turns dark.

    Args:
        picture: RGB.
        heat: stretched smoothly over the whole picture.
    """
    height, width = picture.shape[:2]
    grid = Image.fromarray(heat.astype(np.float32), mode="F")
    smooth = np.clip(np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)
    colours = rearrange(
        [np.interp(smooth, np.linspace(0, 1, len(_HEAT)), _HEAT[:, channel]) for channel in range(3)],
        "channel height width -> height width channel",
    )
    opacity = (0.35 + (_MOST_OPAQUE - 0.35) * smooth)[..., np.newaxis]
    return np.round(picture * (1 - opacity) + colours * opacity).astype(np.uint8)


def _pictures(strip: AttentionStrip) -> list[FrameStrip]:
    low, high = float(strip.maps.min()), float(strip.maps.max())
    # One scale for the tracklet: a frame that is hardly looked at must look so.
    heat = (strip.maps - low) / max(high - low, 1e-12)
    return [_picture(strip.tracklet, number, part.astype(np.float64)) for number, part in enumerate(heat)]


def _picture(tracklet: Tracklet, number: int, heat: Float[np.ndarray, "row column"]) -> FrameStrip:
    plain = np.asarray(read_frame(tracklet.frames[number], tracklet, _HEIGHT))
    both = Image.fromarray(np.concatenate([plain, heat_overlay(plain, heat)]))
    return FrameStrip(jpeg=as_jpeg(both), width=both.width, height=both.height)
