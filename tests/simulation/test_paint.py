"""Colours and patterns."""

import math

import numpy as np
import pytest

from skyreid.simulation.paint import Paint, Pattern, fold_tilt, from_srgb, reflectance

MAIN, ACCENT = (0.1, 0.2, 0.3), (0.7, 0.6, 0.5)


def accent_share(pattern: Pattern, azimuth: list[float], along: list[float]) -> np.ndarray:
    part = np.zeros(len(along), np.int64)
    colours = reflectance((Paint(MAIN, ACCENT, pattern),), part, np.array([azimuth, along]))
    return (colours[0] - MAIN[0]) / (ACCENT[0] - MAIN[0])


def test_srgb_codes_become_linear_light():
    assert from_srgb(0xFF0080) == pytest.approx((1.0, 0.0, 0.2158605))
    assert from_srgb(0x0A0B00) == pytest.approx((10 / 255 / 12.92, ((11 / 255 + 0.055) / 1.055) ** 2.4, 0.0))


def test_a_plain_paint_has_one_colour():
    assert (accent_share(Pattern.PLAIN, [0.0, 1.0, -3.0], [0.0, 0.2, 0.5]) == 0).all()


def test_stripes_run_round_and_repeat_along():
    along = np.arange(0.0, 0.85, 0.001).tolist()
    front = accent_share(Pattern.STRIPES, [0.0] * len(along), along)
    back = accent_share(Pattern.STRIPES, [3.0] * len(along), along)
    assert np.array_equal(front, back)
    assert (np.diff(front) > 0).sum() == 9
    assert front.mean() == pytest.approx(0.4, abs=0.01)


def test_checks_mix_rings_and_columns():
    along, azimuth = np.meshgrid(np.linspace(0, 1.1, 221), np.linspace(0, 2.2, 221))
    share = accent_share(Pattern.CHECKS, azimuth.ravel().tolist(), along.ravel().tolist())
    assert set(np.round(share, 6)) == {0.0, 0.5, 1.0}


def test_an_open_front_a_print_and_a_yoke_are_where_they_belong():
    places = {
        "chest": (0.0, 0.25),
        "belly": (0.0, 0.05),
        "side": (1.5, 0.25),
        "back": (math.pi, 0.25),
        "neck": (0.0, 0.4),
    }
    azimuth, along = [place[0] for place in places.values()], [place[1] for place in places.values()]

    def covered(pattern: Pattern) -> set[str]:
        return {name for name, share in zip(places, accent_share(pattern, azimuth, along), strict=True) if share}

    assert covered(Pattern.OPEN_FRONT) == {"chest", "belly", "neck"}
    assert covered(Pattern.PRINT) == {"chest"}
    assert covered(Pattern.YOKE) == {"neck"}


def test_every_part_has_its_own_paint():
    paints = (Paint(MAIN), Paint(ACCENT))
    colours = reflectance(paints, np.array([1, 0]), np.zeros((2, 2)))
    assert np.allclose(colours.T, [ACCENT, MAIN])


def test_folds_tilt_cloth_and_not_skin():
    place = np.random.default_rng(1).uniform(-1, 1, (2, 100))
    paints = (Paint(MAIN), Paint(MAIN, fold=0.1))
    assert (fold_tilt(paints, np.zeros(100, np.int64), place) == 0).all()
    tilt = fold_tilt(paints, np.ones(100, np.int64), place)
    assert 0.05 < np.abs(tilt).max() <= 0.1
