"""Skies against trigonometry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.rendering.light import draw_light


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_white_level_surface_is_about_as_bright_in_any_weather(seed):
    light = draw_light(np.random.default_rng(seed))
    level = np.array(light.sun) * math.sin(light.sun_elevation_rad) + np.array(light.sky)
    assert 0.9 < level[1] < 1.15
    assert (np.abs(level / level[1] - 1) < 0.2).all()
    assert np.linalg.norm(light.direction) == pytest.approx(1)
    assert light.axes @ light.axes.T == pytest.approx(np.eye(3))
    assert np.array_equal(light.axes[2], light.direction)
