"""What people walk around: everything of a place that is not above their heads."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.simulation.rendering.surroundings import Surroundings
from skyreid.simulation.sessions.choreography import Area, Steps

_HEADROOM_M = 2.0
_MARGIN_M = 1.0


@dataclass(frozen=True, eq=False)
class Obstacles:
    """Footprints on the ground."""

    rectangles: Float[np.ndarray, "block 6"]
    """Middle x and y, cosine and sine of the turn, half length, half width."""
    rods: Float[np.ndarray, "part 5"]
    """Start x and y, end x and y, radius."""

    def clearance_m(self, x: Steps, y: Steps) -> Steps:
        """How far places are from the nearest footprint, up to a metre at least; 0 on it."""
        nearest = np.full(x.shape, math.inf)
        for middle_x, middle_y, cos, sin, length, width in self.rectangles:
            along = np.abs(cos * (x - middle_x) + sin * (y - middle_y)) - length
            aside = np.abs(cos * (y - middle_y) - sin * (x - middle_x)) - width
            nearest = np.minimum(nearest, np.hypot(np.maximum(along, 0), np.maximum(aside, 0)))
        for start_x, start_y, end_x, end_y, radius in self.rods:
            to_x, to_y = end_x - start_x, end_y - start_y
            share = ((x - start_x) * to_x + (y - start_y) * to_y) / max(to_x**2 + to_y**2, 1e-9)
            share = np.clip(share, 0, 1)
            apart = np.hypot(x - start_x - share * to_x, y - start_y - share * to_y)
            nearest = np.minimum(nearest, np.maximum(apart - radius, 0))
        return nearest


def obstacles_in(surroundings: Surroundings, area: Area) -> Obstacles:
    """The obstacles in an area and at its edge."""
    rectangles = [
        (block.x, block.y, math.cos(block.turn_rad), math.sin(block.turn_rad), block.length / 2, block.width / 2)
        for block in surroundings.blocks
        if block.base < _HEADROOM_M and _reaches(area, block.x, block.y, math.hypot(block.length, block.width) / 2)
    ]
    rods = []
    for growth in surroundings.growths:
        for start, end, radius in zip(
            growth.start, growth.end, np.maximum(growth.start_radius, growth.end_radius), strict=True
        ):
            x, y = 0.5 * (start + end)[:2]
            reach = radius + 0.5 * math.dist(start, end)
            if min(start[2], end[2]) - radius < _HEADROOM_M and _reaches(area, x, y, reach):
                rods.append((*start[:2], *end[:2], radius))
    return Obstacles(np.array(rectangles).reshape(-1, 6), np.array(rods).reshape(-1, 5))


def _reaches(area: Area, x: float, y: float, reach: float) -> bool:
    left, low, right, high = area
    reach += _MARGIN_M
    return bool(left - reach < x < right + reach and low - reach < y < high + reach)
