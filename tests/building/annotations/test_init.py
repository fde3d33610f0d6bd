import json

import pytest

from skyreid.building.annotations import FORMATS, detect_format, read_annotations
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


def detect(tmp_path, content):
    (tmp_path / "a").write_bytes(content if isinstance(content, bytes) else content.encode())
    return detect_format(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "format"),
    [
        ("1,1,1,1,5,5,1,1,1\n", "mot"),
        ("\n1,1,1,1,5,5,1,1,1\n", "mot"),
        ("1,1,1,1,5,5,0.5,-1,-1,-1\n2,1,1,1,5,5,0.5,-1,-1,-1.0\n", "mot"),
        ("1,0,0,0,5,5,1,4,0,0\n1,1,0,0,5,5,1,1,1,2\n", "visdrone"),
        ("1,1,0,0,5,5,0.7,4,-1,-1\n", "visdrone"),
        ("1,0,0,0,5,5,0,0,0,0\n1,1,0,0,5,5,1,1,0,0\n", "visdrone"),
        ("1,1,1,1,5,5,-1,-1,-1,0\n", "mot"),  # StrongSORT's scripts
        ("1 1 1 1 5 5 -1 -1 -1 0 \n", "mot"),
        ("1;1;1;1;5;5;1;-1;-1;-1;\n", "mot"),
        ("1,1,1,1,5,5,1,-6.3,-2.1,0\n", "mot"),  # MOT15 in the world
        ('<?xml version="1.0"?><annotations/>', "cvat"),
        (b"\xef\xbb\xbf<annotations/>", "cvat"),
        ('\n {"videos": []}', "coco-video"),
        ("[]", "label-studio"),
        ('{"id": 3, "data": {"video": "gate.mp4"}, "annotations": []}', "label-studio"),  # one task alone
        ("1,1,1,1,5,5,1,1,1\r\n".encode("utf-16"), "mot"),
        ("\ufeff<annotations/>".encode("utf-16-be"), "cvat"),
        ('[{"id": 3}]'.encode("utf-16"), "label-studio"),
    ],
)
def test_a_format_is_told_by_its_content(tmp_path, content, format):
    assert detect(tmp_path, content) == format


BOTH = (
    ": 10 columns are of MOTChallenge if they end in -1,-1,-1 or in a place in the world, and of VisDrone if they end "
    "in category, truncation and occlusion; these could be of either or neither. If you know, name the format: mot "
    "(the last three columns are not used) or visdrone"
)
NONE = (
    ", line 1: annotations are MOTChallenge or VisDrone tables (9 or 10 columns), CVAT's XML, or JSON of COCO-video or "
    "Label Studio; got {} columns"
)
OWN_WORD = ". If they begin with frame,id,left,top,width,height in pixels, and are of people only: format=mot-results"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", ": must hold annotations; it is empty"),
        ("1,1,1,1,5,5,1\n", NONE.format(7) + OWN_WORD),
        ("0 0.5 0.5 0.1 0.1\n", NONE.format(5)),  # YOLO's
        (b"PK\x03\x04", ": is a ZIP archive; unpack it and name the annotations in it"),
        (
            b"1,\xff",
            ": annotations must be text in UTF-8 or UTF-16; 'utf-8' codec can't decode byte 0xff in position 2: "
            "invalid start byte. Save it as UTF-8",
        ),
        # VisDrone-DET, where some lines end in a comma
        *(
            (
                f"684,8,273,116,0,0,0,0{comma}\n",
                ", line 1: 8 columns are VisDrone-DET's, which tell neither frame nor identity; bring tracks, such as "
                "VisDrone-MOT's 10 columns or those of a tracker",
            )
            for comma in ("", ",")
        ),
        ("1,1,1,1,5,5,1,0,0,0\n", BOTH),  # ignored regions, or no place
        ("1,1,1,1,5,5,0.9,0,-1,-1\n", BOTH),  # COCO's person, or an ignored region with a confidence
        ("1,1,1,1,5,5,1,40,20,7\n", BOTH),
        ("1,1,1,1,5,5,1,4,0,0\n2,1,1,1,5,5,1,4,0.5,0\n", BOTH),
        ("1,1,1,1,5,5,1,4,0,0\n2,1,1,1,5,5,1,-1,-1,-1\n", BOTH),
    ],
)
def test_what_could_be_two_formats_or_none_is_refused_with_a_remedy(tmp_path, content, complaint):
    with pytest.raises(SourceError) as caught:
        detect(tmp_path, content)
    assert str(caught.value) == f"{tmp_path / 'a'}{complaint}"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match="none: annotations cannot be read: No such file"):
        detect_format(tmp_path / "none")


@pytest.mark.parametrize("header", ["frame,id,bb_left,bb_top,bb_width,bb_height,conf,x,y,z", "# frame id", '"1","2"'])
def test_a_line_that_names_the_columns_is_told_from_rows(tmp_path, header):
    """Kind B3."""
    with pytest.raises(SourceError, match=r"line 1: must hold numbers only; got .* A line that names the columns"):
        detect(tmp_path, f"{header}\n1,1,1,1,5,5,0.5,-1,-1,-1\n")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"\x89PNG\r\n", "a picture"),
        ('{"format": "skyreid calibration 1", "calibration": {}}', "a calibration"),
        ("<!DOCTYPE html><html></html>", "a web page"),
    ],
)
def test_what_is_known_to_be_something_else_is_called_by_its_name(tmp_path, content, found):
    with pytest.raises(SourceError, match=rf"must be annotations \(docs/annotations\.md lists .*\); it is {found}: "):
        detect(tmp_path, content)
