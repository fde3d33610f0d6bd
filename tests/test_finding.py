"""`find`: from videos to the page of everybody, in one step that goes on where it stopped."""

import functools
import json
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

import skyreid
from skyreid.checkpoint import write_checkpoint
from skyreid.cli import main
from skyreid.errors import NothingFoundError, SettingError
from skyreid.extraction.colour_stripes import embed_colours
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.files.config_json import to_json
from skyreid.retrieval.embedding_table import load_table
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.building.films import write_film
from tests.building.motion.scenes import backdrop, scene, walk
from tests.tiny_model import tiny_model


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path / "cache"))


@functools.cache
def _film(shade):
    with TemporaryDirectory() as folder:
        return scene(Path(folder), 75, {1: (walk(-210, 9), shade)})[0].read_bytes()


def film(folder, shade=10):
    """Somebody walks across the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scene.mp4"
    path.write_bytes(_film(shade))
    return path


def shown(page):
    return re.findall(r'data-id="([^"]*)"', page.read_text(encoding="utf-8"))


def test_two_videos_become_a_page_and_a_second_run_finds_all_done(tmp_path):
    videos = {"ground": [film(tmp_path / "gate")], "aerial": [film(tmp_path / "roof", shade=200)]}
    report = skyreid.find(tmp_path / "case", **videos)
    assert report.page == tmp_path / "case/browse.html"
    assert {one.partition("-")[0] for one in shown(report.page)} == {"gate", "roof"}
    assert (report.detector, report.model) == (None, "colours")
    said = " ".join(report.lines())
    for words in ("found by their motion", "colours of their clothes", "One frame in 0.5 s"):
        assert words in said
        assert words in report.page.read_text(encoding="utf-8")
    assert load_table(tmp_path / "case/embeddings.npz").model is None
    crop = next((tmp_path / "case/crops").rglob("*.jpg"))
    before = crop.stat().st_mtime_ns, report.page.read_bytes()
    skyreid.find(tmp_path / "case", **videos)
    assert (crop.stat().st_mtime_ns, report.page.read_bytes()) == before


def test_two_people_who_share_no_colour_do_not_resemble_each_other_for_standing_alone(tmp_path):
    """With one tracklet on each platform there is no mean to be told from."""
    tracklets = []
    for name, colours in (("gate", ("red", "blue")), ("roof", ("lime", "yellow"))):
        picture = Image.new("RGB", (24, 48), colours[0])
        picture.paste(colours[1], (0, 24, 24, 48))
        picture.save(tmp_path / f"{name}.png")
        platform = Platform.AERIAL if name == "roof" else Platform.GROUND
        frame = Frame(str(tmp_path / f"{name}.png"))
        tracklets.append(Tracklet(tracklet_id=name, frames=(frame,), pid=1, camid=0, platform=platform))
    first, second = embed_colours(tracklets).unit_embeddings
    assert first @ second < 0.8


def test_videos_of_one_name_are_cameras_named_as_their_folders_and_each_has_its_frames(tmp_path):
    gate, yard = film(tmp_path / "gate"), film(tmp_path / "yard", shade=200)
    report = skyreid.find(tmp_path / "case", ground=[gate, yard])
    text = report.page.read_text(encoding="utf-8")
    assert set(re.findall(r'data-camera="([^"]*)"', text)) == {"gate-scene", "yard-scene"}
    assert text.count('class="scene"') == len(shown(report.page))


def test_nobody_found_is_said_with_the_remedy_and_leaves_no_page(tmp_path):
    still = write_film(tmp_path / "still.mp4", [backdrop()] * 20, codec="libx264")
    with pytest.raises(NothingFoundError, match=r"nobody was found in 1 video.*--detector yolox-s"):
        skyreid.find(tmp_path / "case", ground=[still])
    assert not (tmp_path / "case/browse.html").exists()


def test_a_broken_video_among_several_is_named_and_left_out_until_it_is_mended(tmp_path, capsys):
    gate, yard, roof = (film(tmp_path / name) for name in ("gate", "yard", "roof"))
    whole = yard.read_bytes()
    yard.write_bytes(b"text")
    roof.write_bytes(whole[: len(whole) * 9 // 10])
    words = ["--ground", f"{gate},start_time=2026-05-04T09:00:00+02:00,camera=gate", "--ground", str(yard)]
    command = ["find", *words, "--aerial", str(roof), "--out", str(tmp_path / "case")]
    assert main(command) == 4
    err = capsys.readouterr().err
    text = (tmp_path / "case/browse.html").read_text(encoding="utf-8")
    told_of = ("yard/scene.mp4 was left out: it is not a video", "roof/scene.mp4 was used in part: ", "s were used")
    for told in told_of:
        assert told in err
        assert told in text
    assert 'class="warning"' in text
    assert set(re.findall(r'data-camera="([^"]*)"', text)) <= {"gate", "roof-scene"}
    for path in (yard, roof):
        path.write_bytes(whole)
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"] == []
    assert told["build"]["cut_again"] == ["roof-scene-scene"]
    assert {one["name"] for one in told["build"]["sources"]} == {"gate-scene", "yard-scene-scene", "roof-scene-scene"}
    assert 'class="warning"' not in (tmp_path / "case/browse.html").read_text(encoding="utf-8")


def test_videos_none_of_which_can_be_used_are_refused_and_an_address_is_one_to_be_recorded(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"text")
    assert main(["find", "--ground", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "case")]) == 1
    assert "a.mp4: is not a video" in capsys.readouterr().err
    assert main(["find", "--ground", "rtsp://gate.local/1", "--out", str(tmp_path / "case")]) == 1
    assert "is an address; record it first" in capsys.readouterr().err
    assert main(["find", "--ground", f"{tmp_path}/a.mp4,annotations=b", "--out", str(tmp_path / "case")]) == 1
    assert "a video has the keys camera, start_time, telemetry" in capsys.readouterr().err
    assert not (tmp_path / "case").exists()


def test_browse_gives_the_page_of_find_also_when_the_videos_are_gone(tmp_path, capsys):
    gate = film(tmp_path / "gate")
    page = skyreid.find(tmp_path / "case", ground=[gate]).page
    before = page.read_bytes()
    gate.rename(tmp_path / "away.mp4")
    assert main(["browse", str(tmp_path / "case")]) == 0
    assert page.read_bytes().count(b'class="scene"') == before.count(b'class="scene"') > 0
    assert b"found by their motion" in page.read_bytes()
    assert "1 sighting: " in capsys.readouterr().out
    shutil.rmtree(tmp_path / "case/scenes")
    (tmp_path / "elsewhere").mkdir()
    assert main(["browse", str(tmp_path / "case"), "--videos", str(tmp_path / "elsewhere")]) == 0
    assert f"scene.mp4: was not found in {tmp_path}/elsewhere; the whole frames" in capsys.readouterr().err
    for words, refusal in {
        ("--videos", "nowhere"): "nowhere: --videos names the folder with the footage; there is no such folder",
        ("--out", str(tmp_path)): "a page is a file, and this is a folder",
    }.items():
        assert main(["browse", str(tmp_path / "case"), *words]) == 1
        assert refusal in capsys.readouterr().err


def scenes_and_links(page):
    text = page.read_text(encoding="utf-8")
    return text.count('class="scene"'), set(re.findall(r'href="file://([^"#]*)#', text))


def test_search_and_browse_know_where_find_saw_the_footage_unless_it_is_named(tmp_path, capsys):
    case, other = tmp_path / "case", tmp_path / "elsewhere"
    gate, yard = film(tmp_path / "gate"), film(tmp_path / "yard", shade=200)
    skyreid.find(case, ground=[gate], aerial=[yard])
    table, found = case / "embeddings.npz", tmp_path / "found.html"
    words = ["search", str(table), "--query", str(load_table(table).tracklet_ids[0]), "--out", str(found)]
    assert main(words) == 0
    assert scenes_and_links(found)[1] == {str(gate), str(yard)}
    other.mkdir()
    shutil.copy(gate, other / "scene.mp4")
    gate.write_bytes(b"another film lies there now")
    shutil.rmtree(case / "scenes")
    assert main(["browse", str(case), "--videos", str(other)]) == 0
    assert "another file" not in capsys.readouterr().err
    shown_now, links = scenes_and_links(case / "browse.html")
    assert shown_now == len(shown(case / "browse.html"))
    assert links == {str(other / "scene.mp4"), str(yard)}
    for command in (words, ["link", str(case), "--annotator", "anna"]):
        assert main([*command, "--videos", str(tmp_path / "nowhere")]) == 1
        assert "nowhere: --videos names the folder with the footage" in capsys.readouterr().err


def test_no_video_and_one_that_is_named_twice_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(SettingError, match="name at least one video"):
        skyreid.find(tmp_path / "case")
    with pytest.raises(SettingError, match=r"gate\.mp4: is named twice"):
        skyreid.find(tmp_path / "case", ground=[tmp_path / "gate.mp4"], aerial=[tmp_path / "x" / ".." / "gate.mp4"])
    with pytest.raises(SettingError, match="compared by a model that knows people"):
        skyreid.find(tmp_path / "case", ground=[tmp_path / "gate.mp4"], query_image="somebody.png")
    assert not (tmp_path / "case").exists()


def test_a_model_of_ones_own_is_taken_and_named(tmp_path):
    model = tiny_model()
    config = {"kind": "vsla-clip", "model": to_json(model.config), "num_identities": 5}
    config["feeding"] = to_json(ExtractionConfig(clip_length=4).feeding_of(model.encoder))
    write_checkpoint(tmp_path / "model", weights=model.state_dict(), config=config, provenance={})
    somebody = Image.new("RGB", (40, 80), "red")
    somebody.paste("blue", (0, 40, 40, 80))
    somebody.save(tmp_path / "somebody.png")
    report = skyreid.find(
        tmp_path / "case",
        ground=[film(tmp_path / "gate")],
        model=str(tmp_path / "model"),
        query_image=tmp_path / "somebody.png",
    )
    assert "somebody.png" in report.asked_page.read_text(encoding="utf-8")
    assert str(report.asked_page) in " ".join(report.lines())
    assert report.model == str(tmp_path / "model")
    table = load_table(tmp_path / "case/embeddings.npz")
    assert table.model is not None
    assert table.seen_unmasked
    assert np.isfinite(table.embeddings).all()
    words = ["search", str(tmp_path / "case/embeddings.npz"), "--image", str(tmp_path / "somebody.png")]
    assert main([*words, "--out", str(tmp_path / "found.html")]) == 0  # by the model of the case
    for page in (report.asked_page, tmp_path / "found.html"):
        assert scenes_and_links(page)[1] == {str(tmp_path / "gate/scene.mp4")}


def test_the_ten_lines_of_the_tutorial_do_the_same(tmp_path, monkeypatch, capsys):
    text = (Path(__file__).parents[1] / "docs/tutorials/find-somebody.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(program.splitlines()) <= 10
    film(tmp_path / "gate").rename(tmp_path / "gate.mp4")
    film(tmp_path / "roof", shade=200).rename(tmp_path / "drone.mp4")
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "tutorial", "exec"), {})  # what we wrote ourselves
    first, *found = capsys.readouterr().out.splitlines()
    assert first.endswith("case/browse.html")
    assert found
    assert all("drone-drone-" in line and "drone.mp4" in line for line in found)


def test_every_video_counts_however_often_its_option_stands_there(tmp_path, capsys):
    gate, yard = film(tmp_path / "gate"), film(tmp_path / "yard", shade=200)
    assert main(["find", "--ground", str(gate), "--ground", str(yard), "--out", str(tmp_path / "case")]) == 0
    assert {path.stem for path in (tmp_path / "case/sources").glob("*.json")} == {
        "gate-scene-scene",
        "yard-scene-scene",
    }


def test_who_was_asked_for_before_is_not_left_behind(tmp_path):
    (tmp_path / "case").mkdir()
    gate = film(tmp_path / "gate")
    skyreid.find(tmp_path / "case", ground=[gate])
    (tmp_path / "case/asked.html").touch()
    skyreid.find(tmp_path / "case", ground=[gate])
    assert not (tmp_path / "case/asked.html").exists()
