import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.crops.face_mask import BLOCKS, FOLLOW_S, GREY, FaceMask, Look, MaskedFaces, MaskingConfig
from skyreid.errors import SettingError
from tests.building.crops.bright_face_model import write_bright_face_model
from tests.building.films import drawn_face, noise, smooth

PERSON = (40.0, 20.0, 90.0, 190.0)
"""170 pixels high: 100 pixels a metre, observed and not recognised."""
LARGE = (40.0, 20.0, 140.0, 360.0)
"""200 pixels a metre."""


@pytest.fixture(scope="module")
def mask():
    """A cascade takes longer to load than all these frames to search."""
    return FaceMask(MaskingConfig())


def look(mask, frame, person, **rest):
    return mask.look(frame, person, whole_size=(person[2] - person[0], person[3] - person[1]), **rest)


def covers(mask, *looks, now=0, interval_s=0.5):
    return mask.covers([(number * interval_s, seen) for number, seen in enumerate(looks)], now)


def drawn_person(box, *, head_x=0.5, head_y=0.1, head_colour=(20, 20, 20), size=(400, 200), ground=(150, 150, 150)):
    """A dark coat with a head before one colour; the head is where asked, as a share of the box."""
    frame = np.full((*size, 3), ground, np.uint8)
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    x, y, radius = left + head_x * width, top + head_y * height, 0.065 * height
    cv2.rectangle(
        frame,
        (round(left + 0.1 * width), round(y + radius)),
        (round(right - 0.1 * width), round(bottom)),
        (40, 30, 110),
        -1,
    )
    cv2.circle(frame, (round(x), round(y)), round(radius), head_colour, -1)
    return frame, (x, y, radius)


def share_inside(region, circle):
    x, y, radius = circle
    rows, columns = np.mgrid[: round(y + 2 * radius), : round(x + 2 * radius)] + 0.5
    disc = np.hypot(columns - x, rows - y) < radius
    inside = (columns >= region[0]) & (columns < region[2]) & (rows >= region[1]) & (rows < region[3])
    return (disc & inside).sum() / disc.sum()


@pytest.mark.parametrize("size", [40, 70, 300])
def test_a_frontal_face_is_covered(mask, size):
    face, eyes = drawn_face(size)
    frame = np.full((size * 4 + 40, size * 2 + 60, 3), 200, np.uint8)
    frame[30 : 30 + size * 4, 50 : 50 + size * 2] = face
    masked = covers(mask, look(mask, frame, (50.0, 30.0, 50.0 + size * 2, 30.0 + size * 4)))
    assert (masked.detected, masked.followed, masked.fallback) == (1, 0, 0)
    before = frame.copy()
    (region,) = masked.regions
    mask.paint(frame, region)
    assert (frame[30:, 50:][eyes] == GREY).all()
    assert (frame != before).any(axis=2).mean() < 0.25


def test_below_observe_nothing_is_covered_whatever_is_found(mask):
    """Kind A: 105 pixels of a whole person from the side, and nothing of who is smaller."""
    for height, is_covered in ((104.0, False), (107.0, True)):
        frame, _ = drawn_person((40.0, 20.0, 75.0, 20.0 + height), head_colour=(200, 150, 120))
        masked = covers(mask, look(mask, frame, (40.0, 20.0, 75.0, 20.0 + height)))
        assert bool(masked.regions) == is_covered
        assert masked.followed == is_covered  # the skin was seen


def test_between_observe_and_recognise_a_dark_head_stays_and_skin_is_a_found_face(mask):
    hair, _ = drawn_person(PERSON)
    assert covers(mask, look(mask, hair, PERSON)) == MaskedFaces()
    for skin in ((235, 195, 170), (180, 130, 100), (90, 55, 40)):
        frame, head = drawn_person(PERSON, head_colour=skin)
        masked = covers(mask, look(mask, frame, PERSON))
        assert (masked.detected, masked.followed, masked.fallback) == (0, 1, 0)
        assert share_inside(masked.regions[0], head) > 0.95


