"""Colours and the patterns of clothes, in linear light."""

from dataclasses import dataclass
from enum import IntEnum

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
    LEAVES = 6
    """In spots, in space."""


@dataclass(frozen=True)
class Paint:
    """What a part looks like."""

    colour: Colour
    accent: Colour = (0.0, 0.0, 0.0)
    pattern: Pattern = Pattern.PLAIN
    fold: float = 0.0
    """Strength of the cloth's folds: about the tilt of the surface in radians; 0 for skin and leather."""
    holes: float = 0.0
    """Share that one sees and the sun shines through: a tree's crown."""


def from_srgb(code: int) -> Colour:
    """The reflectance of a colour written as on a web page, such as 0x1F2A44."""
    red, green, blue = (
        ((value / 255 + 0.055) / 1.055) ** 2.4 if value > 10 else value / 255 / 12.92
        for value in (code >> 16 & 255, code >> 8 & 255, code & 255)
    )
    return red, green, blue
