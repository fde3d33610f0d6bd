"""Places on the ground from a picture's pixels, against cameras whose geometry is known."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from skyreid.simulation.rendering.camera import look_at
from skyreid.telemetry.flight_log import FlightRecord, distance_m
from skyreid.telemetry.ground_position import DRONE, GroundView, footprint, ground_point, ground_view

VIEW = GroundView(
    latitude=41.5, longitude=2.25, height_m=50.0, yaw=0.0, pitch=-45.0, roll=0.0, hfov=60.0, width=1280, height=720
)
M_PER_DEGREE = 111_195.08


def test_the_middle_of_a_view_of_45_degrees_is_as_far_as_the_camera_is_high():
    point = ground_point(VIEW, 640.0, 360.0)
    assert (point.latitude - 41.5) * M_PER_DEGREE == pytest.approx(50, abs=0.01)
    assert point.longitude == pytest.approx(2.25)
    assert (point.distance_m, point.depression) == (pytest.approx(50), pytest.approx(45))


def test_straight_down_is_below_the_camera_and_its_right_is_the_yaw_turned_clockwise():
    down = replace(VIEW, pitch=-90.0, yaw=90.0)
    below, right = ground_point(down, 640.0, 360.0), ground_point(down, 1280.0, 360.0)
    assert (below.latitude, below.longitude) == pytest.approx((41.5, 2.25))
    # Looking east, the right side is south, as far as half the view reaches.
    assert (right.latitude - 41.5) * M_PER_DEGREE == pytest.approx(-50 * math.tan(math.radians(30)), abs=0.01)


def test_roll_lowers_the_right_side():
    rolled = replace(VIEW, roll=10.0)
    assert ground_point(rolled, 1200.0, 360.0).depression > ground_point(VIEW, 1200.0, 360.0).depression


def test_the_sky_is_no_place():
    level = replace(VIEW, pitch=0.0)
    assert ground_point(level, 640.0, 300.0) is None
    assert [corner is None for corner in footprint(level)] == [True, True, False, False]


def test_the_footprint_goes_clockwise():
    corners = footprint(VIEW)
    turned = sum((b[1] - a[1]) * (b[0] + a[0] - 83) for a, b in pairwise([*corners, corners[0]]))
    assert turned > 0


def test_the_flatter_the_view_the_larger_the_uncertainty():
    radii = [ground_point(replace(VIEW, pitch=-pitch), 640.0, 360.0).radius_95_m for pitch in (80.0, 45.0, 20.0, 10.0)]
    assert radii == sorted(radii)
    assert radii[0] == pytest.approx(math.sqrt(5.991) * math.hypot(2.5, 50 * math.radians(1)), rel=0.1)


def test_as_the_cameras_of_the_simulation_see_it():
    rng = np.random.default_rng(0)
    for _ in range(50):
        place = np.array([*rng.uniform(-80, 80, 2), rng.uniform(20, 60)])
        person = np.array([*rng.uniform(-20, 20, 2), 0.0])
        camera = look_at(place, np.array([*rng.uniform(-10, 10, 2), 0.9]), focal_px=1100.0)
        x, y = camera.project(person[None])[0] + (640, 360)
        forward = camera.axes[2]
        view = replace(
            VIEW,
            latitude=41.5 + place[1] / M_PER_DEGREE,
            longitude=2.25 + place[0] / (M_PER_DEGREE * math.cos(math.radians(41.5))),
            height_m=float(place[2]),
            yaw=math.degrees(math.atan2(forward[0], forward[1])),
            pitch=math.degrees(math.asin(forward[2])),
            hfov=2 * math.degrees(math.atan(640 / 1100)),
        )
        point = ground_point(view, float(x), float(y))
        truth = (
            41.5 + person[1] / M_PER_DEGREE,
            2.25 + person[0] / (M_PER_DEGREE * math.cos(math.radians(41.5))),
        )
        assert distance_m((point.latitude, point.longitude), truth) < 0.05


def test_errors_as_stated_leave_the_truth_inside_the_ellipse_19_times_of_20():
    rng = np.random.default_rng(1)
    truth = ground_point(VIEW, 800.0, 500.0)
    inside = 0
    for _ in range(500):
        north, east = rng.normal(0, DRONE.position_m, 2) / M_PER_DEGREE
        told = replace(
            VIEW,
            latitude=VIEW.latitude + float(north),
            longitude=VIEW.longitude + float(east) / math.cos(math.radians(41.5)),
            height_m=VIEW.height_m + float(rng.normal(0, DRONE.height_m)),
            yaw=float(rng.normal(0, DRONE.yaw)),
            pitch=VIEW.pitch + float(rng.normal(0, DRONE.pitch)),
            roll=float(rng.normal(0, DRONE.roll)),
            hfov=VIEW.hfov * float(rng.normal(1, DRONE.view_share)),
        )
        x, y = rng.normal((800, 500), DRONE.pixel)
        inside += ground_point(told, float(x), float(y)).is_within_95(truth.latitude, truth.longitude)
    assert 0.925 < inside / 500 < 0.975


class TestARecord:
    """What of it the geometry takes."""

    RECORD = FlightRecord(latitude=41.5, longitude=2.25, height_m=50.0, gimbal_yaw=0.0, gimbal_pitch=-45.0, hfov=60.0)

    def test_gives_a_view(self):
        assert ground_view(self.RECORD, width=1280, height=720) == VIEW

    def test_gives_a_view_by_its_focal_length(self):
        view = ground_view(replace(self.RECORD, hfov=None, focal_length_mm=24.0), width=1280, height=720)
        assert view.hfov == pytest.approx(73.74, abs=0.01)
        assert not view.is_view_told

    def test_gives_a_view_by_the_altitude_of_the_ground_it_shows(self):
        record = replace(self.RECORD, height_m=None, altitude_m=150.0, ground_altitude_m=100.0)
        assert ground_view(record, width=1280, height=720).height_m == 50

    @pytest.mark.parametrize("name", ["latitude", "height_m", "gimbal_yaw", "gimbal_pitch", "hfov"])
    def test_gives_none_where_a_part_is_not_told(self, name):
        assert ground_view(replace(self.RECORD, **{name: None}), width=1280, height=720) is None
