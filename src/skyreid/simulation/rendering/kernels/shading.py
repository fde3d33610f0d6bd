"""The light that comes from what rays meet: people and trees, blocks, ground, sky.

The ground is coloured here too: its regions lie on each other, the last one on top.
"""

import math

import numpy as np

from skyreid.processes.compiled import compiled
from skyreid.simulation.rendering.kernels.bins import cell_of
from skyreid.simulation.rendering.kernels.hits import GROUND, SKY, direction_at
from skyreid.simulation.rendering.kernels.solids import face_at, normal_at, place_in_pattern
from skyreid.simulation.rendering.kernels.textures import colour_at, extent, fold_tilt, footprint, noise, reflectance

_TOP = 4
_FROM_GROUND = 0.25
"""Light from below, off the ground, as a share of the light from the whole sky."""
_WALL_FOOT = 0.35
"""How much of the sky the foot of a wall misses."""
_HAZE_M = 420.0


@compiled
def shade_parts(radiance, pinhole, columns, rows, depth, met, sunlit, parts, light):
    """Add the light of the rays that meet parts to the means of their pixels."""
    samples = met.shape[0] // radiance.shape[0]
    share = 1.0 / samples**2
    for row in range(met.shape[0]):
        for column in range(met.shape[1]):
            found = met[row, column]
            if not 0 <= found < parts.size:
                continue
            part = parts[found]
            dx, dy, dz = direction_at(pinhole, columns[column], rows[row])
            away = depth[row, column]
            point = (pinhole[0, 0] + away * dx, pinhole[0, 1] + away * dy, pinhole[0, 2] + away * dz)
            x, y, z = normal_at(part, point)
            azimuth, along = place_in_pattern(part, point)
            colour = reflectance(part, azimuth, along, point)
            around, upwards = fold_tilt(part.fold, part.number, azimuth, along)
            x, y, z = x - around * y, y + around * x, z + upwards
            length = math.sqrt(x * x + y * y + z * z)
            x, y, z = x / length, y / length, z / length
            sun = sunlit[row, column] * max(x * light[0, 0] + y * light[0, 1] + z * light[0, 2], 0.0)
            sky = sky_seen(z)
            for channel in range(3):
                radiance[row // samples, column // samples, channel] += (
                    share * colour[channel] * (sun * light[1, channel] + sky * light[2, channel])
                )


@compiled
def sky_seen(rise):
    """The share of the sky's light that reaches a surface whose normal has this upward part; the ground shines too."""
    return _FROM_GROUND + (1 - _FROM_GROUND) * (0.5 + 0.5 * rise)


@compiled
def shade_blocks(radiance, pinhole, columns, rows, depth, met, sunlit, first_block, blocks, surfaces, light):
    """Add the light of the rays that meet blocks; each face that a pixel shows is coloured once."""
    samples = met.shape[0] // radiance.shape[0]
    share = 1.0 / samples**2
    pixel = math.sqrt(pinhole[1, 0] ** 2 + pinhole[1, 1] ** 2 + pinhole[1, 2] ** 2)
    for row in range(radiance.shape[0]):
        for column in range(radiance.shape[1]):
            coloured, face, colour = SKY, -1, (0.0, 0.0, 0.0)
            for sub_row in range(row * samples, (row + 1) * samples):
                for sub_column in range(column * samples, (column + 1) * samples):
                    found = met[sub_row, sub_column]
                    if found < first_block:
                        continue
                    block = blocks[found - first_block]
                    direction = direction_at(pinhole, columns[sub_column], rows[sub_row])
                    away = depth[sub_row, sub_column]
                    point = (
                        pinhole[0, 0] + away * direction[0],
                        pinhole[0, 1] + away * direction[1],
                        pinhole[0, 2] + away * direction[2],
                    )
                    its_face = face_at(block, point)
                    if found != coloured or its_face != face:
                        coloured, face = found, its_face
                        surface = surfaces[block.top_surface if face >= _TOP else block.side_surface]
                        colour = _face_colour(block, face, surface, point, direction, away * pixel)
                    x, y, z = block.normals[face, 0], block.normals[face, 1], block.normals[face, 2]
                    facing = x * light[0, 0] + y * light[0, 1] + z * light[0, 2]
                    sun = sunlit[sub_row, sub_column] * max(facing, 0.0)
                    sky = sky_seen(z) * (1 - _WALL_FOOT * math.exp(-2 * point[2]) if face < _TOP else 1.0)
                    for channel in range(3):
                        radiance[row, column, channel] += (
                            share * colour[channel] * (sun * light[1, channel] + sky * light[2, channel])
                        )


