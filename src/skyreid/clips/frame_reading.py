"""One crop as pixels: upright RGB, as the file was when it was listed, at the size that a model eats."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skyreid.clips.exact_resize import resize_exactly
from skyreid.datasets.data_hash import unchanged_picture
from skyreid.tracklet import Frame


def read_frame(frame: Frame) -> UInt8[np.ndarray, "height width 3"]:
    """Read one crop as RGB, upright.

    Raises:
        MissingFrameError: the file is not there or is no readable picture; names it.
        ChangedFrameError: it is another picture than the one that was listed.
    """
    return np.asarray(unchanged_picture(frame))


def read_resized(frame: Frame, image_size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """Read one crop at a size, as `read_frame` and `resize` do one after the other.

    Args:
        frame: the crop.
        image_size: (height, width) in pixels.

    Raises:
        MissingFrameError, ChangedFrameError: as `read_frame`.
    """
    return resize_exactly(read_frame(frame), image_size)


def resize(
    frame: UInt8[np.ndarray, "height width channel"], image_size: tuple[int, int]
) -> UInt8[np.ndarray, "tall wide channel"]:
    """Resize one RGB frame with Pillow's bicubic filter, as the release does (METHOD section 7)."""
    height, width = image_size
    if frame.shape[:2] == image_size:
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))
