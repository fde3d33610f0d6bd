import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.crops.quality import HEIGHT_PX, QualityConfig, QualityFilter, _overlap, sharpness
from skyreid.building.tracked_boxes import TrackedBoxes
from tests.building.films import drawn_face, noise

WALKER = (40.0, 50.0, 60.0, 110.0)


def judge(frames, index, *, visible=None, is_annotated=False, **settings):
    """What is dropped of one frame of a video of 200x160."""
    tracked = TrackedBoxes(frames=frames, dropped={}, visible=visible or {})
    chosen = QualityFilter(tracked, QualityConfig(**settings), width=200, height=160, is_annotated=is_annotated)
    return chosen.reasons(index, frames[index])


def test_a_whole_person_alone_is_kept():
    assert judge({0: {1: WALKER}}, 0) == {}


def test_a_box_below_the_least_side_is_too_small():
    small, large = (10.0, 10.0, 14.0, 30.0), (10.0, 10.0, 15.0, 30.0)
    assert judge({0: {1: small}, 1: {1: large}}, 0) == {1: "too-small"}
    assert judge({0: {1: small}, 1: {1: large}}, 1) == {}


@pytest.mark.parametrize("is_annotated", [True, False])
def test_who_is_mostly_hidden_is_left_out_and_who_is_not_known_to_be_stays(is_annotated):
    people = {0: {1: WALKER, 2: (100.0, 50.0, 120.0, 110.0), 3: (150.0, 50.0, 170.0, 110.0)}}
    visible = {0: {1: 0.29, 2: 0.3}}
    assert judge(people, 0, visible=visible, is_annotated=is_annotated) == {1: "hidden"}


@pytest.mark.parametrize(
    ("box", "is_cut"),
    [
        ((40.0, 121.0, 60.0, 160.0), True),  # 39 of 60 are left above the lower edge
        ((40.0, 119.0, 60.0, 160.0), False),
        ((40.0, 0.0, 60.0, 39.0), True),
        ((0.0, 50.0, 9.0, 110.0), True),  # 9 of 20 at the left edge
        ((0.0, 50.0, 11.0, 110.0), False),
        ((191.5, 50.0, 199.5, 110.0), True),
        ((40.0, 50.0, 60.0, 89.0), False),  # as short, but in the middle: perhaps he bends
    ],
)
def test_a_person_cut_by_the_edge_is_left_out(box, is_cut):
    frames = {index: {1: WALKER} for index in range(5)} | {5: {1: box}}
    assert judge(frames, 5, is_annotated=True) == ({1: "cut"} if is_cut else {})


def test_who_comes_nearer_is_compared_with_his_size_of_a_moment_ago():
    far = {index: {1: (40.0, 50.0, 50.0, 80.0)} for index in range(20)}
    near = {index: {1: (40.0, 50.0, 70.0, 140.0)} for index in range(20, 30)}
    half = (40.0, 115.0, 70.0, 160.0)  # 45 of 90, taller than he was at first
    assert judge(far | near | {30: {1: half}}, 30) == {1: "cut"}
    assert judge(near | {30: {1: half}} | {index + 31: boxes for index, boxes in far.items()}, 30) == {1: "cut"}


def test_who_is_never_seen_whole_stays_since_nobody_knows_his_size():
    assert judge({index: {1: (40.0, 121.0, 60.0, 160.0)} for index in range(3)}, 1) == {}


def test_two_in_one_place_are_both_left_out_unless_somebody_told_them_apart():
    frames = {0: {1: WALKER, 2: (42.0, 51.0, 62.0, 111.0), 3: (52.0, 50.0, 72.0, 110.0)}}
    assert judge(frames, 0) == {1: "merged", 2: "merged"}
    assert judge(frames, 0, is_annotated=True) == {}


box = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 9)] * 2).map(
    lambda b: (float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3]))
)


@given(first=box, second=box)
def test_overlap_is_that_of_painted_pixels(first, second):
    painted = []
    for left, top, right, bottom in (first, second):
        canvas = np.zeros((30, 30), bool)
        canvas[int(top) : int(bottom), int(left) : int(right)] = True
        painted.append(canvas)
    wanted = (painted[0] & painted[1]).sum() / (painted[0] | painted[1]).sum()
    assert _overlap(first, second) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"min_visible": 1.5}, "QualityConfig.min_visible must be from 0 to 1; got 1.5"),
        ({"max_overlap": -0.1}, "QualityConfig.max_overlap must be from 0 to 1; got -0.1"),
        ({"min_crops": 0}, "QualityConfig.min_crops must be at least 1; got 0"),
        ({"min_sharpness": -1.0}, "QualityConfig.min_sharpness must be at least 0; got -1.0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting, complaint):
    with pytest.raises(ValueError) as caught:
        QualityConfig(**setting)
    assert str(caught.value) == complaint


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
