"""Colours."""

import pytest

from skyreid.simulation.rendering.paint import from_srgb


def test_srgb_codes_become_linear_light():
    assert from_srgb(0xFF0080) == pytest.approx((1.0, 0.0, 0.2158605))
    assert from_srgb(0x0A0B00) == pytest.approx((10 / 255 / 12.92, ((11 / 255 + 0.055) / 1.055) ** 2.4, 0.0))
