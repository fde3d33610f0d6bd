"""Pictures of strangers, decoded in a process with few rights."""

import io

import numpy as np
import pytest
from PIL import Image

from skyreid.errors import MissingFrameError
from skyreid.files.picture_apart import PictureLimits, decode_apart


def as_file(picture, kind="PNG"):
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def test_pixels_come_back_as_they_are_and_large_pictures_smaller():
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    assert np.array_equal(decode_apart(as_file(Image.fromarray(pixels)), "a.png"), pixels)
    small = decode_apart(as_file(Image.fromarray(pixels)), "a.png", limits=PictureLimits(max_side=30))
    assert small.shape == (20, 30, 3)


def test_a_picture_that_wants_more_than_it_may_use_is_refused_and_the_caller_lives():
    large = as_file(Image.new("L", (8_000, 8_000)))
    with pytest.raises(MissingFrameError, match=r"large\.png"):
        decode_apart(large, "large.png", limits=PictureLimits(memory_bytes=2**27))
    with pytest.raises(MissingFrameError, match="not decoded within"):
        decode_apart(large, "large.png", limits=PictureLimits(wall_s=0.001))
