"""A place, an hour and two cameras."""

import math

import numpy as np
import pytest

from skyreid.simulation.difficulty import USUAL, Difficulty
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.setting import FRAME, FlightMode, draw_flight, draw_setting
from skyreid.tracklet import Platform


@pytest.mark.parametrize("name", SCENES)
def test_both_cameras_look_at_where_people_walk(name):
    scene = SCENES[name](np.random.default_rng(2))
    setting = draw_setting(np.random.default_rng(3), scene, 14.0, USUAL)
    left, low, right, high = scene.walk_area
    x, y = setting.flight.target
    assert left <= x <= right and low <= y <= high
    for platform in Platform:
        u, v = setting.camera_at(platform, 7.0).project(np.array([x, y, 0.9]))
        assert abs(u) < FRAME.width / 4 and abs(v) < FRAME.height / 4


def test_the_ground_camera_stays_and_the_drone_does_not():
    setting = draw_setting(np.random.default_rng(3), SCENES["park"](np.random.default_rng(2)), 14.0, USUAL)
    assert setting.camera_at(Platform.GROUND, 1.0) is setting.camera_at(Platform.GROUND, 9.0)
    assert (setting.camera_at(Platform.AERIAL, 1.0).position != setting.camera_at(Platform.AERIAL, 9.0).position).all()


DURATION_S = 15.0
FLIGHTS = [draw_flight(np.random.default_rng(seed), (3.0, -2.0), DURATION_S, USUAL) for seed in range(120)]


def path(flight, step_s=0.1):
    cameras = [flight.camera_at(float(time)) for time in np.arange(0.0, DURATION_S, step_s)]
    return np.stack([camera.position for camera in cameras]), np.stack([camera.axes for camera in cameras])


def test_heights_and_pitches_are_those_of_the_paper_and_every_mode_is_flown():
    assert {flight.mode for flight in FLIGHTS} == set(FlightMode)
    assert all(20 <= flight.altitude_m <= 60 for flight in FLIGHTS)
    assert all(35 <= math.degrees(flight.pitch_rad) <= 80 for flight in FLIGHTS)
    low, high = np.percentile([flight.altitude_m for flight in FLIGHTS], [20, 80])
    assert low < 32 and high > 48


def test_the_middle_of_the_place_is_in_the_middle_of_the_picture_half_way():
    for flight in FLIGHTS:
        u, v = flight.camera_at(DURATION_S / 2).project(np.array([3.0, -2.0, 0.9]))
        assert abs(u) < 40 and abs(v) < 40


def test_a_hovering_drone_only_sways():
    for flight in FLIGHTS:
        if flight.mode is FlightMode.HOVERING:
            places, axes = path(flight)
            assert 0.01 < np.ptp(places, axis=0).max() < 1.5
            assert np.degrees(np.arccos((axes[:, 2] @ axes[0, 2]).clip(-1, 1))).max() < 2.0


def test_a_cruising_drone_keeps_its_direction_and_moves():
    for flight in FLIGHTS:
        if flight.mode is FlightMode.CRUISING:
            places, axes = path(flight)
            assert 1.0 < math.dist(places[0], places[-1]) < 40.0
            assert np.degrees(np.arccos((axes[:, 2] @ axes[0, 2]).clip(-1, 1))).max() < 2.0


def test_a_rotating_drone_turns_around_the_place():
    for flight in FLIGHTS:
        if flight.mode is FlightMode.ROTATING:
            _, axes = path(flight)
            turned = np.unwrap(np.arctan2(axes[:, 2, 1], axes[:, 2, 0]))
            assert 15 < abs(math.degrees(turned[-1] - turned[0])) < 60


def test_the_view_is_steady_but_never_still():
    for flight in FLIGHTS[:30]:
        targets = [flight.camera_at(7.0 + step / 6).project(np.array([3.0, -2.0, 0.0])) for step in range(6)]
        moves = np.hypot(*np.diff(targets, axis=0).T)
        assert moves.min() > 0
        assert moves.max() < 12


def test_axes_stay_square():
    for flight in FLIGHTS[:10]:
        axes = flight.camera_at(1.3).axes
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)


def test_a_difficulty_sets_the_height_and_the_pitch():
    difficulty = Difficulty(altitude_m=(50.0, 51.0), pitch_deg=(78.0, 80.0))
    flight = draw_flight(np.random.default_rng(1), (0.0, 0.0), DURATION_S, difficulty)
    assert 50 <= flight.altitude_m <= 51
    assert 78 <= math.degrees(flight.pitch_rad) <= 80
