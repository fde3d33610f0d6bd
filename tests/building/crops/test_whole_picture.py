"""Whole pictures that somebody is shown: whom nobody found has no cover, and must not be recognised either."""

import numpy as np
import pytest

from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
from skyreid.building.crops.whole_picture import RECOGNISABLE_PX, coarsen_around, cover_picture
from tests.building.films import noise

TALL, SMALL = (40.0, 20.0, 130.0, 240.0), (40.0, 20.0, 80.0, RECOGNISABLE_PX + 18)
"""Boxes of people; the second one cannot be recognised."""
BESIDE = np.s_[20:240, 200:]


def detail(pixels):
    """Of neighbouring pixels: noise has much, a face that cannot be recognised little."""
    return float(np.abs(np.diff(pixels.astype(float), axis=1)).mean())


@pytest.fixture
def picture():
    return noise(1, height=260, width=400)[0]


def test_whoever_was_missed_is_drawn_too_coarsely_for_a_face_and_who_was_found_is_not(picture):
    before = picture.copy()
    coarsen_around(picture, [TALL])
    np.testing.assert_array_equal(picture[20:240, 40:130], before[20:240, 40:130])
    assert detail(picture[BESIDE]) < 0.2 * detail(before[BESIDE])
    np.testing.assert_allclose(picture[BESIDE].mean(), before[BESIDE].mean(), atol=3)  # they can be pointed at


def test_a_picture_of_people_who_cannot_be_recognised_stays_sharp(picture):
    before = picture.copy()
    coarsen_around(picture, [SMALL])
    np.testing.assert_array_equal(picture, before)


def test_where_nobody_was_found_somebody_may_have_been_missed(picture):
    before = picture.copy()
    cover_picture(FaceMask(MaskingConfig()), picture, [])
    assert detail(picture) < 0.4 * detail(before)
