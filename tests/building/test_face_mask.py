import cv2
import numpy as np
import pytest

from skyreid.building.face_mask import GREY, FaceMask
from tests.building.films import noise


def drawn_face(size):
    """A picture of 4 x 2 sizes with a drawn face in its upper half, and where its eyes are."""
    picture = np.full((size * 4, size * 2, 3), 120, np.uint8)

    def oval(x, y, width, height, colour):
        centre, axes = (round(x * size), round(y * size)), (round(width * size), round(height * size))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, colour, -1)

    oval(1, 1, 0.42, 0.55, (205, 175, 150))
    oval(1, 0.55, 0.45, 0.22, (50, 40, 35))
    for side in (-0.18, 0.18):
        oval(1 + side, 0.88, 0.11, 0.03, (70, 50, 40))
        oval(1 + side, 0.97, 0.09, 0.045, (60, 45, 40))
    oval(1, 1.13, 0.06, 0.1, (225, 195, 170))
    oval(1, 1.34, 0.17, 0.04, (130, 70, 70))
    eyes = np.s_[round(0.9 * size) : round(1.02 * size), round(0.75 * size) : round(1.25 * size)]
    return cv2.GaussianBlur(picture, (0, 0), size / 40), eyes


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
