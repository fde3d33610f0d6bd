"""Every kind of file that a command reads, whole, with a command that reads it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from skyreid.building.annotations import FORMATS
from tests.building.annotations.test_coco_video import annotation
from tests.building.annotations.test_label_studio import key, region, task
from tests.building.crops.bright_face_model import write_bright_face_model
from tests.building.detection.onnx_files import draw_targets, yolox
from tests.building.films import smooth, write_film, write_film_beside
from tests.datasets.miniature_trees import write_ls_vid
from tests.hostile.children import command
from tests.hostile.conftest import train_command
from tests.reference.micro_weights import micro_release_state
from tests.telemetry.klv_packets import flight, packet
from tests.telemetry.subtitles import MINI, subtitles
from tests.telemetry.test_picture_tags import write_picture

PICTURES = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
FILMS = {"mov": "png", "mkv": "ffv1", "avi": "mjpeg", "gif": "gif", "mp4": "mpeg4"}
NUM_FRAMES, HEIGHT, WIDTH = 30, 80, 100
BOX = '<box frame="{}" outside="{}" xtl="10" ytl="11" xbr="30" ybr="61" occluded="0" keyframe="1"/>'
CVAT = (
    "<annotations><version>1.1</version><meta><task><size>30</size><original_size><width>100</width><height>80</height>"
    '</original_size></task></meta><track id="0" label="person">'
    f"{BOX.format(0, 0)}{BOX.format(29, 0)}</track></annotations>"
)
COCO = {
    "videos": [{"id": 1, "name": "gate"}],
    "images": [
        {"id": n + 1, "video_id": 1, "frame_id": n, "file_name": f"gate/{n}.jpg", "width": WIDTH, "height": HEIGHT}
        for n in range(NUM_FRAMES)
    ],
    "annotations": [annotation(n + 1, n + 1, 0, [10, 11, 20, 50]) for n in range(NUM_FRAMES)],
    "categories": [{"id": 1, "name": "pedestrian"}],
}


def rows(fields):
    return "".join(f"{n + 1},7,11,12,20,50,{fields}\n" for n in range(NUM_FRAMES)).encode()


ANNOTATIONS = {
    "mot": rows("1,-1,-1,-1"),
    "mot-gt": rows("1,1,0.5"),
    "visdrone": rows("1,1,0,0"),
    "cvat": CVAT.encode(),
    "coco-video": json.dumps(COCO).encode(),
    "label-studio": json.dumps([task(region("a", key(1, x=10, width=20), key(29, x=10, width=20)))]).encode(),
}
KINDS = (
    *("manifest", "links", "pairs.csv", "pairs.jsonl", "record", "sources", "table", "result", "calibration"),
    *("checkpoint/config.json", "checkpoint/provenance.json", "checkpoint/model.safetensors"),
    *("run/state.pt", "run/stage1_features.pt", "run/config.json", "run/log.jsonl"),
    *("import pt", "import safetensors", "mat", "h5", "names", "seqinfo.ini", "face model", "detector"),
    *(f"annotations {name}" for name in ANNOTATIONS),
    *(f"picture {name}" for name in PICTURES),
    *(f"film {name}" for name in FILMS),
    *(f"telemetry {name}" for name in ("SRT", "csv", "ts", "jpg")),
)
CHECKED = frozenset(("manifest", "table", "run/state.pt", "run/stage1_features.pt", "run/config.json"))
"""Kinds whose content has a hash or a checksum: what was damaged never goes through as something else."""


@dataclass(frozen=True)
class ReadFile:
    """A file, and how a command comes to read it."""

    file: Path
    read: Callable
    """Gives the work of a child, for what it may write outside of the folder of the file."""
    writes: str | None = None
    """What the command changes in the folder of the file, by the beginning of the names there."""
    also_called: str | None = None
    """How a message may name it: a benchmark's table by the benchmark, where its files contradict one another."""


