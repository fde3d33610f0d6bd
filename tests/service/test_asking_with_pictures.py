"""Asking with a picture that is sent, with somebody in a frame of a source, and with words."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from skyreid.cases.audit import read_audit
from skyreid.cases.case import create_case, open_case
from skyreid.cases.people import Role
from skyreid.cases.people_database import open_people
from skyreid.cases.work.importing import import_build
from skyreid.checkpoint import weights_sha256
from skyreid.cli import main
from skyreid.extraction.loading import load
from skyreid.files.regular_file import file_sha256
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from tests.building.films import write_film
from tests.building.linking.folders import INFO
from tests.cases.builds import PEOPLE, write_build
from tests.extraction.test_asking import BLUE, RED, person
from tests.service.browsing import chromium, own_context
from tests.service.running import PASSWORD, Running

HERE = (40, 30)
"""Left and top of the person in the film, who is 32 x 64 pixels."""

ON_SCREEN = """points => points.map(([x, y]) => {
    const there = new DOMPoint(x, y).matrixTransform(document.querySelector("svg.whole").getScreenCTM());
    return [there.x, there.y];
})"""


def in_scene(upper):
    scene = np.full((120, 160, 3), 120, np.uint8)
    scene[HERE[1] : HERE[1] + 64, HERE[0] : HERE[0] + 32] = person(upper)
    return scene


def as_file(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A server that knows the weights of its case: three people in red at the gate, three in blue on the roof."""
    root = tmp_path_factory.mktemp("asked")
    colours = [RED] * 3 + [BLUE] * 3
    embeddings = load(TINY_TOWERS).embed_tracklets([[person(colour)] for colour in colours]).numpy()
    write_film(root / "a.mp4", [in_scene(RED)] * 10)
    hashes = {"gate-a": file_sha256(root / "a.mp4")}
    sources = [{**one, "video_sha256": hashes.get(one["name"], "0" * 64)} for one in INFO["sources"]]
    write_build(root / "built", embeddings=embeddings, model=weights_sha256(TINY_TOWERS), sources=sources)
    folder = root / "cases"
    folder.mkdir()
    with create_case(folder / "square", by="anna") as case:
        import_build(case, root / "built", by="anna", purpose="a test")
        case_id = case.facts().case_id
    with pytest.MonkeyPatch.context() as here:
        here.setenv("SKYREID_CACHE", str(root / "cache"))  # no detector of people in it
        server = Running(folder, "--model", TINY_TOWERS)
    with server:
        people = open_people(folder)
        people.add_first(server.read_token(), "boss", PASSWORD)
        people.add("viewer", PASSWORD, by="boss")
        people.set_role("viewer", case_id, Role.VIEWER, by="boss")
        people.close()
        browsers = {name: server.log_in(name) for name in ("boss", "viewer")}
        yield SimpleNamespace(
            server=server, root=root, folder=folder, home=f"/c/{case_id}", api=f"/api/c/{case_id}", **browsers
        )
        for browser in browsers.values():
            browser.close()


def send(asked, content, name="who.png", by="viewer", **form):
    return getattr(asked, by).post(f"{asked.api}/pictures", files={"picture": (name, content)}, data=form)


def first_camera(told):
    return told["candidates"][0]["camera"]


def test_somebody_in_a_picture_is_found_and_the_picture_is_nobody_elses(asked):
    sent = send(asked, as_file(person(BLUE)), filmed_from="ground")
    assert sent.status_code == 201, sent.text
    token = sent.json()["picture"]
    found = asked.viewer.get(f"{asked.api}/search", params={"picture": token})
    assert first_camera(found.json()) == "roof" and found.json()["num_searched"] == 3  # the other platform
    assert found.json()["asked"][0]["words"] == "who.png"
    assert asked.boss.get(f"{asked.api}/search", params={"picture": token}).status_code == 404
    with open_case(asked.folder / "square") as case, case.database.reading() as connection:
        acts = [(row.who, row.action, row.subject) for row in read_audit(connection)]
    assert ("viewer", "picture sent", "who.png") in acts and ("viewer", "search", "who.png") in acts
    assert asked.viewer.delete(f"{asked.api}/picture", params={"picture": token}).status_code == 200
    gone = asked.viewer.get(f"{asked.api}/search", params={"picture": token})
    assert gone.status_code == 404 and "send it again" in gone.json()["error"]


