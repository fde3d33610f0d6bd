"""A place, an hour and two cameras: everything of a session but its people."""

import math
from dataclasses import dataclass

import numpy as np

from skyreid.simulation.difficulty import Difficulty
from skyreid.simulation.filming import FOCAL_PX
from skyreid.simulation.rendering.camera import Camera, Window, look_at
from skyreid.simulation.rendering.light import Light, draw_light
from skyreid.simulation.scenes import Scene
from skyreid.simulation.sessions.drone import Flight, draw_flight
from skyreid.simulation.sessions.video_file import HEIGHT, WIDTH
from skyreid.tracklet import Platform

FRAME = Window(left=-WIDTH // 2, top=-HEIGHT // 2, width=WIDTH, height=HEIGHT)
"""The whole picture."""
NEAREST_M = 8.5
"""Nobody comes nearer to the ground camera."""
_FARTHEST_M = 42.0
_GROUND_CAMERA_M = 2.0
"""Source: paper section 3.1."""
_AIM_M = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Setting:
    """Where a session is filmed, and how."""

    scene: Scene
    duration_s: float
    light: Light
    ground_camera: Camera
    flight: Flight

    def camera_at(self, platform: Platform, time_s: float) -> Camera:
        """The platform's camera at a time since the session began."""
        return self.ground_camera if platform is Platform.GROUND else self.flight.camera_at(time_s)


def draw_setting(rng: np.random.Generator, scene: Scene, duration_s: float, difficulty: Difficulty) -> Setting:
    """A random hour at a place; the drone flies over what the ground camera sees."""
    x, y = scene.ground_camera
    ground_camera = look_at(
        np.array([x, y, _GROUND_CAMERA_M]), np.array([*scene.ground_target, _AIM_M]), focal_px=FOCAL_PX
    )
    return Setting(
        scene=scene,
        duration_s=duration_s,
        light=draw_light(rng),
        ground_camera=ground_camera,
        flight=draw_flight(rng, _meeting_place(scene, ground_camera), duration_s, difficulty),
    )


def _meeting_place(scene: Scene, ground_camera: Camera) -> tuple[float, float]:
    """The middle of where people walk and the ground camera sees them well."""
    left, low, right, high = scene.walk_area
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(left, right, 41), np.linspace(low, high, 41)))
    across, _, depth = ground_camera.to_camera(np.stack([x, y, np.ones_like(x)], axis=1)).T
    seen = (depth > NEAREST_M) & (depth < _FARTHEST_M) & (np.abs(across) < math.tan(math.radians(26.0)) * depth)
    if not seen.any():
        raise ValueError(f"{scene.name}: the ground camera sees nothing of the area where people walk")
    return float(x[seen].mean()), float(y[seen].mean())
