"""What a camera makes of light."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from skyreid.simulation.rendering.sensor import BLUR_REACH_PX, Sensor, develop, draw_sensor, encode
from skyreid.tracklet import PLATFORMS, Platform

IDEAL = Sensor(exposure=1.0, white_balance=(1.0, 1.0, 1.0), haze=0.0, blur_px=0.3, noise=0.0, jpeg_quality=95)


def level(light: float, sensor: Sensor = IDEAL) -> list[int]:
    radiance = np.full((9, 8, 3), light, np.float32)
    picture = develop(radiance, sensor, np.random.default_rng(0))
    assert picture.shape == (9 - 2 * BLUR_REACH_PX, 8 - 2 * BLUR_REACH_PX, 3)
    assert (picture == picture[0, 0]).all()
    return picture[0, 0].tolist()


@pytest.mark.parametrize(("light", "srgb"), [(0.0, 0), (0.18, 118), (0.5, 188), (1.0, 255), (3.0, 255)])
def test_light_becomes_srgb(light, srgb):
    assert level(light) == pytest.approx([srgb] * 3, abs=1)


def test_exposure_and_white_balance_multiply_the_light():
    sensor = dataclasses.replace(IDEAL, exposure=2.0, white_balance=(1.0, 0.5, 0.25))
    assert level(0.18, sensor) == [level(0.36)[0], level(0.18)[0], level(0.09)[0]]


def test_haze_draws_dark_and_bright_together():
    hazy = dataclasses.replace(IDEAL, haze=0.2)
    assert level(0.0, hazy)[0] > level(0.0)[0] + 50
    assert level(0.9, hazy)[0] < level(0.9)[0]


def test_blur_spreads_a_point_by_its_width_and_keeps_its_light():
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1.0
    picture = develop(point, dataclasses.replace(IDEAL, blur_px=0.7), np.random.default_rng(0))[..., 1]
    light = np.where(picture > 10, ((picture / 255 + 0.055) / 1.055) ** 2.4, picture / 255 / 12.92)
    offsets = np.arange(light.shape[0]) - 18
    assert light.sum() == pytest.approx(1, abs=0.03)
    assert (light.sum(axis=0) * offsets**2).sum() == pytest.approx(0.7**2, rel=0.1)


def test_noise_has_its_deviation_at_middle_grey_and_is_weaker_in_the_dark():
    noisy = dataclasses.replace(IDEAL, noise=0.02)
    spread = {}
    for light in (0.02, 0.18):
        picture = develop(np.full((200, 200, 3), light, np.float32), noisy, np.random.default_rng(2))
        linear = np.where(picture > 10, ((picture / 255 + 0.055) / 1.055) ** 2.4, picture / 255 / 12.92)
        spread[light] = linear.std()
    assert spread[0.18] == pytest.approx(0.02, rel=0.05)
    assert spread[0.02] < 0.9 * spread[0.18]


def test_the_file_is_a_jpeg_of_the_picture():
    picture = np.zeros((24, 17, 3), np.uint8)
    picture[:12], picture[12:] = (200, 60, 50), (40, 50, 160)
    with Image.open(io.BytesIO(encode(picture, IDEAL))) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).astype(int) - picture).mean() < 3


def test_the_drone_is_cooler_and_hazier_than_the_ground_camera():
    sensors = {
        platform: [draw_sensor(np.random.default_rng(seed), platform) for seed in range(100)] for platform in PLATFORMS
    }

    def warmth(platform: Platform) -> float:
        return float(np.mean([s.white_balance[0] / s.white_balance[2] for s in sensors[platform]]))

    assert warmth(Platform.GROUND) > 1.05 > 0.95 > warmth(Platform.AERIAL)
    assert all(sensor.haze == 0 for sensor in sensors[Platform.GROUND])
    assert all(sensor.haze > 0 for sensor in sensors[Platform.AERIAL])
