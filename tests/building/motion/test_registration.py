import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.motion.registration import Registration, between, carry, local_scale, moves
from tests.building.motion import flights
from tests.building.motion.scenes import seen_through_noise

NUMBERS = st.floats(-0.2, 0.2)
POINTS = np.array([[40.0, 30.0], [200.0, 90.0], [300.0, 160.0]])


@pytest.mark.parametrize("camera_at", [flights.hovering, flights.cruising, flights.rotating])
def test_the_ground_is_followed_to_a_fraction_of_a_pixel(camera_at):
    registration, texture = Registration(), flights.ground()
    on_ground = np.array([[x, y, 0.0] for x in (-8, 0, 8) for y in (-6, 0, 6)])
    for step in range(6):
        camera = camera_at(step)
        motion = registration.step(seen_through_noise(camera.look(texture), step))
        assert motion is not None
        if step:
            before, now = camera_at(step - 1).project(on_ground), camera.project(on_ground)
            assert np.abs(carry(before, motion) - now).max() < 0.25


def test_people_and_posts_are_outvoted(tmp_path):
    texture, registration = flights.ground(), Registration()
    pictures = [flights.cruising(step).look(texture) for step in (0, 1)]
    for picture, left in zip(pictures, (100, 130), strict=True):
        picture[60:200, left : left + 120] = flights.ground(7)[:140, :120]  # something large that goes its own way
        motion = registration.step(picture)
    on_ground = np.array([[-10.0, -5.0, 0.0], [10.0, 6.0, 0.0]])
    there = flights.cruising(1).project(on_ground)
    assert np.abs(carry(flights.cruising(0).project(on_ground), motion) - there).max() < 0.3


def test_a_large_picture_gives_motion_in_its_own_pixels(monkeypatch):
    monkeypatch.setattr("skyreid.building.motion.registration.SIDE", flights.WIDTH // 2)
    registration, texture = Registration(), flights.ground()
    for step in (0, 3):
        motion = registration.step(flights.cruising(step).look(texture))
    on_ground = np.array([[-8.0, -5.0, 0.0], [8.0, 6.0, 0.0]])
    there = flights.cruising(3).project(on_ground)
    assert np.abs(carry(flights.cruising(0).project(on_ground), motion) - there).max() < 1.0


def test_where_there_is_no_texture_or_another_place_the_way_is_lost():
    registration = Registration()
    blank = np.full((180, 320, 3), 90, np.uint8)
    np.testing.assert_array_equal(registration.step(blank), np.eye(3))
    assert registration.step(blank) is None
    registration.step(flights.ground(1)[:180, :320])
    assert registration.step(flights.ground(2)[:180, :320]) is None


@given(a=NUMBERS, b=NUMBERS, c=NUMBERS, d=NUMBERS, tilt=st.floats(-0.001, 0.001))
def test_local_scale_is_the_derivative_of_carry(a, b, c, d, tilt):
    motion = np.array([[1 + a, b, 5.0], [c, 1 + d, -3.0], [tilt, -tilt, 1.0]])
    scale = local_scale(POINTS, motion)
    for axis in (0, 1):
        step = np.eye(2)[axis] * 1e-4
        difference = (carry(POINTS + step, motion) - carry(POINTS - step, motion)) / 2e-4
        np.testing.assert_allclose(scale[:, :, axis], difference, atol=1e-5)


def test_the_ground_is_followed_from_any_step_to_any_other():
    angles = np.radians([0, 3, -5, 8])
    camera = [
        np.array([[math.cos(t), -math.sin(t), 4.0], [math.sin(t), math.cos(t), 2.0], [0, 1e-5, 1.0]]) for t in angles
    ]
    step_by_step = carry(carry(POINTS, camera[2]), camera[3])
    np.testing.assert_allclose(carry(POINTS, between(camera, 1, 3)), step_by_step)
    np.testing.assert_allclose(carry(step_by_step, between(camera, 3, 1)), POINTS)
    np.testing.assert_array_equal(between(camera, 2, 2), np.eye(3))


def test_a_camera_moves_when_most_steps_do():
    still, shift = np.eye(3), np.array([[1, 0, 2.0], [0, 1, 0], [0, 0, 1]])
    assert moves([still, shift, shift, None], width=320, height=180)
    assert not moves([still, still, still, shift, None], width=320, height=180)
    assert not moves([None], width=320, height=180)
