"""Where on the ground a picture's point lies: a pinhole above flat ground, with the uncertainty of what is stated.

The ground is level at the place of take-off (of a fixed camera: below it). From yaw, pitch, roll and field of view
follows the ray through a pixel; where it meets the ground is the position. Its covariance is that of small errors in
all of these, and of the pixel, carried through the same geometry (numerically); where the ray is so flat that this
means nothing, there is no position.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from skyreid.telemetry.flight_log import EARTH_RADIUS_M, FlightRecord

FLATTEST_DEG = 4.0
"""A ray at a smaller angle meets the ground too far away for its errors to be small."""
CHI2_95 = 5.991
"""Of two dimensions: the squared radius of the 95 % ellipse, in standard deviations."""
FULL_FRAME_MM = 36.0
"""Width of the picture that focal lengths of a full-frame camera go with."""
_STEP = 1e-4
"""Of a parameter, in standard deviations, for its derivative."""


@dataclass(frozen=True, kw_only=True)
class StatedErrors:
    """Standard deviations of what a recorder tells; of a drone with GPS, a barometer and a compass."""

    position_m: float = 2.5
    """Of latitude and of longitude, each; consumer GPS without corrections."""
    height_m: float = 1.5
    """Above take-off; a barometer drifts by so much in a flight."""
    yaw: float = 3.0
    """Degrees; a compass near motors."""
    pitch: float = 1.0
    roll: float = 1.0
    view_share: float = 0.03
    """Of the field of view, where it is told."""
    view_share_of_focal_length: float = 0.1
    """Of the field of view, where only a focal length is told: videos are cropped from the sensor."""
    pixel: float = 4.0
    """Of a person's feet in the picture."""


DRONE = StatedErrors()
FIXED = StatedErrors(position_m=1.0, height_m=0.2, yaw=2.0, pitch=1.0, roll=1.0)
"""Of a camera on a wall whose place and direction somebody has measured."""


@dataclass(frozen=True, kw_only=True)
class GroundView:
    """A camera at one moment."""

    latitude: float
    longitude: float
    height_m: float
    """Above the ground."""
    yaw: float
    """Degrees from north, clockwise."""
    pitch: float
    """Degrees above the horizon."""
    roll: float
    """Degrees, clockwise as the camera sees itself."""
    hfov: float
    """Degrees."""
    width: int
    height: int
    """Pixels of the picture."""
    is_view_told: bool = True
    """False: the field of view follows from a focal length."""


@dataclass(frozen=True, kw_only=True)
class GroundPoint:
    """A place on the ground."""

    latitude: float
    longitude: float
    covariance_m2: Float64[np.ndarray, "2 2"]
    """Of east and north."""
    distance_m: float
    """From below the camera, over the ground."""
    depression: float
    """Degrees below the horizon at which it is seen; 90 is straight down."""

    @property
    def radius_95_m(self) -> float:
        """The longer half axis of the ellipse that holds the place with 95 %."""
        return math.sqrt(CHI2_95 * float(np.linalg.eigvalsh(self.covariance_m2)[-1]))

    def is_within_95(self, latitude: float, longitude: float) -> bool:
        """Whether a place lies inside that ellipse."""
        off = np.array(_metres((self.latitude, self.longitude), (latitude, longitude)))
        return float(off @ np.linalg.solve(self.covariance_m2, off)) <= CHI2_95


def ground_view(record: FlightRecord, *, width: int, height: int) -> GroundView | None:
    """Take from a record what the geometry needs; None where a part of it is not told.

    The height is that above take-off; without it, the altitude above what the middle of the picture shows. Roll counts
    as 0 where it is not told, since a gimbal keeps it there.
    """
    over_ground_m = record.height_m
    if over_ground_m is None and record.altitude_m is not None and record.ground_altitude_m is not None:
        over_ground_m = record.altitude_m - record.ground_altitude_m
    hfov = record.hfov
    if hfov is None and record.focal_length_mm is not None:
        hfov = 2 * math.degrees(math.atan(FULL_FRAME_MM / (2 * record.focal_length_mm)))
    if record.place is None or over_ground_m is None or over_ground_m <= 0 or hfov is None or not 0 < hfov < 170:
        return None
    if record.gimbal_yaw is None or record.gimbal_pitch is None:
        return None
    return GroundView(
        latitude=record.place[0],
        longitude=record.place[1],
        height_m=over_ground_m,
        yaw=record.gimbal_yaw,
        pitch=record.gimbal_pitch,
        roll=record.gimbal_roll or 0.0,
        hfov=hfov,
        width=width,
        height=height,
        is_view_told=record.hfov is not None,
    )


