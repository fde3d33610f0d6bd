"""Every kind of file that we read, damaged: one line, little memory and time, nothing left."""

import json
import os
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from skyreid.building.annotations import FORMATS, read_annotations
from skyreid.building.annotations.annotated_video import AnnotatedVideo
from skyreid.building.build_folder import cut_otherwise
from skyreid.building.decode import probe
from skyreid.building.finished_source import read_finished
from skyreid.building.sources import read_sources
from skyreid.datasets import read_benchmark
from skyreid.extraction.loading import load
from skyreid.picture_file import read_picture
from skyreid.training.run_folder import RunFolder, RunLog, open_run
from tests.building.annotations import test_coco_video, test_label_studio
from tests.building.films import smooth, write_film
from tests.datasets.miniature_trees import write_ls_vid
from tests.hostile.children import command, reading, run
from tests.hostile.damage import damaged
from tests.tiny_model import tiny_model

EACH = 14
"""Damaged files of each kind; there are over thirty kinds."""
VIDEO = AnnotatedVideo(name="gate.mp4", width=100, height=80, frame_rate=25.0, num_frames=30)
PICTURES = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
FILMS = {"mov": "png", "mkv": "ffv1", "avi": "mjpeg", "gif": "gif", "mp4": "mpeg4"}
CVAT = (
    "<annotations><version>1.1</version><meta><task><size>30</size><original_size><width>100</width><height>80</height>"
    '</original_size></task></meta><track id="0" label="person"><box frame="0" outside="0" xtl="1" ytl="2" xbr="20" '
    'ybr="40" occluded="0" keyframe="1"/><box frame="9" outside="1" xtl="1" ytl="2" xbr="20" ybr="40" occluded="0" '
    'keyframe="1"/></track></annotations>'
)
ANNOTATIONS = {
    "mot": b"1,7,10,10,30,60,1,-1,-1,-1\n2,7,11,10,30,60,1,-1,-1,-1\n",
    "mot-gt": b"1,7,10,10,30,60,1,1,1\n2,7,11,10,30,60,1,1,0.5\n",
    "visdrone": b"1,7,10,10,30,60,1,1,0,0\n2,7,11,10,30,60,1,1,0,0\n",
    "cvat": CVAT.encode(),
    "coco-video": json.dumps(test_coco_video.content()).encode(),
    "label-studio": json.dumps(
        [test_label_studio.task(test_label_studio.region("a", test_label_studio.key(1), test_label_studio.key(9)))]
    ).encode(),
}
KINDS = (
    *("manifest", "table", "result", "calibration", "links", "pairs", "sources", "record"),
    *("checkpoint/config.json", "checkpoint/provenance.json", "checkpoint/model.safetensors"),
    *("state.pt", "stage1_features.pt", "run/config.json", "log.jsonl"),
    *("import pt", "import safetensors", "mat", "h5", "names"),
    *(f"annotations {name}" for name in ANNOTATIONS),
    *(f"picture {name}" for name in PICTURES),
    *(f"film {name}" for name in FILMS),
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="processes cannot be forked there")]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_one_line(kind, given, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    file, work = KIND[kind.partition(" ")[0]](kind.partition(" ")[2] or kind, given, place)
    whole, kept = file.read_bytes(), sorted(place.rglob("*"))
    out = tmp_path / "out"
    said, counts = [], {"refused": 0, "read": 0}
    for seed in range(EACH):
        file.write_bytes(damaged(whole, seed))
        ended = run(work(out), tmp_path / "said", is_limited=True)
        if not ended.is_clean:
            said.append((seed, ended.status, ended.said[-700:]))
        counts["read" if ended.status == 0 else "refused"] += 1
        assert not list(tmp_path.rglob(".*partial*"))
        shutil.rmtree(out, ignore_errors=True)
        assert {path for path in place.rglob("*") if "events" not in path.parts} <= {*kept, *place.rglob("train.lock")}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["place", "said"]
    print(f"{kind}: {counts}")
    assert not said, said


def _of_build(name, given, place):
    shutil.copytree(given / "built", place / "built")
    built = place / "built"
    if name == "manifest":
        return built / "manifest.jsonl", lambda out: command("export", built, "--format", "cvat", "--out", out)
    if name == "links":
        assert command("link", built, "--decisions", given / "pairs.csv", "--annotator", "a")() == 0
        return built / "links.jsonl", lambda _: command("link", built, "--report")
    if name == "pairs":
        file = shutil.copy(given / "pairs.csv", place / "pairs.csv")
        link = command("link", built, "--decisions", file, "--annotator", "a")
        return file, lambda _: link
    record = next((built / "sources").glob("gate*.json"))
    fingerprint = json.loads(record.read_text())["fingerprint"]

    def read(name):
        read_finished(built, name, fingerprint)
        cut_otherwise(built, name, fingerprint)

    return record, lambda _: reading(read, record.stem)


def _of_checkpoint(name, given, place):
    shutil.copytree(given / "run/checkpoint", place / "checkpoint")
    if name.startswith("checkpoint/config") or name.endswith("safetensors"):
        return place / name, lambda _: reading(load, place / "checkpoint")
    return place / name, lambda out: command("model", "export", place / "checkpoint", "--out", out / "m.pt2")


def _of_run(name, given, place):
    shutil.copytree(given / "run", place / "run")
    folder = place / "run"
    config = json.loads((folder / "config.json").read_text())
    sha256 = config.pop("data_sha256")
    works = {
        "state.pt": lambda: RunFolder(folder).load_state(),
        "stage1_features.pt": lambda: RunFolder(folder).load_features(initial_sha256="0" * 64),
        "run/config.json": lambda: open_run(folder, config, data_sha256=sha256, resume=True),
        "log.jsonl": lambda: RunLog(folder, stage=2, steps_done=2).close(),
    }
    return folder / name.removeprefix("run/"), lambda _: reading(works[name])


def _of_import(name, _, place):
    weights = tiny_model().state_dict()
    file = place / f"weights.{name}"
    if name == "pt":
        torch.save({"state_dict": weights}, file)
    else:
        safetensors.torch.save_file(weights, file)
    return file, lambda out: command("model", "import", "vsla-clip", file, "--out", out)


def _of_benchmark(name, given, place):
    if name == "h5":
        write_ls_vid(place / "ls")
        return place / "ls/test/data/info_test.mat", lambda _: reading(read_benchmark, "ls-vid", place / "ls")
    shutil.copytree(given / "g2a", place / "g2a")
    file = place / "g2a/info" / ("tracks_test_info.mat" if name == "mat" else "test_name.txt")
    return file, lambda _: reading(read_benchmark, "g2a-vreid", place / "g2a")


def _of_annotations(name, _, place):
    file = place / f"gate.{'xml' if name == 'cvat' else 'txt' if ',' in str(ANNOTATIONS[name])[:9] else 'json'}"
    file.write_bytes(ANNOTATIONS[name])
    assert name in FORMATS
    return file, lambda _: reading(lambda: read_annotations(file, VIDEO, format=name))


def _of_picture(name, _, place):
    file = place / f"picture.{name.lower()}"
    noise = np.random.default_rng(0).integers(0, 256, (48, 37, 3), np.uint8)
    Image.fromarray(noise).save(file, name)
    return file, lambda _: reading(read_picture, file)


def _of_film(name, _, place):
    file = write_film(place / f"film.{name}", smooth(6), codec=FILMS[name])
    return file, lambda _: reading(probe, file)


def _of_table(name, given, place):
    if name == "sources":
        file = place / "sources.json"
        record = {"file": "gate.mov", "platform": "ground", "camera": "gate", "annotations": "gate.txt"}
        file.write_text(json.dumps({"sources": [record], "simulated": True}))
        for film in ("gate.mov", "gate.txt"):
            shutil.copy(given / film, place / film)
        return file, lambda _: reading(read_sources, file)
    suffix = ".npz" if name == "table" else ".json"
    tables = [shutil.copy(given / f"run/{half}.npz", place / f"{half}.npz") for half in ("query", "gallery")]
    if name == "table":
        scored = command("evaluate", "tables", *tables, "--protocol", "ground-to-aerial")
        return tables[0], lambda _: scored
    file = shutil.copy(given / f"{name}{suffix}", place / f"{name}{suffix}")
    if name == "result":
        return file, lambda _: command("compare", file, given / "result.json")
    scored = command("evaluate", "tables", *tables, "--protocol", "ground-to-aerial", "--calibration", file)
    return file, lambda _: scored


KIND = {
    **dict.fromkeys(("manifest", "links", "pairs", "record"), _of_build),
    **{name: _of_checkpoint for name in KINDS if name.startswith("checkpoint/")},
    **dict.fromkeys(("state.pt", "stage1_features.pt", "run/config.json", "log.jsonl"), _of_run),
    **dict.fromkeys(("table", "result", "calibration", "sources"), _of_table),
    **dict.fromkeys(("mat", "h5", "names"), _of_benchmark),
    "import": _of_import,
    "annotations": _of_annotations,
    "picture": _of_picture,
    "film": _of_film,
}
assert len(KINDS) * EACH >= 500
