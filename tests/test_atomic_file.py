import signal
import subprocess
import sys

import pytest

from skyreid.atomic_file import write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    def chunks():
        yield b"half"
        raise OSError("no space")

    (tmp_path / "a.txt").write_bytes(b"old")
    with pytest.raises(OSError, match="no space"):
        write_atomically(tmp_path / "a.txt", chunks())
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_written_file_has_the_rights_of_any_other(tmp_path):
    write_atomically(tmp_path / "a.txt", [b"new", b"est"])
    (tmp_path / "b.txt").write_bytes(b"")
    assert (tmp_path / "a.txt").read_bytes() == b"newest"
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_a_killed_write_leaves_the_old_file(tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from skyreid.atomic_file import write_atomically
def chunks():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), chunks())
"""
    (tmp_path / "a.txt").write_bytes(b"old")
    writer = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.txt")], check=False)
    assert writer.returncode == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_bytes() == b"old"
