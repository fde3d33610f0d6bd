"""Materials: what is finer than a pixel is averaged."""

import dataclasses
import math

import numpy as np
import pytest

from skyreid.simulation.rendering.kernels.surface_colour import colour_at, extent, footprint
from skyreid.simulation.rendering.surface import Panes, Surface, stack_surfaces
from tests.simulation.rendering.flat_shapes import plain

SLABS = Surface(colour=(0.4, 0.4, 0.4), patch=(0.4, 0.4, 0.4), patch_m=1.0, grain=0.0, slab_m=(0.5, 0.5), seed=1)
ROUGH = Surface(colour=(0.2, 0.2, 0.2), patch=(0.3, 0.3, 0.3), patch_m=0.5, grain=0.4, seed=9)
PANES = Panes(spacing_m=(2.0, 3.0), size_m=(1.0, 1.2), colour=(0.0, 0.0, 0.0))


def colours(surface: Surface, x: np.ndarray, y: np.ndarray, wide: float) -> np.ndarray:
    record = stack_surfaces([surface])[0]
    return np.array([colour_at(record, *place, wide, wide)[0] for place in zip(x, y, strict=True)])


def test_joints_lie_between_slabs_and_vanish_far_away():
    x = np.arange(0.0025, 4.0, 0.005)
    near, far = (colours(SLABS, x, np.full_like(x, 0.25), wide) for wide in (0.001, 2.0))
    offset = np.abs(x / 0.5 - np.round(x / 0.5)) * 0.5
    assert near[offset < 0.011].max() < near[offset > 0.013].min()
    assert far.std() < 0.1 * near.std()


def test_a_wide_pixel_has_the_mean_of_narrow_ones():
    walled = dataclasses.replace(plain(0.6, 0.6, 0.6), panes=PANES)
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(0.1, 1.9, 0.01), np.arange(0.4, 2.2, 0.01)))
    record = stack_surfaces([walled])[0]
    whole = colour_at(record, 1.0, 1.3, 1.8, 1.8)[0]
    assert whole == pytest.approx(colours(walled, x, y, 1e-6).mean(), abs=0.005)
    assert 0.3 < whole < 0.5


def test_panes_stand_in_the_middle_of_their_fields():
    walled = dataclasses.replace(plain(0.6, 0.6, 0.6), panes=PANES)
    x = np.array([1.0, 0.1, 1.0, 3.2])
    y = np.array([1.5, 1.5, 0.2, 4.6])
    assert colours(walled, x, y, 1e-6).tolist() == pytest.approx([0.0, 0.6, 0.6, 0.0])


def test_grain_and_patches_depend_on_the_seed_alone():
    x, y = np.random.default_rng(4).uniform(-50, 50, (2, 500))
    one, again = colours(ROUGH, x, y, 0.01), colours(ROUGH, x, y, 0.01)
    other = colours(dataclasses.replace(ROUGH, seed=10), x, y, 0.01)
    assert np.array_equal(one, again)
    assert one.std() > 0.02
    assert np.corrcoef(one, other)[0, 1] < 0.2


def test_a_pixel_is_stretched_along_the_view_where_it_meets_a_surface_at_a_low_angle():
    wide, x, y, z = footprint((0.0, 0.0, 1.0), (2.0, 0.0, -0.2), 0.01)
    assert (x, y, z) == pytest.approx((1.0, 0.0, 0.0))
    assert wide == pytest.approx(0.01 / math.sin(math.atan(0.1)))
    assert extent(0.01, wide, 1.0) == pytest.approx(wide)
    assert extent(0.01, wide, 0.0) == pytest.approx(0.01)
