"""The colour of flat materials at a place, averaged over a pixel's footprint there."""

import math

import numpy as np

from skyreid.compiled import compiled
from skyreid.simulation.rendering.kernels.noise import lattice, noise

_GRAIN_M = 0.06
_JOINT_M = 0.024


SURFACE = np.dtype(
    [
        ("colour", np.float64, 3),
        ("patch", np.float64, 3),
        ("patch_m", np.float64),
        ("grain", np.float64),
        ("slab_m", np.float64, 2),  # 0 for none
        ("seed", np.int64),
        ("pane_spacing", np.float64, 2),  # 0 for none
        ("pane_size", np.float64, 2),
        ("pane_colour", np.float64, 3),
    ]
)
"""One material, field by field as in `skyreid.simulation.rendering.surface.Surface`."""


@compiled
def footprint(normal, direction, size):
    """The outline of a pixel on a surface that a ray of this (not unit) direction meets.

    `size` is the pixel's width square to the ray. Returns its length along the view, and where on the
    surface that points to (a unit vector).
    """
    length = math.sqrt(direction[0] ** 2 + direction[1] ** 2 + direction[2] ** 2)
    x, y, z = direction[0] / length, direction[1] / length, direction[2] / length
    facing = x * normal[0] + y * normal[1] + z * normal[2]
    x, y, z = x - facing * normal[0], y - facing * normal[1], z - facing * normal[2]
    level = max(math.sqrt(x * x + y * y + z * z), 1e-9)
    return size / max(abs(facing), 1e-3), x / level, y / level, z / level


@compiled
def extent(narrow, wide, cosine):
    """How far an ellipse reaches along an axis, from its widths and the cosine of its long side to the axis."""
    return math.sqrt((wide * cosine) ** 2 + narrow * narrow * (1 - cosine * cosine))


@compiled
def kept(size, footprint_m):
    """How much of a detail of `size` metres survives pixels of `footprint_m` metres."""
    return 1 / (1 + (footprint_m / size) ** 2)


@compiled
def _covered(place, wide, spacing, size):
    """The share of an interval about `place` that lies in the middle `size` metres of every `spacing` metres."""
    low, high = (place - 0.5 * wide) / spacing, (place + 0.5 * wide) / spacing
    share, begin = size / spacing, 0.5 - 0.5 * size / spacing
    below = math.floor(low) * share + min(max(low - math.floor(low) - begin, 0.0), share)
    above = math.floor(high) * share + min(max(high - math.floor(high) - begin, 0.0), share)
    return (above - below) / (high - low)


@compiled
def colour_at(surface, x, y, wide_x, wide_y):
    """The colour at a place in metres for a pixel that covers `wide_x` by `wide_y` metres."""
    seed = surface.seed
    widest, mean = max(wide_x, wide_y), math.sqrt(wide_x * wide_y)
    size = surface.patch_m
    drift = 0.5 + (noise(x / size, y / size, seed) - 0.5) * kept(size, widest)
    level = 1.0
    if surface.grain > 0:
        fine = noise(x / _GRAIN_M, y / _GRAIN_M, seed + 1) - 0.5
        level += surface.grain * fine * kept(_GRAIN_M, mean)
    long, short = surface.slab_m[0], surface.slab_m[1]
    if long > 0:
        joints = _covered(x + 0.5 * long, wide_x, long, _JOINT_M) + _covered(y + 0.5 * short, wide_y, short, _JOINT_M)
        tone = lattice(math.floor(x / long), math.floor(y / short), seed + 2) - 0.5
        level *= (1 - 0.35 * joints) * (1 + 0.12 * tone * kept(min(long, short), widest))
    glass, shine = 0.0, 1.0
    across, up = surface.pane_spacing[0], surface.pane_spacing[1]
    if across > 0:
        width, height = surface.pane_size[0], surface.pane_size[1]
        glass = _covered(x, wide_x, across, width) * _covered(y, wide_y, up, height)
        shine = 0.5 + lattice(math.floor(x / across), math.floor(y / up), seed + 3)
    one, other, pane = surface.colour, surface.patch, surface.pane_colour
    red = (one[0] + (other[0] - one[0]) * drift) * level
    green = (one[1] + (other[1] - one[1]) * drift) * level
    blue = (one[2] + (other[2] - one[2]) * drift) * level
    return (
        red + (pane[0] * shine - red) * glass,
        green + (pane[1] * shine - green) * glass,
        blue + (pane[2] * shine - blue) * glass,
    )
