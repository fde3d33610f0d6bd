"""Every kind of file that a command reads, damaged or none at all: one line that names it, little memory and time."""

import os
import shutil

import pytest

from tests.hostile.children import run
from tests.hostile.contents import content, differing
from tests.hostile.damage import damaged
from tests.hostile.read_files import CHECKED, KINDS, place_file

EACH = 14
"""Damaged files of each kind; there are over thirty kinds."""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="processes cannot be forked there")]


@pytest.fixture
def reader(given, tmp_path):
    """A file of a kind that can be put there anew, and the command that reads it, under limits."""

    class Reader:
        def __init__(self, kind):
            self.kind = kind
            self.place, self.out, self._pristine = tmp_path / "place", tmp_path / "out", tmp_path / "pristine"
            self.it = place_file(kind, given, self.place)
            self.whole, self._names = self.it.file.read_bytes(), set(self.place.rglob("*"))
            shutil.copytree(self.place, self._pristine)

        def read(self):
            """Run the command; see that nothing is left, and nothing written but where the command writes."""
            ended = run(self.it.read(self.out), tmp_path / "said", is_limited=True)
            assert not list(tmp_path.rglob(".*partial*"))
            assert {path.name for path in tmp_path.iterdir()} <= {"place", "pristine", "out", "said"}
            new = {str(path.relative_to(self.place)) for path in set(self.place.rglob("*")) - self._names}
            assert not [name for name in new if self.it.writes is None or not name.startswith(self.it.writes)]
            return ended

        def result(self):
            """What the command wrote."""
            parts = [content(part, without=self.it.file) for part in (self.out, self.place) if part.exists()]
            return {name: value for part in parts for name, value in part.items()}

        def put_back(self):
            shutil.rmtree(self.out, ignore_errors=True)
            shutil.rmtree(self.place)
            shutil.copytree(self._pristine, self.place)

        def names_it(self, said):
            """Whether a message says which file it is about: the file, or the folder that it is a part of."""
            names = (self.it.file.stem, str(self.it.file.parent), self.it.also_called)
            return any(name in said for name in names if name is not None)

    return Reader


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_one_line(kind, reader):
    file = reader(kind)
    ended = file.read()
    assert ended.status == 0, ended.said
    expected = file.result()
    counts, faults = dict.fromkeys(("refused by name", "read right", "read as another"), 0), []
    for seed in range(EACH):
        file.put_back()
        file.it.file.write_bytes(damaged(file.whole, seed))
        ended = file.read()
        if ended.status:
            counts["refused by name"] += 1
            if not ended.is_clean or not file.names_it(ended.said):
                faults.append((seed, ended.status, ended.said[-700:]))
        elif not differing(file.result(), expected):
            counts["read right"] += 1
        else:
            counts["read as another"] += 1
            if kind in CHECKED:
                faults.append((seed, "read wrong", differing(file.result(), expected), ended.said[-700:]))
    print(f"{kind}: {counts}")
    assert not faults, faults


def _empty(path):
    path.touch()


def _sparse(path):
    with path.open("wb") as file:
        file.truncate(2**40)


def _device(path):
    path.symlink_to("/dev/zero")


ODD = {
    "a pipe": os.mkfifo,
    "a device": _device,
    "a folder": os.mkdir,
    "empty": _empty,
    "a terabyte of nothing": _sparse,
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_with_content_is_one_line(kind, reader):
    """Kinds 11-B4 and B7: a pipe, a device, a folder, an empty file and one that claims a terabyte."""
    file = reader(kind)
    counts, faults = {}, []
    for name, put in ODD.items():
        file.put_back()
        file.it.file.unlink()
        put(file.it.file)
        ended = file.read()
        counts[name] = ended.status
        if not ended.is_clean or not (ended.status == 0 or file.names_it(ended.said)):
            faults.append((name, ended.status, ended.said[-700:]))
        if ended.status == 0 and name != "empty":
            faults.append((name, "was read", ended.said[-700:]))
    print(f"{kind}: {counts}")
    assert not faults, faults


assert len(KINDS) * EACH >= 500
