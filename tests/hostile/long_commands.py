"""The commands that take long, each with what it works on and in."""

import shutil

from skyreid.datasets.manifest import read_manifest
from skyreid.simulation.miniature import write_miniature
from tests.hostile.children import command
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
            # The folder that is there is complete: what a second run of the command could add is nothing.
            export = command("export", given / "built", "--out", place / "out", "--format", "g2a")
            return lambda: 0 if (place / "out").exists() else export()
        case "link":
            shutil.copytree(given / "built", place / "built", dirs_exist_ok=True)
            decisions = ("--decisions", given / "pairs.csv", "--annotator", "ann")
            return command("link", place / "built", *decisions)
        case "simulate":
            return lambda: 0 if (place / "out").exists() else bool(_simulate(place / "out")) - 1
        case "evaluate":
            scored = (given / "run/query.npz", given / "run/gallery.npz", "--protocol", "ground-to-aerial")
            return command("evaluate", "tables", *scored, "--out", place / "result.json")
    raise ValueError(name)


NAMES = ("build", "embed", "train", "export", "link", "simulate", "evaluate")


def _simulate(out):
    return write_miniature(out, identities=4, frames_per_tracklet=2, seed=1).num_frames


def content(place):
    """Every file by its name; of linked people, who is who, since events have random names."""
    files = {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        # Of a state, what comes out of it is compared: the checkpoint; PyTorch packs equal texts once or twice.
        if path.is_file() and "events" not in path.parts and path.name != "state.pt"
    }
    if (place / "built/manifest.jsonl").exists():
        people = [(t.tracklet_id, t.pid) for t in read_manifest(place / "built/manifest.jsonl").tracklets]
        files["who is who"] = repr(people).encode()
    return files