def test_a_box_says_who_is_meant_and_the_page_asks_without_a_script(asked):
    scene = np.concatenate([in_scene(RED), in_scene(BLUE)], axis=1)
    form = {"csrf": asked.viewer.headers["x-csrf-token"], "filmed_from": "unknown"}
    answer = asked.viewer.post(f"{asked.home}/pictures", files={"picture": ("two.png", as_file(scene))}, data=form)
    assert answer.status_code == 303
    page = asked.viewer.get(answer.headers["location"])
    assert page.status_code == 200 and "coarse squares" in page.text and 'name="picture"' in page.text
    token = answer.headers["location"].partition("picture=")[2]
    boxes = [{"x": HERE[0] + shift, "y": HERE[1], "w": 32, "h": 64} for shift in (0, 160)]
    found = [asked.viewer.get(f"{asked.api}/search", params={"picture": token, "to": "any", **box}) for box in boxes]
    assert [first_camera(one.json()) for one in found] == ["gate", "roof"]
    results = asked.viewer.get(f"{asked.home}/search", params={"picture": token, "to": "any", **boxes[0]}).text
    assert "data-still" in results and 'name="decision"' not in results
    outside = asked.viewer.get(f"{asked.api}/search", params={"picture": token, **boxes[0], "x": 5_000})
    assert outside.status_code == 422 and "a box of a person" in outside.json()["error"]


def test_what_is_shown_of_a_picture_shows_no_face_and_no_detail_where_nobody_looked_for_people(asked):
    noise = np.random.default_rng(0).integers(0, 255, (300, 600, 3), dtype=np.uint8)
    token = send(asked, as_file(noise)).json()["picture"]
    shown = asked.viewer.get(f"{asked.home}/asked.jpg", params={"picture": token})
    pixels = np.asarray(Image.open(io.BytesIO(shown.content), formats=["JPEG"])).astype(int)
    assert np.abs(np.diff(pixels, axis=1)).mean() < 8 < np.abs(np.diff(noise.astype(int), axis=1)).mean()
    tall = np.random.default_rng(0).integers(0, 255, (600, 240, 3), dtype=np.uint8)  # as tall as one person: 600 px
    token = send(asked, as_file(tall)).json()["picture"]
    shown = asked.viewer.get(f"{asked.home}/asked.jpg", params={"picture": token})
    pixels = np.asarray(Image.open(io.BytesIO(shown.content), formats=["JPEG"])).astype(int)
    head = pixels[20:80, 110:130]
    assert head.std() < 8 < pixels[300:].std()


