"""Shadows and skies against trigonometry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.capsules import Capsule, place
from skyreid.simulation.light import Light, draw_light, sky_share, sunlit
from skyreid.simulation.paint import Paint

POLE = place(
    [
        Capsule(
            start=(0.0, 0.0, 0.0),
            end=(0.0, 0.0, 1.5),
            start_radius=0.05,
            end_radius=0.05,
            paint=Paint((0.5, 0.5, 0.5)),
        )
    ]
)


def ground(azimuth: float, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = np.stack([distances * math.cos(azimuth), distances * math.sin(azimuth), 0 * distances])
    normals = np.zeros_like(points)
    normals[2] = 1
    return points, normals


@settings(max_examples=30, deadline=None)
@given(azimuth=st.floats(0, 6.2), elevation=st.floats(0.3, 1.2))
def test_the_shadow_of_a_pole_is_as_long_as_its_height_over_the_tangent(azimuth, elevation):
    light = Light(sun_azimuth_rad=azimuth, sun_elevation_rad=elevation, sun=(1.0, 1.0, 1.0), sky=(0.1, 0.1, 0.1))
    distances = np.linspace(0.1, 8.0, 1581)
    seen = sunlit(light, POLE, *ground(azimuth + math.pi, distances))
    # The tip is round: the sun's ray that just passes it touches its ball.
    tip = 1.5 / math.tan(elevation) + 0.05 / math.sin(elevation)
    assert distances[~seen].max() == pytest.approx(tip, abs=0.02)
    assert not seen[distances < tip - 0.02].any()
    assert sunlit(light, POLE, *ground(azimuth, distances)).all()


def test_a_surface_that_faces_away_sees_no_sun():
    light = Light(sun_azimuth_rad=0.0, sun_elevation_rad=0.5, sun=(1.0, 1.0, 1.0), sky=(0.1, 0.1, 0.1))
    points = np.array([[3.0, 3.0], [0.0, 0.0], [1.0, 1.0]])
    normals = np.array([[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]])
    assert sunlit(light, POLE, points, normals).tolist() == [True, False]


def test_the_ground_sees_less_sky_near_a_body_and_all_of_it_far_away():
    points, _ = ground(0.3, np.array([0.2, 0.5, 1.0, 5.0]))
    share = sky_share(POLE, points)
    assert (np.diff(share) > 0).all()
    assert share[0] < 0.999
    assert share[-1] == 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_white_level_surface_is_about_as_bright_in_any_weather(seed):
    light = draw_light(np.random.default_rng(seed))
    level = np.array(light.sun) * math.sin(light.sun_elevation_rad) + np.array(light.sky)
    assert 0.9 < level[1] < 1.15
    assert (np.abs(level / level[1] - 1) < 0.2).all()
    assert np.linalg.norm(light.direction) == pytest.approx(1)
