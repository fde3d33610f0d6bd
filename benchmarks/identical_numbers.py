"""The numbers that a change of names and places must leave alone, to the last bit.

    python benchmarks/identical_numbers.py before.json                         # on the commit before
    python benchmarks/identical_numbers.py after.json --against before.json    # on the commit after

Trains both stages of the method for 50 steps each, and every method of the comparison for --steps, on one
thread, from a fixed seed, on crops that are drawn here; builds a dataset from two videos that are made here; runs the
demo if --demo asks for it. Written down are every term of every step's loss, the embeddings of the test set, and the
hashes of the data. The second call names the first step of each method that differs, and exits with 1 if there is one.

Bits are the same on the same machine with the same libraries only. Everything is asked of the command line, so that
this file runs on both commits: copy it to the older one, which may not have it.
"""

import argparse
import hashlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import av
import numpy as np
import scipy.io
from PIL import Image

import skyreid

FRAMES = 8
TWO_STAGE = ("vsla-clip-small", "ft-clip-small")
TWO_STAGE_STEPS = 50
TWO_STAGE_PEOPLE = 10
"""People of a batch, each with both of their tracklets."""
METHODS = {
    "ap3d-native": "--image-size 32 32 --sampler.tracklets 2 --schedule.milestones 1",
    "ap3d-nl-native": "--image-size 32 32 --sampler.tracklets 2 --schedule.milestones 1",
    "bicnet-tks-native": "--image-size 64 64 --sampler.tracklets 2 --schedule.milestones 1",
    "sinet-native": "--image-size 64 64 --sampler.tracklets 4 --schedule.milestones 1",
    "pit-native": "--image-size 48 32 --sampler.tracklets 2 --schedule.warmup-epochs 1",
    "mgh-native": "--image-size 128 32 --sampler.tracklets 2 --schedule.milestones 1",
    "psta-native": "--image-size 32 32 --sampler.tracklets 2 --schedule.milestones 1",
    "stmn-native": "--image-size 32 32 --sampler.tracklets 2 --schedule.milestones 1",
    "tclnet-native": "--image-size 64 32 --sampler.tracklets 2 --schedule.milestones 1",
    "grl-native": "--image-size 32 32 --sampler.tracklets 2 --schedule.milestones 1",
    "tf-clip-native": "--image-size 32 32 --sampler.tracklets 2 --schedule.milestones 1",
}
"""Recipe → the smallest frames and batches that it trains with; its rates, losses and optimizer stay its own."""
METHOD_PEOPLE = 2
METHOD_EPOCHS = 2
"""Two, so that the rate changes on the way, and each writes its state: a gigabyte for the largest."""