def ground_point(view: GroundView, x: float, y: float, errors: StatedErrors = DRONE) -> GroundPoint | None:
    """Tell where on the ground a pixel lies; None for the sky, and for what is seen too flatly.

    Args:
        view: the camera.
        x: of the pixel, from the left edge.
        y: of the pixel, from the upper edge.
        errors: standard deviations of the view's values.
    """
    offset, depression = _offset(view, x, y)
    if depression < FLATTEST_DEG:
        return None
    share = errors.view_share if view.is_view_told else errors.view_share_of_focal_length
    moved = (
        (replace(view, height_m=view.height_m + _STEP * errors.height_m), x, y),
        (replace(view, yaw=view.yaw + _STEP * errors.yaw), x, y),
        (replace(view, pitch=view.pitch + _STEP * errors.pitch), x, y),
        (replace(view, roll=view.roll + _STEP * errors.roll), x, y),
        (replace(view, hfov=view.hfov * (1 + _STEP * share)), x, y),
        (view, x + _STEP * errors.pixel, y),
        (view, x, y + _STEP * errors.pixel),
    )
    slopes = np.array([(_offset(*one)[0] - offset) / _STEP for one in moved])
    covariance = slopes.T @ slopes + errors.position_m**2 * np.eye(2)
    latitude, longitude = _place((view.latitude, view.longitude), offset)
    return GroundPoint(
        latitude=latitude,
        longitude=longitude,
        covariance_m2=covariance,
        distance_m=float(np.hypot(*offset)),
        depression=depression,
    )


def footprint(view: GroundView) -> Sequence[tuple[float, float] | None]:
    """Latitude and longitude of the picture's corners on the ground, upper left and clockwise; None for the sky."""
    right, low = float(view.width), float(view.height)
    found = [_offset(view, x, y) for x, y in ((0.0, 0.0), (right, 0.0), (right, low), (0.0, low))]
    origin = view.latitude, view.longitude
    return [None if depression < FLATTEST_DEG else _place(origin, offset) for offset, depression in found]


def _offset(view: GroundView, x: float, y: float) -> tuple[Float64[np.ndarray, "2"], float]:
    """Metres east and north from below the camera, and the ray's degrees below the horizon."""
    focal_px = view.width / 2 / math.tan(math.radians(view.hfov / 2))
    yaw, pitch, roll = (math.radians(angle) for angle in (view.yaw, view.pitch, view.roll))
    forward = np.array([math.sin(yaw) * math.cos(pitch), math.cos(yaw) * math.cos(pitch), math.sin(pitch)])
    level = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
    under = np.cross(forward, level)
    right = math.cos(roll) * level + math.sin(roll) * under
    down = math.cos(roll) * under - math.sin(roll) * level
    ray = forward + (x - view.width / 2) / focal_px * right + (y - view.height / 2) / focal_px * down
    depression = math.degrees(math.atan2(-ray[2], math.hypot(ray[0], ray[1])))
    return ray[:2] * (view.height_m / max(-ray[2], 1e-9)), depression


def _place(origin: tuple[float, float], offset: Float64[np.ndarray, "2"]) -> tuple[float, float]:
    north = math.degrees(float(offset[1]) / EARTH_RADIUS_M)
    east = math.degrees(float(offset[0]) / (EARTH_RADIUS_M * math.cos(math.radians(origin[0]))))
    return origin[0] + north, (origin[1] + east + 180) % 360 - 180


def _metres(origin: tuple[float, float], place: tuple[float, float]) -> tuple[float, float]:
    north = math.radians(place[0] - origin[0]) * EARTH_RADIUS_M
    east = math.radians((place[1] - origin[1] + 180) % 360 - 180) * EARTH_RADIUS_M
    return east * math.cos(math.radians(origin[0])), north
