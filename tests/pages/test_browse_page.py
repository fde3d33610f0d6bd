"""Everybody on one page: what stands on it, and what a person can do with it in a real browser."""

import re
from dataclasses import replace

import pytest
from PIL import Image

from skyreid.building.scenes import SCENES, Scene
from skyreid.datasets.manifest import Manifest
from skyreid.pages.browse_page import _timeline, write_browse_page
from skyreid.retrieval.everybody import Everybody, Resembling
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Platform
from tests.pages.report.browser import open_browser

HOSTILE = """"><script>window.pwn=1</script>'"""
NAMES = ("gate-1", "gate-2", "gate-3", HOSTILE)
SHOWN = "[...document.querySelectorAll('.person')].filter((one) => !one.hidden).map((one) => one.dataset.id)"


@pytest.fixture
def page(tmp_path, paint_tracklet):
    """Two sightings at the gate and one more that is nearly the first, one from the roof."""
    aerial = Platform.AERIAL
    tracklets = tuple(paint_tracklet(name, platform=aerial if name == HOSTILE else Platform.GROUND) for name in NAMES)
    times = ((0.0, 4.0), (3.0, 5.0), (6.0, 7.0), (1.0, 2.0))
    cameras = ("gate", "gate", "gate", "roof")
    sightings = tuple(
        Sighting(camera=camera, file=f"{camera}.mp4", offset_s=time)
        for camera, time in zip(cameras, times, strict=True)
    )
    everybody = Everybody(
        manifest=Manifest(tracklets=tracklets, sha256="0" * 64, info={}),
        tracklets=tracklets,
        sightings=sightings,
        videos={},
        resembling=(
            (Resembling(3, 0.75),),
            (Resembling(3, 0.25),),
            (Resembling(3, 0.5),),
            (Resembling(0, 0.75), Resembling(2, 0.5), Resembling(1, 0.25)),
        ),
        stands_for=(0, 1, 0, 3),
        seen_unmasked=False,
    )
    (tmp_path / SCENES).mkdir()
    Image.new("RGB", (640, 360), "green").save(tmp_path / SCENES / "a.jpg")
    scene = Scene(picture="a.jpg", width=640, height=360, box=(64.0, 36.0, 128.0, 180.0), time_s=1.5)
    path = tmp_path / "browse.html"
    write_browse_page(
        path,
        everybody,
        {"gate-1": scene},
        folder=tmp_path,
        title="built",
        remarks=["Told <first>."],
        by_video=["gate.mp4: nothing."],
    )
    return path


def test_time_begins_with_the_video_and_short_sightings_have_tenths_of_a_second(paint_tracklet):
    seen = [Sighting(camera="gate", file="gate.mp4", offset_s=(100.0, 100.5))]
    timeline = _timeline([paint_tracklet("gate-1", platform=Platform.GROUND)], seen, [0])
    assert timeline["ticks"][0] == ("0.00%", "0:00.0")
    assert timeline["lanes"][0][2][0]["place"].startswith("left:99.50%")


def test_everybody_stands_on_the_page_once_and_nobody_becomes_markup(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'data-id="([^"]*)"', text)[:2] == ["gate-1", "gate-2"]
    assert text.count('class="person"') == 3
    assert "<script>window" not in text
    assert "Told &lt;first&gt;." in text
    assert (
        text.index("<details><summary>What was left out") < text.index("gate.mp4: nothing.") < text.index("</details>")
    )
    assert re.search(r"<span>1\.0 s", text)
    assert "4 sightings by 2 cameras, 1 of them nearly the same as another and shown with it." in text
    assert "left:10.00%;top:10.00%;width:10.00%;height:40.00%" in text


def test_a_build_without_masks_is_nowhere_called_covered(tmp_path, paint_tracklet):
    tracklets = (paint_tracklet("gate-1"), paint_tracklet("roof-1", platform=Platform.AERIAL))
    everybody = Everybody(
        manifest=Manifest(tracklets=tracklets, sha256="0" * 64, info={"faces_masked": False}),
        tracklets=tracklets,
        sightings=(Sighting(camera="gate"), Sighting(camera="roof")),
        videos={},
        resembling=((Resembling(1, 0.5),), (Resembling(0, 0.5),)),
        stands_for=(0, 1),
        seen_unmasked=True,
    )
    write_browse_page(tmp_path / "browse.html", everybody, {}, folder=tmp_path, title="built")
    text = (tmp_path / "browse.html").read_text(encoding="utf-8")
    assert "Compared by the pictures as they are here." in text
    assert "Faces are <strong>not</strong> covered" in text
    assert "faces covered" not in text
    assert "faces were covered" not in text


def test_overlapping_sightings_stand_below_each_other_on_the_timeline_also_those_shown_with_another(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'data-row="(\d)" style="left:([\d.]+)%;width:([\d.]+)%;--row:(\d)"', text) == [
        ("0", "0.00", "57.14", "0"),
        ("1", "42.86", "28.57", "1"),
        ("0", "85.71", "14.29", "0"),
        ("3", "14.29", "14.29", "0"),
    ]


