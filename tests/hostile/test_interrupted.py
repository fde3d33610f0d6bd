"""Long commands that are killed, or whose disk is full: no trace, and the same files when they are run again."""

import os
import random
import shutil
import subprocess

import pytest

from tests.hostile.children import run
from tests.hostile.contents import content, differing
from tests.hostile.long_commands import NAMES, is_done, prepare

KILLS_AT_CALLS, KILLS_AT_TIMES, FULL_AT_CALLS, DISKS = 15, 10, 12, 8
PAGE = 4096
FEWER = {"simulate": (5, 3, 4, 2)}
"""Of a command whose smallest world takes half a minute of a processor."""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="processes cannot be forked there")]


@pytest.fixture
def undisturbed(request, given, tmp_path):
    """Run a command twice to its end; give what it leaves, its size, and how long it takes, in calls and in seconds."""

    def of(name):
        seen = []
        for _ in range(2):
            ended = run(prepare(name, given, tmp_path / "place"), tmp_path / "said")
            assert ended.status == 0, ended.said
            seen.append(content(tmp_path / "place"))
            size = _pages(tmp_path / "place")
            shutil.rmtree(tmp_path / "place")
        assert seen[0]
        assert not differing(*seen)
        return seen[0], size, ended

    return of


def _pages(place):
    """Bytes that the files take on a disk."""
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in place.rglob("*") if path.is_file())


def check(place, expected):
    assert not differing(content(place), expected)
    assert not list(place.rglob(".*partial*"))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_is_killed_ends_like_one_that_was_not(name, given, tmp_path, undisturbed):
    expected, _, whole = undisturbed(name)
    place, draw = tmp_path / "place", random.Random(7)
    at_calls, at_times = FEWER.get(name, (KILLS_AT_CALLS, KILLS_AT_TIMES))[:2]
    calls = sorted({1 + number * whole.calls // at_calls for number in range(at_calls)})
    kills = [{"kill_at_call": call} for call in calls]
    kills += [{"kill_after_s": draw.uniform(0, whole.seconds)} for _ in range(at_calls + at_times - len(kills))]
    killed = 0
    for how in kills:
        work = prepare(name, given, place)
        ended = run(work, tmp_path / "said", **how)
        killed += ended.status == -9
        assert ended.status in (0, -9), (how, ended.said)
        again = run(work, tmp_path / "said")
        assert is_done(again), (how, again.said)
        check(place, expected)
        shutil.rmtree(place)
    print(f"{name}: {killed} of {len(kills)} killed, at {len(calls)} of {whole.calls} calls and at random times")
    assert killed >= len(calls)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_one_line_and_leaves_nothing(name, given, tmp_path, undisturbed):
    """The disk is full from one call on, and then, where it can be mounted, really, of many sizes."""
    expected, needed, whole = undisturbed(name)
    place = tmp_path / "place"
    at_calls, disks = FEWER.get(name, (0, 0, FULL_AT_CALLS, DISKS))[2:]
    calls = sorted({1 + number * whole.calls // at_calls for number in range(at_calls)})
    for call in calls:
        work = prepare(name, given, place)
        ended = run(work, tmp_path / "said", full_at_call=call)
        assert ended.is_clean, (call, ended.status, ended.said)
        assert ended.status == 0 or "No space left on device" in ended.said, (call, ended.said)
        assert not list(place.rglob(".*partial*")), (call, list(place.rglob(".*partial*")))
        again = run(work, tmp_path / "said")
        assert is_done(again), (call, again.said)
        check(place, expected)
        shutil.rmtree(place)
    full = sum(_really_full(name, given, tmp_path, needed, disks))
    print(f"{name}: full at {len(calls)} of {whole.calls} calls, and {full} of {disks} disks of other sizes")


def _really_full(name, given, tmp_path, needed, disks):
    place = tmp_path / "disk"
    prepare(name, given, place)
    begun_with = _pages(place)
    shutil.rmtree(place)
    place.mkdir()
    for number in range(disks):
        room = max(number, (needed - begun_with) * (number + 1) // (disks + 1) // PAGE)
        size = max(1, begun_with // PAGE + room) * PAGE  # none at all would mean no limit
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, check=False
        )
        if mounted.returncode:
            return
        try:
            work = prepare(name, given, place)
            ended = run(work, tmp_path / "said")
            assert ended.is_clean, (size, ended.status, ended.said)
            assert ended.status == 0 or "No space left on device" in ended.said, (size, ended.said)
            assert not list(place.rglob(".*partial*")), (size, list(place.rglob(".*partial*")))
            yield ended.status != 0
        finally:
            subprocess.run(["umount", "-l", place], check=True)
