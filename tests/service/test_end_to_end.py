"""From the first run to a benchmark that our own reader reads: the real server, store and browser, nobody's help."""

import io
import re
import zipfile
from dataclasses import replace

import numpy as np

from skyreid.cases.case import list_cases, open_case
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.work.importing import import_table
from skyreid.datasets import read_benchmark
from skyreid.datasets.data_hash import pictures_sha256
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.retrieval.embedding_table import save_table
from tests.building.motion import flights
from tests.building.motion.scenes import scene, walk
from tests.service.browsing import chromium
from tests.service.running import PASSWORD, Running


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
    page.set_default_timeout(60_000)
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


def test_from_the_first_run_to_a_dataset(tmp_path):
    cases = tmp_path / "cases"
    cases.mkdir()
    films = {"ground": seen_from_the_ground(tmp_path), "aerial": seen_from_the_air(tmp_path)}
    with Running(cases) as server, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(60_000)
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
        assert (len(ground), len(aerial)) == (3, 3)
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
    benchmark = read_benchmark("g2a-vreid", root)
    assert len({one.pid for one in benchmark.tracklets}) == 2
