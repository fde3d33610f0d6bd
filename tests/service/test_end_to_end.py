"""From the first run to a benchmark that our own reader reads: the real server, store and browser, nobody's help."""

import io
import re
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice

import numpy as np
import pytest

from skyreid.building.video.decode import frames
from skyreid.cases.case import list_cases, open_case
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.work.importing import import_table
from skyreid.datasets import read_benchmark
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.retrieval.embedding_table import save_table
from skyreid.simulation.scene_truth import HEIGHT, WIDTH
from skyreid.simulation.world import encode_video
from skyreid.tracklet import Platform
from tests.building.motion import flights
from tests.building.motion.scenes import scene, walk
from tests.service.browsing import chromium
from tests.service.running import PASSWORD, Running

PATIENCE_MS = 300_000
"""For a page, on a machine that does much else."""


def seen_from_the_ground(folder):
    """Three people walk by, one after the other."""
    walks = {who: (walk(-210 - 405 * who, 9), shade) for who, shade in enumerate((10, 90, 235))}
    return scene(folder, 160, walks)[0]


def seen_from_the_air(folder):
    """Three people below a drone at once."""
    walks = {1: flights.walking(-6, -3, 20), 2: flights.walking(5, 4, 200), 3: flights.walking(0, 0, 90)}
    return flights.flight(folder, 32, flights.hovering, walks)[0]


def log_in(browser, server, name):
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(server.url + "/login")
    for text in (name, PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".cases")
    return page


def add_footage(page, home, film, platform):
    page.goto(f"{home}/footage")
    page.set_input_files("[name=file]", str(film))
    page.click("text=Upload")
    page.select_option("[name=platform]", platform)
    page.fill("[name=start]", "2026-05-04T09:00:00")
    page.fill("[name=zone]", "UTC")
    page.fill("[name=purpose]", "a test")
    page.click("button.main")
    page.wait_for_selector(f".job:has-text('{film.name}') progress, .job:has-text('{film.name}') .chip")


def embed_case(folder, path):
    """What `skyreid embed` does where there is a model."""
    with open_case(folder) as case:
        tracklets = [one.tracklet for one in read_tracklets(case)]
        pictures = np.array([pictures_sha256(one) for one in tracklets], dtype="S64")
        save_table(path, replace(embed_colours(tracklets), model="colours", pictures=pictures))
        import_table(case, path, by="boss")


def decide(page, home, number, steps):
    """Search the other platform for somebody and decide by keys: (candidate, key, what it becomes)."""
    page.goto(f"{home}/tracklets/{number}")
    page.keyboard.press("f")
    page.wait_for_selector(".candidates")
    for candidate, key, state in steps:
        wanted = page.locator(f".candidate[data-number='{candidate}']")
        for _ in range(page.locator(".candidate").count()):
            page.keyboard.press("k")
        for _ in range(page.locator(".candidate").count()):
            if "current" in wanted.get_attribute("class"):
                break
            page.keyboard.press("j")
        page.keyboard.press(key)
        page.wait_for_selector(f".candidate[data-number='{candidate}'].{state}")


