import os

import pytest

from skyreid.datasets.atomic_file import write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    def chunks():
        yield b"half"
        raise OSError("no space")

    (tmp_path / "a.txt").write_bytes(b"old")
    with pytest.raises(OSError, match="no space"):
        write_atomically(tmp_path / "a.txt", chunks())
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_written_file_has_the_rights_of_any_other(tmp_path):
    write_atomically(tmp_path / "a.txt", [b"new", b"est"])
    (tmp_path / "b.txt").write_bytes(b"")
    assert (tmp_path / "a.txt").read_bytes() == b"newest"
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode
