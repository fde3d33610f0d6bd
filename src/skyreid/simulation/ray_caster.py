"""Draw one crop of one person: rays, sun and sky light, shadows.

Pairs of a ray and a part that it can meet are found from the exact boxes of the parts' outlines; all
pairs are then solved at once. That makes the cost follow the area that the parts cover.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from skyreid.simulation.camera import Camera, Window
from skyreid.simulation.capsules import Capsules, entries, image_boxes, shadow_boxes, surface
from skyreid.simulation.paint import fold_tilt, reflectance
from skyreid.simulation.surroundings import GROUND, SKY, Surroundings

_SHADOW_OFFSET_M = 2e-3
"""Shadow rays start this far off their surface, or rounding would let it shade itself."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """Sun and sky; a white level surface under both together has a radiance of about 1."""

    sun_azimuth_rad: float
    sun_elevation_rad: float
    sun: tuple[float, float, float]
    """Radiance of a white surface that faces the sun."""
    sky: tuple[float, float, float]
    """Radiance of a white surface that sees the whole sky."""

    @property
    def direction(self) -> Float[np.ndarray, "3"]:
        """Unit vector towards the sun."""
        level = math.cos(self.sun_elevation_rad)
        return np.array(
            [
                level * math.cos(self.sun_azimuth_rad),
                level * math.sin(self.sun_azimuth_rad),
                math.sin(self.sun_elevation_rad),
            ]
        )


@dataclass(frozen=True, eq=False)
class Picture:
    """A crop before it went through a sensor."""

    radiance: Float[np.ndarray, "height width 3"]
    """Linear light."""
    person: Float[np.ndarray, "height width"]
    """Share of every pixel that the person covers, 0-1."""


def draw(
    camera: Camera, window: Window, body: Capsules, surroundings: Surroundings, light: Light, *, samples: int
) -> Picture:
    """Draw a crop with `samples` x `samples` rays a pixel. The same arguments give the same bytes."""
    columns, rows = camera.sample_grid(window, samples)
    directions = camera.directions(columns, rows).reshape(3, -1).astype(np.float32)
    part, depth = _nearest_part(camera, columns, rows, directions, body)

    on_person = part >= 0
    points, colour, hit = surroundings.meet(camera, directions)
    normals = np.zeros_like(points)
    normals[2, hit == GROUND] = 1.0
    normals[:2, hit != GROUND] = -directions[:2, hit != GROUND]

    parts = part[on_person]
    origin = camera.position.astype(np.float64)[:, None]
    person_points = (origin + depth[on_person] * directions[:, on_person].astype(np.float64)).astype(np.float32)
    person_normals, place = surface(body, parts, person_points)
    points[:, on_person] = person_points
    normals[:, on_person] = person_normals
    colour[:, on_person] = reflectance(body.paints, parts, place)

    sun = light.direction.astype(np.float32)
    facing = (normals * sun[:, None]).sum(axis=0)
    is_lit = (facing > 0) & (on_person | (hit == GROUND))
    starts = points[:, is_lit] + _SHADOW_OFFSET_M * normals[:, is_lit]
    sunlit = is_lit | (~on_person & (hit != GROUND))
    sunlit[is_lit] = ~shadowed(body, starts, light.direction)

    radiance = _shade(normals, facing * sunlit, colour, light)
    is_sky = ~on_person & (hit == SKY)
    radiance[:, is_sky] = np.array(light.sky, np.float32)[:, None]
    return Picture(
        _mean_of_samples(radiance, window, samples).transpose(1, 2, 0),
        _mean_of_samples(on_person[None].astype(np.float32), window, samples)[0],
    )
