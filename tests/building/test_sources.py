from pathlib import Path

import pytest

from skyreid.building.sources import Source, check_together, parse_source
from skyreid.errors import SourceError
from skyreid.tracklet import Platform

GROUND, AERIAL = Platform.GROUND, Platform.AERIAL


def source(path="a.mp4", *, platform=GROUND, camera="C1", annotations=None):
    return Source(path=Path(path), platform=platform, camera=camera, annotations=annotations)


def test_a_source_is_read_from_one_word():
    assert parse_source("in/a.mp4,platform=aerial,camera=drone 1,annotations=gt.txt") == source(
        "in/a.mp4", platform=AERIAL, camera="drone 1", annotations=Path("gt.txt")
    )
    assert parse_source("a,b.mp4,camera=C1,platform=ground") == source("a,b.mp4")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a.mp4,platform=ground,camera=C1,fps=3", "a source has the keys platform, camera, annotations; got 'fps'"),
        ("a.mp4,camera=C1", "platform is missing, as in a.mp4,platform=ground,camera=C1"),
        ("a.mp4,platform=ground", "camera is missing, as in a.mp4,platform=ground,camera=C1"),
        ("a.mp4,platform=sea,camera=C1", "platform is ground or aerial; got 'sea'"),
        ("a.mp4,platform=ground,camera=", "camera is empty"),
        ("a.mp4,camera=a,camera=b,platform=ground", "camera stands twice"),
        (
            ",platform=ground,camera=C1",
            "a source begins with its file, as in video.mp4,platform=ground,camera=C1",
        ),
    ],
)
def test_what_cannot_be_a_source_is_refused(text, complaint):
    with pytest.raises(SourceError) as caught:
        parse_source(text)
    assert str(caught.value) == f"{text!r}: {complaint}"


@pytest.mark.parametrize(
    ("camera", "file", "name"),
    [
        ("C1", "in/entrance.mp4", "C1-entrance"),
        ("gate 2/left", "a b;c.mp4", "gate_2_left-a_b_c"),
        ("入口", "…mp4", "入口-_mp4"),
        ("..", ".mp4", "_-mp4"),
        ("x" * 300, "y" * 300 + ".mp4", "x" * 40 + "-" + "y" * 40),
    ],
)
def test_a_name_fits_every_file_system(camera, file, name):
    assert source(file, camera=camera).name == name


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ([], "a build needs at least one source"),
        (
            [source("1/A.mp4"), source("2/a.mp4")],
            "2/a.mp4 and 1/A.mp4: videos of one camera must differ in their file names, which name their tracklets; "
            "both give 'C1-a'",
        ),
        (
            [source("a.mp4", annotations=Path("x")), source("b.mp4", platform=AERIAL, annotations=Path("y"))],
            "b.mp4: camera 'C1' cannot be on the ground and in the air",
        ),
        (
            [source(platform=AERIAL)],
            "a.mp4: without annotations people are found by motion, which an aerial camera hides; bring boxes in "
            "MOTChallenge format (annotations=FILE), such as a tracker of your own writes",
        ),
    ],
)
def test_sources_that_do_not_go_together_are_refused(sources, complaint):
    with pytest.raises(SourceError) as caught:
        check_together(sources)
    assert str(caught.value) == complaint


def test_a_camera_may_have_several_videos_and_a_video_may_be_of_several_cameras():
    check_together([source("a.mp4"), source("b.mp4"), source("a.mp4", camera="C2")])
