"""Patterns of clothes, folds and leaves."""

import math

import numpy as np
import pytest

from skyreid.simulation.rendering.capsules import Capsule, place, stack
from skyreid.simulation.rendering.kernels.patterns import accent_share, fold_tilt, reflectance
from skyreid.simulation.rendering.paint import Paint, Pattern

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
