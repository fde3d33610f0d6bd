"""The colour of painted parts at a place of their pattern, and the folds of cloth."""

import math

from skyreid.compiled import compiled
from skyreid.simulation.rendering.kernels.noise import solid_noise
from skyreid.simulation.rendering.paint import Pattern

_STRIPES, _CHECKS, _YOKE = int(Pattern.STRIPES), int(Pattern.CHECKS), int(Pattern.YOKE)
_OPEN_FRONT, _PRINT, _LEAVES = int(Pattern.OPEN_FRONT), int(Pattern.PRINT), int(Pattern.LEAVES)
_STRIPE_M = 0.085
_CHECK_M = 0.11
_LEAF_M = 0.13


@compiled
def reflectance(part, azimuth, along, point):
    """The colour of a place at `azimuth` (radians) and `along` (metres) of the pattern, and in the world."""
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
