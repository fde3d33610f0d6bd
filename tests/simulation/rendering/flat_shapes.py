"""Plain materials, and blocks the slow way."""

import math

import numpy as np

from skyreid.simulation.rendering.materials import Surface
from skyreid.simulation.rendering.surroundings import Block


def plain(red: float, green: float, blue: float) -> Surface:
    """One colour everywhere."""
    return Surface(colour=(red, green, blue), patch=(red, green, blue), patch_m=1.0, grain=0.0, seed=1)


GREY = plain(0.3, 0.3, 0.3)


def is_in_block(block: Block, points: np.ndarray) -> np.ndarray:
    """Whether points (..., 3) are inside: their distance from the axis against the size at their height."""
    x, y, z = np.moveaxis(np.asarray(points) - [block.x, block.y, block.base], -1, 0)
    cos, sin = math.cos(block.turn_rad), math.sin(block.turn_rad)
    along, aside, share = cos * x + sin * y, cos * y - sin * x, z / block.height
    top_length = block.length if block.top_length is None else block.top_length
    top_width = block.width if block.top_width is None else block.top_width
    half_length = 0.5 * (block.length + share * (top_length - block.length))
    half_width = 0.5 * (block.width + share * (top_width - block.width))
    is_level = (share > 0) & (share < 1)
    return is_level & (np.abs(along - share * block.top_shift) < half_length) & (np.abs(aside) < half_width)
