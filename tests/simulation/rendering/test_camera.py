"""Camera geometry against the pinhole formula."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.rendering.camera import Window, look_at


@settings(max_examples=50, deadline=None)
@given(distance=st.floats(5, 60), height=st.floats(0.5, 2.0), focal_px=st.floats(300, 3000), azimuth=st.floats(0, 6.2))
def test_a_rod_is_as_tall_as_the_pinhole_formula_says(distance, height, focal_px, azimuth):
    position = np.array([distance * math.cos(azimuth), distance * math.sin(azimuth), 1.0])
    camera = look_at(position, np.array([0.0, 0.0, 1.0]), focal_px=focal_px)
    foot, top = camera.project(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, height]]))
    assert foot[1] - top[1] == pytest.approx(focal_px * height / distance)
    assert foot[0] == pytest.approx(0, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(height=st.floats(1.5, 60), x=st.floats(1, 80), u=st.floats(-300, 300), v=st.floats(-300, 300))
def test_a_point_on_a_ray_projects_to_the_pixel_of_the_ray(height, x, u, v):
    camera = look_at(np.array([x, -3.0, height]), np.array([0.0, 0.0, 0.9]), focal_px=1109.0)
    start, right, down, forward = camera.pinhole
    ray = forward + u * right + v * down
    assert np.array_equal(start, camera.position)
    assert camera.project(camera.position + 7.5 * ray) == pytest.approx([u, v], abs=1e-6)
    assert camera.to_camera(camera.position + 7.5 * ray)[2] == pytest.approx(7.5)


def test_the_picture_is_upright_and_not_mirrored():
    camera = look_at(np.array([-10.0, 0.0, 5.0]), np.array([0.0, 0.0, 1.0]), focal_px=1000.0)
    middle, higher, to_the_left = camera.project(np.array([[0.0, 0, 1], [0, 0, 2], [0, 1, 1]]))
    assert middle == pytest.approx([0, 0], abs=1e-9)
    assert higher[1] < -50
    assert to_the_left[0] < -50


def test_rays_are_spread_evenly_over_the_pixels_of_a_window():
    camera = look_at(np.array([9.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.0]), focal_px=1000.0)
    columns, rows = camera.sample_grid(Window(left=-3, top=10, width=2, height=1), 2)
    assert columns.tolist() == [-2.75, -2.25, -1.75, -1.25]
    assert rows.tolist() == [10.25, 10.75]


def test_a_padded_window_grows_on_every_side():
    assert Window(left=4, top=-5, width=10, height=20).padded(2) == Window(left=2, top=-7, width=14, height=24)


def test_a_camera_that_looks_straight_down_is_refused():
    with pytest.raises(ValueError, match="looks straight up or down") as refusal:
        look_at(np.array([1.0, 2.0, 30.0]), np.array([1.0, 2.0, 0.0]), focal_px=1000.0)
    assert str(refusal.value) == (
        "a camera at [1.0, 2.0, 30.0] that looks straight up or down at [1.0, 2.0, 0.0] has no upright"
    )


def corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.array([[np.where(bits, high, low) for bits in itertools.product((0, 1), repeat=3)]])


def test_the_outline_of_a_solid_in_front_is_the_box_of_its_corners():
    camera = look_at(np.array([-10.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0]), focal_px=500.0)
    solid = corners(np.array([-1.0, -2.0, 0.0]), np.array([1.0, 1.0, 3.0]))
    pixels = camera.project(solid[0])
    assert camera.outlines(solid)[0] == pytest.approx([*pixels.min(axis=0), *pixels.max(axis=0)])


def test_of_a_solid_that_reaches_behind_the_camera_only_the_front_is_in_the_outline():
    camera = look_at(np.array([0.0, 0.0, 2.0]), np.array([1.0, 0.0, 2.0]), focal_px=100.0)
    left, top, right, bottom = camera.outlines(corners(np.array([-5.0, 1.0, 0.0]), np.array([10.0, 2.0, 3.0])))[0]
    assert right == pytest.approx(-10.0)
    assert left < -1000
    assert top < -1000 < 1000 < bottom


def test_a_solid_behind_the_camera_has_no_outline():
    camera = look_at(np.array([0.0, 0.0, 2.0]), np.array([1.0, 0.0, 2.0]), focal_px=100.0)
    outline = camera.outlines(corners(np.array([-5.0, 1.0, 0.0]), np.array([-1.0, 2.0, 3.0])))[0]
    assert outline.tolist() == [math.inf, math.inf, -math.inf, -math.inf]
