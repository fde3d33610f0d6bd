"""What the hostile suite works on: everything that skyreid writes and reads, as small as it can be."""

import os
import shutil

import pytest

from skyreid.cli import main
from skyreid.training.run_folder import RunFolder
from tests.building.test_build import write_source
from tests.hostile.children import command, run
from tests.training.conftest import TINY, tiny_g2a  # noqa: F401

EPOCHS = ["--stage1.epochs", "2", "--stage2.epochs", "2", "--stage1.batch-size", "4"]


def train_command(data, run_dir):
    return ["train", "vsla-clip-g2a-release", "--data-root", data, "--run-dir", run_dir, *TINY, *EPOCHS, "--resume"]


def call(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


def begin(folder):
    """Two trainings that are killed, after an epoch of the first stage and of the second."""
    wanted = {1, 2}
    for call in range(8, 100, 4):
        begun = folder / "begun"
        work = command(*train_command(folder / "g2a", begun))
        assert run(work, folder / "said", kill_at_call=call).status == -9
        state = RunFolder(begun).load_state()
        if state is not None and state.epoch == 1 and state.stage in wanted:
            wanted.remove(state.stage)
            begun.rename(folder / f"begun-{state.stage}")
        else:
            shutil.rmtree(begun)
        if not wanted:
            return
    raise AssertionError(f"no training was killed in stage {wanted}")


@pytest.fixture(scope="session")
def given(tmp_path_factory, tiny_g2a):  # noqa: F811
    """Films, a build, a trained run and two that were killed, a table, decisions, a result and a calibration."""
    folder = tmp_path_factory.mktemp("given")
    write_source(folder, "gate", people=(4, 9))
    write_source(folder, "drone", people=(9, 4), platform="aerial")
    for name, platform in (("gate", "ground"), ("drone", "aerial")):
        text = (
            f"{folder}/{name}.mov,platform={platform},camera={name},annotations={folder}/{name}.txt,identities=shared"
        )
        (folder / f"{name}.source").write_text(text)
    sources = [part for name in ("gate", "drone") for part in ("--source", (folder / f"{name}.source").read_text())]
    call("build", "--out", folder / "built", *sources)
    shutil.copytree(tiny_g2a, folder / "g2a")
    call(*train_command(folder / "g2a", folder / "run"))
    begin(folder)
    call("embed", folder / "built", "--model", folder / "run/checkpoint", "--out", folder / "table.npz")
    call("link", folder / "built", "--out", folder / "pairs.csv", "--table", folder / "table.npz")
    lines = (folder / "pairs.csv").read_text().splitlines()
    place = lines[0].split(",").index("decision")
    rows = [line.split(",") for line in lines[1:]]
    for number, row in enumerate(rows):
        row[place] = ("same", "different")[number % 2]
    (folder / "pairs.csv").write_text("\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n")
    scored = (folder / "run/query.npz", folder / "run/gallery.npz", "--protocol", "ground-to-aerial")
    call("evaluate", "tables", *scored, "--out", folder / "result.json")
    rates = ("--false-positive-rate", 0.5, "--false-positive-identification-rate", 0.5)
    call("calibrate", *scored, *rates, "--out", folder / "calibration.json")
    return folder


@pytest.fixture
def untouched(given):
    """See that a test leaves what it was given as it was: nothing is written outside of --out."""

    def seen():
        return {path: path.stat().st_mtime_ns for path in given.rglob("*") if path.is_file()} | {
            path: None for path in given.rglob("*") if path.is_dir()
        }

    before, here = seen(), set(os.listdir())  # noqa: PTH208
    yield
    assert seen() == before
    assert set(os.listdir()) == here  # noqa: PTH208
