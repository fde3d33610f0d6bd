"""Tapered capsules: the only shape that people are made of, and where rays enter it.

A tapered capsule is the convex hull of two spheres. It can be flattened along one axis (a torso is
wider than deep) and cut off by a level plane (the hem of a skirt). Every capsule has its own frame, in
which it is not flattened, starts at the origin and points along +z: there the hull is a piece of a cone
between two circles of contact and a sphere at either end, and a ray keeps its parameter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from skyreid.simulation.camera import Camera, Vector
from skyreid.simulation.paint import Paint

Point = tuple[float, float, float]
NO_CUT = -math.inf
_CUT_TOLERANCE_M = 1e-5
_PAIRS_AT_ONCE = 8192
"""Their arrays stay in the processor's cache; four times as many take more than twice as long each."""


@dataclass(frozen=True, kw_only=True)
class Capsule:
    """One part of a body, in the body's axes: x forward, y to its left, z up, metres."""

    start: Point
    end: Point
    start_radius: float
    end_radius: float
    paint: Paint
    flat_axis: Point = (1.0, 0.0, 0.0)
    """Unit vector along which the part is flattened."""
    flatness: float = 1.0
    """Thickness along `flat_axis` as a share of the thickness across it."""
    cut_height: float = NO_CUT
    """Nothing of the part is below this height."""
    pattern_axis: tuple[Point, Point] | None = None
    """From where and to where the paint's pattern counts; None = from `start` to `end`.

    Parts that share one garment share it, so that stripes run on.
    """


@dataclass(frozen=True, eq=False, kw_only=True)
class Capsules:
    """The parts of one body in the world, as arrays; made by `place`."""

    paints: tuple[Paint, ...]
    start: Float[np.ndarray, "part 3"]
    end: Float[np.ndarray, "part 3"]
    start_radius: Float[np.ndarray, " part"]
    end_radius: Float[np.ndarray, " part"]
    flattening: Float[np.ndarray, "part 3 3"]
    """Symmetric; maps the unit ball to the flattened one."""
    cut_height: Float[np.ndarray, " part"]
    to_frame: Float[np.ndarray, "part 3 3"]
    """World to own frame, after `start` has been subtracted."""
    length: Float[np.ndarray, " part"]
    """Between the ends' centres, in the own frame."""
    slope: Float[np.ndarray, " part"]
    """Growth of the cone's radius along the axis."""
    cone_radius: Float[np.ndarray, " part"]
    """Of the cone at the start's centre."""
    pattern_start: Float[np.ndarray, "part 3"]
    pattern_frame: Float[np.ndarray, "part 3 3"]
    """Rows: the front of the pattern's axis, its left, the axis itself."""
    contact: Float[np.ndarray, "part 2"]
    """Axis positions between which the cone is the surface; empty if one sphere holds the other."""


def place(
    parts: Sequence[Capsule], *, scale: float = 1.0, x: float = 0.0, y: float = 0.0, heading_rad: float = 0.0
) -> Capsules:
    """Enlarge a body by `scale` and put it on the ground at (x, y).

    With a heading of 0 it looks along the world's x, with pi/2 along y.
    """
    cos, sin = math.cos(heading_rad), math.sin(heading_rad)

    def turned(vectors: list[Point]) -> np.ndarray:
        rows = np.array(vectors)
        return np.stack([cos * rows[:, 0] - sin * rows[:, 1], sin * rows[:, 0] + cos * rows[:, 1], rows[:, 2]], 1)

    def placed(points: list[Point]) -> np.ndarray:
        return scale * turned(points) + np.array([x, y, 0.0])

    start, end = placed([part.start for part in parts]), placed([part.end for part in parts])
    start_radius = scale * np.array([part.start_radius for part in parts])
    end_radius = scale * np.array([part.end_radius for part in parts])
    flat_axis = turned([part.flat_axis for part in parts])
    flatness = np.array([part.flatness for part in parts])

    outer = flat_axis[:, :, None] * flat_axis[:, None, :]
    unflatten = np.eye(3) + (1 / flatness - 1)[:, None, None] * outer
    axis = (unflatten * (end - start)[:, None, :]).sum(axis=2)
    length = np.sqrt((axis**2).sum(axis=1))
    front = np.array([cos, sin, 0.0])
    to_frame = (_frames(axis, front)[:, :, :, None] * unflatten[:, None, :, :]).sum(axis=2)
    pattern_axes = [part.pattern_axis or (part.start, part.end) for part in parts]
    pattern_start, pattern_end = placed([one for one, _ in pattern_axes]), placed([other for _, other in pattern_axes])

    sine = (start_radius - end_radius) / np.maximum(length, 1e-9)
    is_cone = np.abs(sine) < 1
    sine = np.where(is_cone, sine, 0.0)
    cosine = np.sqrt(1 - sine**2)
    contact = np.stack([start_radius * sine, length + end_radius * sine], axis=1)
    # Where one sphere holds the other, every axis position has to fall on the side of the bigger one.
    bigger = np.where(start_radius >= end_radius, math.inf, -math.inf)
    return Capsules(
        paints=tuple(part.paint for part in parts),
        start=start,
        end=end,
        start_radius=start_radius,
        end_radius=end_radius,
        flattening=np.eye(3) + (flatness - 1)[:, None, None] * outer,
        cut_height=scale * np.array([part.cut_height for part in parts]),
        to_frame=to_frame,
        pattern_start=pattern_start,
        pattern_frame=_frames(pattern_end - pattern_start, front),
        length=length,
        slope=-sine / cosine,
        cone_radius=start_radius / cosine,
        contact=np.where(is_cone[:, None], contact, bigger[:, None]),
    )


