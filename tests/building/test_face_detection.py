import numpy as np
import pytest

from skyreid.building.face_detection import CascadeDetector, YunetDetector
from skyreid.errors import SettingError
from tests.building.bright_face_model import write_bright_face_model
from tests.building.films import drawn_face, noise


@pytest.mark.parametrize("size", [20, 50, 300])
def test_the_cascade_finds_a_frontal_face_of_any_size(size):
    picture, eyes = drawn_face(size)
    ((left, top, width, height),) = CascadeDetector().find(picture).tolist()
    assert left < eyes[1].start
    assert left + width > eyes[1].stop
    assert top < eyes[0].start
    assert top + height > eyes[0].stop
    assert width < picture.shape[1]


def test_the_cascade_finds_nothing_in_noise():
    assert CascadeDetector().find(noise(1, height=120, width=60)[0]).shape == (0, 4)


@pytest.mark.parametrize(("height", "width", "scale"), [(100, 60, 2), (1280, 700, 0.5)])
def test_a_model_of_the_user_is_asked_at_the_same_scale_and_answers_in_pixels_of_the_piece(
    tmp_path, height, width, scale
):
    detector = YunetDetector(write_bright_face_model(tmp_path / "bright.onnx", side=24))
    piece = np.zeros((height, width, 3), np.uint8)
    cell = round(8 / scale)
    middle_x, middle_y = 3 * cell, 5 * cell
    piece[middle_y : middle_y + cell, middle_x : middle_x + cell] = 255
    side = 24 / scale
    expected = [[middle_x - side / 2, middle_y - side / 2, side, side]]
    np.testing.assert_allclose(detector.find(piece), expected, atol=1e-3)
    assert detector.find(np.zeros_like(piece)).shape == (0, 4)


def test_a_model_that_is_missing_is_named(tmp_path):
    with pytest.raises(SettingError, match=r"yunet\.onnx: the FaceDetectorYN model is not there \(face_detection"):
        YunetDetector(tmp_path / "yunet.onnx")


def test_a_file_that_is_no_such_model_is_named(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(SettingError, match=r"yunet\.onnx: OpenCV cannot use it as a FaceDetectorYN model"):
        YunetDetector(path)


def test_another_network_is_no_such_model(tmp_path):
    path = write_bright_face_model(tmp_path / "yunet.onnx", side=24, without="kps_16")
    with pytest.raises(SettingError, match=r"yunet\.onnx: OpenCV cannot use it as a FaceDetectorYN model"):
        YunetDetector(path)
