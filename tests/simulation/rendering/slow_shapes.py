"""Tapered capsules the slow way: a row of many balls, seen by stepping along the ray."""

import numpy as np

from skyreid.simulation.rendering.capsules import Capsule

_BALLS = np.linspace(0.0, 1.0, 151)


def depth_inside(part: Capsule, points: np.ndarray) -> np.ndarray:
    """How deep points (..., 3) are in a part, below 0 outside; exact on the surface of parts not flattened."""
    centres = np.array(part.start) + _BALLS[:, None] * (np.array(part.end) - np.array(part.start))
    radii = part.start_radius + _BALLS * (part.end_radius - part.start_radius)
    axis = np.array(part.flat_axis)
    offset = np.asarray(points)[..., None, :] - centres
    along = (offset * axis).sum(-1, keepdims=True)
    stretched = offset + (1 / part.flatness - 1) * along * axis
    in_balls = (radii - np.sqrt((stretched**2).sum(-1))).max(-1)
    return np.minimum(in_balls, np.asarray(points)[..., 2] - part.cut_height)


def first_inside(part: Capsule, origin: np.ndarray, direction: np.ndarray, *, reach: float) -> float:
    """The smallest distance along a ray that is in a part, to a hundredth of a millimetre; inf for none."""
    steps = np.linspace(0.0, reach, 300)
    inside = np.flatnonzero(depth_inside(part, origin + steps[:, None] * direction) > 0)
    if inside.size == 0:
        return np.inf
    low, high = steps[max(inside[0] - 1, 0)], steps[inside[0]]
    while high - low > 1e-5:
        middle = 0.5 * (low + high)
        if depth_inside(part, origin + middle * direction) > 0:
            high = middle
        else:
            low = middle
    return high
