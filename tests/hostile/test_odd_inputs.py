"""Inputs of an odd shape or name, through the commands that take them: right, or one line that names them."""

import json
import os
import shutil

import numpy as np
import pytest

from skyreid.datasets.manifest import read_manifest
from tests.building.films import smooth, write_film
from tests.hostile.children import command, run
from tests.hostile.conftest import train_command
from tests.hostile.read_files import ANNOTATIONS, build, rows, write_gate, write_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="processes cannot be forked there"),
    pytest.mark.usefixtures("untouched"),
]


def refusal(work, tmp_path):
    ended = run(work, tmp_path / "said", is_limited=True)
    assert ended.is_clean, ended.said
    assert ended.status == 1, ended.said
    return ended.said


def crops(work, tmp_path):
    """The boxes of what was cut."""
    ended = run(work, tmp_path / "said", is_limited=True)
    assert ended.status == 0, ended.said
    tracklets = read_manifest(tmp_path / "out/manifest.jsonl").tracklets
    return [frame.box for tracklet in tracklets for frame in tracklet.frames]


@pytest.mark.parametrize("size", [(2, 8192), (8192, 2), (40, 8192)])
@pytest.mark.parametrize("platform", ["ground", "aerial"])
def test_a_film_of_8192_by_2_pixels_is_cut_by_annotations_and_not_searched(tmp_path, size, platform):
    """Kind B7."""
    film = write_film(tmp_path / "wide.mov", np.full((6, *size, 3), 90, np.uint8), rate=25)
    content = b"".join(b"%d,7,1,1,1,1,1,1,1\n" % (n + 1) for n in range(6))
    ended = run(build(film, write_rows(tmp_path, content))(tmp_path / "out"), tmp_path / "said", is_limited=True)
    assert ended.is_clean, ended.said
    assert ended.status == 0 or "wide" in ended.said, ended.said
    work = build(film, None, platform=platform)(tmp_path / "found")
    assert "at most 16 times the short one; bring their boxes" in refusal(work, tmp_path)


@pytest.mark.parametrize("box", ["1,360,1280,1", "640,1,1,720", "1,1,1280,0.001", "600,1,2,700"])
def test_a_box_of_one_pixel_is_cut_or_left_out_by_name(tmp_path, box):
    """Kind B7: a box of 1280x1."""
    film = write_film(tmp_path / "gate.mov", smooth(6, height=720, width=1280), rate=25)
    content = "".join(f"{n + 1},7,{box},1,1,1\n" for n in range(6)).encode()
    work = build(film, write_rows(tmp_path, content), "--observe-px-per-m", "0")(tmp_path / "out")
    ended = run(work, tmp_path / "said", is_limited=True)
    assert ended.is_clean, ended.said
    assert ended.status == 0 or "gate" in ended.said, ended.said


@pytest.mark.parametrize("value", [0, -1, 1.5, 10**9, None, "8", [8]])
def test_an_impossible_stride_in_a_checkpoint_or_a_run_is_refused_by_name(given, tmp_path, value):
    """Kind B7: `stride: 0`."""
    for folder in ("checkpoint", "run"):
        shutil.copytree(given / ("run/checkpoint" if folder == "checkpoint" else "begun-2"), tmp_path / folder)
        path = tmp_path / folder / "config.json"
        content = json.loads(path.read_text())
        owner = content if folder == "checkpoint" else content["model"]
        _set_stride(owner, value)
        path.write_text(json.dumps(content))
    embed = command("embed", given / "built", "--model", tmp_path / "checkpoint", "--out", tmp_path / "table.npz")
    assert "checkpoint" in refusal(embed, tmp_path)
    assert "run" in refusal(command(*train_command(given / "g2a", tmp_path / "run")), tmp_path)


def _set_stride(owner, value):
    """Wherever the model of this configuration has it."""
    found = [part for part in _parts(owner) if "stride" in part]
    assert found
    for part in found:
        part["stride"] = value


def _parts(value):
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _parts(item)


NAME = os.fsdecode(b"g\xe4te \xff\x1b[31m")
"""Of a file: Latin-1, no UTF-8, with an escape sequence."""


def test_names_that_are_not_utf8_are_taken_or_refused_in_one_line(given, tmp_path):
    """Kinds B6 and B7."""
    film, annotations = (
        write_gate(tmp_path, name=f"{NAME}.mp4"),
        write_rows(tmp_path, rows("1,1,1"), name=f"{NAME}.txt"),
    )
    shutil.copy(given / "pairs.csv", tmp_path / f"{NAME}.csv")
    shutil.copytree(given / "run/checkpoint", tmp_path / NAME)
    shutil.copytree(given / "built", tmp_path / "built")
    scored = (tmp_path / f"{NAME}.npz", given / "run/gallery.npz", "--protocol", "ground-to-aerial")
    shutil.copy(given / "run/query.npz", scored[0])
    works = {
        "build of a film": build(film, write_rows(tmp_path))(tmp_path / "out-1"),
        "build of annotations": build(write_gate(tmp_path), annotations)(tmp_path / "out-2"),
        "build into a folder": build(write_gate(tmp_path), write_rows(tmp_path))(tmp_path / f"out-{NAME}"),
        "embed by a model": command("embed", given / "built", "--model", tmp_path / NAME, "--out", tmp_path / "a.npz"),
        "embed into a table": command(
            "embed", given / "built", "--model", given / "run/checkpoint", "--out", tmp_path / f"out-{NAME}.npz"
        ),
        "evaluate": command("evaluate", "tables", *scored, "--out", tmp_path / f"out-{NAME}.json"),
        "link": command("link", tmp_path / "built", "--decisions", tmp_path / f"{NAME}.csv", "--annotator", "a"),
        "what is missing": command("compare", tmp_path / f"{NAME}.json", given / "result.json"),
    }
    faults = {}
    for what, work in works.items():
        ended = run(work, tmp_path / "said", is_limited=True)
        if not ended.is_clean or "\x1b[31m" in ended.said:
            faults[what] = (ended.status, ended.said[-600:])
        print(what, ended.status)
    assert not faults, faults


def test_the_annotations_of_these_tests_are_cut_when_nothing_is_odd(tmp_path):
    work = build(write_gate(tmp_path), write_rows(tmp_path, ANNOTATIONS["mot-gt"]))(tmp_path / "out")
    assert len(crops(work, tmp_path)) == 30
