"""Processes under torchrun, on one machine or two, killed with -9: the same command again ends in the same hash."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from skyreid.files.regular_file import file_sha256
from tests.training.conftest import TINY

EPOCHS = "--stage1.epochs 6 --stage1.batch-size 4 --stage2.epochs 6".split()


ON_ONE_MACHINE = ("--standalone", "--nproc-per-node=2")


def start(root: Path, run_dir: Path, *more: str, launched: Sequence[str] = ON_ONE_MACHINE) -> subprocess.Popen[bytes]:
    """Two processes under torchrun, which kills the others when one dies; or those of one machine of several."""
    launcher = [sys.executable, "-m", "torch.distributed.run", *launched]
    recipe = ["-m", "skyreid", "train", "vsla-clip-g2a-release", "--data-root", str(root), "--run-dir", str(run_dir)]
    return subprocess.Popen(
        [*launcher, *recipe, *TINY, *EPOCHS, *more],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def start_two_machines(root: Path, run_dir: Path, *more: str) -> list[subprocess.Popen[bytes]]:
    """The command of docs/tutorials/train-and-compare.md on both of two machines, which meet on the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}"]
    return [start(root, run_dir, *more, launched=[*meeting, f"--node-rank={machine}"]) for machine in (0, 1)]


def finish(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def workers_of(launcher: int) -> dict[int, int]:
    """Rank of each process that a launcher started, and its number."""
    found = {}
    for number in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            parent = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
            variables = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
        except (OSError, IndexError):  # it has ended
            continue
        ranks = [int(variable[5:]) for variable in variables if variable.startswith(b"RANK=")]
        if parent == launcher and ranks:
            found[ranks[0]] = number
    return found


def wait_for_third_epoch(stage: int, process: subprocess.Popen[bytes], run_dir: Path) -> None:
    """Return once a step of the stage's third epoch is logged."""
    log = run_dir / "log.jsonl"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        lines = log.read_text().splitlines() if log.exists() else []
        if sum(f'"stage": {stage}' in line for line in lines) >= 5:
            break
        time.sleep(0.005)


def kill_in(stage: int, rank: int, process: subprocess.Popen[bytes], run_dir: Path) -> None:
    """Kill one process once a step of the stage's third epoch is logged."""
    wait_for_third_epoch(stage, process, run_dir)
    os.kill(workers_of(process.pid)[rank], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0
    assert f"rank: {rank}" in said.decode(), said.decode()


def assert_like(run_dir: Path, undisturbed: Path) -> None:
    """The same weights, bit for bit, the same log, the same scores."""
    whole, again = (file_sha256(folder / "checkpoint" / "model.safetensors") for folder in (undisturbed, run_dir))
    assert again == whole
    assert (run_dir / "log.jsonl").read_text() == (undisturbed / "log.jsonl").read_text()
    metrics = [json.loads((folder / "checkpoint" / "metrics.json").read_text()) for folder in (undisturbed, run_dir)]
    assert metrics[0] == metrics[1]


@pytest.fixture(scope="module")
def undisturbed(tiny_g2a, tmp_path_factory):
    folder = tmp_path_factory.mktemp("torchrun") / "run"
    finish(start(tiny_g2a, folder))
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc")
@pytest.mark.parametrize(("stage", "rank"), [(2, 1), (1, 0), (1, 1)])
def test_a_process_that_is_killed_ends_all_and_the_run_goes_on_to_the_same_hash(
    stage, rank, tiny_g2a, tmp_path, undisturbed
):
    run_dir = tmp_path / "run"
    kill_in(stage, rank, start(tiny_g2a, run_dir), run_dir)
    assert not (run_dir / "checkpoint").exists(), "the run finished before a process could be killed"
    finish(start(tiny_g2a, run_dir, "--resume"))
    assert_like(run_dir, undisturbed)


@pytest.mark.slow
def test_two_machines_train_what_one_trains_with_as_many_processes(tiny_g2a, tmp_path, undisturbed):
    for process in start_two_machines(tiny_g2a, tmp_path / "run"):
        finish(process)
    assert_like(tmp_path / "run", undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "machine"), [(1, 0), (2, 1)])
def test_a_machine_that_fails_ends_all_and_both_go_on_to_the_same_hash(stage, machine, tiny_g2a, tmp_path, undisturbed):
    run_dir = tmp_path / "run"
    machines = start_two_machines(tiny_g2a, run_dir)
    wait_for_third_epoch(stage, machines[0], run_dir)
    failed, other = machines[machine], machines[1 - machine]
    for number in [*workers_of(failed.pid).values(), failed.pid]:
        os.kill(number, signal.SIGKILL)
    failed.communicate(timeout=120)
    other.communicate(timeout=120)
    assert other.returncode != 0
    assert not (run_dir / "checkpoint").exists(), "the run finished before a machine could fail"
    for process in start_two_machines(tiny_g2a, run_dir, "--resume"):
        finish(process)
    assert_like(run_dir, undisturbed)