@compiled
def _face_colour(block, face, surface, point, direction, size):
    cos, sin = block.turn[0], block.turn[1]
    x, y = point[0] - block.foot[0], point[1] - block.foot[1]
    x, y, z = cos * x + sin * y, cos * y - sin * x, point[2] - block.foot[2]
    normal = (block.normals[face, 0], block.normals[face, 1], block.normals[face, 2])
    wide, along_x, along_y, along_z = footprint(normal, direction, size)
    along_x, along_y = cos * along_x + sin * along_y, cos * along_y - sin * along_x
    if face >= _TOP:
        first, second, cosine, sine = x, y, along_x, along_y
    elif face < 2:
        first, second, cosine, sine = y + block.half[1], z, along_y, along_z
    else:
        first, second, cosine, sine = x + block.half[0], z, along_x, along_z
    return colour_at(surface, first, second, extent(size, wide, cosine), extent(size, wide, sine))


@compiled
def ground_shares(met, sunlit, samples):
    """The shares of every pixel that are ground, sunlit ground and sky."""
    size = (met.shape[0] // samples, met.shape[1] // samples)
    ground, sunny, sky = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    share = np.float32(1.0 / samples**2)
    for row in range(met.shape[0]):
        for column in range(met.shape[1]):
            if met[row, column] == GROUND:
                ground[row // samples, column // samples] += share
                if sunlit[row, column]:
                    sunny[row // samples, column // samples] += share
            elif met[row, column] == SKY:
                sky[row // samples, column // samples] += share
    return ground, sunny, sky


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
"""One region, from `skyreid.simulation.rendering.surroundings.Region`."""

_FARTHEST_M = 600.0
WIDEST_EDGE_M = 1.0
"""Edges are softened over a pixel's footprint, but over no more than this."""
_ROUGHNESS_M = 0.3
"""Between the tufts of a rough edge."""


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
            x, y, away, direction = _ground_place(pinhole, columns, rows, row, column, samples)
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
def _ground_place(pinhole, columns, rows, row, column, samples):
    """Where the ray through a pixel's middle meets the ground: x, y, depth and the ray's direction."""
    first_row, first_column = row * samples, column * samples
    u = 0.5 * (columns[first_column] + columns[first_column + samples - 1])
    v = 0.5 * (rows[first_row] + rows[first_row + samples - 1])
    direction = direction_at(pinhole, u, v)
    # The middle of a pixel on the horizon may miss the ground.
    away = min(-pinhole[0, 2] / min(direction[2], -1e-9), _FARTHEST_M)
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


CONTACT_REACH_M = 2.5
"""How far from a body or block the ground may see less sky."""
_CONTACT_STRENGTH = 0.9
_UNDER_A_BLOCK = 0.85


@compiled
def sky_shares(pinhole, columns, rows, wanted, parts, first_part, blocks, grid, first, entries):
    """How much of the sky the ground sees past what stands there: the soft shade round the feet.

    In every pixel that is `wanted` (not 0). Parts count as balls at their middle, by the form factor of a
    ball over a plane; blocks as walls.
    """
    shares = np.ones(wanted.shape, np.float32)
    samples, num_bodies = columns.size // wanted.shape[1], first_part.size - 1
    for row in range(wanted.shape[0]):
        for column in range(wanted.shape[1]):
            if wanted[row, column] == 0:
                continue
            x, y, _, _ = _ground_place(pinhole, columns, rows, row, column, samples)
            hidden, share = 0.0, 1.0
            begin, end = cell_of(grid, first, x, y)
            for entry in range(begin, end):
                solid = entries[entry]
                if solid >= num_bodies:
                    share *= 1 - _hidden_by_block(blocks[solid - num_bodies], x, y)
                    continue
                for number in range(first_part[solid], first_part[solid + 1]):
                    hidden += _hidden_by_part(parts[number], x, y)
            shares[row, column] = share / (1 + _CONTACT_STRENGTH * hidden)
    return shares


@compiled
def _hidden_by_part(part, x, y):
    x, y = x - 0.5 * (part.start[0] + part.end[0]), y - 0.5 * (part.start[1] + part.end[1])
    level = x * x + y * y
    fading = 1 - level / CONTACT_REACH_M**2
    if fading <= 0:
        return 0.0
    radius = 0.5 * (part.start_radius + part.end_radius)
    height = max(0.5 * (part.start[2] + part.end[2]), radius)
    square = level + height * height
    return fading * radius * radius * height / (square * math.sqrt(square))


@compiled
def _hidden_by_block(block, x, y):
    cos, sin = block.turn[0], block.turn[1]
    x, y = x - block.foot[0], y - block.foot[1]
    length, width = block.half[0], block.half[1]
    from_x = max(abs(cos * x + sin * y) - length, 0.0)
    from_y = max(abs(cos * y - sin * x) - width, 0.0)
    apart = math.sqrt(from_x * from_x + from_y * from_y)
    if apart >= CONTACT_REACH_M:
        return 0.0
    if apart == 0:
        return _UNDER_A_BLOCK
    top = block.foot[2] + block.height
    size = 2 * min(length, width) + top
    fading = (1 - (apart / CONTACT_REACH_M) ** 2) * size / (size + apart)
    return 0.5 * fading * (1 - apart / math.sqrt(apart * apart + top * top))


@compiled
def shade_ground(radiance, ground, sunny, colours, depth, open_sky, light):
    """Add the light of the ground; far away it is lost in haze."""
    for row in range(radiance.shape[0]):
        for column in range(radiance.shape[1]):
            clear = math.exp(-((depth[row, column] / _HAZE_M) ** 3))
            sun = clear * sunny[row, column] * light[0, 2]
            shine = clear * ground[row, column] * open_sky[row, column]
            haze = (1 - clear) * ground[row, column]
            for channel in range(3):
                radiance[row, column, channel] += (
                    colours[row, column, channel] * (sun * light[1, channel] + shine * light[2, channel])
                    + haze * light[2, channel]
                )


@compiled
def shade_sky(radiance, pinhole, columns, rows, sky, light):
    """Add the light of the sky: pale at the horizon, bluer above, with soft clouds."""
    samples = columns.size // radiance.shape[1]
    for row in range(radiance.shape[0]):
        for column in range(radiance.shape[1]):
            if sky[row, column] == 0:
                continue
            x, y, z = direction_at(pinhole, columns[column * samples], rows[row * samples])
            rise = max(z, 0.0) / math.sqrt(x * x + y * y + z * z)
            x, y = 2 * x / (max(z, 0.0) + 0.15), 2 * y / (max(z, 0.0) + 0.15)
            clouds = 0.6 * noise(x, y, 11) + 0.3 * noise(2.1 * x, 2.1 * y, 12) + 0.1 * noise(4.3 * x, 4.3 * y, 13)
            blue = min(3 * rise, 1.0) * (1 - min(max(2.5 * clouds - 0.8, 0.0), 1.0))
            for channel in range(3):
                radiance[row, column, channel] += (
                    sky[row, column] * light[2, channel] * (1 - blue * (0.34 - 0.11 * channel))
                )
