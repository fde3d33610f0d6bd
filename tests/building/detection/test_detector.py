from pathlib import Path

import numpy as np
import pytest

from skyreid.building.detection.detector import DEFAULT_SCORE, DetectorText, load_detector, parse_detector
from skyreid.building.detection.families import FAMILIES
from skyreid.errors import CheckpointError, SettingError, WeightsError
from skyreid.weights.published_files import PUBLISHED
from tests.building.detection import onnx_files
from tests.building.detection.onnx_files import draw_targets


def found(text, picture, *, min_score=0.4):
    boxes, scores = load_detector(str(text)).find(picture, min_score=min_score)
    assert len(boxes) == len(scores)
    return [tuple(round(side, 3) for side in box) for box in boxes.tolist()]


# One cell of 8 pixels, in frames that are larger than the file's picture and of other proportions.
def test_yolox_boxes_come_back_through_the_letterbox(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx", height=96, width=160, box_cells=(1, 2))
    # 320x240 becomes 128x96 in a picture of 160x96: 0.4 of its size, at the top left.
    picture = draw_targets([(160, 100, 180, 120)], height=240, width=320)
    assert found(f"{path},kind=yolox", picture) == [(160, 90, 180, 130)]


def test_yolox_gives_one_box_a_person(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx", box_cells=(4, 4))
    picture = draw_targets([(40, 40, 56, 48)], height=96, width=160)  # two cells, whose boxes overlap by 0.6
    assert len(found(f"{path},kind=yolox", picture)) == 1


@pytest.mark.parametrize("form", [onnx_files.rt_detr_repository, onnx_files.rt_detr_transformers])
def test_rt_detr_boxes_come_back_from_the_stretched_picture(tmp_path, form):
    path = form(tmp_path / "d.onnx", size=96)
    picture = draw_targets([(80, 40, 96, 48)], height=96, width=192)  # cells of 16x8 pixels of the frame
    assert found(f"{path},kind=rt-detr,size=96", picture) == [(80, 40, 96, 48)]


def test_rf_detr_tells_boxes_and_classes_apart_by_name(tmp_path):
    path = onnx_files.rf_detr(tmp_path / "d.onnx", size=96, classes=4)
    picture = draw_targets([(160, 16, 176, 32), (0, 160, 16, 176)], height=192, width=192)
    assert sorted(found(f"{path},kind=rf-detr", picture)) == [(0, 160, 16, 176), (160, 16, 176, 32)]


def test_a_detector_of_ones_own_says_which_class_is_a_person(tmp_path):
    path = onnx_files.rf_detr(tmp_path / "d.onnx", size=96, person=0)
    picture = draw_targets([(16, 16, 32, 32)], height=192, width=192)
    assert found(f"{path},kind=rf-detr,person=0", picture) == [(16, 16, 32, 32)]
    assert found(f"{path},kind=rf-detr", picture) == []


@pytest.mark.parametrize("shape", [(3, "height", "width"), (1, 3, "height", "width")], ids=["one", "batch"])
@pytest.mark.parametrize("order", [("boxes", "labels", "scores"), ("boxes", "scores", "labels")])
def test_torchvision_takes_the_frame_as_it_is(tmp_path, shape, order):
    path = onnx_files.torchvision(tmp_path / "d.onnx", shape=shape, order=order)
    picture = draw_targets([(33, 17, 50, 64)], height=101, width=77)
    assert found(f"{path},kind=torchvision", picture) == [(33, 17, 50, 64)]


def test_torchvision_may_get_smaller_frames(tmp_path):
    path = onnx_files.torchvision(tmp_path / "d.onnx")
    picture = draw_targets([(40, 20, 60, 80)], height=100, width=200)
    assert found(f"{path},kind=torchvision,size=100", picture) == [(40, 20, 60, 80)]


def test_torchvision_of_one_size_gets_a_letterbox(tmp_path):
    path = onnx_files.torchvision(tmp_path / "d.onnx", shape=(1, 3, 60, 100))
    picture = draw_targets([(40, 20, 60, 80)], height=100, width=200)
    assert found(f"{path},kind=torchvision", picture) == [(40, 20, 60, 80)]


@pytest.mark.parametrize("as_file", [Path, onnx_files.as_openvino])
def test_person_detection_of_open_model_zoo_gives_boxes_of_the_stretched_picture(tmp_path, as_file):
    path = as_file(onnx_files.atss(tmp_path / "d.onnx"))
    picture = draw_targets([(32, 64, 48, 96)], height=192, width=192)  # cells of 16x32 pixels of the frame
    assert found(f"{path},kind=atss", picture) == [(32, 64, 48, 96)]
    assert found(f"{path},kind=atss", draw_targets([], height=192, width=192)) == []


def test_another_class_is_nobody(tmp_path):
    path = onnx_files.torchvision(tmp_path / "d.onnx", label=3)
    assert found(f"{path},kind=torchvision", draw_targets([(4, 4, 9, 9)], height=20, width=20)) == []


def test_boxes_end_at_the_border_of_the_frame(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx", box_cells=(3, 5))
    picture = draw_targets([(0, 88, 8, 96)], height=96, width=160)
    assert found(f"{path},kind=yolox", picture) == [(0, 72, 16, 96)]


def test_unsure_boxes_are_left_out(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx")
    picture = draw_targets([(40, 40, 48, 45)], height=96, width=160)  # five eighths of a cell
    assert found(f"{path},kind=yolox", picture, min_score=0.7) == []
    assert found(f"{path},kind=yolox", picture, min_score=0.5) == [(40, 40, 48, 48)]


def test_the_fingerprint_is_of_the_file_and_the_settings(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx")
    again = onnx_files.yolox(tmp_path / "again.onnx")
    other = onnx_files.yolox(tmp_path / "other.onnx", classes=4)
    prints = [load_detector(f"{file},kind=yolox").fingerprint for file in (path, again, other)]
    keys = ("person=0", "score=0.5", "person=1", "tiles=none", "tiles=96")
    prints += [load_detector(f"{path},kind=yolox,{key}").fingerprint for key in keys]
    assert prints[0] == prints[1] == prints[3] and len(set(prints)) == 6


def refusal(text, picture=None):
    with pytest.raises(CheckpointError) as caught:
        load_detector(str(text)).find(np.zeros((96, 160, 3), np.uint8) if picture is None else picture, min_score=0.4)
    return str(caught.value)


def test_a_file_of_another_kind_is_refused_with_both_forms(tmp_path):
    path = onnx_files.rf_detr(tmp_path / "d.onnx")
    assert refusal(f"{path},kind=rt-detr") == (
        f"{path}: rt-detr files are images float32[1, 3, ?, ?], orig_target_sizes int64[1, 2] -> "
        "labels int64[1, ?], boxes float32[1, ?, 4], scores float32[1, ?] or "
        "pixel_values float32[1, 3, ?, ?] -> logits float32[1, ?, ?], pred_boxes float32[1, ?, 4]; "
        "this one is input float32[1, 3, 96, 96] -> dets float32[1, 144, 4], labels float32[1, 144, 4]"
    )


def test_another_size_than_the_file_takes_is_refused(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx")
    assert refusal(f"{path},kind=yolox,size=640") == f"{path}: takes pictures of 160x96; size=640 was asked for"


def test_rows_that_are_no_grid_are_refused(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx", rows=100)
    assert refusal(f"{path},kind=yolox") == (f"{path}: gives 100 rows for a picture of 160x96; [315, 317] are possible")


def test_a_yolox_file_that_decodes_by_itself_is_refused(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx", decoded=True)
    assert refusal(f"{path},kind=yolox") == (
        f"{path}: gives boxes in pixels already; export it without --decode_in_inference"
    )


def test_a_class_that_the_file_does_not_have_is_refused(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx")
    assert refusal(f"{path},kind=yolox,person=3") == f"{path}: has classes 0 to 2; person=3 is none of them"


def test_boxes_that_are_not_finite_are_refused(tmp_path):
    path = onnx_files.torchvision(tmp_path / "d.onnx", nan=True)
    picture = draw_targets([(4, 4, 9, 9)], height=20, width=20)
    assert refusal(f"{path},kind=torchvision", picture) == f"{path}: gives boxes that are not finite"


def test_a_size_that_the_graph_cannot_work_with_is_refused(tmp_path):
    path = onnx_files.rt_detr_transformers(tmp_path / "d.onnx", size=96)
    assert refusal(f"{path},kind=rt-detr,size=64").startswith(
        f"{path}: cannot be run on pixel_values float32[1, 3, 64, 64]: "
    )


def test_a_file_of_any_size_wants_one_where_its_family_has_no_usual_one(tmp_path):
    path = onnx_files.rf_detr(tmp_path / "d.onnx", is_open=True)
    assert refusal(f"{path},kind=rf-detr") == f"{path}: takes pictures of any size; say which one (size=N)"


def test_outputs_that_do_not_belong_together_are_refused(tmp_path):
    path = onnx_files.torchvision(tmp_path / "d.onnx", label=[1, 1])
    picture = draw_targets([(4, 4, 9, 9)], height=20, width=20)
    assert refusal(f"{path},kind=torchvision", picture) == (
        f"{path}: gives outputs of different lengths: labels [2], boxes [1, 4], scores [1]"
    )


def test_a_file_that_gives_other_shapes_than_it_promises_is_refused(tmp_path):
    path = onnx_files.torchvision(tmp_path / "d.onnx", box_shape=(2, 2))
    picture = draw_targets([(4, 4, 9, 9)], height=20, width=20)
    assert refusal(f"{path},kind=torchvision", picture) == (
        f"{path}: gives 3570 float32[2, 2] where (any name) float32[?, 4] belongs"
    )


KINDS = "kind is one of yolox, rt-detr, rf-detr, torchvision, atss, as in detector.onnx,kind=yolox"


def test_a_detector_is_a_file_and_its_kind():
    assert parse_detector("a,b/d.onnx,kind=yolox") == DetectorText(path=Path("a,b/d.onnx"), kind="yolox")
    assert parse_detector("d.onnx,kind=rf-detr").score == DEFAULT_SCORE


def test_the_name_of_published_weights_stands_for_a_file_and_its_kind(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path))
    monkeypatch.setenv("SKYREID_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"^yolox-s is not in the cache, .*get https://github\.com/"):
        load_detector("yolox-s,score=0.3")
    with pytest.raises(WeightsError, match=r"^person-detection-0203 is not in the cache, .*get https://storage\.open"):
        load_detector("person-detection-0203")
    with pytest.raises(SettingError, match=r"^person-reid-0277 is of the kind 'encoder'"):
        load_detector("person-reid-0277")


def test_every_setting_may_be_given():
    assert parse_detector("d.onnx,person=0,score=0.25,size=416,tiles=640,kind=torchvision") == DetectorText(
        path=Path("d.onnx"), kind="torchvision", size=416, score=0.25, person=0, tiles=640
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("d.onnx", f"{KINDS}; got None"),
        ("d.onnx,kind=yolov8", f"{KINDS}; got yolov8"),
        (",kind=yolox", "a detector begins with its file, as in detector.onnx,kind=yolox"),
        ("d.onnx,kind=yolox,nms=1", "a detector has the keys kind, size, score, person, tiles; got 'nms'"),
        (
            "d.onnx,kind=yolox,tiles=8",
            "tiles is auto, none, or the side of a tile in pixels of the frame, 64 to 8192; got '8'",
        ),
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


def test_every_published_detector_is_of_a_kind_that_is_read():
    for name, weights in PUBLISHED.items():
        if weights.use == "detector":
            assert parse_detector(f"{weights.files[0].name},{weights.settings}").kind in FAMILIES, name
