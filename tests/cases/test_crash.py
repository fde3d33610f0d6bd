"""What was acknowledged survives: processes that are killed, and writes that reach the disk."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.cases.builds import write_build

KINDS = ("decisions", "ingest", "compaction", "purge")


@pytest.fixture
def place(tmp_path, filled, built):
    shutil.copytree(filled, tmp_path / "case")
    shutil.copytree(built, tmp_path / "built")
    for number in range(6):
        people = [f"door-{number}-a-{person:04d}" for person in range(3)]
        source = {"name": f"door-{number}-a", "file": "a.mp4", "camera": f"door-{number}", "platform": "ground"}
        write_build(tmp_path / f"door-{number}", people, sources=[{**source, "video_sha256": str(number)}])
    return tmp_path


def killed(place, kind, kills, database):
    program = [sys.executable, "-m", "tests.cases.killed_case", str(place), kind, str(kills), "1"]
    program += [] if database is None else [database]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f" of {kills} killed at work" in done.stdout and "none lost, none doubled" in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "database", [None], ids=["sqlite"]
)  # tests/service/test_crash_together.py kills beside PostgreSQL
@pytest.mark.parametrize("kind", KINDS)
def test_whoever_is_killed_loses_nothing_that_was_acknowledged(place, kind, database):
    killed(place, kind, 1, database)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_whoever_is_killed_fifty_times_loses_nothing_that_was_acknowledged(place, kind, database):
    print(killed(place, kind, 50, database))


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_every_acknowledged_decision_was_flushed_to_the_disk(place):
    program = """
import os, sys
from skyreid.cases.case import open_case
from skyreid.cases.deciding.decisions import decide
with open_case(sys.argv[1]) as case:
    for number in range(10):
        decide(case, "gate-a-0001", "roof-a-0001", "unsure", annotator=f"anna {number}")
        os.write(2, b"acknowledged\\n")
"""
    log = place / "calls.txt"
    calls = "trace=fsync,fdatasync,write"
    traced = ["strace", "-f", "-o", str(log), "-e", calls, sys.executable, "-c", program, str(place / "case")]
    done = subprocess.run(traced, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("this machine lets nobody trace")
    assert done.returncode == 0, done.stderr[-2000:]
    parts = re.split(r"acknowledged", log.read_text())
    assert len(parts) == 11
    assert all(re.search(r"f(data)?sync\(\d+\)\s+= 0", part) for part in parts[:-1])
