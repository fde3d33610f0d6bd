"""How much detail a crop shows, whatever its size."""

import cv2
import numpy as np
from jaxtyping import UInt8

from skyreid.building.scaled_picture import scaled

HEIGHT_PX = 64
"""Larger crops are scaled down to this height: a person of 400 pixels who is out of focus by two of them shows
more than a sharp one of 40 does. Smaller crops stay: enlarging makes no detail."""


def sharpness(pixels: UInt8[np.ndarray, "height width 3"]) -> float:
    """Variance of the Laplacian over the variance of the brightness, so that a dull day is no blur.

    0 = one colour; noise of single pixels has about 20; a person in focus about 0.5.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = HEIGHT_PX / gray.shape[0]
    if scale < 1:
        gray = scaled(gray, scale, interpolation=cv2.INTER_AREA)
    # A crop of one colour has neither; the least step of brightness keeps the ratio finite.
    return float(cv2.Laplacian(gray, cv2.CV_32F).var() / max(float(gray.var()), 1.0))
