"""Sun and sky, and how much of them reaches a point."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skyreid.simulation.rendering.camera import Vector


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

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Rows: two unit vectors square to the sun's light, and the direction towards it."""
        aside = np.array([-math.sin(self.sun_azimuth_rad), math.cos(self.sun_azimuth_rad), 0.0])
        return np.stack([aside, np.cross(self.direction, aside), self.direction])


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
