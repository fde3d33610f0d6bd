"""Work on several processes."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from skyreid.errors import SettingError
from skyreid.processes.pool import finish_all


def write_name(path: Path) -> str:
    path.write_text(f"{path.name} by {os.getpid()}")
    return path.name


def fail_at_two(path: Path) -> None:
    if path.name == "2":
        raise ValueError("two is not wanted")
    write_name(path)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_every_job_is_done_once(tmp_path, num_workers):
    jobs = [tmp_path / str(number) for number in range(7)]
    assert sorted(finish_all(write_name, jobs, num_workers)) == [(job, job.name) for job in jobs]
    assert [job.read_text().split(" by ")[0] for job in jobs] == [job.name for job in jobs]
    workers = {int(job.read_text().split(" by ")[1]) for job in jobs}
    assert (os.getpid() in workers) == (num_workers == 1)
    assert len(workers) <= num_workers


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_failure_is_told(tmp_path, num_workers):
    with pytest.raises(ValueError, match="two is not wanted"):
        list(finish_all(fail_at_two, [tmp_path / str(number) for number in range(4)], num_workers))


def die(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_told_with_the_remedy(tmp_path):
    with pytest.raises(
        SettingError, match=r"^one of 2 workers died, perhaps for want of memory; what is finished stays"
    ):
        list(finish_all(die, [tmp_path / "0"], 2))


def interrupt_itself(path: Path) -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return path.name


def test_workers_leave_an_interruption_to_their_parent(tmp_path):
    """A terminal sends it to all; dead workers would be told as a want of memory."""
    assert [result for _, result in finish_all(interrupt_itself, [tmp_path / "0"], 2)] == ["0"]


PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from skyreid.processes.pool import finish_all

def linger(path):
    path.write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who was started in the background is deaf to it
    list(finish_all(linger, [Path(name) for name in sys.argv[1:]], 2))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_whoever_started_them(tmp_path, how):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    jobs = [tmp_path / "a", tmp_path / "b"]
    with subprocess.Popen([sys.executable, program, *jobs], start_new_session=True, stderr=subprocess.PIPE) as parent:
        while not all(job.exists() and job.read_text() for job in jobs):
            assert parent.poll() is None
        if how is signal.SIGINT:
            os.killpg(parent.pid, how)  # as a terminal does
        else:
            parent.kill()
        # The pipe ends when the last process that holds it has ended.
        assert parent.stderr.read().decode().count("Traceback") <= 1
    assert parent.returncode == -how
