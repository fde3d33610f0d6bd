"""What a camera makes of light: blur, haze, exposure, white balance, noise, tone curve, JPEG."""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from skyreid.tracklet import Platform

BLUR_REACH_PX = 2
"""A crop has to be drawn this much larger on every side, for the blur to know its surroundings."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """The settings of one camera during one tracklet."""

    exposure: float
    """Factor on the light; at 1 a white surface in full light just clips."""
    white_balance: tuple[float, float, float]
    """Factors on red, green and blue that should have been 1."""
    haze: float
    """Share of the light that is replaced by that of the air in between."""
    blur_px: float
    """Standard deviation of the lens's and the sensor's blur."""
    noise: float
    """Standard deviation at middle grey, as a share of white."""
    jpeg_quality: int


def draw_sensor(rng: np.random.Generator, platform: Platform, *, tint: float = 0.03, exposure: float = 0.08) -> Sensor:
    """A random camera of a platform: the ground's is warm and contrasty, the drone's cool and hazy.

    Args:
        rng: the same state gives the same camera.
        platform: of the camera.
        tint: standard deviation of the logarithm of the white balance's errors.
        exposure: the same of the exposure.
    """
    wrong_balance = rng.normal(0.0, tint, 3)
    wrong_exposure = rng.normal(0.0, exposure)
    if platform is Platform.GROUND:
        bias, haze, blur, noise = (0.07, 0.0, -0.10), 0.0, rng.uniform(0.45, 0.8), rng.uniform(0.003, 0.010)
    else:
        bias, haze, blur, noise = (
            (-0.06, 0.0, 0.07),
            rng.uniform(0.02, 0.12),
            rng.uniform(0.4, 0.7),
            rng.uniform(0.003, 0.010),
        )
    red, green, blue = np.exp(wrong_balance - wrong_balance.mean() + bias)
    return Sensor(
        exposure=float(1.05 * np.exp(wrong_exposure)),
        white_balance=(float(red), float(green), float(blue)),
        haze=float(haze),
        blur_px=float(blur),
        noise=float(noise),
        jpeg_quality=int(rng.integers(80, 95)),
    )


def develop(
    radiance: Float[np.ndarray, "height width 3"], sensor: Sensor, rng: np.random.Generator
) -> UInt8[np.ndarray, "inner_height inner_width 3"]:
    """The sRGB picture of a drawn crop, `BLUR_REACH_PX` smaller on every side."""
    light = radiance + np.float32(sensor.haze) * (np.array(_AIR, np.float32) - radiance)
    light = _blurred(_blurred(light, sensor.blur_px, axis=0), sensor.blur_px, axis=1)
    light = light * (sensor.exposure * np.array(sensor.white_balance)).astype(np.float32)
    # Half of the noise's variance at middle grey is that of counted photons.
    variance = 0.5 * (1 + np.maximum(light, 0) / _MIDDLE_GREY)
    light = light + np.float32(sensor.noise) * np.sqrt(variance) * rng.standard_normal(light.shape, np.float32)
    levels = (np.clip(light, 0.0, 1.0) * (_TONES - 1) + 0.5).astype(np.int64)
    return _tone_curve()[levels]


def encode(pixels: UInt8[np.ndarray, "height width 3"], sensor: Sensor) -> bytes:
    """The JPEG file of a developed crop."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=sensor.jpeg_quality, subsampling=0)
    return buffer.getvalue()


_AIR = (0.55, 0.60, 0.66)
_MIDDLE_GREY = 0.18
_TONES = 4096


@cache
def _tone_curve() -> UInt8[np.ndarray, " tone"]:
    """The sRGB values of light in 0-1: a table is the same on every processor, a power need not be."""
    light = [tone / (_TONES - 1) for tone in range(_TONES)]
    srgb = [12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055 for x in light]
    return np.array([int(255 * value + 0.5) for value in srgb], np.uint8)


def _blurred(
    light: Float[np.ndarray, "height width 3"], blur_px: float, *, axis: int
) -> Float[np.ndarray, "height_or_less width_or_less 3"]:
    offsets = np.arange(-BLUR_REACH_PX, BLUR_REACH_PX + 1)
    weights = np.exp(-0.5 * (offsets / blur_px) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    size = light.shape[axis] - 2 * BLUR_REACH_PX
    lines = np.moveaxis(light, axis, 0)
    blurred = sum(weight * lines[start : start + size] for start, weight in enumerate(weights))
    return np.moveaxis(np.asarray(blurred), 0, axis)