def test_in_a_grey_picture_a_face_cannot_be_ruled_out(mask):
    frame, head = drawn_person(PERSON)
    grey = np.repeat(frame.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    (region,) = covers(mask, look(mask, grey, PERSON)).regions
    assert share_inside(region, head) > 0.95


def test_from_recognise_on_a_head_is_covered_without_a_face_unless_it_is_seen_from_straight_above(mask):
    frame, head = drawn_person(LARGE)
    masked = covers(mask, look(mask, frame, LARGE))
    assert (masked.detected, masked.followed, masked.fallback) == (0, 0, 1)
    assert share_inside(masked.regions[0], head) > 0.95
    square = (20.0, 20.0, 180.0, 180.0)
    from_above = np.full((200, 200, 3), (90, 120, 80), np.uint8)
    cv2.circle(from_above, (100, 100), 20, (20, 20, 20), -1)
    assert covers(mask, look(mask, from_above, square, is_aerial=True)) == MaskedFaces()
    assert covers(mask, look(mask, from_above, square)).fallback == 1  # from the ground, a person cut in half


def test_the_head_is_where_the_person_is_and_not_where_the_box_begins(mask):
    """Kind A: the box reaches above the head, or somebody leans out of its middle."""
    for head_x, head_y in ((0.5, 0.1), (0.5, 0.17), (0.2, 0.12), (0.85, 0.12)):
        frame, head = drawn_person(LARGE, head_x=head_x, head_y=head_y)
        (region,) = covers(mask, look(mask, frame, LARGE)).regions
        assert share_inside(region, head) > 0.9
        assert (region[2] - region[0]) * (region[3] - region[1]) < 0.15 * 100 * 340


def test_a_head_is_found_although_the_shirt_has_the_colour_of_the_wall(mask):
    frame, head = drawn_person(LARGE)
    frame[55:] = (200, 190, 170)
    frame[:55][(frame[:55] == (150, 150, 150)).all(axis=2)] = (200, 190, 170)
    frame[(frame == (40, 30, 110)).all(axis=2)] = (200, 190, 170)
    x, y, radius = head
    (region,) = covers(mask, look(mask, frame, LARGE)).regions
    assert share_inside(region, (x, y, radius)) > 0.95
    assert region[3] > y + 1.2 * radius  # down to the chin


def test_who_is_cut_by_the_edge_is_as_large_as_before(mask):
    frame = np.full((200, 200, 3), 150, np.uint8)
    half = (40.0, 120.0, 110.0, 200.0)
    assert mask.look(frame, half, whole_size=(70.0, 300.0)).px_per_m == pytest.approx(300 / 1.7)
    assert mask.look(frame, half, whole_size=None).px_per_m == pytest.approx(70 / 0.5)


def test_a_face_is_followed_along_the_tracklet_in_both_directions(mask):
    found = Look(person=PERSON, px_per_m=100.0, face=(56.0, 30.0, 72.0, 46.0))
    moved = (140.0, 20.0, 190.0, 190.0)
    nothing = Look(person=moved, px_per_m=100.0)
    for looks, now in (((found, nothing), 1), ((nothing, found), 0)):
        masked = covers(mask, *looks, now=now)
        assert (masked.detected, masked.followed, masked.fallback) == (0, 1, 0)
        (region,) = masked.regions
        assert region[0] < 156 < 172 < region[2]
        assert region[1] < 30 < 46 < region[3]
    assert covers(mask, found, nothing, now=1, interval_s=FOLLOW_S + 0.1) == MaskedFaces()


def test_the_recall_of_the_detector_is_measured_where_a_face_was_found_before_and_after(mask):
    found = Look(person=PERSON, px_per_m=100.0, face=(56.0, 30.0, 72.0, 46.0))
    nothing = Look(person=PERSON, px_per_m=100.0)
    for looks, expected in (
        ((found, nothing, found), (1, 1)),
        ((found, found, found), (1, 0)),
        ((nothing, found, found), (0, 0)),
    ):
        masked = covers(mask, *looks, now=1)
        assert (masked.expected, masked.missed) == expected
    assert covers(mask, found, now=0).expected == 0
    assert "haarcascade" in mask.detector_card


def test_one_look_that_goes_astray_moves_no_cover(mask):
    good, bad = (50.0, 22.0, 80.0, 60.0), (50.0, 100.0, 80.0, 138.0)
    looks = [Look(person=LARGE, px_per_m=200.0, shape=shape) for shape in (good, good, bad, good, good)]
    regions = [covers(mask, *looks, now=now).regions for now in range(5)]
    np.testing.assert_allclose(regions[2], regions[1], atol=10)


def test_a_found_face_saves_the_head_only_where_a_head_can_be(tmp_path):
    """Kind A: a print on a shirt cancelled the cover of the head."""
    model = write_bright_face_model(tmp_path / "bright.onnx", side=48)
    mask = FaceMask(MaskingConfig(detector="yunet", model=model))

    person = (40.0, 20.0, 140.0, 420.0)  # searched as it is, from 30, 0 on

    def with_white(y):
        frame = np.zeros((440, 200, 3), np.uint8)
        frame[y : y + 8, 86:94] = 255
        return frame

    on_the_head = covers(mask, look(mask, with_white(64), person))
    assert (on_the_head.detected, len(on_the_head.regions)) == (1, 1)
    on_the_chest = covers(mask, look(mask, with_white(200), person))
    assert on_the_chest.detected == 1
    head, chest = on_the_chest.regions
    assert head[1] < 30
    assert chest[1] < 200 < chest[3]


def test_a_pixelated_head_keeps_no_more_than_nine_colours_in_place_and_a_strip_of_it_no_finer_ones():
    frame = smooth(1, height=400, width=200)[0]
    mask = FaceMask(MaskingConfig(style="pixelate"))
    whole, strip = frame.copy(), frame[:, 150:].copy()
    mask.paint(whole, (36.0, 40.0, 156.0, 160.0))
    for x, y in np.ndindex(BLOCKS, BLOCKS):
        square = np.s_[40 + 40 * y : 80 + 40 * y, 36 + 40 * x : 76 + 40 * x]
        assert (whole[square] == whole[square][0, 0]).all()
        np.testing.assert_allclose(whole[square][0, 0], frame[square].mean(axis=(0, 1)), atol=1)
    mask.paint(strip, (36.0 - 150, 40.0, 156.0 - 150, 160.0))
    assert len(np.unique(strip[40:160, :6].reshape(-1, 3), axis=0)) == BLOCKS


@given(data=st.data())
def test_what_is_painted_lies_in_the_region_and_all_of_it_is(mask, data):
    height, width = data.draw(st.integers(2, 60)), data.draw(st.integers(2, 60))
    left, top = data.draw(st.floats(-20, width)), data.draw(st.floats(-20, height))
    region = (left, top, left + data.draw(st.floats(0.5, 60)), top + data.draw(st.floats(0.5, 60)))
    frame = noise(1, height=height, width=width)[0]
    before = frame.copy()
    mask.paint(frame, region)
    rows, columns = np.mgrid[:height, :width]
    touched = (columns + 1 > region[0]) & (columns < region[2]) & (rows + 1 > region[1]) & (rows < region[3])
    assert (frame[touched] == GREY).all()
    np.testing.assert_array_equal(frame[~touched], before[~touched])


@given(data=st.data())
def test_any_box_in_any_frame_can_be_looked_at(mask, data):
    height, width = data.draw(st.integers(2, 300)), data.draw(st.integers(2, 60))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    person = tuple(map(float, (left, top, data.draw(st.integers(left + 1, 90)), data.draw(st.integers(top + 1, 400)))))
    seen = mask.look(noise(1, height=height, width=width)[0], person, whole_size=None)
    for x0, y0, x1, y1 in covers(mask, seen).regions:
        assert all(map(math.isfinite, (x0, y0, x1, y1)))
        assert x0 < x1
        assert y0 < y1


def test_a_detector_and_its_model_go_together(tmp_path):
    with pytest.raises(SettingError, match=r"yunet needs a model: a file face_detection_yunet_\*\.onnx"):
        MaskingConfig(detector="yunet")
    with pytest.raises(SettingError, match=r"cascade takes no model; got .*a\.onnx \(did you mean yunet\?\)"):
        MaskingConfig(model=tmp_path / "a.onnx")


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(SettingError, match=r"0 <= observe <= recognise; got observe 200, recognise 125"):
        MaskingConfig(observe_px_per_m=200.0)
