"""Kind C10: what Windows and macOS lack. Windows was never run: here its modules are missing, or stand-ins."""

import subprocess
import sys

import numpy as np
import pytest

from skyreid.building.video.decode import DecodeLimits, frames
from skyreid.errors import VideoError
from skyreid.processes.limits import OUT_OF_MEMORY, OUT_OF_TIME
from tests.building.films import noise, write_film, write_plain_gif

WITHOUT = "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None\n"
MSVCRT = """
import errno, types
held = {}
def locking(descriptor, mode, count):
    import os
    key = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
    if held.setdefault(key, descriptor) != descriptor:
        raise PermissionError(errno.EACCES, 'held')
sys.modules['msvcrt'] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
"""


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + program, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_every_module_is_imported_without_the_modules_of_posix():
    program = (
        "import pkgutil, importlib, skyreid\n"
        "for found in pkgutil.walk_packages(skyreid.__path__, 'skyreid.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
    )
    assert run(program).stderr == ""


def test_locks_of_windows_keep_others_out_and_leave_the_file_as_it_is(tmp_path):
    (tmp_path / "log").write_text("an event\n")
    program = MSVCRT + (
        "import os\n"
        "from pathlib import Path\n"
        "from skyreid.files.atomic_file import folder_lock, try_lock\n"
        "path = Path(sys.argv[1])\n"
        "first, second = (os.open(path / 'log', os.O_RDWR | os.O_APPEND) for _ in range(2))\n"
        "print(try_lock(first), try_lock(second), os.read(first, 8))\n"
        "with folder_lock(path) as first, folder_lock(path) as second: print(first, second)\n"
    )
    finished = run(program, tmp_path)
    assert finished.stderr == ""
    assert finished.stdout == "True False b'an event'\nTrue False\n"
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert (tmp_path / "log").read_text() == "an event\n"


def test_a_system_without_any_locks_says_so(tmp_path):
    (tmp_path / "log").write_text("")
    program = "from skyreid.files.atomic_file import try_lock\ntry_lock(open(sys.argv[1]).fileno())"
    assert "this system has no locks on files" in run(program, tmp_path / "log").stderr


@pytest.mark.parametrize(
    ("limits", "work", "status"),
    [
        ("memory_bytes=2**40, cpu_s=1", "while True: pass", OUT_OF_TIME),
        ("memory_bytes=2**28, cpu_s=60", "taken = b'1' * 2**29\nwhile True: pass", OUT_OF_MEMORY),
        ("memory_bytes=2**40, cpu_s=None", "import time; time.sleep(0.5)", 0),
    ],
)
def test_without_limits_of_the_system_a_process_is_watched_from_within(limits, work, status):
    program = f"from skyreid.processes.limits import lower_rights\nlower_rights({limits}, open_files=32)\n{work}"
    assert run(program).returncode == status


def test_the_structure_that_windows_takes_has_the_size_that_it_documents():
    from skyreid.processes import limits as process_limits  # FOLDED

    size = process_limits.ctypes.sizeof(process_limits._ExtendedLimits)
    assert size == (144 if sys.maxsize > 2**32 else 112)


@pytest.fixture
def python_without(tmp_path, monkeypatch):
    """Children find no `resource`, as on Windows."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")


def test_a_film_is_decoded_without_the_modules_of_posix(tmp_path, python_without):
    film = write_film(tmp_path / "a.mov", noise(3))
    np.testing.assert_array_equal([frame.pixels for frame in frames(film)], noise(3))


def test_a_film_that_takes_too_long_is_ended_without_the_modules_of_posix(tmp_path, python_without):
    film = write_plain_gif(tmp_path / "bomb.gif", width=3000, height=3000, frames=200)
    with pytest.raises(VideoError, match="took more than 1 processor seconds"):
        for _ in frames(film, max_side=8, limits=DecodeLimits(cpu_s=1)):
            pass
