"""What each ray of a picture meets first, and which of those places see the sun."""

import math

import numpy as np

from skyreid.processes.compiled import compiled
from skyreid.simulation.rendering.kernels.bins import cell_of
from skyreid.simulation.rendering.kernels.solids import enter, enter_block, enter_in_frame, into_frame, is_hole

SKY, GROUND = -2, -1
"""What a ray meets; from 0 the parts count, and after them the blocks."""
_OFFSET_M = 2e-3
"""Rays to the sun start this far off their surface, or rounding would let it shade itself."""


@compiled
def direction_at(pinhole, u, v):
    """The direction of the ray through a place of the picture; its forward part is 1, so that depth counts in it."""
    return (
        pinhole[3, 0] + u * pinhole[1, 0] + v * pinhole[2, 0],
        pinhole[3, 1] + u * pinhole[1, 1] + v * pinhole[2, 1],
        pinhole[3, 2] + u * pinhole[1, 2] + v * pinhole[2, 2],
    )


@compiled
def nearest_hits(pinhole, columns, rows, parts, part_spans, blocks, block_spans, num_bodies):
    """What every ray meets first and at which depth; and for each body the rays that would meet it alone.

    Spans are the half-open ranges (left, top, right, bottom) of the grid that a solid may cover.
    """
    met = np.full((rows.size, columns.size), SKY, np.int32)
    depth = np.full(met.shape, np.inf, np.float32)
    for row in range(met.shape[0]):
        for column in range(met.shape[1]):
            rise = direction_at(pinhole, columns[column], rows[row])[2]
            if rise < 0:
                depth[row, column], met[row, column] = -pinhole[0, 2] / rise, GROUND
    origin = (pinhole[0, 0], pinhole[0, 1], pinhole[0, 2])
    for block in range(block_spans.shape[0]):
        left, top, right, bottom = block_spans[block]
        for row in range(top, bottom):
            for column in range(left, right):
                entry = enter_block(blocks[block], origin, direction_at(pinhole, columns[column], rows[row]))
                if 0 < entry < depth[row, column]:
                    depth[row, column], met[row, column] = entry, parts.size + block
    alone = np.zeros(num_bodies, np.int64)
    met_alone = np.full(met.shape if num_bodies else (0, 0), -1, np.int16)
    for number in range(parts.size):
        left, top, right, bottom = part_spans[number]
        part = parts[number]
        body = part.body
        x, y, z = into_frame(part, origin[0] - part.start[0], origin[1] - part.start[1], origin[2] - part.start[2])
        for row in range(top, bottom):
            for column in range(left, right):
                direction = direction_at(pinhole, columns[column], rows[row])
                dx, dy, dz = into_frame(part, direction[0], direction[1], direction[2])
                entry = enter_in_frame(part, x, y, z, dx, dy, dz, origin[2], direction[2])
                if not 0 < entry < math.inf:
                    continue
                if body < num_bodies and met_alone[row, column] != body:
                    met_alone[row, column] = body
                    alone[body] += 1
                if entry >= depth[row, column]:
                    continue
                if part.holes > 0 and is_hole(part, x + entry * dx, y + entry * dy, z + entry * dz, dx, dy, dz):
                    continue
                depth[row, column], met[row, column] = entry, number
    return depth, met, alone


@compiled
def seen_bodies(met, parts, num_bodies):
    """The body, of the first `num_bodies`, that each ray meets and its part; -1 for none."""
    body, part = np.full(met.shape, -1, np.int16), np.full(met.shape, -1, np.int16)
    for row in range(met.shape[0]):
        for column in range(met.shape[1]):
            found = met[row, column]
            if 0 <= found < parts.size and parts[found].body < num_bodies:
                body[row, column], part[row, column] = parts[found].body, parts[found].number
    return body, part


@compiled
def see_sun(pinhole, columns, rows, depth, met, parts, blocks, sun_axes, boxes, grid, first, entries):
    """Which of the places that rays meet have nothing between them and the sun; those that face away count too.

    `boxes` are those of the parts and then of the blocks along the first two of the sun's axes, and the rest
    tells where they lie.
    """
    seen = np.zeros(met.shape, np.bool_)
    sun = (sun_axes[2, 0], sun_axes[2, 1], sun_axes[2, 2])
    for row in range(met.shape[0]):
        for column in range(met.shape[1]):
            if met[row, column] == SKY:
                continue
            dx, dy, dz = direction_at(pinhole, columns[column], rows[row])
            away = depth[row, column]
            x = pinhole[0, 0] + away * dx + _OFFSET_M * sun[0]
            y = pinhole[0, 1] + away * dy + _OFFSET_M * sun[1]
            z = pinhole[0, 2] + away * dz + _OFFSET_M * sun[2]
            u = sun_axes[0, 0] * x + sun_axes[0, 1] * y + sun_axes[0, 2] * z
            v = sun_axes[1, 0] * x + sun_axes[1, 1] * y + sun_axes[1, 2] * z
            is_shaded = False
            begin, end = cell_of(grid, first, u, v)
            for entry in range(begin, end):
                solid = entries[entry]
                if boxes[solid, 0] < u < boxes[solid, 2] and boxes[solid, 1] < v < boxes[solid, 3]:
                    if solid < parts.size:
                        distance = enter(parts[solid], (x, y, z), sun)
                    else:
                        distance = enter_block(blocks[solid - parts.size], (x, y, z), sun)
                    if 0 < distance < math.inf:
                        is_shaded = True
                        break
            seen[row, column] = not is_shaded
    return seen
