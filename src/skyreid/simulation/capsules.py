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
from jaxtyping import Bool, Float, Int, Shaped

from skyreid.simulation.camera import Camera
from skyreid.simulation.paint import Paint

Point = tuple[float, float, float]
NO_CUT = -math.inf
_CUT_TOLERANCE_M = 1e-5


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
    """Between the centres, in the own frame."""
    slope: Float[np.ndarray, " part"]
    """Growth of the cone's radius along the axis."""
    cone_radius: Float[np.ndarray, " part"]
    """Of the cone at the start's centre."""
    pattern_start: Float[np.ndarray, "part 3"]
    pattern_frame: Float[np.ndarray, "part 3 3"]
    """Rows: the front of the pattern's axis, its left, the axis itself."""
    contact: Float[np.ndarray, "part 2"]
    """Axis positions between which the cone is the surface; empty if one sphere holds the other."""


def place(parts: Sequence[Capsule], *, x: float = 0.0, y: float = 0.0, heading_rad: float = 0.0) -> Capsules:
    """Put a body on the ground at (x, y); a heading of 0 looks along the world's x, pi/2 along y."""
    cos, sin = math.cos(heading_rad), math.sin(heading_rad)

    def turned(vectors: list[Point]) -> np.ndarray:
        rows = np.array(vectors)
        return np.stack([cos * rows[:, 0] - sin * rows[:, 1], sin * rows[:, 0] + cos * rows[:, 1], rows[:, 2]], 1)

    start = turned([part.start for part in parts]) + (x, y, 0.0)
    end = turned([part.end for part in parts]) + (x, y, 0.0)
    flat_axis = turned([part.flat_axis for part in parts])
    flatness = np.array([part.flatness for part in parts])
    start_radius = np.array([part.start_radius for part in parts])
    end_radius = np.array([part.end_radius for part in parts])

    outer = flat_axis[:, :, None] * flat_axis[:, None, :]
    unflatten = np.eye(3) + (1 / flatness - 1)[:, None, None] * outer
    axis = (unflatten * (end - start)[:, None, :]).sum(axis=2)
    length = np.sqrt((axis**2).sum(axis=1))
    front = np.array([cos, sin, 0.0])
    to_frame = (_frames(axis, front)[:, :, :, None] * unflatten[:, None, :, :]).sum(axis=2)
    pattern_axes = [part.pattern_axis or (part.start, part.end) for part in parts]
    pattern_start = turned([axis[0] for axis in pattern_axes]) + (x, y, 0.0)
    pattern_end = turned([axis[1] for axis in pattern_axes]) + (x, y, 0.0)

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
        cut_height=np.array([part.cut_height for part in parts]),
        to_frame=to_frame,
        pattern_start=pattern_start,
        pattern_frame=_frames(pattern_end - pattern_start, front),
        length=length,
        slope=-sine / cosine,
        cone_radius=start_radius / cosine,
        contact=np.where(is_cone[:, None], contact, bigger[:, None]),
    )


def _frames(axis: Float[np.ndarray, "part 3"], front: Float[np.ndarray, "3"]) -> Float[np.ndarray, "part 3 3"]:
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

    def of_part(values: np.ndarray) -> np.ndarray:
        return values.astype(origin.dtype)[part]

    x, y, z = (
        sum(of_part(body.to_frame[:, row, axis]) * origin[axis] for axis in range(3))
        - of_part((body.to_frame[:, row] * body.start).sum(axis=1))
        for row in range(3)
    )
    dx, dy, dz = (
        sum(of_part(body.to_frame[:, row, axis]) * direction[axis] for axis in range(3)) for row in range(3)
    )
    length = of_part(body.length)
    slope = of_part(body.slope)
    first, last = of_part(body.contact[:, 0]), of_part(body.contact[:, 1])

    flat_square = dx * dx + dy * dy
    flat_dot = x * dx + y * dy
    flat_distance = x * x + y * y
    infinite = np.array(math.inf, dtype=origin.dtype)

    with np.errstate(divide="ignore", invalid="ignore"):
        radius = of_part(body.cone_radius) + slope * z
        growth = slope * dz
        square = flat_square - growth * growth
        dot = flat_dot - growth * radius
        root = np.sqrt(dot * dot - square * (flat_distance - radius * radius))
        entry, leave = np.full_like(z, infinite), np.full_like(z, -infinite)
        for solution in ((-dot - root) / square, (-dot + root) / square):
            position = z + solution * dz
            on_cone = (position >= first) & (position <= last)
            entry = np.where(on_cone & (solution < entry), solution, entry)
            leave = np.where(on_cone & (solution > leave), solution, leave)

        square = flat_square + dz * dz
        for centre, end_radius in ((0.0, body.start_radius), (length, body.end_radius)):
            height = z - centre
            dot = flat_dot + height * dz
            root = np.sqrt(dot * dot - square * (flat_distance + height * height - of_part(end_radius) ** 2))
            # Comparisons with the NaN of a missed sphere are false: nothing changes.
            near, far = (-dot - root) / square, (-dot + root) / square
            entry = np.where(near < entry, near, entry)
            leave = np.where(far > leave, far, leave)

        cut = of_part(body.cut_height)
        crossing = (cut - origin[2]) / direction[2]
    rises = direction[2] > 0
    entry = np.where(rises & (crossing > entry), crossing, entry)
    below = ~rises & (entry > crossing)
    return np.where(below | (entry > leave), infinite, entry)


def surface(
    body: Capsules, part: Int[np.ndarray, " point"], points: Float[np.ndarray, "3 point"]
) -> tuple[Float[np.ndarray, "3 point"], Float[np.ndarray, "2 point"]]:
    """Unit normals of points on parts, and their place in a pattern: (azimuth in radians, metres along).

    The azimuth is 0 at the body's front and grows to its left.
    """
    frame = body.to_frame.astype(points.dtype)[part]
    x, y, z = _inside(frame, points - body.start.astype(points.dtype)[part].T)
    first, last = body.contact.astype(points.dtype)[part].T
    slope, length = body.slope.astype(points.dtype)[part], body.length.astype(points.dtype)[part]
    rise = np.where(z < first, z, np.where(z > last, z - length, -slope * np.sqrt(x * x + y * y)))
    normal = np.stack(
        [frame[:, 0, axis] * x + frame[:, 1, axis] * y + frame[:, 2, axis] * rise for axis in range(3)]
    )
    is_cut = points[2] - body.cut_height.astype(points.dtype)[part] < _CUT_TOLERANCE_M
    normal[:, is_cut] = np.array([[0], [0], [-1]], points.dtype)
    normal /= np.sqrt((normal**2).sum(axis=0))

    frame = body.pattern_frame.astype(points.dtype)[part]
    front, left, along = _inside(frame, points - body.pattern_start.astype(points.dtype)[part].T)
    return normal, np.stack([np.arctan2(left, front), along])


def _inside(frames: Float[np.ndarray, "point 3 3"], offsets: Float[np.ndarray, "3 point"]) -> list[np.ndarray]:
    return [sum(frames[:, row, axis] * offsets[axis] for axis in range(3)) for row in range(3)]
