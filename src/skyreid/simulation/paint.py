"""Colours and the patterns of clothes, in linear light."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

Colour = tuple[float, float, float]
"""Reflectance of red, green and blue in 0-1, linear (not sRGB)."""


class Pattern(IntEnum):
    """How the accent colour lies on the main one."""

    PLAIN = 0
    STRIPES = 1
    """Rings around the part."""
    CHECKS = 2
    YOKE = 3
    """The upper part of a torso."""
    OPEN_FRONT = 4
    """A band down the front: the shirt under an open jacket."""
    PRINT = 5
    """A patch on the chest."""


@dataclass(frozen=True)
class Paint:
    """What a part looks like."""

    colour: Colour
    accent: Colour = (0.0, 0.0, 0.0)
    pattern: Pattern = Pattern.PLAIN
    fold: float = 0.0
    """Strength of the cloth's folds: about the tilt of the surface in radians; 0 for skin and leather."""


def from_srgb(code: int) -> Colour:
    """The reflectance of a colour written as on a web page, such as 0x1F2A44."""
    red, green, blue = (
        ((value / 255 + 0.055) / 1.055) ** 2.4 if value > 10 else value / 255 / 12.92
        for value in (code >> 16 & 255, code >> 8 & 255, code & 255)
    )
    return red, green, blue


_STRIPE_M = 0.085
_CHECK_M = 0.11


def reflectance(
    paints: tuple[Paint, ...],
    part: Int[np.ndarray, " point"],
    place: Float[np.ndarray, "2 point"],
) -> Float[np.ndarray, "3 point"]:
    """The colour of points on painted parts; `place` is (azimuth in radians, metres along the part)."""
    azimuth, along = place
    pattern = np.array([paint.pattern for paint in paints])[part]
    front = np.abs(azimuth)
    stripe = along % _STRIPE_M < 0.4 * _STRIPE_M
    # Around a body of about 0.15 m the azimuth is an arc of that many metres a radian.
    check = 0.5 * (along % _CHECK_M < 0.3 * _CHECK_M) + 0.5 * (azimuth * 0.15 % _CHECK_M < 0.3 * _CHECK_M)
    share = np.select(
        [pattern == kind for kind in Pattern],
        [
            np.zeros_like(along),
            stripe,
            check,
            along > 0.27,
            front < 0.40,
            (front < 0.8) & (along > 0.14) & (along < 0.34),
        ],
    ).astype(along.dtype)
    colours = np.array([paint.colour for paint in paints], dtype=along.dtype).T[:, part]
    accents = np.array([paint.accent for paint in paints], dtype=along.dtype).T[:, part]
    return colours + share * (accents - colours)


def fold_tilt(
    paints: tuple[Paint, ...],
    part: Int[np.ndarray, " point"],
    place: Float[np.ndarray, "2 point"],
) -> Float[np.ndarray, "2 point"]:
    """How far folds tilt the cloth at points: (around the part, along it), added to the unit normal."""
    azimuth, along = place
    strength = np.array([paint.fold for paint in paints], dtype=along.dtype)[part]
    shift = part.astype(along.dtype)
    wave = np.sin(along * 31 + 1.7 * np.sin(azimuth * 2 + shift) + shift)
    cross = np.sin(azimuth * 5 + 2.1 * np.sin(along * 13 + shift))
    return strength * np.stack([cross, wave])
