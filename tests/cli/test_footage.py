import json
import re

import numpy as np
import pytest
from PIL import Image

from skyreid.cli import main
from skyreid.cli.evaluate import calibrate
from skyreid.cli.footage import search
from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from tests.building.films import smooth, write_film
from tests.building.motion.scenes import scene, walk
from tests.telemetry.subtitles import MINI, subtitles


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


@pytest.fixture
def world(tmp_path):
    """A simulated source with annotations, in a file; its film shows somebody who walks."""
    film, _ = scene(tmp_path, 75, {1: (walk(-210, 9), 10)})
    (tmp_path / "gt.txt").write_text("\n".join(f"{index + 1},7,10,10,30,60,1,1,1" for index in range(75)))
    record = {"file": film.name, "platform": "ground", "camera": "gate", "annotations": "gt.txt"}
    (tmp_path / "sources.json").write_text(json.dumps({"sources": [record], "simulated": True}))
    return tmp_path


def test_sources_of_a_file_are_built_with_their_annotations_or_without(world, capsys):
    arguments = ("build", "--sources", world / "sources.json", "--consent", "drawn", "--json")
    status, out, _ = run(capsys, *arguments, "--out", world / "annotated")
    assert (status, json.loads(out)["identities"]) == (0, "annotated")
    manifest = read_manifest(world / "annotated/manifest.jsonl")
    assert {t.pid for t in manifest.tracklets} == {7}
    assert (manifest.info["simulated"], manifest.info["consent"]) == (True, "drawn")
    status, out, _ = run(capsys, *arguments, "--out", world / "found", "--without-annotations")
    assert (status, json.loads(out)["identities"]) == (0, "per-tracklet")
    assert read_manifest(world / "found/manifest.jsonl").tracklets


def test_a_source_of_the_command_line_is_built_without_its_annotations_too(world, capsys):
    film = json.loads((world / "sources.json").read_text())["sources"][0]["file"]
    source = f"{world}/{film},platform=ground,camera=gate,annotations={world}/gt.txt"
    status, out, _ = run(capsys, "build", "--source", source, "--out", world / "out", "--without-annotations", "--json")
    assert (status, json.loads(out)["identities"]) == (0, "per-tracklet")


def test_how_faces_are_masked_is_recorded(tmp_path, capsys):
    film = write_film(tmp_path / "a.mov", smooth(6, height=400, width=200))
    (tmp_path / "gt.txt").write_text("\n".join(f"{index + 1},7,41,21,110,340,1,1,1" for index in range(6)))
    source = f"{film},platform=aerial,camera=drone,annotations={tmp_path}/gt.txt"
    for name, options in {"pixelate": ["--mask-style", "pixelate"], "none": ["--no-mask-faces"]}.items():
        assert run(capsys, "build", "--source", source, "--out", tmp_path / name, *options)[0] == 0
        masking = json.loads((tmp_path / name / "masking.json").read_text())
        assert masking["style"] == name
        assert (masking["faces"] > 0) == (name == "pixelate")


def test_a_build_of_nothing_is_refused(tmp_path, capsys):
    status, out, err = run(capsys, "build", "--out", tmp_path / "out")
    assert (status, out, err.strip()) == (1, "", "error: a build needs at least one source")


def test_a_search_with_a_calibration_says_how_likely_and_where_the_calibration_does_not_fit(tmp_path, capsys):
    people = {f"{platform}-{pid}": paint_person(tmp_path, pid, platform) for pid in range(40) for platform in PLATFORMS}
    manifest = tmp_path / "manifest.jsonl"
    write_manifest(manifest, [*people.values()])
    table = crowd_of(list(people.values()), manifest=str(manifest))
    for platform in PLATFORMS:
        save_table(tmp_path / f"{platform}.npz", table.select(table.platforms == platform.number))
    save_table(tmp_path / "all.npz", table)
    tables = tmp_path / "ground.npz", tmp_path / "aerial.npz"
    calibrate(*tables, protocol="ground-to-aerial", out=tmp_path / "cal.json", false_positive_rate=0.05)
    capsys.readouterr()
    search(
        tmp_path / "all.npz", "ground-3", tmp_path / "found.html", to="aerial", k=2, calibration=tmp_path / "cal.json"
    )
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r" ?-?\d\.\d{4}  +\d+\.\d%  aerial-3", lines[0])
    assert not any(line.startswith("warning") for line in lines)
    search(tmp_path / "all.npz", "aerial-3", tmp_path / "found.html", to="ground", calibration=tmp_path / "cal.json")
    warned = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert any("ground-to-aerial" in line and "aerial-to-ground" in line for line in warned)


def paint_person(folder, pid, platform):
    path = folder / f"{platform}-{pid}.png"
    Image.new("RGB", (12, 24), (6 * pid, 90, 200)).save(path)
    return Tracklet(
        tracklet_id=f"{platform}-{pid}", frames=(Frame(str(path)),), pid=pid, camid=platform.number, platform=platform
    )


def crowd_of(tracklets, *, manifest):
    """Embeddings around one centre a person."""
    rng = np.random.default_rng(4)
    centres = rng.standard_normal((40, 16))
    pids = np.array([tracklet.pid for tracklet in tracklets])
    return EmbeddingTable(
        embeddings=(centres[pids] + 0.3 * rng.standard_normal((len(pids), 16))).astype(np.float32),
        pids=pids,
        camids=np.array([tracklet.camid for tracklet in tracklets]),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets]),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets]),
        manifest=manifest,
        model="0123abcd",
    )


class TestTelemetry:
    """Issue: where and when."""

    def test_shows_what_was_read_and_gives_it_as_json(self, tmp_path, capsys):
        path = tmp_path / "flight.SRT"
        path.write_text(subtitles(*(MINI.format(pair="-121.7458, 48.0771", n=n) for n in (1, 2))))
        assert main(["telemetry", str(path)]) == 0
        assert "height      200.1 to 200.2 m above take-off" in capsys.readouterr().out
        assert main(["telemetry", str(path), "--json", "--time-zone", "UTC"]) == 0
        told = json.loads(capsys.readouterr().out)
        first, second = told["records"]
        assert (second["time_s"], second["latitude"], second["longitude"]) == (1, 48.0771, -121.7458)
        assert (first["height_m"], first["altitude_m"], first["clock"]) == (200.1, None, None)

    @pytest.mark.parametrize(
        ("name", "options", "complaint"),
        [
            ("nothing.SRT", (), "there is no such file"),
            ("empty.SRT", (), "is empty"),
            ("empty.SRT", ("--time-zone", "Mars"), "a time zone is a name"),
        ],
    )
    def test_refuses_in_one_line(self, tmp_path, capsys, name, options, complaint):
        (tmp_path / "empty.SRT").touch()
        assert main(["telemetry", str(tmp_path / name), *options]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert complaint in line
