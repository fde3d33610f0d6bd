import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.face_mask import BLOCKS, GREY, MIN_HEIGHT, MIN_WIDTH, FaceMask, MaskedFaces, MaskingConfig
from skyreid.errors import SettingError
from tests.building.bright_face_model import write_bright_face_model
from tests.building.films import drawn_face, noise, smooth

DETECTION_ONLY = MaskingConfig(fallback=False)


@pytest.mark.parametrize("config", [MaskingConfig(), DETECTION_ONLY])
@pytest.mark.parametrize("size", [20, 50, 300])
def test_a_frontal_face_is_painted_over_in_the_frame(size, config):
    face, eyes = drawn_face(size)
    frame = np.full((size * 4 + 40, size * 2 + 60, 3), 200, np.uint8)
    frame[30 : 30 + size * 4, 50 : 50 + size * 2] = face
    before = frame.copy()
    masked = FaceMask(config).cover(frame, (50.0, 30.0, 50.0 + size * 2, 30.0 + size * 4))
    assert (masked.detected, masked.fallback) == (1, 0)
    assert (frame[30:, 50:][eyes] == GREY).all()
    changed = (frame != before).any(axis=2)
    assert changed.mean() < 0.25
    assert (frame[changed] == GREY).all()
    assert_regions_are(masked, changed)


@pytest.mark.parametrize(
    ("width", "height", "head"),
    [
        (20, 50, (32, 48, 12)),  # six tenths of the width
        (10, 60, (31, 39, 12)),  # but at least a fifth of the height
        (40, 150, (34, 66, 30)),
        (110, 120, (41, 129, 60)),  # and at most half of it
    ],
)
def test_the_head_of_who_shows_no_face_is_covered(width, height, head):
    frame = noise(1, height=200, width=200)[0]
    before = frame.copy()
    masked = FaceMask(MaskingConfig()).cover(frame, (30.0, 40.0, 30.0 + width, 40.0 + height))
    left, right, depth = head
    assert masked == MaskedFaces(detected=0, fallback=1, regions=((float(left), 40.0, float(right), 40.0 + depth),))
    assert (frame[40 : 40 + depth, left:right] == GREY).all()
    frame[40 : 40 + depth, left:right] = before[40 : 40 + depth, left:right]
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize(
    ("config", "width", "height"), [(MaskingConfig(), MIN_WIDTH - 1, MIN_HEIGHT - 1), (DETECTION_ONLY, 60, 150)]
)
def test_who_is_small_stays_as_he_is_and_so_does_everybody_without_the_fallback(config, width, height):
    frame = noise(1, height=200, width=100)[0]
    before = frame.copy()
    masked = FaceMask(config).cover(frame, (10.0, 10.0, 10.0 + width, 10.0 + height))
    assert masked == MaskedFaces(detected=0, fallback=0, regions=())
    np.testing.assert_array_equal(frame, before)


def test_a_face_on_a_shirt_does_not_save_the_head(tmp_path):
    model = write_bright_face_model(tmp_path / "bright.onnx", side=24)
    mask = FaceMask(MaskingConfig(detector="yunet", model=model))
    person = (20.0, 20.0, 60.0, 120.0)

    def with_white(x, y):
        frame = np.zeros((140, 80, 3), np.uint8)
        frame[y : y + 4, x : x + 4] = 255
        return frame

    # Searched are the box and a tenth around it, so cells of 4 pixels begin at 16, 10.
    head, chest = (34.0, 24.0, 46.0, 36.0), (34.0, 64.0, 46.0, 76.0)
    assert mask.cover(with_white(40, 30), person) == MaskedFaces(detected=1, fallback=0, regions=(head,))
    both = mask.cover(with_white(40, 70), person)
    assert both == MaskedFaces(detected=1, fallback=1, regions=(chest, (24.0, 20.0, 56.0, 44.0)))


def test_a_pixelated_head_keeps_no_more_than_nine_colours_in_place():
    frame = smooth(1, height=660, width=200)[0]
    before = frame.copy()
    masked = FaceMask(MaskingConfig(style="pixelate")).cover(frame, (30.0, 40.0, 180.0, 640.0))
    ((left, top, right, bottom),) = (map(int, region) for region in masked.regions)
    head, was = frame[top:bottom, left:right], before[top:bottom, left:right]
    assert (right - left, bottom - top) == (120, 120)
    for x, y in np.ndindex(BLOCKS, BLOCKS):
        square = np.s_[40 * y : 40 * y + 40, 40 * x : 40 * x + 40]
        assert (head[square] == head[square][0, 0]).all()
        np.testing.assert_allclose(head[square][0, 0], was[square].mean(axis=(0, 1)), atol=1)
    frame[top:bottom, left:right] = was
    np.testing.assert_array_equal(frame, before)


@pytest.fixture(scope="module")
def masks():
    """Of both styles; a cascade takes longer to load than all these frames to search."""
    return [FaceMask(MaskingConfig(style=style)) for style in ("grey", "pixelate")]


@given(data=st.data())
def test_regions_are_whole_pixels_of_the_frame_and_hold_all_that_was_painted(masks, data):
    height, width = data.draw(st.integers(2, 60)), data.draw(st.integers(2, 60))
    left, top = data.draw(st.integers(0, width - 2)), data.draw(st.integers(0, height - 2))
    right, bottom = data.draw(st.integers(left + 2, width)), data.draw(st.integers(top + 2, height))
    mask = data.draw(st.sampled_from(masks))
    frame = noise(1, height=height, width=width)[0]
    before = frame.copy()
    masked = mask.cover(frame, tuple(map(float, (left, top, right, bottom))))
    assert len(masked.regions) == masked.detected + masked.fallback
    assert masked.fallback == (right - left >= MIN_WIDTH or bottom - top >= MIN_HEIGHT)
    painted = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in masked.regions:
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        painted[int(y0) : int(y1), int(x0) : int(x1)] = True
    np.testing.assert_array_equal(frame[~painted], before[~painted])


def test_a_detector_and_its_model_go_together(tmp_path):
    with pytest.raises(SettingError, match=r"yunet needs a model: a file face_detection_yunet_\*\.onnx"):
        MaskingConfig(detector="yunet")
    with pytest.raises(SettingError, match=r"cascade takes no model; got .*a\.onnx \(did you mean yunet\?\)"):
        MaskingConfig(model=tmp_path / "a.onnx")


def assert_regions_are(masked, changed):
    told = np.zeros_like(changed)
    for left, top, right, bottom in masked.regions:
        told[int(top) : int(bottom), int(left) : int(right)] = True
    np.testing.assert_array_equal(told, changed)
