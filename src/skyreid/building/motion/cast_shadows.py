"""Shadows that people cast in the sun: they walk along, and from a drone they are as large as who casts them."""

import numpy as np
from jaxtyping import Bool, UInt8

NEUTRAL = 0.1
"""By which the three channels' ratios to the ground may differ: a shadow is darker, and hardly of another colour."""
DARKEST, BRIGHTEST = 0.4, 0.94
"""Ratios of a shadow to the ground, from a clear sky to thin clouds."""
BINS = 27
"""Of ratios between these two, 0.02 wide."""
REACH = 3
"""Bins around the most frequent ratio: the sun is the same all over the place, and so is a shadow's ratio."""
ENOUGH = 0.3
"""Share of all that differs which the shadows must be; below it the sun does not shine."""


class CastShadows:
    """Learns over the frames how dark shadows are in this video."""

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)
        self._total = 0

    def find(
        self,
        pixels: UInt8[np.ndarray, "height width 3"],
        ground: UInt8[np.ndarray, "height width 3"],
        differs: Bool[np.ndarray, "height width"],
    ) -> Bool[np.ndarray, "height width"]:
        """Which of the pixels that differ from the ground are shadows."""
        ratios = (pixels[differs] + np.float32(1)) / (ground[differs] + np.float32(1))
        ratio = ratios.mean(axis=1)
        may_be = (np.ptp(ratios, axis=1) <= NEUTRAL) & (ratio >= DARKEST) & (ratio < BRIGHTEST)
        bins = np.clip((ratio - DARKEST) / (BRIGHTEST - DARKEST) * BINS, 0, BINS - 1).astype(np.int64)
        self._counts += np.bincount(bins[may_be], minlength=BINS)
        self._total += len(ratio)
        around = np.convolve(self._counts, np.ones(2 * REACH + 1, np.int64), mode="same")
        usual = int(around.argmax())
        shadow = np.zeros_like(differs)
        if around[usual] > ENOUGH * self._total:
            shadow[differs] = may_be & (np.abs(bins - usual) <= REACH)
        return shadow
