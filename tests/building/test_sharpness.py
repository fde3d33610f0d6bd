import cv2
import numpy as np
import pytest

from skyreid.building.quality import QualityConfig
from skyreid.building.sharpness import HEIGHT_PX, sharpness
from tests.building.films import drawn_face, noise


def test_one_colour_and_an_even_slope_have_no_detail():
    assert sharpness(np.full((40, 20, 3), 90, np.uint8)) == 0
    slope = np.repeat(np.arange(60, dtype=np.uint8)[:, None, None] * 4, 20, axis=1).repeat(3, axis=2)
    assert sharpness(slope) < 0.01


def test_noise_of_single_pixels_has_the_variance_of_its_laplacian():
    """Four neighbours minus four times the middle: 4 + 16 variances."""
    assert sharpness(noise(1, height=HEIGHT_PX, width=200)[0]) == pytest.approx(20, rel=0.1)


def test_a_dull_day_is_no_blur():
    picture = noise(1, height=60, width=30)[0]
    assert sharpness(picture // 4 + 90) == pytest.approx(sharpness(picture), rel=0.05)


def test_the_same_blur_in_a_larger_picture_leaves_more():
    picture, _ = drawn_face(50)  # 200 pixels high
    larger = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    blurred, larger_blurred = (cv2.GaussianBlur(pixels, (0, 0), 4) for pixels in (picture, larger))
    assert sharpness(larger_blurred) > 2 * sharpness(blurred)


def test_a_picture_and_its_enlargement_show_the_same():
    picture, _ = drawn_face(50)
    larger = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    assert sharpness(larger) == pytest.approx(sharpness(picture), rel=0.1)


@pytest.mark.parametrize(("sigma", "is_sharp"), [(0.0, True), (0.01, True), (0.05, False)])
def test_out_of_focus_by_a_twentieth_of_the_height_is_blurred_by_default(sigma, is_sharp):
    picture, _ = drawn_face(40)
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma * picture.shape[0]) if sigma else picture
    assert (sharpness(blurred) >= QualityConfig().min_sharpness) is is_sharp


@pytest.mark.footage
def test_real_crops_in_focus_are_sharp(footage_dir):
    from skyreid.building.annotations import read_annotations
    from skyreid.building.annotations.annotated_video import AnnotatedVideo
    from skyreid.building.video.decode import frames, probe

    film, labels = (footage_dir / "cross_view_soccer" / name for name in ("cam_left.mp4", "gt_left.txt"))
    facts = probe(film)
    tracked = read_annotations(labels, AnnotatedVideo(name=film.name, width=facts.width, height=facts.height))
    values = [
        sharpness(frame.pixels[int(top) : int(bottom), int(left) : int(right)])
        for frame in frames(film, interval_s=2.0)
        for left, top, right, bottom in tracked.frames.get(frame.index, {}).values()
    ]
    assert len(values) > 10
    assert min(values) > 10 * QualityConfig().min_sharpness
