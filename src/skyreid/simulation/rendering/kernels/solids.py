"""Where a ray enters a solid, and the surface there: tapered capsules, of which bodies are made, and blocks."""

import math

import numpy as np

from skyreid.processes.compiled import compiled
from skyreid.simulation.rendering.kernels.textures import solid_noise

_CUT_TOLERANCE_M = 1e-5
_LEAVES_M = 0.2
"""Size of a tuft of leaves and of the holes between."""

PART = np.dtype(
    [
        ("body", np.int64),
        ("number", np.int64),  # of the part in its body
        ("start", np.float64, 3),
        ("end", np.float64, 3),
        ("start_radius", np.float64),
        ("end_radius", np.float64),
        ("cut_height", np.float64),
        ("to_frame", np.float64, (3, 3)),
        ("length", np.float64),
        ("slope", np.float64),
        ("cone_radius", np.float64),
        ("contact", np.float64, 2),
        ("pattern_start", np.float64, 3),
        ("pattern_frame", np.float64, (3, 3)),
        ("colour", np.float64, 3),
        ("accent", np.float64, 3),
        ("pattern", np.int64),
        ("fold", np.float64),
        ("holes", np.float64),
    ]
)
"""One part of a body: fields as in `rendering.capsules.Capsules` and `rendering.paint.Paint`."""


@compiled
def enter(part, origin, direction):
    """How far along a ray a part's surface is, in units of the direction's length; inf for a miss or a hole.

    Negative where the ray starts inside or beyond.
    """
    x, y, z = into_frame(part, origin[0] - part.start[0], origin[1] - part.start[1], origin[2] - part.start[2])
    dx, dy, dz = into_frame(part, direction[0], direction[1], direction[2])
    entry = enter_in_frame(part, x, y, z, dx, dy, dz, origin[2], direction[2])
    is_leafy = part.holes > 0 and 0 < entry < math.inf
    if is_leafy and is_hole(part, x + entry * dx, y + entry * dy, z + entry * dz, dx, dy, dz):
        return math.inf
    return entry


@compiled
def into_frame(part, x, y, z):
    """A vector of the world in the part's own axes."""
    frame = part.to_frame
    return (
        frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z,
        frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z,
        frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z,
    )


@compiled
def enter_in_frame(part, x, y, z, dx, dy, dz, height, rise):
    """`enter` for a ray in the part's own frame, holes aside; `height` and `rise` are its world z and slope."""
    entry, leave = math.inf, -math.inf
    across_square, across_dot, across_distance = dx * dx + dy * dy, x * dx + y * dy, x * x + y * y
    radius, growth = part.cone_radius + part.slope * z, part.slope * dz
    square, dot = across_square - growth * growth, across_dot - growth * radius
    inside = dot * dot - square * (across_distance - radius * radius)
    if inside >= 0 and square != 0:
        root = math.sqrt(inside)
        for solution in ((-dot - root) / square, (-dot + root) / square):
            if part.contact[0] <= z + solution * dz <= part.contact[1]:
                entry, leave = min(entry, solution), max(leave, solution)
    square = across_square + dz * dz
    for centre, radius in ((0.0, part.start_radius), (part.length, part.end_radius)):
        dot = across_dot + (z - centre) * dz
        inside = dot * dot - square * (across_distance + (z - centre) ** 2 - radius * radius)
        if inside >= 0:
            root = math.sqrt(inside)
            entry, leave = min(entry, (-dot - root) / square), max(leave, (-dot + root) / square)
    if entry > leave:
        return math.inf

    cut = part.cut_height
    if cut > -math.inf:
        # A level ray counts as one that falls by next to nothing.
        crossing = (cut - height) / (rise if rise != 0 else -1e-30)
        if rise > 0:
            entry = max(entry, crossing)
            if entry > leave:
                return math.inf
        elif entry > crossing:
            return math.inf
    return entry


@compiled
def is_hole(part, x, y, z, dx, dy, dz):
    """Whether a place that a ray enters, both in the part's frame, is a gap between leaves.

    There are more gaps towards the outline, so that a crown has no smooth edge.
    """
    rise = _rise(part, x, y, z)
    facing = -(x * dx + y * dy + rise * dz) / math.sqrt((x * x + y * y + rise * rise) * (dx * dx + dy * dy + dz * dz))
    wanted = part.holes + (1 - part.holes) * (1 - facing) ** 3
    return solid_noise(x / _LEAVES_M, y / _LEAVES_M, z / _LEAVES_M, part.number) < 0.2 + 0.8 * wanted


@compiled
def _rise(part, x, y, z):
    """The axial part of the normal in the part's frame; the others are x and y themselves."""
    if z < part.contact[0]:
        return z
    if z > part.contact[1]:
        return z - part.length
    return -part.slope * math.sqrt(x * x + y * y)


@compiled
def normal_at(part, point):
    """The unit normal of a point on a part."""
    if point[2] - part.cut_height < _CUT_TOLERANCE_M:
        return 0.0, 0.0, -1.0
    x, y, z = into_frame(part, point[0] - part.start[0], point[1] - part.start[1], point[2] - part.start[2])
    rise = _rise(part, x, y, z)
    # The normal of a mapped surface is the mapped normal by the transposed frame.
    frame = part.to_frame
    nx = frame[0, 0] * x + frame[1, 0] * y + frame[2, 0] * rise
    ny = frame[0, 1] * x + frame[1, 1] * y + frame[2, 1] * rise
    nz = frame[0, 2] * x + frame[1, 2] * y + frame[2, 2] * rise
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    return nx / length, ny / length, nz / length


@compiled
def place_in_pattern(part, point):
    """Where a point lies in the pattern: (azimuth in radians, metres along).

    The azimuth is 0 at the body's front and grows to its left.
    """
    frame = part.pattern_frame
    x, y, z = (
        point[0] - part.pattern_start[0],
        point[1] - part.pattern_start[1],
        point[2] - part.pattern_start[2],
    )
    front = frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z
    left = frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z
    return math.atan2(left, front), frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z


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
"""One block, from `skyreid.simulation.rendering.surroundings.Block`."""


@compiled
def enter_block(block, origin, direction):
    """How far along a ray a block's surface is; inf for a miss, -inf for a ray that starts inside."""
    entry, leave = -math.inf, math.inf
    for face in range(6):
        rate = _rate_of(block, face, direction)
        gap = _gap_of(block, face, origin)
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
def _rate_of(block, face, direction):
    """How fast a ray comes out of a face."""
    normals = block.normals
    return normals[face, 0] * direction[0] + normals[face, 1] * direction[1] + normals[face, 2] * direction[2]


@compiled
def _gap_of(block, face, point):
    """How far a point is on the inner side of a face."""
    return block.offsets[face] - _rate_of(block, face, point)


@compiled
def face_at(block, point):
    """The face on which a point of a block's surface lies."""
    best, nearest = 0, math.inf
    for face in range(6):
        gap = abs(_gap_of(block, face, point))
        if gap < nearest:
            best, nearest = face, gap
    return best
