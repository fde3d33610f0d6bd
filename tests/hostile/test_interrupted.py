"""Long commands that are killed, or whose disk is full: no trace, and the same files when they are run again."""

import os
import random
import shutil
import subprocess

import pytest

from tests.hostile.children import run
from tests.hostile.long_commands import NAMES, content, is_done, prepare

KILLS = 25
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="processes cannot be forked there")]


@pytest.fixture
def undisturbed(request, given, tmp_path):
    """Run a command twice to its end; give what it leaves, and how long it takes, in calls and in seconds."""

    def of(name):
        seen = []
        for _ in range(2):
            ended = run(prepare(name, given, tmp_path / "place"), tmp_path / "said")
            assert ended.status == 0, ended.said
            seen.append(content(tmp_path / "place"))
            shutil.rmtree(tmp_path / "place")
        names = seen[0].keys()
        assert names == seen[1].keys()
        same = {name: whole for name, whole in seen[0].items() if seen[1][name] == whole}
        assert same
        return names, same, ended

    return of


def check(place, names, same):
    left = content(place)
    assert left.keys() == names, sorted(left.keys() ^ names)
    assert {name: left[name] for name in same} == same
    assert not list(place.rglob(".*partial*"))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_is_killed_ends_like_one_that_was_not(name, given, tmp_path, undisturbed):
    names, same, whole = undisturbed(name)
    place, draw = tmp_path / "place", random.Random(7)
    calls = sorted({1 + number * whole.calls // 15 for number in range(15)} - {whole.calls + 1})
    kills = [{"kill_at_call": call} for call in calls]
    kills += [{"kill_after_s": draw.uniform(0, whole.seconds)} for _ in range(KILLS - len(kills))]
    killed = 0
    for how in kills:
        work = prepare(name, given, place)
        ended = run(work, tmp_path / "said", **how)
        killed += ended.status == -9
        assert ended.status in (0, -9), (how, ended.said)
        again = run(work, tmp_path / "said")
        assert is_done(again), (how, again.said)
        check(place, names, same)
        shutil.rmtree(place)
    print(f"{name}: {killed} of {len(kills)} killed, at {len(calls)} of {whole.calls} calls and at random times")
    assert killed >= len(calls)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_one_line_and_leaves_nothing(name, given, tmp_path, undisturbed):
    """The disk is full from one call on, and then, where it can be mounted, really, of many sizes."""
    names, same, whole = undisturbed(name)
    place = tmp_path / "place"
    calls = sorted({1 + number * whole.calls // 12 for number in range(12)})
    for call in calls:
        work = prepare(name, given, place)
        ended = run(work, tmp_path / "said", full_at_call=call)
        assert ended.is_clean, (call, ended.status, ended.said)
        assert ended.status == 0 or "No space left on device" in ended.said, (call, ended.said)
        assert not list(place.rglob(".*partial*")), (call, list(place.rglob(".*partial*")))
        again = run(work, tmp_path / "said")
        assert is_done(again), (call, again.said)
        check(place, names, same)
        shutil.rmtree(place)
    full = sum(_really_full(name, given, tmp_path, same))
    print(f"{name}: full at {len(calls)} of {whole.calls} calls, and {full} disks of other sizes")


def _really_full(name, given, tmp_path, same):
    place = tmp_path / "disk"
    place.mkdir()
    sizes = [len(whole) for whole in same.values()]
    needed = sum(size + 4096 for size in sizes) * 3 // 2
    for number in range(1, 9):
        size = number * needed // 9 // 4096 * 4096
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, check=False
        )
        if mounted.returncode:
            return
        try:
            try:
                work = prepare(name, given, place)
            except (OSError, shutil.Error):  # not even what the command begins with
                continue
            ended = run(work, tmp_path / "said")
            assert ended.is_clean, (size, ended.status, ended.said)
            assert ended.status == 0 or "No space left on device" in ended.said, (size, ended.said)
            assert not list(place.rglob(".*partial*")), (size, list(place.rglob(".*partial*")))
            yield ended.status != 0
        finally:
            subprocess.run(["umount", "-l", place], check=True)
