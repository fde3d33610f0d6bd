from dataclasses import replace
from pathlib import Path

import pytest

from skyreid.building.finder import find_tracked, finder_in_words, finder_of, read_annotated
from skyreid.building.sources import Source
from skyreid.building.video.decode import DEFAULT_LIMITS, probe
from skyreid.errors import SourceError
from skyreid.processes.progress import silent
from skyreid.tracklet import Platform
from tests.building.films import noise, smooth, write_film


def source(platform, *, path="a.mp4", annotations=None):
    return Source(path=Path(path), platform=platform, camera="C1", annotations=annotations)


@pytest.mark.parametrize(
    ("asked", "finder", "words"),
    [
        (source(Platform.GROUND), "static-camera", "motion before a camera that stands still"),
        (source(Platform.AERIAL), "moving-camera", "motion before a camera that moves"),
    ],
)
def test_without_annotations_the_platform_decides(asked, finder, words):
    joined = ", pieces of tracks joined by place and colour"
    assert finder_of(asked, None, None) == finder + joined
    assert finder_in_words(finder + joined) == words + joined


def test_a_detector_is_told_by_its_fingerprint():
    assert finder_in_words("yolox 00ff") == "detector yolox 00ff"


def test_annotations_are_read_where_there_are_some(tmp_path):
    film = write_film(tmp_path / "a.mov", smooth(2))
    (tmp_path / "gt.txt").write_text("1,4,1,1,10,20,1,1,0.5")
    tracked = read_annotated(source(Platform.GROUND, path=film, annotations=tmp_path / "gt.txt"), probe(film))
    assert tracked.frames == {0: {4: (0.0, 0.0, 10.0, 20.0)}}
    assert tracked.visible == {0: {4: 0.5}}
    finder = finder_of(source(Platform.GROUND, path=film), None, tracked)
    assert finder == "annotations: MOTChallenge ground truth (flag, class 1, visibility); identities per-video"
    assert finder_in_words(finder) == "annotations"
    assert read_annotated(source(Platform.GROUND, path=film), probe(film)) is None


@pytest.mark.parametrize(
    ("said", "is_person", "because"),
    [
        ({}, False, "MOT files number the people of one video"),
        ({"identities": "shared"}, True, "the source says so"),
        ({"is_simulated": True}, True, "a simulated world numbers its people"),
        ({"is_simulated": True, "identities": "per-video"}, False, "the source says so"),
    ],
)
def test_numbers_are_people_only_where_somebody_says_so(tmp_path, said, is_person, because):
    """Kind B2: numbers have a scope."""
    film = write_film(tmp_path / "a.mov", smooth(2))
    (tmp_path / "gt.txt").write_text("1,4,1,1,10,20,1,1,0.5")
    asked = Source(path=film, platform=Platform.GROUND, camera="C1", annotations=tmp_path / "gt.txt", **said)
    tracked = read_annotated(asked, probe(film))
    assert (tracked.identified, tracked.identities_because) == (is_person, because)


def test_the_name_that_annotations_have_for_a_video_can_be_told(tmp_path):
    """Kind B1: annotations of another video."""
    film = write_film(tmp_path / "a.mov", smooth(2))
    (tmp_path / "a.xml").write_text(
        '<annotations><meta><task><source>drone.mp4</source></task></meta><track id="1" label="person">'
        '<box frame="1" outside="0" xtl="1" ytl="1" xbr="20" ybr="40"/></track></annotations>'
    )
    asked = source(Platform.GROUND, path=film, annotations=tmp_path / "a.xml")
    with pytest.raises(
        SourceError, match=r"is about 'drone\.mp4', but the video is 'a\.mov'.*annotations_of=drone\.mp4"
    ):
        read_annotated(asked, probe(film))
    tracked = read_annotated(replace(asked, annotations_of="drone.mp4"), probe(film))
    assert tracked.frames == {1: {1: (1, 1, 20, 40)}}


@pytest.mark.parametrize("platform", Platform)
def test_where_nothing_moves_nobody_is_found(tmp_path, platform):
    film = write_film(tmp_path / "a.mov", [noise(1, height=120, width=160)[0]] * 20)
    asked = source(platform, path=film)
    tracked = find_tracked(asked, probe(film), None, interval_s=0.5, limits=DEFAULT_LIMITS, progress=silent)
    assert not any(tracked.frames.values())
