import errno
import signal
import subprocess
import sys

import pytest

from skyreid.files.atomic_file import new_folder, replaced_folder, scratch_folder, sweep_leftovers, write_atomically


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
from skyreid.files.atomic_file import new_folder, replaced_folder, scratch_folder, sweep_leftovers, write_atomically
def chunks():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), chunks())
"""
    (tmp_path / "a.txt").write_bytes(b"old")
    writer = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.txt")], check=False)
    assert writer.returncode == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_bytes() == b"old"


HELD = """
import sys
from pathlib import Path
from skyreid.files.atomic_file import replaced_folder, write_atomically
def chunks():
    print("writing", flush=True)
    sys.stdin.readline()
    yield b"of the first"
if sys.argv[2] == "file":
    write_atomically(Path(sys.argv[1]), chunks())
else:
    with replaced_folder(Path(sys.argv[1])) as staging:
        (staging / "content").write_bytes(b"".join(chunks()))
"""


@pytest.fixture
def begin_writing():
    """Start a process that has begun to write a file or folder, and ends it at a line of input."""
    begun = []

    def begin(path, kind):
        process = subprocess.Popen(
            [sys.executable, "-c", HELD, str(path), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        begun.append(process)
        assert process.stdout.readline() == "writing\n"
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def write(path, kind):
    if kind == "file":
        write_atomically(path, [b"of the second"])
    else:
        with replaced_folder(path) as staging:
            (staging / "content").write_bytes(b"of the second")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_writer_sweeps_what_a_killed_one_left(tmp_path, begin_writing, kind):
    """Kind B5: leftovers of killed commands stay for ever."""
    process = begin_writing(tmp_path / "out", kind)
    process.kill()
    process.wait()
    assert len(list(tmp_path.glob(".out.*.partial"))) == 1
    write(tmp_path / "other", kind)
    assert len(list(tmp_path.glob(".out.*.partial"))) == 1
    write(tmp_path / "out", kind)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nobody_sweeps_what_a_living_writer_writes(tmp_path, begin_writing, kind):
    process = begin_writing(tmp_path / "out", kind)
    sweep_leftovers(tmp_path)
    write(tmp_path / "out", kind)
    process.communicate("go on\n", timeout=60)
    assert process.returncode == 0
    written = tmp_path / "out" if kind == "file" else tmp_path / "out" / "content"
    assert written.read_bytes() == b"of the first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("renamings", [1, 2, 3])
def test_a_folder_whose_writer_is_killed_at_a_renaming_is_the_old_or_the_new_one(tmp_path, renamings):
    program = """
import os, signal, sys
from pathlib import Path
from skyreid.files.atomic_file import replaced_folder
made, rename = 0, os.rename
def counted(*paths):
    global made
    made += 1
    if made == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*paths)
os.rename = counted
with replaced_folder(Path(sys.argv[1])) as staging:
    (staging / "content").write_bytes(b"new")
"""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "content").write_bytes(b"old")
    writer = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out"), str(renamings)], check=False)
    assert writer.returncode == (0 if renamings == 3 else -signal.SIGKILL)
    sweep_leftovers(tmp_path)
    assert (tmp_path / "out" / "content").read_bytes() == (b"old" if renamings == 1 else b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_new_folder_takes_no_name_that_somebody_took_meanwhile(tmp_path):
    with pytest.raises(FileExistsError, match="was made by somebody else meanwhile"), new_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_links_and_folders_with_other_things_are_not_swept(tmp_path):
    """Kind B1: what is swept is proved to be ours."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "new").mkdir()
    name = ".out.0123456789abcdef.partial"
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / name).symlink_to(victim)
    (tmp_path / "others" / name / "photos").mkdir(parents=True)
    for folder in ("links", "others"):
        sweep_leftovers(tmp_path / folder)
        assert (tmp_path / folder / name).exists()
    assert (victim / "new").exists()


def test_an_error_that_names_no_file_gets_the_name_of_the_target(tmp_path):
    """Kind B7: a full disk is told without a file."""

    def chunks():
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(tmp_path / "a.txt", chunks())
    assert caught.value.filename == str(tmp_path / "a.txt")
    with pytest.raises(OSError, match="No space left") as caught, new_folder(tmp_path / "out"):
        list(chunks())
    assert caught.value.filename == str(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_is_gone_at_the_end(tmp_path):
    with scratch_folder(tmp_path / "out") as scratch:
        (scratch / "crop.jpg").touch()
    assert list(tmp_path.iterdir()) == []
