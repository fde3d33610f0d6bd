"""The commands that take long, each with what it works on and in."""

import shutil

from skyreid.simulation.crop_benchmark import write_crop_benchmark
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
            return command("data", "export", given / "built", "--out", place / "out", "--format", "g2a")
        case "link":
            shutil.copytree(given / "built", place / "built", dirs_exist_ok=True)
            decisions = ("--decisions", given / "pairs.csv", "--annotator", "ann")
            return command("link", place / "built", *decisions)
        case "simulate":
            one = ("--identities", 1, "--frame-rate", 2, "--workers", 1)
            return command("simulate", "--out", place / "out", *one)
        case "people of the demo":
            return reading(_draw_people, place / "out")
        case "evaluate":
            scored = (given / "run/query.npz", given / "run/gallery.npz", "--protocol", "ground-to-aerial")
            return command("evaluate", "tables", *scored, "--out", place / "result.json")
    raise ValueError(name)


NAMES = ("build", "embed", "train", "export", "link", "people of the demo", "evaluate", "simulate")


def is_done(ended):
    """Whether a command has come to its end: now, or before, where it refuses to write over what it wrote."""
    return ended.status == 0 or (ended.status == 1 and "must not exist yet" in ended.said)


def _draw_people(out):
    """Half a minute of `skyreid demo` without the training."""
    write_crop_benchmark(out, identities=4, frames_per_tracklet=2, seed=1)
