"""Pictures made smaller or larger by a factor, however thin they are."""

import cv2
import numpy as np
from jaxtyping import Shaped


def scaled(
    pixels: Shaped[np.ndarray, "height width *channel"], scale: float, *, interpolation: int = cv2.INTER_LINEAR
) -> Shaped[np.ndarray, "..."]:
    """Resize a picture by a factor; a side that would vanish is one pixel."""
    height, width = (round(side * scale) for side in pixels.shape[:2])
    if min(height, width) < 1:
        return cv2.resize(pixels, (max(1, width), max(1, height)), interpolation=interpolation)
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=interpolation)
