"""Where a ray enters a block, and which face that is."""

import math

import numpy as np

from skyreid.compiled import compiled

BLOCK = np.dtype(
    [
        ("normals", np.float64, (6, 3)),  # of the faces, outwards: front, back, left, right, top, bottom
        ("offsets", np.float64, 6),  # of the faces from the world's origin along their normals
        ("foot", np.float64, 3),  # middle of the bottom
        ("turn", np.float64, 2),  # cosine and sine
        ("half", np.float64, 2),  # half length and half width of the bottom
        ("height", np.float64),
        ("side_surface", np.int64),
        ("top_surface", np.int64),
    ]
)
"""One block, from `skyreid.simulation.rendering.blocks.Block`."""


@compiled
def enter_block(block, origin, direction):
    """How far along a ray a block's surface is; inf for a miss, -inf for a ray that starts inside."""
    entry, leave = -math.inf, math.inf
    for face in range(6):
        rate = rate_of(block, face, direction)
        gap = gap_of(block, face, origin)
        if rate < 0:
            entry = max(entry, gap / rate)
        elif rate > 0:
            leave = min(leave, gap / rate)
        elif gap < 0:
            return math.inf
        if entry >= leave:
            return math.inf
    return entry


@compiled
def rate_of(block, face, direction):
    """How fast a ray comes out of a face."""
    normals = block.normals
    return normals[face, 0] * direction[0] + normals[face, 1] * direction[1] + normals[face, 2] * direction[2]


@compiled
def gap_of(block, face, point):
    """How far a point is on the inner side of a face."""
    return block.offsets[face] - rate_of(block, face, point)


@compiled
def face_at(block, point):
    """The face on which a point of a block's surface lies."""
    best, nearest = 0, math.inf
    for face in range(6):
        gap = abs(gap_of(block, face, point))
        if gap < nearest:
            best, nearest = face, gap
    return best
