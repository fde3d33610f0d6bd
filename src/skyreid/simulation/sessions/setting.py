"""A place, an hour and two cameras: everything of a session but its people.

The camera on the ground stands still; the drone hovers, cruises or rotates, and is never quite still.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np
from jaxtyping import Float

from skyreid.simulation.difficulty import Difficulty
from skyreid.simulation.filming import FOCAL_PX
from skyreid.simulation.rendering.camera import Camera, Window, look_at
from skyreid.simulation.rendering.light import Light, draw_light
from skyreid.simulation.scene_truth import HEIGHT, WIDTH
from skyreid.simulation.scenes import Scene
from skyreid.tracklet import Platform

FRAME = Window(left=-WIDTH // 2, top=-HEIGHT // 2, width=WIDTH, height=HEIGHT)
"""The whole picture."""


class FlightMode(Enum):
    """Source: paper section 3.1."""

    HOVERING = auto()
    CRUISING = auto()
    ROTATING = auto()


_SWAY_M = 0.12
_SHAKE_RAD = 0.0020
_ROLL_RAD = 0.0035


@dataclass(frozen=True, eq=False, kw_only=True)
class Flight:
    """The flight of one session."""

    mode: FlightMode
    altitude_m: float
    pitch_rad: float
    """Of the view, downwards from level."""
    azimuth_rad: float
    """In which direction from what it looks at the drone is, at the middle of the session."""
    middle_s: float
    """Half of the session."""
    target: tuple[float, float]
    """What it looks at then."""
    velocity: tuple[float, float]
    """Metres a second along x and y; 0 unless it cruises."""
    turn_rad_s: float
    """Around what it looks at; 0 unless it rotates."""
    focal_px: float
    gusts: Float[np.ndarray, "3 6 3"]
    """Three waves of wind, for each of six movements: strength, Hz, phase (0-1)."""

    def camera_at(self, time_s: float) -> Camera:
        """Where the camera is and looks at this time."""
        since = time_s - self.middle_s
        azimuth = self.azimuth_rad + self.turn_rad_s * since
        distance = self.altitude_m / math.tan(self.pitch_rad)
        strength, rate_hz, phase = np.moveaxis(self.gusts, 2, 0)
        sway = (strength * np.sin(2 * math.pi * (rate_hz * time_s + phase))).sum(axis=0)
        aim = np.array([self.target[0] + self.velocity[0] * since, self.target[1] + self.velocity[1] * since, 0.9])
        place = np.array([aim[0] + distance * math.cos(azimuth), aim[1] + distance * math.sin(azimuth), 0.0])
        place[2] = self.altitude_m
        shake_m = _SHAKE_RAD * math.dist(place, aim)
        # The gimbal takes out most of what the wind does to the direction of the view, but not to the place.
        offset = _SWAY_M * sway[:3]
        aim = aim + offset + np.array([shake_m * sway[3], shake_m * sway[4], 0.0])
        return _rolled(look_at(place + offset, aim, focal_px=self.focal_px), _ROLL_RAD * sway[5])


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


NEAREST_M = 8.5
"""Nobody comes nearer to the ground camera."""
_FARTHEST_M = 42.0
_GROUND_CAMERA_M = 2.0
"""Source: paper section 3.1."""
_AIM_M = 1.0


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


_FLATTEST_DEG = 35.0
_HALF_VIEW_RAD = math.radians(18.0)
"""From the middle of a 720-line picture to its lower edge, at the usual focal length."""
_PERSON_TOP_M = 1.8
_NARROW_M, _WIDE_M = 0.42, 0.98
"""Of people: from the front and standing; from the side, at full stride."""
_NARROW_PX, _WIDE_PX = 6.0, 33.0


def draw_flight(
    rng: np.random.Generator,
    target: tuple[float, float],
    duration_s: float,
    difficulty: Difficulty,
) -> Flight:
    """A random flight over `target`, whose view moves by about a third of the picture at most."""
    altitude = rng.uniform(*difficulty.altitude_m)
    flattest, steepest = difficulty.pitch_deg
    pitch = math.radians(rng.uniform(max(flattest, _FLATTEST_DEG), max(steepest, _FLATTEST_DEG)))
    focal_px = _focal_length(altitude, pitch)
    mode = FlightMode(int(rng.integers(1, len(FlightMode) + 1)))
    course, travel, turn = rng.uniform(0, 2 * math.pi), rng.uniform(0.10, 0.22), rng.uniform(0.35, 0.9)
    turn *= rng.choice([-1.0, 1.0])
    speed = 0.0
    if mode is FlightMode.CRUISING:
        # The travel is a share of the ground that the picture's width spans.
        speed = travel * 1280 / focal_px * altitude / math.sin(pitch) / duration_s
    gusts = np.stack(
        [rng.normal(0.0, 0.6, (3, 6)), rng.uniform(0.05, 0.45, (3, 6)), rng.random((3, 6))],
        axis=2,
    )
    return Flight(
        mode=mode,
        altitude_m=altitude,
        pitch_rad=pitch,
        azimuth_rad=rng.uniform(0, 2 * math.pi),
        middle_s=duration_s / 2,
        target=target,
        velocity=(speed * math.cos(course), speed * math.sin(course)),
        turn_rad_s=turn / duration_s if mode is FlightMode.ROTATING else 0.0,
        focal_px=focal_px,
        gusts=gusts,
    )


def _focal_length(altitude: float, pitch: float) -> float:
    """The usual one, or that which gives people the published widths (paper section 3.3)."""
    nearest = (altitude - _PERSON_TOP_M) / math.sin(min(pitch + _HALF_VIEW_RAD, math.pi / 2))
    longest, shortest = _WIDE_PX * nearest / _WIDE_M, _NARROW_PX * altitude / math.sin(pitch) / _NARROW_M
    return min(max(FOCAL_PX, shortest), longest)


def _rolled(camera: Camera, angle: float) -> Camera:
    """The same view, turned round its optical axis."""
    right, down, forward = camera.axes
    cos, sin = math.cos(angle), math.sin(angle)
    return replace(camera, axes=np.stack([cos * right + sin * down, cos * down - sin * right, forward]))
