import numpy as np
import pytest

from skyreid.building.face_mask import GREY, FaceMask
from tests.building.films import drawn_face, noise


@pytest.mark.parametrize("size", [20, 50, 300])
def test_a_frontal_face_is_painted_over_in_the_frame(size):
    face, eyes = drawn_face(size)
    frame = np.full((size * 4 + 40, size * 2 + 60, 3), 200, np.uint8)
    frame[30 : 30 + size * 4, 50 : 50 + size * 2] = face
    before = frame.copy()
    assert FaceMask().cover(frame, (50.0, 30.0, 50.0 + size * 2, 30.0 + size * 4)) == 1
    assert (frame[30:, 50:][eyes] == GREY).all()
    changed = (frame != before).any(axis=2)
    assert changed.mean() < 0.25
    assert (frame[changed] == GREY).all()


def test_a_person_without_a_face_stays_as_he_is():
    frame = noise(1, height=120, width=60)[0]
    before = frame.copy()
    assert FaceMask().cover(frame, (0.0, 0.0, 60.0, 120.0)) == 0
    np.testing.assert_array_equal(frame, before)


def test_a_box_of_a_few_pixels_is_looked_at_without_harm():
    assert FaceMask().cover(noise(1, height=9, width=9)[0], (7.0, 7.0, 9.0, 9.0)) == 0
