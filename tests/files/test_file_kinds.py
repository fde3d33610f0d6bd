"""What lies at a path is told in one place; a reader that gets another of our files says what that is."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import skyreid
from skyreid.building.linking.candidates import write_pair_list
from skyreid.checkpoint import write_checkpoint
from skyreid.cli import main
from skyreid.datasets.benchmarks import BENCHMARKS
from skyreid.datasets.manifest import write_manifest
from skyreid.evaluation.results.result_file import write_result
from skyreid.files import file_kinds as kinds
from skyreid.files.config_json import to_json
from skyreid.files.file_kinds import kind_at
from skyreid.recipes import RECIPES
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.building.films import smooth, write_film
from tests.datasets.miniature_trees import MINIATURES
from tests.evaluation.results.result_examples import example_result

MADE = {
    "a.json": kinds.RESULT,
    "t.npz": kinds.TABLE,
    "c.json": kinds.CALIBRATION,
    "model": kinds.CHECKPOINT,
    "run": kinds.RUN,
    "built/manifest.jsonl": kinds.MANIFEST,
    "built": kinds.BUILD,
    "crops": kinds.CROPS,
    "sources.json": kinds.SOURCES,
    "pairs.csv": kinds.PAIRS,
    "w.safetensors": kinds.WEIGHTS,
    "w.pth": kinds.WEIGHTS,
    "old.pth": kinds.WEIGHTS,
    "film.mov": kinds.VIDEO,
    "crops/ada/0.png": kinds.PICTURE,
    "page.html": kinds.PAGE,
    "pointer.npz": kinds.LFS_POINTER,
    "empty.json": kinds.EMPTY,
    **{f"settings/{name}.json": kinds.SETTINGS for name in RECIPES},
    **{f"data/{name}": kinds.BUILD if name == "manifest" else kinds.BENCHMARK for name in BENCHMARKS},
}
READERS = {
    "compare {} a.json": {kinds.RESULT},
    "evaluate average {} {} --over seeds": {kinds.RESULT},
    "evaluate tables {} t.npz --protocol mars": {kinds.TABLE},
    "evaluate tables t.npz t.npz --protocol mars --manifest {}": {kinds.MANIFEST},
    "evaluate tables t.npz t.npz --protocol mars --calibration {}": {kinds.CALIBRATION},
    "calibrate {} t.npz --protocol mars --out out.json": {kinds.TABLE},
    "search {} --query 0 --out out.html": {kinds.TABLE},
    "link {} --report": {kinds.BUILD},
    "link built --table {} --out out.csv": {kinds.TABLE},
    "data export {} --format mot --out out": {kinds.BUILD},
    "evaluate {} --data mars --root data/mars": {kinds.CHECKPOINT, kinds.RUN},
    "embed crops --model {} --out out.npz": {kinds.CHECKPOINT},
    "model export {} --out out.pt2": {kinds.CHECKPOINT},
    "model import openai {} --out out": {kinds.WEIGHTS},
    "build --sources {} --out out": {kinds.SOURCES},
    "evaluate construction {} --truth built": {kinds.BUILD},
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """One of each, made by whoever makes it."""
    folder = tmp_path_factory.mktemp("desk")
    write_result(folder / "a.json", example_result())
    drawn = np.random.default_rng(0)
    people = drawn.normal(size=(40, 8)).astype(np.float32)
    tables = [
        skyreid.EmbeddingTable.of(
            people + 0.3 * drawn.normal(size=people.shape).astype(np.float32),
            tracklet_ids=[f"{platform}{number}" for number in range(40)],
            pids=range(40),
            camids=[0] * 40,
            platforms=platform,
        )
        for platform in ("ground", "aerial")
    ]
    skyreid.save_table(folder / "t.npz", tables[0])
    skyreid.calibrate(*tables, "ground-to-aerial", false_positive_rate=0.1, out=folder / "c.json")
    for place in ("model", "run/checkpoint"):
        (folder / place).parent.mkdir(exist_ok=True)
        write_checkpoint(folder / place, weights={"w": torch.zeros(1)}, config={}, provenance={})
    for person in ("ada", "ben"):
        (folder / "crops" / person).mkdir(parents=True)
        Image.new("RGB", (8, 16)).save(folder / "crops" / person / "0.png")
    (folder / "built").mkdir()
    Image.new("RGB", (8, 16)).save(folder / "built/0.png")
    frames = (Frame(str(folder / "built/0.png")),)
    tracklet = Tracklet(tracklet_id="0", frames=frames, pid=1, camid=0, platform=Platform.GROUND)
    write_manifest(folder / "built/manifest.jsonl", [tracklet])
    (folder / "sources.json").write_text('{"sources": []}')
    write_pair_list(folder / "pairs.csv", [])
    save_file({"w": torch.zeros(1)}, folder / "w.safetensors")
    torch.save({"w": torch.zeros(1)}, folder / "w.pth")
    torch.save({"w": torch.zeros(1)}, folder / "old.pth", _use_new_zipfile_serialization=False)
    write_film(folder / "film.mov", smooth(4))
    (folder / "page.html").write_text("<!DOCTYPE html><html></html>")
    (folder / "pointer.npz").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / "empty.json").touch()
    (folder / "settings").mkdir()
    for name, recipe in RECIPES.items():
        (folder / f"settings/{name}.json").write_text(json.dumps(to_json(recipe()), indent=2))
    for name, write in MINIATURES.items():
        (folder / "data" / name).mkdir(parents=True)
        write(folder / "data" / name)
    return folder


def test_what_skyreid_reads_and_writes_is_told_by_its_beginning(desk):
    assert {name: kind_at(desk / name) for name in MADE} == MADE


@pytest.mark.parametrize("reader", READERS)
def test_another_file_than_is_taken_is_called_what_it_is(desk, monkeypatch, capsys, reader):
    """Kind C: doors that do not open."""
    monkeypatch.chdir(desk)
    for name, kind in MADE.items():
        if kind in READERS[reader] or (name.startswith("settings/") and name != "settings/vsla-clip-small.json"):
            continue
        assert main(reader.replace("{}", name).split()) == 1
        (said,) = capsys.readouterr().err.splitlines()
        assert f"{name} must be " in said
        assert f"; it is {kind.name}" in said
        assert kind.use in said or "; did you mean " in said


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("compare t.npz a.json", "'skyreid evaluate tables QUERY GALLERY' scores two of them, "),
        ("compare aa.json a.json", "; nothing lies there (did you mean 'a.json'?)"),
        (
            "evaluate model/config.json --data mars --root data/mars",
            "it is a JSON file of another kind; did you mean model?",
        ),
        ("embed crops --model run --out out.npz", "it is the folder of a training; did you mean run/checkpoint?"),
        ("embed built/manifest.jsonl --model model --out out.npz", "it is a manifest; did you mean built?"),
        ("embed data/mars --model model --out out.npz", "'skyreid embed FOLDER --data NAME' takes it"),
        ("evaluate tables t.npz t.npz --protocol mars --manifest built", "did you mean built/manifest.jsonl?"),
        ("compare pairs.csv a.json", "it is a list of pairs: 'skyreid link --decisions FILE' takes it"),
    ],
)
def test_what_was_meant_or_takes_it_is_named(desk, monkeypatch, capsys, given, answer):
    monkeypatch.chdir(desk)
    assert main(given.split()) == 1
    assert answer in capsys.readouterr().err
