import json

import pytest

from skyreid.building.annotations import FORMATS, read_annotations
from skyreid.errors import SourceError
from tests.building.annotations.drawn_boxes import video

BBOX = {"x": 10, "y": 10, "width": 20, "height": 40, "rotation": 0}
REGION = {"framesCount": 3, "labels": ["person"], "sequence": [{**BBOX, "frame": 3, "enabled": False}]}
SAME = {
    "mot": "3,1,11,11,20,40,1,1,-1",
    "mot-gt": "3,1,11,11,20,40,1,1,-1",
    "mot-results": "3 1 11 11 20 40 -1 -1 -1 0",
    "boxmot": "3,1,11,11,20,40,0.9,1,0",
    "cvat-mot": "3,1,11,11,20,40,1,2,0.0",
    "visdrone": "3,1,10,10,20,40,1,1,-1,-1",
    "cvat": '<annotations><track id="1" label="person"><box frame="2" outside="0" xtl="10" ytl="10" xbr="30" ybr="50"/>'
    "</track></annotations>",
    "coco-video": json.dumps(
        {
            "videos": [{"id": 1, "name": "film"}],
            "images": [{"id": 1, "video_id": 1, "frame_index": 2}],
            "annotations": [{"image_id": 1, "category_id": 1, "track_id": 1, "bbox": [10, 10, 20, 40]}],
            "categories": [{"id": 1, "name": "person"}],
        }
    ),
    "label-studio": json.dumps(
        [{"id": 1, "annotations": [{"result": [{"id": "a", "type": "videorectangle", "value": REGION}]}]}]
    ),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("is_named", [True, False])
def test_the_same_box_is_the_same_in_every_format(tmp_path, format, is_named):
    path = tmp_path / "annotations"
    path.write_text(SAME[format])
    if format == "cvat-mot":
        (tmp_path / "labels.txt").write_text("car\nperson\n")
    people = read_annotations(path, video(100, 100, name="film.mp4"), format=format if is_named else None)
    assert people.frames == {2: {1: (10, 10, 30, 50)}}
    assert people.visible == {}
    assert not people.dropped


def test_a_format_that_is_named_wins(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("1,1,1,1,5,5,1,1,0,0.5\n")
    with pytest.raises(SourceError, match=r"line 1: occlusion must be one of"):
        read_annotations(path, video(100, 100, name="film.mp4"), format="visdrone")


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(SourceError) as caught:
        read_annotations(tmp_path / "a", video(), format="coco")
    assert str(caught.value) == (
        f"{tmp_path / 'a'}: the format of annotations is one of mot, mot-gt, mot-results, boxmot, cvat-mot, visdrone, "
        "cvat, coco-video, label-studio; got 'coco'"
    )
