"""Fixed random numbers for places: what makes textures, the same for every camera."""

import math

from skyreid.compiled import compiled


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