def _frames(axis: Float[np.ndarray, "part 3"], front: Vector) -> Float[np.ndarray, "part 3 3"]:
    """Right-handed frames; rows: the body's front made square to the axis, the left, the axis."""
    length = np.sqrt((axis**2).sum(axis=1, keepdims=True))
    along = np.where(length > 1e-9, axis / np.maximum(length, 1e-9), (0.0, 0.0, 1.0))
    # A part that points to the front itself (a foot) has its front on top.
    points_forward = np.abs((along * front).sum(axis=1, keepdims=True)) > 0.9
    reference = np.where(points_forward, (0.0, 0.0, 1.0), front)
    first = reference - (reference * along).sum(axis=1, keepdims=True) * along
    first /= np.sqrt((first**2).sum(axis=1, keepdims=True))
    return np.stack([first, np.cross(along, first), along], axis=1)


def image_boxes(body: Capsules, camera: Camera) -> Float[np.ndarray, "part 4"]:
    """The exact xyxy box of every part's outline in pixel coordinates; cuts are not taken off.

    The outline of a hull is the hull of the outlines of its two ellipsoids, and that of an ellipsoid
    follows from its dual quadric.
    """
    low, high = [], []
    for centre, radius in ((body.start, body.start_radius), (body.end, body.end_radius)):
        middle = camera.to_camera(centre)
        spread = (body.flattening[:, None, :, :] * camera.axes[None, :, None, :]).sum(axis=3)
        spread = spread * radius[:, None, None]
        dual = (spread[:, :, None, :] * spread[:, None, :, :]).sum(axis=3)
        dual = dual - middle[:, :, None] * middle[:, None, :]
        depth = dual[:, 2, 2]
        for side in (0, 1):
            mean = dual[:, side, 2] / depth
            half = np.sqrt(mean**2 - dual[:, side, side] / depth)
            low.append(camera.focal_px * (mean - half))
            high.append(camera.focal_px * (mean + half))
    return np.stack(
        [
            np.minimum(low[0], low[2]),
            np.minimum(low[1], low[3]),
            np.maximum(high[0], high[2]),
            np.maximum(high[1], high[3]),
        ],
        axis=1,
    )


def parallel_boxes(body: Capsules, across: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "part 4"]:
    """The exact xyxy box of every part seen from infinity, along two unit vectors square to the view."""
    low, high = [], []
    for centre, radius in ((body.start, body.start_radius), (body.end, body.end_radius)):
        middle = (centre[:, None, :] * across).sum(axis=2)
        spread = (body.flattening[:, None, :, :] * across[None, :, :, None]).sum(axis=2)
        half = radius[:, None] * np.sqrt((spread**2).sum(axis=2))
        low.append(middle - half)
        high.append(middle + half)
    return np.concatenate([np.minimum(*low), np.maximum(*high)], axis=1)


