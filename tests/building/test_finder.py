from pathlib import Path

import pytest

from skyreid.building.decode import DEFAULT_LIMITS, probe
from skyreid.building.finder import find_tracked, finder_in_words, finder_of, read_annotated
from skyreid.building.sources import Source
from skyreid.progress import silent
from skyreid.tracklet import Platform
from tests.building.films import noise, smooth, write_film


def source(platform, *, path="a.mp4", annotations=None):
    return Source(path=Path(path), platform=platform, camera="C1", annotations=annotations)


@pytest.mark.parametrize(
    ("asked", "finder", "words"),
    [
        (source(Platform.AERIAL, annotations=Path("gt.txt")), "annotations", "annotations"),
        (source(Platform.GROUND), "static-camera", "motion before a camera that stands still"),
        (source(Platform.AERIAL), "moving-camera", "motion before a camera that moves"),
    ],
)
def test_annotations_come_first_and_then_what_the_platform_does(asked, finder, words):
    assert finder_of(asked, None) == finder
    assert finder_in_words(finder) == words


def test_a_detector_is_told_by_its_fingerprint():
    assert finder_in_words("yolox 00ff") == "detector yolox 00ff"


def test_annotations_are_read_where_there_are_some(tmp_path):
    film = write_film(tmp_path / "a.mov", smooth(2))
    (tmp_path / "gt.txt").write_text("1,4,1,1,10,20,1,1,0.5")
    tracked = read_annotated(source(Platform.GROUND, path=film, annotations=tmp_path / "gt.txt"), probe(film))
    assert tracked.frames == {0: {4: (0.0, 0.0, 10.0, 20.0)}}
    assert tracked.visible == {0: {4: 0.5}}
    assert read_annotated(source(Platform.GROUND, path=film), probe(film)) is None


@pytest.mark.parametrize("platform", Platform)
def test_where_nothing_moves_nobody_is_found(tmp_path, platform):
    film = write_film(tmp_path / "a.mov", [noise(1, height=120, width=160)[0]] * 20)
    asked = source(platform, path=film)
    tracked = find_tracked(asked, probe(film), None, interval_s=0.5, limits=DEFAULT_LIMITS, progress=silent)
    assert not any(tracked.frames.values())
