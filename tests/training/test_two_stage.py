"""A whole run through the command line: killed and resumed, on one process and on several."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import skyreid
from tests.training.conftest import TINY

SIX_A_BATCH = ("--stage2.sampler.identities", "3", "--stage1.batch-size", "6")
"""Clips that divide among three processes."""
EPOCHS = ["--stage1.epochs", "6", "--stage2.epochs", "6", "--stage1.batch-size", "4"]


def command(root, run_dir, *more):
    recipe = ["-m", "skyreid", "train", "vsla-clip-g2a-release"]
    return [*recipe, "--data-root", str(root), "--run-dir", str(run_dir), *TINY, *EPOCHS, *more]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run(arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], env=environment(), capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture(scope="module")
def uninterrupted(tiny_g2a, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    finished = run(command(tiny_g2a, folder))
    assert finished.returncode == 0, finished.stderr
    return folder


def kill_in_stage(stage, root, run_dir):
    """Start a run, kill it with SIGKILL once it has logged a step of the stage's third epoch."""
    process = subprocess.Popen(
        [sys.executable, *command(root, run_dir)],
        env=environment(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    log = run_dir / "log.jsonl"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        lines = log.read_text().splitlines() if log.exists() else []
        if sum(f'"stage": {stage}' in line for line in lines) >= 5:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("stage", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_killed_run_ends_in_the_same_bits_after_resuming(stage, tiny_g2a, tmp_path, uninterrupted):
    run_dir = tmp_path / "run"
    kill_in_stage(stage, tiny_g2a, run_dir)
    assert not (run_dir / "checkpoint").exists(), "the run finished before it could be killed"
    assert (run_dir / "training_frames_0.bin").exists()
    resumed = run(command(tiny_g2a, run_dir, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    whole = load_file(uninterrupted / "checkpoint" / "model.safetensors")
    again = load_file(run_dir / "checkpoint" / "model.safetensors")
    assert whole.keys() == again.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, again[name]), name
    assert (run_dir / "log.jsonl").read_text() == (uninterrupted / "log.jsonl").read_text()
    assert not any(run_dir.glob("training_frames*"))


def test_resuming_a_finished_run_leaves_it_alone_wherever_it_lies(tiny_g2a, tmp_path, uninterrupted):
    """Kind B5: `train --resume` on a finished run swaps its checkpoint; a moved run folder resumes."""
    moved = tmp_path / "moved"
    shutil.copytree(uninterrupted, moved)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (moved / "checkpoint").iterdir()}
    resumed = run(command(tiny_g2a, moved, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    assert "this run had come to its end before; nothing was trained" in resumed.stdout
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (moved / "checkpoint").iterdir()}
    assert after == before
    for name in ("query.npz", "gallery.npz", "log.jsonl", "state.pt"):
        assert (moved / name).read_bytes() == (uninterrupted / name).read_bytes()


def test_a_run_leaves_scores_embeddings_and_a_checkpoint_that_loads(uninterrupted):
    metrics = json.loads((uninterrupted / "checkpoint" / "metrics.json").read_text())
    assert metrics["protocol"] == "ground-to-aerial"
    assert metrics["queries"] == 4
    assert metrics["epoch"] == 6
    encoder = skyreid.load(uninterrupted / "checkpoint")
    frames = torch.zeros(2, 3, 3, 40, 20, dtype=torch.uint8)
    assert encoder.embed(frames, ["ground", "aerial"]).shape == (2, 64 + 32)
    assert any((uninterrupted / "events" / "stage2").iterdir())
    assert not any(uninterrupted.glob("training_frames*")), "decoded pictures of people stay behind"


def test_training_lowers_the_loss(uninterrupted):
    entries = [json.loads(line) for line in (uninterrupted / "log.jsonl").read_text().splitlines()]
    for stage in (1, 2):
        losses = [entry["loss"] for entry in entries if entry["stage"] == stage]
        assert np.mean(losses[-4:]) < np.mean(losses[:4])


@pytest.mark.slow  # one step of several processes is in processes/test_distributed.py
@pytest.mark.parametrize(("count", "batches"), [(2, ()), (3, SIX_A_BATCH)])
def test_several_processes_give_the_losses_weights_and_embeddings_of_one(
    count, batches, tiny_g2a, tmp_path, uninterrupted
):
    alone = uninterrupted
    if batches:
        alone = tmp_path / "alone"
        finished = run(command(tiny_g2a, alone, *batches))
        assert finished.returncode == 0, finished.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={count}", "--master-addr=127.0.0.1"]
    run_dir = tmp_path / "run"
    finished = run([*launcher, f"--master-port={port}", *command(tiny_g2a, run_dir, *batches)])
    assert finished.returncode == 0, finished.stderr
    lines = [[json.loads(line) for line in (f / "log.jsonl").read_text().splitlines()] for f in (alone, run_dir)]
    for one, two in zip(*lines, strict=True):
        assert one == pytest.approx(two, rel=1e-4)
    one, two = (load_file(folder / "checkpoint" / "model.safetensors") for folder in (alone, run_dir))
    for name, tensor in one.items():
        # Adam turns the rounding noise of a gradient that is zero by construction into whole steps.
        noise = 2e-3 if name.endswith(("key_value.bias", "fixed_before")) else 2e-5
        torch.testing.assert_close(
            tensor, two[name], rtol=1e-4, atol=noise, msg=lambda text, name=name: f"{name}: {text}"
        )
    for table in ("query.npz", "gallery.npz"):
        one, two = (skyreid.load_table(folder / table) for folder in (alone, run_dir))
        assert one.tracklet_ids.tolist() == two.tracklet_ids.tolist()
        np.testing.assert_allclose(one.embeddings, two.embeddings, rtol=1e-3, atol=1e-4)


def test_a_second_run_in_the_same_folder_must_be_asked_for(tiny_g2a, uninterrupted):
    again = run(command(tiny_g2a, uninterrupted))
    assert again.returncode == 1
    assert "holds a run already: go on with it by --resume" in again.stderr


def test_resuming_with_another_configuration_names_the_difference(tiny_g2a, uninterrupted):
    other = run(command(tiny_g2a, uninterrupted, "--resume", "--seed", "7"))
    assert other.returncode == 1
    assert "was started with another configuration: seed was 1234, is 7" in other.stderr
