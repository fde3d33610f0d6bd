"""The quick bicubic filter is Pillow's, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skyreid.clips.exact_resize import resize_exactly

SIDES = st.integers(1, 300)


def by_pillow(frame, image_size):
    tall, wide = image_size
    return np.asarray(Image.fromarray(frame).resize((wide, tall), Image.Resampling.BICUBIC))


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_size_becomes_every_other_as_by_pillow(size, image_size, seed):
    frame = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert (resize_exactly(frame, image_size) == by_pillow(frame, image_size)).all()


@pytest.mark.parametrize("size", [(90, 40), (256, 100), (100, 128), (256, 128), (300, 128), (300, 150), (1, 1)])
def test_black_and_white_are_cut_off_as_by_pillow(size):
    """The cubic overshoots beside an edge."""
    frame = np.random.default_rng(0).choice(np.array([0, 255], dtype=np.uint8), (*size, 3))
    found = resize_exactly(frame, (256, 128))
    assert found.shape == (256, 128, 3)
    assert (found == by_pillow(frame, (256, 128))).all()