def place_file(kind, given, place):
    """Put a file of a kind and what belongs to it into a new folder."""
    place.mkdir()
    first, _, second = kind.partition(" ")
    put = _PLACED.get(kind) or _PLACED.get(first, _of_folder)
    return put(kind if kind in _PLACED else second or kind, given, place)


def _of_build(name, given, place):
    shutil.copytree(given / "built", place / "built")
    built = place / "built"
    if name == "manifest":
        return ReadFile(
            built / "manifest.jsonl", lambda out: command("data", "export", built, "--format", "cvat", "--out", out)
        )
    if name == "links":
        assert command("link", built, "--decisions", given / "pairs.csv", "--annotator", "a")() == 0
        return ReadFile(built / "links.jsonl", lambda _: command("link", built, "--report"))
    if name == "record":
        sources = [part for end in ("gate", "drone") for part in ("--source", (given / f"{end}.source").read_text())]
        record = next((built / "sources").glob("gate*.json"))
        return ReadFile(record, lambda _: command("build", "--out", built, *sources), "built")
    file = shutil.copy(given / "pairs.csv", place / "pairs.csv")
    if name == "pairs.jsonl":
        header, *lines = [line.split(",") for line in file.read_text().splitlines()]
        file.unlink()
        file = place / name
        file.write_text("".join(json.dumps(dict(zip(header, line, strict=True))) + "\n" for line in lines))
    link = command("link", built, "--decisions", file, "--annotator", "a")
    return ReadFile(file, lambda _: link, "built")


def _of_folder(name, given, place):
    """A checkpoint, or a run that was killed between two epochs."""
    folder = name.partition("/")[0]
    if folder == "checkpoint":
        shutil.copytree(given / "run/checkpoint", place / folder)
        embed = ("embed", given / "built", "--model", place / folder, "--out")
        return ReadFile(place / name, lambda out: command(*embed, out / "table.npz"))
    stage = 1 if name == "run/stage1_features.pt" else 2  # each file where a training that goes on reads it
    shutil.copytree(given / f"begun-{stage}", place / folder)
    return ReadFile(place / name, lambda _: command(*train_command(given / "g2a", place / folder)), "run")


def _of_import(name, _, place):
    weights = {key: value.clone() for key, value in micro_release_state().items()}
    file = place / f"weights.{name}"
    if name == "pt":
        torch.save({"state_dict": weights}, file)
    else:
        safetensors.torch.save_file(weights, file)
    return ReadFile(file, lambda out: command("model", "import", "release", file, "--out", out))


def _of_benchmark(name, given, place):
    root = place / "root"
    if name == "h5":
        write_ls_vid(root)
        file, benchmark = root / "test/data/info_test.mat", "ls-vid"
    else:
        shutil.copytree(given / "g2a", root)
        file, benchmark = root / "info" / ("tracks_test_info.mat" if name == "mat" else "test_name.txt"), "g2a-vreid"
    embed = ("embed", root, "--data", benchmark, "--model", given / "run/checkpoint", "--out")
    return ReadFile(file, lambda out: command(*embed, out / "table.npz"), also_called=f"{benchmark}: ")


def build(film, annotations, *more, platform="ground"):
    """Cut every frame of one film."""
    told = f",annotations={annotations}" if annotations else ""
    source = f"{film},platform={platform},camera=gate{told}"
    return lambda out: command("build", "--out", out, "--interval-s", "0.04", "--source", source, *more)


def write_gate(place, *, codec="mpeg4", name="gate.mp4", number=NUM_FRAMES):
    return write_film(place / name, smooth(number, height=HEIGHT, width=WIDTH), codec=codec, rate=25)


def write_rows(place, content=ANNOTATIONS["mot-gt"], *, name="gate.txt"):
    (place / name).write_bytes(content)
    return place / name


def _of_annotations(name, _, place):
    assert name in FORMATS
    suffix = "xml" if name == "cvat" else "txt" if ANNOTATIONS[name].startswith(b"1,") else "json"
    file = write_rows(place, ANNOTATIONS[name], name=f"gate.{suffix}")
    return ReadFile(file, build(f"{write_gate(place)}", f"{file},format={name}"))


