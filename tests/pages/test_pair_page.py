"""Two tracklets to decide about: what stands on the page, and how it lies on a desk and on a phone."""

import re
from dataclasses import replace

import pytest
from PIL import Image

from skyreid.building.scenes import SCENES, Scene
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import MissingFrameError
from skyreid.pages.pair_page import write_pair_page
from skyreid.retrieval.sighting import find_sighting
from tests.building.linking.folders import seen, write_folder
from tests.pages.report.browser import open_browser


@pytest.fixture
def pair(tmp_path):
    return tuple(write_folder(tmp_path, [seen("gate-a-0001"), seen("roof-a-0001")]))


def write(folder, pair, scenes=None, *, is_masked=True):
    manifest = read_manifest(folder / "manifest.jsonl")
    sightings = {one.tracklet_id: find_sighting(one, manifest, {"gate-a": folder / "a.mp4"}) for one in pair}
    path = folder / "link" / "pair.html"
    write_pair_page(path, pair, sightings, scenes or {}, folder=folder, is_masked=is_masked)
    return path


@pytest.fixture
def scenes(tmp_path):
    (tmp_path / SCENES).mkdir()
    Image.new("RGB", (640, 360), "green").save(tmp_path / SCENES / "a.jpg")
    return {"gate-a-0001": Scene(picture="a.jpg", width=640, height=360, box=(64.0, 36.0, 128.0, 180.0), time_s=1.5)}


def test_both_are_there_with_film_strip_camera_moment_and_the_notice(tmp_path, pair):
    page = write(tmp_path, pair).read_text()
    assert len(re.findall(r'src="data:image/jpeg;base64,', page)) == 4  # a film and a strip each
    for told in ("gate-a-0001", "roof-a-0001", '<span class="camera">gate</span>', "2026-05-04 09:00:00 UTC"):
        assert told in page
    assert re.search(r'<a href="file://[^"]*/a\.mp4#t=0\.00">a\.mp4 0:00\.0 to 0:02\.0</a>', page)
    assert "r.mp4 0:00.0 to 0:02.0" in page
    assert "Similarity of appearance only, not proof of identity." in page
    assert "Say where they are: <code>--videos FOLDER</code>" in page


def test_the_whole_frame_is_there_with_the_box_as_far_as_it_was_drawn(tmp_path, pair, scenes):
    page = write(tmp_path, pair, scenes).read_text()
    assert page.count('<figure class="scene">') == 1
    assert 'style="left:10.00%;top:10.00%;width:10.00%;height:40.00%"' in page
    assert "--videos" not in page


def test_what_was_not_masked_is_not_called_covered(tmp_path, pair):
    assert "Faces are covered" in write(tmp_path, pair).read_text()
    page = write(tmp_path, pair, is_masked=False).read_text()
    assert "Faces are covered" not in page and "without masks" in page


def test_a_tracklet_id_never_becomes_markup(tmp_path, pair):
    hostile = replace(pair[0], tracklet_id='"><script>')
    assert "<script" not in write(tmp_path, (hostile, pair[1])).read_text()


def test_a_missing_crop_is_named(tmp_path, pair):
    (tmp_path / "crops/roof-a-0001/0.png").unlink()
    with pytest.raises(MissingFrameError, match="tracklet roof-a-0001: frame"):
        write(tmp_path, pair)


def test_films_stand_side_by_side_on_a_desk_and_on_a_phone(tmp_path, pair, scenes):
    with open_browser(tmp_path / "profile") as browser:
        for width in (1280, 390):
            browser.open(write(tmp_path, pair, scenes), width=width)
            first, second = browser.evaluate(
                "[...document.querySelectorAll('.film')].map((one) => one.getBoundingClientRect().top)"
            )
            assert first == second
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.complaints == []
