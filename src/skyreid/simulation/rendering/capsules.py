"""Tapered capsules: the only shape that people are made of, and where rays enter it.

A tapered capsule is the convex hull of two spheres. It can be flattened along one axis (a torso is
wider than deep) and cut off by a level plane (the hem of a skirt). Every capsule has its own frame, in
which it is not flattened, starts at the origin and points along +z: there the hull is a piece of a cone
between two circles of contact and a sphere at either end, and a ray keeps its parameter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Shaped

from skyreid.simulation.rendering.camera import Camera, Vector
from skyreid.simulation.rendering.kernels.solids import PART
from skyreid.simulation.rendering.paint import Paint

Point = tuple[float, float, float]
NO_CUT = -math.inf
_FIELDS: dict[str, tuple[int, ...]] = {
    "start": (3,),
    "end": (3,),
    "start_radius": (),
    "end_radius": (),
    "flattening": (3, 3),
    "cut_height": (),
    "to_frame": (3, 3),
    "length": (),
    "slope": (),
    "cone_radius": (),
    "contact": (2,),
    "pattern_start": (3,),
    "pattern_frame": (3, 3),
}
"""The arrays of `Capsules` and what each holds for a part."""


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


def join(bodies: Sequence[Capsules]) -> Capsules:
    """The parts of all bodies, one after the other; there may be no body."""
    return Capsules(
        paints=tuple(paint for body in bodies for paint in body.paints),
        **{
            field: np.concatenate([np.zeros((0, *shape)), *(getattr(body, field) for body in bodies)])
            for field, shape in _FIELDS.items()
        },
    )


def image_boxes(body: Capsules, camera: Camera) -> Float[np.ndarray, "part 4"]:
    """The xyxy box of every part's outline in pixel coordinates; cuts are not taken off.

    The outline of a hull is the hull of the outlines of its two ellipsoids, and that of an ellipsoid
    follows from its dual quadric: the box is exact. Where a part reaches behind the camera it is that of
    the visible piece of its bounding box; (inf, inf, -inf, -inf) for a part wholly behind the camera.
    """
    low, high, corners_low, corners_high, is_before = [], [], [], [], []
    for centre, radius in ((body.start, body.start_radius), (body.end, body.end_radius)):
        middle = camera.to_camera(centre)
        spread = (body.flattening[:, None, :, :] * camera.axes[None, :, None, :]).sum(axis=3)
        spread = spread * radius[:, None, None]
        dual = (spread[:, :, None, :] * spread[:, None, :, :]).sum(axis=3)
        is_before.append(middle[:, 2] > 1.001 * np.sqrt(dual[:, 2, 2]))
        dual = dual - middle[:, :, None] * middle[:, None, :]
        depth = np.where(is_before[-1], dual[:, 2, 2], -1.0)
        mean = dual[:, :2, 2] / depth[:, None]
        half = np.sqrt(np.maximum(mean**2 - dual[:, (0, 1), (0, 1)] / depth[:, None], 0.0))
        low.append(camera.focal_px * (mean - half))
        high.append(camera.focal_px * (mean + half))
        corners_low.append(centre - radius[:, None] * np.maximum(1.0, np.abs(body.flattening).sum(axis=2)))
        corners_high.append(centre + radius[:, None] * np.maximum(1.0, np.abs(body.flattening).sum(axis=2)))
    boxes = np.concatenate([np.minimum(*low), np.maximum(*high)], axis=1)
    reaches_back = np.flatnonzero(~np.logical_and(*is_before))
    ends = np.stack([np.minimum(*corners_low)[reaches_back], np.maximum(*corners_high)[reaches_back]])
    bits = np.array(list(product((0, 1), repeat=3)))
    boxes[reaches_back] = camera.outlines(ends[bits, :, np.arange(3)].transpose(2, 0, 1))
    return boxes


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


def stack(body: Capsules, counts: Sequence[int]) -> Shaped[np.ndarray, " part"]:
    """The parts of joined bodies as records for the kernels; `counts` are the parts of each body."""
    records = np.zeros(len(body.paints), PART)
    records["body"] = np.repeat(np.arange(len(counts)), counts)
    records["number"] = np.concatenate([np.zeros(0, np.int64), *map(np.arange, counts)])
    for field in _FIELDS:
        # A record's frame holds the flattening already.
        if field != "flattening":
            records[field] = getattr(body, field)
    for field in ("colour", "accent", "pattern", "fold", "holes"):
        records[field] = np.array([getattr(paint, field) for paint in body.paints]).reshape(records[field].shape)
    return records