def _of_film(name, _, place):
    file = write_gate(place, codec=FILMS[name], name=f"gate.{name}")
    return ReadFile(file, build(file, write_rows(place)))


def _of_pictures(name, _, place):
    """A folder of pictures as a film."""
    folder = place / "gate"
    folder.mkdir()
    suffix = "PNG" if name == "seqinfo.ini" else name
    noise = np.random.default_rng(0).integers(0, 256, (NUM_FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for number, picture in enumerate(noise):
        Image.fromarray(picture).save(folder / f"{number}.{suffix.lower()}", suffix)
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nframeRate=25\nseqLength={NUM_FRAMES}\n")
    file = folder / (name if name == "seqinfo.ini" else f"7.{suffix.lower()}")
    return ReadFile(file, build(folder, write_rows(place)))


def _of_model(name, _, place):
    if name == "face model":
        file = write_bright_face_model(place / "bright.onnx", side=24)
        return ReadFile(
            file, build(write_gate(place), write_rows(place), "--face-model", file, "--observe-px-per-m", "0")
        )
    film = write_film(place / "gate.mov", [draw_targets([(40, 16, 48, 24)], height=96, width=160)] * 20, rate=25)
    file = yolox(place / "detector.onnx", box_cells=(3, 6))
    return ReadFile(file, build(film, None, "--detector", f"{file},kind=yolox"))


def _of_table(name, given, place):
    if name == "sources":
        file = place / "sources.json"
        record = {"file": "gate.mov", "platform": "ground", "camera": "gate", "annotations": "gate.txt"}
        file.write_text(json.dumps({"sources": [record], "simulated": True}))
        for film in ("gate.mov", "gate.txt"):
            shutil.copy(given / film, place / film)
        return ReadFile(file, lambda out: command("build", "--sources", file, "--out", out))
    tables = [shutil.copy(given / f"run/{half}.npz", place / f"{half}.npz") for half in ("query", "gallery")]
    scored = ("evaluate", "tables", *tables, "--protocol", "ground-to-aerial")
    if name == "table":
        return ReadFile(tables[0], lambda out: command(*scored, "--out", out / "result.json"))
    file = shutil.copy(given / f"{name}.json", place / f"{name}.json")
    if name == "result":
        return ReadFile(file, lambda _: command("compare", file, given / "result.json"))
    return ReadFile(file, lambda out: command(*scored, "--calibration", file, "--out", out / "result.json"))


def _of_telemetry(name, _, place):
    file = place / f"flight.{name}"
    if name == "SRT":
        file.write_text(subtitles(*(MINI.format(pair="-121.7458, 48.0771", n=n) for n in range(9))))
    elif name == "csv":
        file.write_text("time_s,latitude,longitude\n" + "".join(f"{n},48.0771,-121.7458\n" for n in range(9)))
    elif name == "ts":
        packets = [packet(flight(1_777_896_000_000_000 + n, 41.5, -2.25)) for n in range(3)]
        write_film_beside(file, smooth(NUM_FRAMES, height=HEIGHT, width=WIDTH), packets, codec="klv")
    else:
        write_picture(file)
    return ReadFile(file, lambda _: command("telemetry", file, "--json"))


_PLACED = {
    **dict.fromkeys(("manifest", "links", "pairs.csv", "pairs.jsonl", "record"), _of_build),
    **dict.fromkeys(("table", "result", "calibration", "sources"), _of_table),
    **dict.fromkeys(("mat", "h5", "names"), _of_benchmark),
    **dict.fromkeys(("face model", "detector"), _of_model),
    **dict.fromkeys(("picture", "seqinfo.ini"), _of_pictures),
    "import": _of_import,
    "annotations": _of_annotations,
    "film": _of_film,
    "telemetry": _of_telemetry,
}
