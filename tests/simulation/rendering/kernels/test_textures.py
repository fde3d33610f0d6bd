"""The colour of a place: what is finer than a pixel is averaged; patterns of clothes, folds and leaves."""

import dataclasses
import math

import numpy as np
import pytest

from skyreid.simulation.rendering.capsules import Capsule, place, stack
from skyreid.simulation.rendering.kernels.textures import (
    accent_share,
    colour_at,
    extent,
    fold_tilt,
    footprint,
    reflectance,
)
from skyreid.simulation.rendering.materials import Panes, Surface, stack_surfaces
from skyreid.simulation.rendering.paint import Paint, Pattern
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


HERE = (0.0, 0.0, 0.0)


def shares(pattern: Pattern, azimuth: list[float], along: list[float]) -> np.ndarray:
    return np.array([accent_share(int(pattern), *place, HERE) for place in zip(azimuth, along, strict=True)])


def test_a_plain_paint_has_one_colour():
    assert (shares(Pattern.PLAIN, [0.0, 1.0, -3.0], [0.0, 0.2, 0.5]) == 0).all()


def test_stripes_run_round_and_repeat_along():
    along = np.arange(0.0, 0.85, 0.001).tolist()
    front = shares(Pattern.STRIPES, [0.0] * len(along), along)
    back = shares(Pattern.STRIPES, [3.0] * len(along), along)
    assert np.array_equal(front, back)
    assert (np.diff(front) > 0).sum() == 9
    assert front.mean() == pytest.approx(0.4, abs=0.01)


def test_checks_mix_rings_and_columns():
    along, azimuth = np.meshgrid(np.linspace(0, 1.1, 61), np.linspace(0, 2.2, 61))
    assert set(shares(Pattern.CHECKS, azimuth.ravel().tolist(), along.ravel().tolist())) == {0.0, 0.5, 1.0}


def test_an_open_front_a_print_and_a_yoke_are_where_they_belong():
    places = {
        "chest": (0.0, 0.25),
        "belly": (0.0, 0.05),
        "side": (1.5, 0.25),
        "back": (math.pi, 0.25),
        "neck": (0.0, 0.4),
    }

    def covered(pattern: Pattern) -> set[str]:
        return {name for name, place in places.items() if accent_share(int(pattern), *place, HERE)}

    assert covered(Pattern.OPEN_FRONT) == {"chest", "belly", "neck"}
    assert covered(Pattern.PRINT) == {"chest"}
    assert covered(Pattern.YOKE) == {"neck"}


def test_leaves_are_spots_that_stay_in_their_place():
    points = np.random.default_rng(1).uniform(-3, 3, (300, 3))
    spots = np.array([accent_share(int(Pattern.LEAVES), 0.0, 0.0, tuple(point)) for point in points])
    again = np.array([accent_share(int(Pattern.LEAVES), 1.0, 2.0, tuple(point)) for point in points])
    assert np.array_equal(spots, again)
    assert 0 <= spots.min() < 0.3 < 0.7 < spots.max() <= 1


def test_the_accent_lies_on_the_colour():
    paint = Paint((0.1, 0.2, 0.3), (0.7, 0.6, 0.5), Pattern.YOKE)
    part = Capsule(start=HERE, end=(0.0, 0.0, 1.0), start_radius=0.1, end_radius=0.1, paint=paint)
    record = stack(place([part]), [1])[0]
    assert reflectance(record, 0.0, 0.1, HERE) == pytest.approx((0.1, 0.2, 0.3))
    assert reflectance(record, 0.0, 0.4, HERE) == pytest.approx((0.7, 0.6, 0.5))


def test_folds_tilt_cloth_and_not_skin():
    places = np.random.default_rng(1).uniform(-1, 1, (100, 2))
    assert all(fold_tilt(0.0, 0, *place) == (0.0, 0.0) for place in places)
    tilt = np.array([fold_tilt(0.1, 0, *place) for place in places])
    assert 0.05 < np.abs(tilt).max() <= 0.1
