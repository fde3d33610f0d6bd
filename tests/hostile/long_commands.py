"""The commands that take long, each with what it works on and in."""

import shutil

from skyreid.datasets.manifest import read_manifest
from skyreid.simulation.miniature import write_miniature
from tests.hostile.children import command, reading
from tests.hostile.conftest import train_command


def prepare(name, given, place):
    """Put into a new folder what the command changes; returns the work."""
    place.mkdir(exist_ok=True)
    match name:
        case "build":
            sources = [
                part for name in ("gate", "drone") for part in ("--source", (given / f"{name}.source").read_text())
            ]
            return command("build", "--out", place / "out", *sources)
        case "embed":
            checkpoint = given / "run/checkpoint"
            return command("embed", given / "built", "--model", checkpoint, "--out", place / "table.npz")
        case "train":
            return command(*train_command(given / "g2a", place / "run"))
        case "export":
            return command("export", given / "built", "--out", place / "out", "--format", "g2a")
        case "link":
            shutil.copytree(given / "built", place / "built", dirs_exist_ok=True)
            decisions = ("--decisions", given / "pairs.csv", "--annotator", "ann")
            return command("link", place / "built", *decisions)
        case "simulate":
            return reading(_simulate, place / "out")
        case "evaluate":
            scored = (given / "run/query.npz", given / "run/gallery.npz", "--protocol", "ground-to-aerial")
            return command("evaluate", "tables", *scored, "--out", place / "result.json")
    raise ValueError(name)


NAMES = ("build", "embed", "train", "export", "link", "simulate", "evaluate")


def is_done(ended):
    """Whether a command has come to its end: now, or before, where it refuses to write over what it wrote."""
    return ended.status == 0 or (ended.status == 1 and "must not exist yet" in ended.said)


def _simulate(out):
    write_miniature(out, identities=4, frames_per_tracklet=2, seed=1)


def content(place):
    """Every file by its name; of linked people, who is who, since events have random names."""
    files = {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        # Of a state, what comes out of it is compared: the checkpoint; PyTorch packs equal texts once or twice.
        # Where it comes from changes with every commit.
        if path.is_file() and "events" not in path.parts and path.name not in ("state.pt", "provenance.json")
    }
    if (place / "built/manifest.jsonl").exists():
        people = [(t.tracklet_id, t.pid) for t in read_manifest(place / "built/manifest.jsonl").tracklets]
        files["who is who"] = repr(people).encode()
    return files
