import numpy as np
import pytest

from skyreid.building.crops.face_detection import CascadeDetector, YunetDetector, face_detector, has_colours, skin_share
from skyreid.errors import CheckpointError, SettingError
from skyreid.graphs.graph_process import GraphLimits
from tests.building.crops.bright_face_model import write_bright_face_model
from tests.building.detection import onnx_files
from tests.building.films import drawn_face, noise


@pytest.mark.parametrize("size", [20, 50, 300])
def test_the_cascade_finds_a_frontal_face_of_any_size(size):
    picture, eyes = drawn_face(size)
    ((left, top, width, height),) = CascadeDetector().find(picture, person_height=size * 8.0).tolist()
    assert left < eyes[1].start
    assert left + width > eyes[1].stop
    assert top < eyes[0].start
    assert top + height > eyes[0].stop
    assert width < picture.shape[1]


def test_the_cascade_finds_nothing_in_noise():
    assert CascadeDetector().find(noise(1, height=120, width=60)[0], person_height=120.0).shape == (0, 4)


@pytest.mark.parametrize(("height", "width", "scale"), [(200, 60, 2), (800, 700, 0.5)])
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
    np.testing.assert_allclose(detector.find(piece, person_height=float(height)), expected, atol=1e-3)
    assert detector.find(np.zeros_like(piece), person_height=float(height)).shape == (0, 4)


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


def test_a_model_that_needs_too_much_memory_or_crashes_ends_its_process_and_not_the_caller(tmp_path):
    """Kind 11-B4."""
    path = write_bright_face_model(tmp_path / "yunet.onnx", side=24)
    with pytest.raises((SettingError, CheckpointError), match=r"yunet\.onnx: "):
        detector = YunetDetector(path, limits=GraphLimits(memory_bytes=2**24))
        detector.find(np.zeros((200, 30_000, 3), np.uint8), person_height=200.0)  # 72 MB when it is enlarged
    detector = YunetDetector(path)
    detector._graph._process.kill()
    with pytest.raises(CheckpointError, match=r"yunet\.onnx: the graph crashed"):
        detector.find(np.zeros((200, 60, 3), np.uint8), person_height=200.0)


def test_skin_of_any_tone_is_skin_and_cloth_and_grass_are_not():
    for skin in ((255, 224, 196), (224, 172, 105), (141, 85, 36), (80, 45, 30)):
        assert skin_share(np.full((4, 4, 3), skin, np.uint8)) == 1
    for other in ((40, 60, 160), (60, 110, 50), (128, 128, 128), (15, 12, 12)):
        assert skin_share(np.full((4, 4, 3), other, np.uint8)) == 0
    assert skin_share(np.empty((0, 3), np.uint8)) == 0


def test_a_night_picture_has_no_colours():
    grey = np.repeat(noise(1, height=80, width=80)[0][:, :, :1], 3, axis=2)
    assert not has_colours(grey)
    grey[:30, :30] = (200, 150, 120)
    assert has_colours(grey)


def test_a_face_model_of_openvino_sees_the_upper_square_and_answers_in_pixels_of_the_piece(tmp_path):
    detector = face_detector(onnx_files.as_openvino(onnx_files.faces(tmp_path / "faces.onnx")))
    piece = np.zeros((256, 80, 3), np.uint8)  # a square of 128 pixels, whose eighths are 16
    piece[32:48, 48:64] = 255
    np.testing.assert_allclose(detector.find(piece, person_height=256.0), [[48, 32, 16, 16]])
    assert detector.find(np.zeros_like(piece), person_height=256.0).shape == (0, 4)
    assert "a face model of the user for OpenVINO, sha256 " in detector.card


def test_another_network_of_openvino_is_no_face_model(tmp_path):
    path = onnx_files.as_openvino(onnx_files.atss(tmp_path / "people.onnx"))
    with pytest.raises(SettingError, match=r"people\.xml: a face model for OpenVINO takes \[1, 3, height, width\]"):
        face_detector(path)


def test_a_face_model_of_openvino_that_is_missing_is_named(tmp_path):
    with pytest.raises(SettingError, match=r"faces\.xml: (there is no such file|an OpenVINO file needs openvino)"):
        face_detector(tmp_path / "faces.xml")