def from_the_first_run_to_a_dataset(tmp_path, films, *, embed=True, num_seen=None):
    """All of it, with a film of each platform; gives the benchmark that came out.

    Args:
        tmp_path: new.
        films: by platform.
        embed: whether no model told people apart while the films were worked on.
        num_seen: how many people each film must show; None = two from the ground and three from the air at least.
    """
    cases = tmp_path / "cases"
    cases.mkdir()
    with Running(cases) as server, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(server.url)
        for text in (server.read_token(), "boss", PASSWORD, PASSWORD):
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.click("text=New case")
        page.fill("[name=name]", "Square")
        page.click("button.main")
        page.wait_for_url(re.compile(r"/c/[0-9a-f]{32}/"))
        home = re.match(r".*/c/[0-9a-f]{32}", page.url)[0]
        for platform, film in films.items():
            add_footage(page, home, film, platform)
        page.goto(f"{home}/jobs")
        for film in films.values():
            page.wait_for_selector(f".job:has-text('{film.name}') .chip.done")
        (folder,) = list_cases(cases)
        if embed:
            embed_case(folder, tmp_path / "table.npz")

        boss = server.log_in("boss")
        api = home.replace("/c/", "/api/c/")
        made = boss.post("/api/admin/users", json={"name": "anna", "password": PASSWORD})
        assert made.status_code == 201, made.text
        role = {"name": "anna", "case": home[-32:], "role": "annotator"}
        assert boss.post("/api/admin/roles", json=role).status_code < 300
        page.goto(f"{home}/agreement")
        page.click("text=Switch four eyes on")

        found = boss.get(f"{api}/tracklets").json()["tracklets"]
        ground, aerial = ([one["number"] for one in found if one["platform"] == side] for side in ("ground", "aerial"))
        told = len(ground), len(aerial)
        assert told == num_seen if num_seen else told[0] >= 2 and told[1] >= 3, told
        decide(page, home, ground[0], [(aerial[0], "y", "waiting"), (aerial[1], "n", "rejected")])
        last = [(aerial[2], "y", "waiting"), (aerial[2], "u", "open")]
        decide(page, home, ground[1], [(aerial[1], "y", "waiting"), *last])
        asked = {"format": "g2a"}
        early = boss.post(f"{api}/exports", json=asked)  # a second person is to confirm first
        assert early.status_code == 404 and "both" in early.json()["error"], early.text
        other = log_in(browser, server, "anna")
        for first, second in zip(ground[:2], aerial[:2], strict=True):
            decide(other, home, first, [(second, "y", "confirmed")])

        page.goto(f"{home}/timeline")
        assert page.locator(".seen:not(.key):not(.open)").count() == 4
        answer = boss.post(f"{api}/exports", json=asked)
        assert answer.status_code == 200, answer.text
        boss.close()
        assert faults == []
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "out")
    root = tmp_path / "out" / "skyreid-g2a"
    return read_benchmark("g2a-vreid", root)


def test_from_the_first_run_to_a_dataset(tmp_path):
    films = {"ground": seen_from_the_ground(tmp_path), "aerial": seen_from_the_air(tmp_path)}
    benchmark = from_the_first_run_to_a_dataset(tmp_path, films, num_seen=(3, 3))
    assert len({one.pid for one in benchmark.tracklets}) == 2


@pytest.mark.footage
@pytest.mark.models
@pytest.mark.slow  # a detector looks at real footage
def test_from_the_first_run_to_a_dataset_of_real_people(tmp_path, footage_dir, models_dir, monkeypatch):
    """Two people who walk towards a camera, and players below a drone: they are not the same, whoever says so."""
    monkeypatch.setenv("SKYREID_CACHE", str(known_weights(models_dir, tmp_path / "cache")))
    drone = footage_dir / "aerial_topview/soccer_topview_drone.mp4"
    films = {"ground": footage_dir / "gif_intel/face-demographics-walking.gif", "aerial": tmp_path / "drone.mp4"}
    films["aerial"].write_bytes(encode_video(part_of(drone), 5))
    benchmark = from_the_first_run_to_a_dataset(tmp_path, films, embed=find_spec("openvino") is None)
    assert len({one.pid for one in benchmark.tracklets}) == 2
    assert {one.platform for one in benchmark.tracklets} == set(Platform)


def known_weights(models_dir, cache):
    """A cache with the weights that can be used here: those for people need OpenVINO."""
    cache.mkdir()
    for kept in ("yolox_nano.onnx", *(("intel",) if find_spec("openvino") else ())):
        (cache / kept).symlink_to(models_dir / kept)
    return cache


def part_of(film):
    """The middle of every frame of the first three seconds, at five a second, as the size of the simulated videos."""
    for frame in islice(frames(film, interval_s=0.2), 15):
        top, left = (frame.pixels.shape[0] - HEIGHT) // 2, (frame.pixels.shape[1] - WIDTH) // 2
        yield frame.pixels[top : top + HEIGHT, left : left + WIDTH]
