from pathlib import Path

import pytest

from skyreid.building.detection.detector_text import DEFAULT_SCORE, DetectorText, parse_detector
from skyreid.errors import SettingError

KINDS = "kind is one of yolox, rt-detr, rf-detr, torchvision, as in detector.onnx,kind=yolox"


def test_a_detector_is_a_file_and_its_kind():
    assert parse_detector("a,b/d.onnx,kind=yolox") == DetectorText(path=Path("a,b/d.onnx"), kind="yolox")
    assert parse_detector("d.onnx,kind=rf-detr").score == DEFAULT_SCORE


def test_every_setting_may_be_given():
    assert parse_detector("d.onnx,person=0,score=0.25,size=416,kind=torchvision") == DetectorText(
        path=Path("d.onnx"), kind="torchvision", size=416, score=0.25, person=0
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("d.onnx", f"{KINDS}; got None"),
        ("d.onnx,kind=yolov8", f"{KINDS}; got yolov8"),
        (",kind=yolox", "a detector begins with its file, as in detector.onnx,kind=yolox"),
        ("d.onnx,kind=yolox,nms=1", "a detector has the keys kind, size, score, person; got 'nms'"),
        ("d.onnx,kind=yolox,kind=yolox", "kind stands twice"),
        ("d.onnx,kind=yolox,size=0", "size is a whole number from 1 to 8192; got '0'"),
        ("d.onnx,kind=yolox,size=6e2", "size is a whole number from 1 to 8192; got '6e2'"),
        ("d.onnx,kind=yolox,person=-1", "person is a whole number from 0 to 1000000; got '-1'"),
        ("d.onnx,kind=yolox,score=40", "score is a number between 0 and 1; got '40'"),
        ("d.onnx,kind=yolox,score=nan", "score is a number between 0 and 1; got 'nan'"),
    ],
)
def test_what_cannot_be_a_detector_is_refused(text, reason):
    with pytest.raises(SettingError) as caught:
        parse_detector(text)
    assert str(caught.value) == f"{text!r}: {reason}"
