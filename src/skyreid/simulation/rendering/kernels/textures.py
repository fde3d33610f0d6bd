"""The colour of a place: noise that is the same for every camera, flat materials, painted parts, folds of cloth."""

import math

import numpy as np

from skyreid.processes.compiled import compiled
from skyreid.simulation.rendering.paint import Pattern


@compiled
def lattice(column, row, layer):
    """A fixed number in 0-1 for a place of whole numbers."""
    mixed = (int(column) * 0x9E3779B1) & 0xFFFFFFFF
    mixed ^= (int(row) * 0x85EBCA77) & 0xFFFFFFFF
    mixed ^= (int(layer) * 0xC2B2AE3D) & 0xFFFFFFFF
    mixed ^= mixed >> 15
    mixed = (mixed * 0x2C1B3C6D) & 0xFFFFFFFF
    mixed ^= mixed >> 13
    return (mixed >> 8) * 2.0**-24


@compiled
def noise(x, y, layer):
    """Smooth noise in 0-1 with bumps about one unit apart."""
    column, row = math.floor(x), math.floor(y)
    u, v = x - column, y - row
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    upper = lattice(column, row, layer) * (1 - u) + lattice(column + 1, row, layer) * u
    lower = lattice(column, row + 1, layer) * (1 - u) + lattice(column + 1, row + 1, layer) * u
    return upper * (1 - v) + lower * v


@compiled
def solid_noise(x, y, z, layer):
    """The same in space."""
    height = math.floor(z)
    w = z - height
    w = w * w * (3 - 2 * w)
    below = noise(x, y, layer + 57 * int(height))
    return below * (1 - w) + noise(x, y, layer + 57 * int(height) + 57) * w


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
"""One material, field by field as in `skyreid.simulation.rendering.materials.Surface`."""

_GRAIN_M = 0.06
_JOINT_M = 0.024


@compiled
def colour_at(surface, x, y, wide_x, wide_y):
    """The mean colour of a flat material over a pixel's footprint: `wide_x` by `wide_y` metres about a place."""
    seed = surface.seed
    widest, mean = max(wide_x, wide_y), math.sqrt(wide_x * wide_y)
    size = surface.patch_m
    drift = 0.5 + (noise(x / size, y / size, seed) - 0.5) * _kept(size, widest)
    level = 1.0
    if surface.grain > 0:
        fine = noise(x / _GRAIN_M, y / _GRAIN_M, seed + 1) - 0.5
        level += surface.grain * fine * _kept(_GRAIN_M, mean)
    long, short = surface.slab_m[0], surface.slab_m[1]
    if long > 0:
        joints = _covered(x + 0.5 * long, wide_x, long, _JOINT_M) + _covered(y + 0.5 * short, wide_y, short, _JOINT_M)
        tone = lattice(math.floor(x / long), math.floor(y / short), seed + 2) - 0.5
        level *= (1 - 0.35 * joints) * (1 + 0.12 * tone * _kept(min(long, short), widest))
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
def _kept(size, footprint_m):
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


_STRIPES, _CHECKS, _YOKE = int(Pattern.STRIPES), int(Pattern.CHECKS), int(Pattern.YOKE)
_OPEN_FRONT, _PRINT, _LEAVES = int(Pattern.OPEN_FRONT), int(Pattern.PRINT), int(Pattern.LEAVES)
_STRIPE_M = 0.085
_CHECK_M = 0.11
_LEAF_M = 0.13


@compiled
def reflectance(part, azimuth, along, point):
    """The colour of a painted part at `azimuth` (radians) and `along` (metres) of the pattern, and in the world."""
    accent = accent_share(part.pattern, azimuth, along, point)
    main, other = part.colour, part.accent
    return (
        main[0] + accent * (other[0] - main[0]),
        main[1] + accent * (other[1] - main[1]),
        main[2] + accent * (other[2] - main[2]),
    )


@compiled
def accent_share(pattern, azimuth, along, point):
    """How much of the accent's colour a place has, 0-1."""
    front = abs(azimuth)
    if pattern == _STRIPES:
        return 1.0 if along % _STRIPE_M < 0.4 * _STRIPE_M else 0.0
    if pattern == _CHECKS:
        # Around a body of about 0.15 m the azimuth is an arc of that many metres a radian.
        rings = 0.5 if along % _CHECK_M < 0.3 * _CHECK_M else 0.0
        return rings + (0.5 if azimuth * 0.15 % _CHECK_M < 0.3 * _CHECK_M else 0.0)
    if pattern == _YOKE:
        return 1.0 if along > 0.27 else 0.0
    if pattern == _OPEN_FRONT:
        return 1.0 if front < 0.40 else 0.0
    if pattern == _PRINT:
        return 1.0 if front < 0.8 and 0.14 < along < 0.34 else 0.0
    if pattern == _LEAVES:
        return solid_noise(point[0] / _LEAF_M, point[1] / _LEAF_M, point[2] / _LEAF_M, 3)
    return 0.0


@compiled
def fold_tilt(fold, number, azimuth, along):
    """How far folds tilt the cloth: (around the part, along it), added to the unit normal."""
    if fold == 0:
        return 0.0, 0.0
    wave = math.sin(along * 31 + 1.7 * math.sin(azimuth * 2 + number) + number)
    cross = math.sin(azimuth * 5 + 2.1 * math.sin(along * 13 + number))
    return fold * cross, fold * wave