def test_who_is_placed_stands_on_a_map_to_scale(tmp_path, paint_tracklet):
    """A degree of latitude is 111.2 km; of longitude half of that at 60 degrees north."""
    places = {"south-west": (60.0, 10.0), "north": (60.0009, 10.0), "east": (60.0, 10.0018), "nowhere": None}
    tracklets = []
    for name, place in places.items():
        known = {} if place is None else {"latitude": place[0], "longitude": place[1], "position error, m": 5.0}
        tracklets.append(replace(paint_tracklet(name), attributes=known))
    everybody = Everybody(
        manifest=Manifest(tracklets=tuple(tracklets), sha256="0" * 64, info={}),
        tracklets=tuple(tracklets),
        sightings=tuple(Sighting(camera="gate") for _ in tracklets),
        videos={},
        resembling=None,
        stands_for=(0, 1, 2, 3),
        seen_unmasked=False,
    )
    write_browse_page(tmp_path / "browse.html", everybody, {}, folder=tmp_path, title="built")
    text = (tmp_path / "browse.html").read_text(encoding="utf-8")
    spots = re.findall(r'class="spot ground" cx="([\d.]+)" cy="([\d.]+)"', text)
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, spot)) for spot in spots]
    assert (x1 - x0, y2 - y0) == (0, 0)
    assert x2 - x0 == pytest.approx(y0 - y1, rel=0.01)
    assert "(1 without a position)" in text
    bar, metres = re.search(r'v6h(\d+)v-6"></path><text[^>]*>(\d+) m', text).groups()
    assert int(bar) / int(metres) == pytest.approx((y0 - y1) / 100.1, rel=0.02)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_the_screen_and_is_silent(browser, page, width, dark):
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(page, width=width, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.evaluate("document.querySelector('.card').click()")
    assert browser.evaluate("document.querySelector('dialog').scrollWidth") <= width
    assert browser.complaints == []
    assert [address for address in browser.requests if not address.startswith("data:")] == [page.as_uri()]


def test_a_click_shows_who_resembles_somebody_and_a_click_there_goes_on(browser, page):
    browser.open(page, width=1280)
    browser.evaluate("document.querySelector('.card').click()")
    assert browser.evaluate("document.querySelector('dialog').open")
    assert browser.evaluate("document.querySelectorAll('.alike .card').length") == 1
    assert "similarity 0.750" in browser.evaluate("document.querySelector('.alike').textContent")
    assert browser.evaluate("document.querySelector('.one .scene .box').style.left") == "10%"
    browser.evaluate("document.querySelector('.alike .card').click()")
    # Two of the gate's three sightings are one person, who is listed once, by the better similarity.
    assert browser.evaluate("[...document.querySelectorAll('.likeness')].map((one) => one.textContent)") == [
        "similarity 0.750",
        "similarity 0.250",
    ]


def test_sightings_are_filtered_and_ordered_as_asked(browser, page):
    browser.open(page, width=1280)
    assert browser.evaluate(SHOWN) == ["gate-1", "gate-2", HOSTILE]
    choose = "(name, value) => { const one = document.querySelector(name); one.value = value;"
    choose += " one.dispatchEvent(new Event(one.tagName === 'INPUT' ? 'input' : 'change')); }"
    browser.evaluate(f"({choose})('[data-filter=platform]', 'aerial')")
    assert browser.evaluate(SHOWN) == [HOSTILE]
    assert browser.evaluate("document.querySelector('.count').textContent") == "1 of 3 shown"
    browser.evaluate(f"({choose})('[data-filter=platform]', '')")
    browser.evaluate(f"({choose})('input', 'GATE.mp4')")
    assert browser.evaluate(SHOWN) == ["gate-1", "gate-2"]
    browser.evaluate(f"({choose})('input', 'nobody')")
    assert not browser.evaluate("document.querySelector('.nobody').hidden")
    browser.evaluate(f"({choose})('input', '')")
    browser.evaluate(f"({choose})('.order', '-seconds')")
    assert browser.evaluate(SHOWN) == ["gate-1", "gate-2", HOSTILE]
    browser.evaluate(f"({choose})('.order', 'begins')")
    assert browser.evaluate(SHOWN) == ["gate-1", HOSTILE, "gate-2"]


def test_the_arrows_step_from_one_to_the_next_and_the_address_names_who_is_open(browser, page):
    browser.open(page, width=1280)
    browser.evaluate("document.querySelector('.card').click()")
    browser.press("ArrowRight")
    assert browser.evaluate("location.hash") == "#1"
    browser.evaluate(
        "new Promise((done) => { const dialog = document.querySelector('dialog');"
        " dialog.addEventListener('close', () => setTimeout(done)); dialog.close(); })"
    )
    assert browser.evaluate("location.hash") == ""
