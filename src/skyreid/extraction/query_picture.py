"""A picture file that a search asks with: read, refused where it can show nobody, doubted where it shows a scene."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from skyreid.errors import MissingFrameError, SettingError
from skyreid.files.picture_file import read_picture

MIN_SIDE_PX = 8
"""Of a person's picture or box: what is smaller shows nobody."""
_BLANK_LEVELS = 4
"""Between the darkest and the brightest pixel, in any channel; JPEG makes fewer of one colour."""
_TALLEST = 8
"""Times its width; nobody who stands upright is so narrow."""

Picture = UInt8[np.ndarray, "height width 3"]


def read_query_picture(path: Path) -> Picture:
    """Read a picture that somebody asks with.

    Raises:
        MissingFrameError: it is not there, or no picture.
        SettingError: it is too small or blank.
    """
    if not path.exists():
        raise MissingFrameError(f"{path}: there is no such picture")
    if path.is_dir():
        raise MissingFrameError(f"{path}: is a folder; a search asks with a picture file of one person")
    pixels = np.asarray(read_picture(path))
    refuse_nobody(pixels, str(path))
    return pixels


def refuse_nobody(pixels: Picture, words: str) -> None:
    """Refuse what can show nobody.

    Raises:
        SettingError: it has fewer than `MIN_SIDE_PX` pixels a side, or one colour all over.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise SettingError(
            f"{words}: has {width} x {height} pixels, too few to show a person ({MIN_SIDE_PX} x {MIN_SIDE_PX} at "
            "least); give a larger picture"
        )
    if np.ptp(pixels, axis=(0, 1)).max() < _BLANK_LEVELS:
        raise SettingError(f"{words}: has one colour all over and shows nobody; give a picture of a person")


def doubt_scene(pixels: Picture, words: str) -> str | None:
    """Say why a picture that was not cropped hardly shows one person; None where it may."""
    height, width = pixels.shape[:2]
    if _TALLEST * width >= height >= width:
        return None
    shape = "wider than high" if width > height else f"more than {_TALLEST} times as high as wide"
    return (
        f"warning: {words} is {shape} ({width} x {height}), like no picture of one person; all of it was asked with, "
        "what is beside them too"
    )