def entries(
    body: Capsules,
    part: Int[np.ndarray, " pair"],
    origin: Float[np.ndarray, "3 pair"],
    direction: Float[np.ndarray, "3 pair"],
) -> Float[np.ndarray, " pair"]:
    """How far along its ray each pair of ray and part has the part's surface; inf for a miss.

    In units of the direction's length; negative where the ray starts inside or beyond. Computed in the
    type of `origin`: keep origins within a few metres of the body when that is float32.
    """
    table = np.column_stack(
        [
            body.to_frame.reshape(-1, 9),
            (body.to_frame * body.start[:, None, :]).sum(axis=2),
            body.length,
            body.slope,
            body.cone_radius,
            body.contact,
            body.start_radius,
            body.end_radius,
            body.cut_height,
        ]
    ).T.astype(origin.dtype)
    found = np.empty(part.shape, origin.dtype)
    for first in range(0, part.size, _PAIRS_AT_ONCE):
        chosen = slice(first, first + _PAIRS_AT_ONCE)
        found[chosen] = _entries(table[:, part[chosen]], origin[:, chosen], direction[:, chosen])
    return found


def _entries(
    of_pair: Float[np.ndarray, "20 pair"],
    origin: Float[np.ndarray, "3 pair"],
    direction: Float[np.ndarray, "3 pair"],
) -> Float[np.ndarray, " pair"]:
    frame, offset = of_pair[:9].reshape(3, 3, -1), of_pair[9:12]
    length, slope, cone_radius, first, last, start_radius, end_radius, cut = of_pair[12:]
    x, y, z = (_dot(row, origin) - shift for row, shift in zip(frame, offset, strict=True))
    dx, dy, dz = (_dot(row, direction) for row in frame)
    across_square, across_dot, across_distance = dx * dx + dy * dy, x * dx + y * dy, x * x + y * y

    entry = np.full(x.shape, math.inf, origin.dtype)
    leave = np.full(x.shape, -math.inf, origin.dtype)
    # Missed surfaces give NaN, which fmin and fmax pass over.
    with np.errstate(divide="ignore", invalid="ignore"):
        radius, growth = cone_radius + slope * z, slope * dz
        square, dot = across_square - growth * growth, across_dot - growth * radius
        root = np.sqrt(dot * dot - square * (across_distance - radius * radius))
        for solution in ((-dot - root) / square, (-dot + root) / square):
            position = z + solution * dz
            on_cone = np.where((position >= first) & (position <= last), solution, np.nan)
            entry, leave = np.fmin(entry, on_cone), np.fmax(leave, on_cone)
        square = across_square + dz * dz
        for centre, radius in ((0.0, start_radius), (length, end_radius)):
            height = z - centre
            dot = across_dot + height * dz
            root = np.sqrt(dot * dot - square * (across_distance + height * height - radius * radius))
            entry, leave = np.fmin(entry, (-dot - root) / square), np.fmax(leave, (-dot + root) / square)

    # A level ray counts as one that falls by next to nothing.
    rise = np.where(direction[2] == 0, origin.dtype.type(-1e-30), direction[2])
    crossing = (cut - origin[2]) / rise
    entry = np.where((rise > 0) & (crossing > entry), crossing, entry)
    return np.where((entry > leave) | ((rise < 0) & (entry > crossing)), np.inf, entry)


def _dot(one: Sequence[np.ndarray] | np.ndarray, other: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def surface(
    body: Capsules, part: Int[np.ndarray, " point"], points: Float[np.ndarray, "3 point"]
) -> tuple[Float[np.ndarray, "3 point"], Float[np.ndarray, "2 point"]]:
    """Unit normals of points on parts, and their place in a pattern: (azimuth in radians, metres along).

    The azimuth is 0 at the body's front and grows to its left.
    """
    frame = body.to_frame.astype(points.dtype)[part].transpose(1, 2, 0)
    x, y, z = (_dot(row, points - body.start.astype(points.dtype)[part].T) for row in frame)
    first, last = body.contact.astype(points.dtype)[part].T
    slope, length = body.slope.astype(points.dtype)[part], body.length.astype(points.dtype)[part]
    rise = np.where(z < first, z, np.where(z > last, z - length, -slope * np.sqrt(x * x + y * y)))
    # The normal of a mapped surface is the mapped normal by the transposed frame.
    normal = np.stack([_dot(column, (x, y, rise)) for column in frame.transpose(1, 0, 2)])
    is_cut = points[2] - body.cut_height.astype(points.dtype)[part] < _CUT_TOLERANCE_M
    normal[:, is_cut] = np.array([[0], [0], [-1]], points.dtype)
    normal /= np.sqrt((normal**2).sum(axis=0))

    frame = body.pattern_frame.astype(points.dtype)[part].transpose(1, 2, 0)
    front, left, along = (_dot(row, points - body.pattern_start.astype(points.dtype)[part].T) for row in frame)
    return normal, np.stack([np.arctan2(left, front), along])
