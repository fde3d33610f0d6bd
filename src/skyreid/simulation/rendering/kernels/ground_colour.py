"""The colour of the ground: regions that lie on each other, the last one on top."""

import math

import numpy as np

from skyreid.compiled import compiled
from skyreid.simulation.rendering.kernels.bins import cell_of
from skyreid.simulation.rendering.kernels.hits import direction_at
from skyreid.simulation.rendering.kernels.noise import noise
from skyreid.simulation.rendering.kernels.surface_colour import colour_at, extent, footprint

FARTHEST_M = 600.0
WIDEST_EDGE_M = 1.0
"""Edges are softened over a pixel's footprint, but over no more than this."""
_ROUGHNESS_M = 0.3
"""Between the tufts of a rough edge."""


REGION = np.dtype(
    [
        ("middle", np.float64, 2),
        ("turn", np.float64, 2),  # cosine and sine
        ("half", np.float64, 2),
        ("corner", np.float64),
        ("rough", np.float64),
        ("seed", np.int64),
        ("surface", np.int64),
    ]
)
"""One region, from `skyreid.simulation.rendering.ground.Region`."""


@compiled
def ground_colours(pinhole, columns, rows, wanted, regions, grid, first, entries, surfaces):
    """The colour of the ground in every pixel that is `wanted` (not 0), as its middle meets it, and the depth there.

    A texture changes little within a pixel once it is averaged over its footprint, so that one place is enough.
    """
    colours, depth = np.zeros((*wanted.shape, 3), np.float32), np.zeros(wanted.shape, np.float32)
    samples = columns.size // wanted.shape[1]
    pixel = math.sqrt(pinhole[1, 0] ** 2 + pinhole[1, 1] ** 2 + pinhole[1, 2] ** 2)
    for row in range(wanted.shape[0]):
        for column in range(wanted.shape[1]):
            if wanted[row, column] == 0:
                continue
            x, y, away, direction = ground_place(pinhole, columns, rows, row, column, samples)
            narrow = away * pixel
            wide, along_x, along_y, _ = footprint((0.0, 0.0, 1.0), direction, narrow)
            wide_x, wide_y = extent(narrow, wide, along_x), extent(narrow, wide, along_y)
            red = green = blue = 0.0
            left = 1.0
            begin, end = cell_of(grid, first, x, y)
            for entry in range(end - 1, begin - 1, -1):
                region = regions[entries[entry]]
                share = left * _coverage(region, x, y, narrow, wide, along_x, along_y)
                if share > 0:
                    r, g, b = colour_at(surfaces[region.surface], x, y, wide_x, wide_y)
                    red, green, blue, left = red + share * r, green + share * g, blue + share * b, left - share
                    if left <= 0:
                        break
            if left > 0:
                r, g, b = colour_at(surfaces[0], x, y, wide_x, wide_y)
                red, green, blue = red + left * r, green + left * g, blue + left * b
            colours[row, column, 0], colours[row, column, 1], colours[row, column, 2] = red, green, blue
            depth[row, column] = away
    return colours, depth


@compiled
def ground_place(pinhole, columns, rows, row, column, samples):
    """Where the ray through a pixel's middle meets the ground: x, y, depth and the ray's direction."""
    first_row, first_column = row * samples, column * samples
    u = 0.5 * (columns[first_column] + columns[first_column + samples - 1])
    v = 0.5 * (rows[first_row] + rows[first_row + samples - 1])
    direction = direction_at(pinhole, u, v)
    # The middle of a pixel on the horizon may miss the ground.
    away = min(-pinhole[0, 2] / min(direction[2], -1e-9), FARTHEST_M)
    return pinhole[0, 0] + away * direction[0], pinhole[0, 1] + away * direction[1], away, direction


@compiled
def _coverage(region, x, y, narrow, wide, along_x, along_y):
    """The share of a pixel that a region covers."""
    x, y = x - region.middle[0], y - region.middle[1]
    rough = region.rough
    if rough > 0:
        seed = region.seed
        x += rough * (2 * noise(x / _ROUGHNESS_M, y / _ROUGHNESS_M, seed) - 1)
        y += rough * (2 * noise(x / _ROUGHNESS_M, y / _ROUGHNESS_M, seed + 1) - 1)
    cos, sin = region.turn[0], region.turn[1]
    x, y = cos * x + sin * y, cos * y - sin * x
    cosine, sine = cos * along_x + sin * along_y, cos * along_y - sin * along_x
    length, width = region.half[0], region.half[1]
    corner = region.corner
    from_x, from_y = abs(x) - length + corner, abs(y) - width + corner
    if corner > 0 and from_x > 0 and from_y > 0:
        apart = math.sqrt(from_x * from_x + from_y * from_y)
        towards = (math.copysign(from_x, x) * cosine + math.copysign(from_y, y) * sine) / apart
        edge = min(extent(narrow, wide, towards), WIDEST_EDGE_M)
        return min(max(0.5 - (apart - corner) / edge, 0.0), 1.0)
    return _overlap(x, min(extent(narrow, wide, cosine), WIDEST_EDGE_M), length) * _overlap(
        y, min(extent(narrow, wide, sine), WIDEST_EDGE_M), width
    )


@compiled
def _overlap(place, wide, half):
    """The share of an interval about `place` that lies within `half` of 0."""
    return max(min(place + 0.5 * wide, half) - max(place - 0.5 * wide, -half), 0.0) / wide
