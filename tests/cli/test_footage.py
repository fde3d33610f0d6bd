import json

import pytest

from skyreid.cli import main
from skyreid.datasets.manifest import read_manifest
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
