"""Sun and sky, and how much of them reaches a point."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from skyreid.simulation.camera import Vector
from skyreid.simulation.capsules import Capsules, entries, parallel_boxes

_OFFSET_M = 2e-3
"""Rays to the sun start this far off their surface, or rounding would let it shade itself."""
_CONTACT_REACH_M = 1.5
_CONTACT_STRENGTH = 0.9


@dataclass(frozen=True, kw_only=True)
class Light:
    """Sun and sky, scaled so that a white level surface under both has a radiance of about 1."""

    sun_azimuth_rad: float
    sun_elevation_rad: float
    sun: tuple[float, float, float]
    """Radiance of a white surface that faces the sun and sees nothing else."""
    sky: tuple[float, float, float]
    """Radiance of a white surface that sees the whole sky and no sun."""

    @property
    def direction(self) -> Vector:
        """Unit vector towards the sun."""
        level = math.cos(self.sun_elevation_rad)
        return np.array(
            [
                level * math.cos(self.sun_azimuth_rad),
                level * math.sin(self.sun_azimuth_rad),
                math.sin(self.sun_elevation_rad),
            ]
        )


def draw_light(rng: np.random.Generator) -> Light:
    """A random hour and weather, from a low clear sun to an overcast sky."""
    elevation = rng.uniform(0.40, 1.15)
    clear = rng.uniform(0.2, 0.9)
    warmth = 0.10 * (1.15 - elevation) + 0.02
    sun = 0.62 * clear / math.sin(elevation)
    sky = 1.0 - 0.55 * clear
    blue = 0.14 * clear
    return Light(
        sun_azimuth_rad=rng.uniform(0, 2 * math.pi),
        sun_elevation_rad=elevation,
        sun=(sun * (1 + warmth), sun, sun * (1 - 1.4 * warmth)),
        sky=(sky * (1 - blue), sky, sky * (1 + 1.3 * blue)),
    )


def sunlit(
    light: Light, body: Capsules, points: Float[np.ndarray, "3 point"], normals: Float[np.ndarray, "3 point"]
) -> Bool[np.ndarray, " point"]:
    """Which surface points see the sun: they face it and no part of the body is in between."""
    sun = light.direction.astype(points.dtype)
    seen = (normals * sun[:, None]).sum(axis=0) > 0
    aside = np.array([-math.sin(light.sun_azimuth_rad), math.cos(light.sun_azimuth_rad), 0.0])
    across = np.stack([aside, np.cross(light.direction, aside)])
    boxes = parallel_boxes(body, across).astype(points.dtype)
    starts = points + _OFFSET_M * normals
    u, v = ((across[axis].astype(points.dtype)[:, None] * starts).sum(axis=0) for axis in (0, 1))
    left, top, right, bottom = boxes.T
    near = np.flatnonzero(seen & (u > left.min()) & (u < right.max()) & (v > top.min()) & (v < bottom.max()))
    u, v = u[near], v[near]
    may_meet = (u > left[:, None]) & (u < right[:, None]) & (v > top[:, None]) & (v < bottom[:, None])
    part, index = np.nonzero(may_meet)
    point = near[index]
    distance = entries(body, part, starts[:, point], np.broadcast_to(sun[:, None], (3, point.size)))
    seen[point[(distance > 0) & (distance < np.inf)]] = False
    return seen


def sky_share(body: Capsules, points: Float[np.ndarray, "3 point"]) -> Float[np.ndarray, " point"]:
    """How much of the sky ground points see past a body, 0-1: the soft shade round the feet.

    Every part counts as a ball at its middle, by the form factor of a ball over a plane.
    """
    centres = (0.5 * (body.start + body.end)).astype(points.dtype)
    radii = (0.5 * (body.start_radius + body.end_radius)).astype(points.dtype)[:, None]
    share = np.ones(points.shape[1], points.dtype)
    middle = centres.mean(axis=0)
    square = (points[0] - middle[0]) ** 2 + (points[1] - middle[1]) ** 2
    near = np.flatnonzero(square < _CONTACT_REACH_M**2)
    height = np.maximum(centres[:, 2:], radii)
    square = (points[0, near] - centres[:, :1]) ** 2 + (points[1, near] - centres[:, 1:2]) ** 2 + height**2
    hidden = (radii**2 * height / (square * np.sqrt(square))).sum(axis=0)
    share[near] = 1 / (1 + _CONTACT_STRENGTH * hidden)
    return share