def hostile():
    picture = as_file(person(RED), "JPEG")
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    return {
        "bomb.png": (bomb.getvalue(), "pixels"),
        "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>pwn()</script></svg>", "markup"),
        "gif.html.gif": (as_file(person(RED), "GIF") + b"<script>", "markup"),
        "archive.jpg": (picture + b"PK\x05\x06" + bytes(18), "archive"),
        "paper.pdf": (b"%PDF-1.7\n" + picture, "PDF"),
        "cut.jpg": (picture[: len(picture) // 2], "cannot be read"),
        "words.png": (b"these are words, and no picture", "none of these"),
        "shell.ps": (b"%!PS-Adobe-3.0\n(%pipe%id) (r) file", "none of these"),
        "nothing.png": (b"", "empty"),
        "small.png": (as_file(person(RED)[:4, :4]), "too few"),
        "blank.png": (as_file(np.zeros((64, 64, 3), np.uint8)), "one colour"),
    }


@pytest.mark.parametrize("name", list(hostile()))
def test_hostile_pictures_are_refused_by_name(asked, name):
    content, reason = hostile()[name]
    answer = send(asked, content, name)
    assert answer.status_code in (404, 422), answer.text
    assert name in answer.json()["error"] and reason in answer.json()["error"]
    assert str(asked.folder) not in answer.text


def test_a_name_of_a_picture_leads_nowhere_and_a_large_one_is_refused_at_the_door(asked):
    sent = send(asked, as_file(person(RED)), "../../../etc/<img src=x>.png")
    assert sent.json()["words"] == "<img src=x>.png"
    page = asked.viewer.get(f"{asked.home}/picture", params={"picture": sent.json()["picture"]}).text
    assert "<img src=x>" not in page and "&lt;img src=x&gt;" in page
    assert send(asked, b"x" * (25 * 2**20)).status_code == 413


def test_somebody_in_a_frame_of_a_source_is_found_as_long_as_it_is_the_same_video(asked):
    told = asked.viewer.get(f"{asked.api}/sources/1/frame", params={"at": 0.1}).json()
    assert (told["width"], told["height"]) == (160, 120) and told["known"][0]["number"] == 1
    box = {"x": HERE[0], "y": HERE[1], "w": 32, "h": 64}
    found = asked.viewer.get(f"{asked.api}/search", params={"source": 1, "at": 0.1, "to": "any", **box}).json()
    assert first_camera(found) == "gate"
    page = asked.viewer.get(f"{asked.home}/sources/1/frame", params={"at": 0.1})
    assert page.status_code == 200 and 'class="known-box"' in page.text and str(asked.root) not in page.text
    assert asked.boss.get(f"{asked.home}/asked.jpg", params={"source": 1, "at": 0.1}).status_code == 200
    with open_case(asked.folder / "square") as case, case.database.reading() as connection:
        last = read_audit(connection)[-1]
    assert (last.who, last.action, last.subject) == ("boss", "frame seen", "a.mp4 at 0.1 s")
    late = asked.viewer.get(f"{asked.api}/sources/1/frame", params={"at": 99})
    assert late.status_code == 422 and "it ends at" in late.json()["error"]
    for number in (2, 3):  # nobody said where their videos are
        assert asked.viewer.get(f"{asked.api}/sources/{number}/frame").status_code == 409
    assert asked.viewer.get(f"{asked.api}/sources/99/frame").status_code == 404
    film = asked.root / "a.mp4"
    original = film.read_bytes()
    try:
        write_film(film, [in_scene(BLUE)] * 10)
        other = asked.viewer.get(f"{asked.api}/sources/1/frame", params={"at": 0.1})
        assert other.status_code == 409 and "another video" in other.json()["error"]
    finally:
        film.write_bytes(original)


def test_a_box_is_drawn_by_pointer_and_found_by_keyboard_and_axe_has_nothing_grave_to_say(asked):
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    with chromium() as browser:
        page = own_context(browser, asked.server, asked.viewer).new_page()
        faults = []
        page.on("console", lambda told: told.type in ("error", "warning") and faults.append(told.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{asked.server.url}{asked.home}/sources/1/frame?at=0.1")
        page.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        faults += [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        at = page.evaluate(ON_SCREEN, [HERE, (HERE[0] + 32, HERE[1] + 64)])
        page.mouse.move(*at[0])
        page.mouse.down()
        page.mouse.move(*at[1], steps=4)
        page.mouse.up()
        drawn = [int(page.input_value(f"[data-box-form] [name={name}]")) for name in "xywh"]
        assert np.abs(np.array(drawn) - (*HERE, 32, 64)).max() <= 2
        page.focus("[data-box-form] button")
        page.keyboard.press("Enter")
        page.wait_for_selector(".candidate")
        page.keyboard.press("j")
        page.keyboard.press("c")
        page.wait_for_selector(".compare-dialog[open]")
        assert "asked.jpg" in page.get_attribute(".compare-dialog [data-side=a] img", "src")
        assert faults == []


def test_words_find_what_they_say_where_the_model_reads_them(asked):
    assert asked.viewer.get(f"{asked.api}/ask").json()["text"] == {"can": True, "reason": ""}
    found = asked.viewer.get(f"{asked.api}/search", params={"text": "red jacket", "to": "any"}).json()
    assert found["num_searched"] == len(PEOPLE) and first_camera(found) == "gate"
    unknown = asked.viewer.get(f"{asked.api}/search", params={"text": "zeppelin"})
    assert unknown.status_code == 422 and "zeppelin" in unknown.json()["error"]
    assert 'placeholder="red jacket' in asked.viewer.get(f"{asked.home}/ask").text


def test_the_command_line_asks_with_pictures_and_words_too(asked, tmp_path, capsys):
    (tmp_path / "scene.png").write_bytes(as_file(in_scene(BLUE)))
    case, weights = str(asked.folder / "square"), ["--weights", str(TINY_TOWERS), "--json", "-k", "1"]
    box = ",".join(map(str, (*HERE, 32, 64)))
    for words, camera in (
        (["--image", str(tmp_path / "scene.png"), "--box", box], "roof"),
        (["--text", "red jacket"], "gate"),
    ):
        assert main(["case", "search", case, *words, *weights]) == 0
        assert first_camera(json.loads(capsys.readouterr().out)) == camera
    assert main(["case", "search", case, "--text", "red jacket"]) != 0
    assert "are not here" in capsys.readouterr().err
