"""A process of several that is killed with -9, in either stage: the same command again ends in the same hash."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skyreid.files.regular_file import file_sha256
from tests.training.conftest import TINY

EPOCHS = "--stage1.epochs 6 --stage1.batch-size 4 --stage2.epochs 6".split()


def start(root: Path, run_dir: Path, *more: str) -> subprocess.Popen[bytes]:
    """Two processes under torchrun, which kills the others when one dies."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    recipe = ["-m", "skyreid", "train", "vsla-clip-g2a-release", "--data-root", str(root), "--run-dir", str(run_dir)]
    return subprocess.Popen(
        [*launcher, *recipe, *TINY, *EPOCHS, *more],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


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


def kill_in(stage: int, rank: int, process: subprocess.Popen[bytes], run_dir: Path) -> None:
    """Kill one process once a step of the stage's third epoch is logged."""
    log = run_dir / "log.jsonl"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        lines = log.read_text().splitlines() if log.exists() else []
        if sum(f'"stage": {stage}' in line for line in lines) >= 5:
            break
        time.sleep(0.005)
    os.kill(workers_of(process.pid)[rank], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0
    assert f"rank: {rank}" in said.decode(), said.decode()


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
    whole, again = (file_sha256(folder / "checkpoint" / "model.safetensors") for folder in (undisturbed, run_dir))
    assert again == whole
    assert (run_dir / "log.jsonl").read_text() == (undisturbed / "log.jsonl").read_text()
    metrics = [json.loads((folder / "checkpoint" / "metrics.json").read_text()) for folder in (undisturbed, run_dir)]
    assert metrics[0] == metrics[1]