def main() -> int:
    names = [*TWO_STAGE, *METHODS, "build"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--against", type=Path, metavar="BEFORE", help="JSON file of the commit before")
    parser.add_argument("--only", nargs="+", choices=names, help="leave the others out")
    parser.add_argument("--steps", type=int, choices=(10, 20, 50), default=10, help="of the methods of the comparison")
    parser.add_argument("--demo", action="store_true", help="the demo's scores, too")
    given = parser.parse_args()
    before = json.loads(given.against.read_text()) if given.against else None
    numbers = {}
    with tempfile.TemporaryDirectory() as scratch:
        world = draw_world(Path(scratch) / "world", people=given.steps * METHOD_PEOPLE // METHOD_EPOCHS)
        for name in given.only or names:
            began = processor_s()
            folder = Path(scratch) / name
            numbers[name] = built(folder) if name == "build" else trained(name, given.steps, world, folder)
            print(f"{name:20} {processor_s() - began:6.1f} s", flush=True)
        if given.demo:
            numbers["demo"] = run("demo", "--out", Path(scratch) / "demo", "--json")
            del numbers["demo"]["checkpoint"], numbers["demo"]["report"]
    record = {"made_with": {**surroundings(), "steps": given.steps}, "numbers": numbers}
    given.out.write_text(json.dumps(record, indent=1) + "\n")
    return 0 if before is None else compare(before, record)


def trained(recipe: str, num_steps: int, world: Path, folder: Path) -> dict[str, object]:
    """Train, and give every step's losses, the hash of the data and that of the embeddings of the test set."""
    if recipe in TWO_STAGE:
        epochs = TWO_STAGE_STEPS * TWO_STAGE_PEOPLE // num_steps
        options = (
            f"--stage1.epochs {epochs} --stage1.batch-size {2 * TWO_STAGE_PEOPLE} --stage2.epochs {epochs} "
            f"--stage2.sampler.identities {TWO_STAGE_PEOPLE} --stage2.schedule.milestones {epochs // 2} {epochs - 1}"
        )
        num_steps = 2 * TWO_STAGE_STEPS
    else:
        options = f"--epochs {METHOD_EPOCHS} --sampler.identities {METHOD_PEOPLE} {METHODS[recipe]}"
    run("train", recipe, "--data-root", world, "--run-dir", folder, *options.split())
    steps: dict[str, dict[str, str]] = {}
    for line in (folder / "log.jsonl").read_text().splitlines():
        losses = json.loads(line)
        step = f"stage {losses.pop('stage')}, step {losses.pop('step')}"
        assert all(map(math.isfinite, losses.values())), f"{recipe}: {step}: {losses} tells nothing"
        steps[step] = {name: value.hex() for name, value in losses.items()}
    assert len(steps) == num_steps, f"{recipe}: {len(steps)} steps instead of {num_steps}"
    tables = [skyreid.load_table(next(folder.glob(f"{part}.*"))) for part in ("query", "gallery")]
    embeddings = np.concatenate([table.embeddings for table in tables])
    return {
        **steps,
        "embeddings": hashlib.sha256(embeddings.tobytes()).hexdigest(),
        "data": json.loads((folder / "config.json").read_text())["data_sha256"],
    }


def built(folder: Path) -> dict[str, object]:
    """Build from two videos with boxes, and give the hashes of the manifest and of the data."""
    folder.mkdir()
    sources = [
        f"{film_walk(folder, camera, seed)},platform={where},camera={camera},"
        f"annotations={folder / camera}.txt,identities=shared"
        for seed, (camera, where) in enumerate([("gate", "ground"), ("drone", "aerial")])
    ]
    report = run("build", "--out", folder / "built", "--source", *sources, "--json")
    assert report["sources"] and all(source["crops"] for source in report["sources"]), report
    return {"manifest": report["manifest_sha256"], "data": report["data_sha256"]}


def run(*arguments: object) -> dict:
    """Run one command of ours on one thread; give what it prints where that is JSON."""
    command = [sys.executable, "-m", "skyreid", *map(str, arguments), "--quiet", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout) if "--json" in arguments else {}


def compare(before: dict, after: dict) -> int:
    """Name the first number of each method that differs."""
    for what, then in before["made_with"].items():
        if what != "commit" and (now := after["made_with"][what]) != then:
            print(f"warning: {what} was {then}, is {now}: the bits may differ for that alone")
    differing = 0
    for name, numbers in after["numbers"].items():
        then = before["numbers"].get(name)
        where = next((key for key in {**(then or {}), **numbers} if (then or {}).get(key) != numbers.get(key)), None)
        if where is not None:
            differing += 1
            print(f"{name}: {where} was {(then or {}).get(where)}, is {numbers.get(where)}")
    if missing := before["numbers"].keys() - after["numbers"].keys():
        print(f"not run: {', '.join(sorted(missing))}")
    print(f"{len(after['numbers']) - differing} of {len(after['numbers'])} have the same bits")
    return 1 if differing else 0


def processor_s() -> float:
    """Give the processor seconds of the commands so far."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def surroundings() -> dict[str, str]:
    """Give the commit, and what else the bits depend on."""
    home = Path(skyreid.__file__).parent
    git = ["git", "-C", str(home), "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    return {
        "commit": subprocess.run(git, capture_output=True, text=True).stdout.strip() or "not known",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        **{library: version(library) for library in ("torch", "numpy", "pillow", "av")},
    }


def draw_world(root: Path, *, people: int) -> Path:
    """Write a benchmark in the layout of G2A-VReID: people are patches of colours of their own, under noise."""
    rng = np.random.default_rng(0)
    (root / "info").mkdir(parents=True)
    for part, pids in (("train", range(1, people + 1)), ("test", range(people + 1, people + 5))):
        names: list[str] = []
        rows: list[tuple[int, int, int, int]] = []
        colours = rng.integers(0, 256, (len(pids), 6, 3, 3))
        for camera in (1, 2):
            for pid, look in zip(pids, colours, strict=True):
                folder = root / f"bbox_{part}" / f"{pid:04d}"
                folder.mkdir(parents=True, exist_ok=True)
                rows.append((len(names) + 1, len(names) + FRAMES, pid, camera))
                for number in range(1, FRAMES + 1):
                    name = f"{pid:04d}C{camera}T{camera:04d}F{number:03d}.jpg"
                    person = np.kron(look, np.ones((8, 8, 1))) + rng.normal(0, 20, (48, 24, 3))
                    Image.fromarray(person.clip(0, 255).astype(np.uint8)).save(folder / name)
                    names.append(name)
        (root / "info" / f"{part}_name.txt").write_text("".join(f"{name}\n" for name in names))
        scipy.io.savemat(root / f"info/tracks_{part}_info.mat", {f"track_{part}_info": np.array(rows, np.int32)})
    scipy.io.savemat(root / "info" / "query_IDX.mat", {"query_IDX": np.arange(1, 5, dtype=np.int32)[None]})
    return root


def film_walk(folder: Path, name: str, seed: int) -> Path:
    """Film two boxes that walk through noise for four seconds, and write where they are as MOTChallenge does.

    Into QuickTime: Matroska draws a random number into each file, and the manifest has the hash of the video.
    """
    rng = np.random.default_rng(seed)
    walkers, rows = rng.integers(0, 256, (2, 96, 48, 3)), []
    ground = rng.integers(90, 150, (240, 320, 3))
    with av.open(str(folder / f"{name}.mov"), "w") as film:
        stream = film.add_stream("png", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.thread_count = 320, 240, "rgb24", 1
        for number in range(40):
            picture = ground.copy()
            for person, walker in enumerate(walkers):
                top, left = 20 + 110 * person, 10 + (4 + person) * number
                picture[top : top + 96, left : left + 48] = walker
                rows.append(f"{number + 1},{person + 1},{left + 1},{top + 1},48,96,1,-1,-1,-1\n")
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")))
        film.mux(stream.encode())
    (folder / f"{name}.txt").write_text("".join(rows))
    return folder / f"{name}.mov"


if __name__ == "__main__":
    sys.exit(main())
