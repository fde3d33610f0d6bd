import json

import pytest

from skyreid.cli import main
from skyreid.datasets.manifest import read_manifest
from tests.building.films import smooth, write_film
from tests.building.motion.scenes import scene, walk


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
    film = write_film(tmp_path / "a.mov", smooth(11))
    (tmp_path / "gt.txt").write_text("\n".join(f"{index + 1},7,1,1,30,60,1,1,1" for index in range(11)))
    source = f"{film},platform=aerial,camera=drone,annotations={tmp_path}/gt.txt"
    for name, options in {"pixelate": ["--mask-style", "pixelate"], "none": ["--no-mask-faces"]}.items():
        assert run(capsys, "build", "--source", source, "--out", tmp_path / name, *options)[0] == 0
        masking = json.loads((tmp_path / name / "masking.json").read_text())
        assert masking["style"] == name
        assert (masking["faces"] > 0) == (name == "pixelate")


def test_a_build_of_nothing_is_refused(tmp_path, capsys):
    status, out, err = run(capsys, "build", "--out", tmp_path / "out")
    assert (status, out, err.strip()) == (1, "", "error: a build needs at least one source")
