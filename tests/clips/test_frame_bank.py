"""Decoded frames in a file: each decoded once, none taken for another, nothing lost by a kill."""

import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.frame_reading import read_resized
from skyreid.errors import ChangedFrameError, MissingFrameError
from skyreid.files.regular_file import file_sha256
from skyreid.tracklet import Frame

SIZE = (16, 8)
FRAME_BYTES = 3 * 16 * 8
COUNT = 12


@pytest.fixture
def frames(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for number in range(COUNT):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 256, (20 + number, 10, 3), dtype=np.uint8)).save(path)
        made.append(Frame(str(path), sha256=file_sha256(path)))
    return made


def opened(folder, frames, **more):
    bank = FrameBank(folder, frames, SIZE, **{"capacity_bytes": 10**6, **more})
    bank.prepare()
    return bank


def gathered(bank, numbers):
    into = np.empty((len(numbers), *SIZE, 3), dtype=np.uint8)
    bank.gather(np.array(numbers), into)
    return into


def expected(frames, numbers):
    return np.stack([read_resized(frames[number], SIZE) for number in numbers])


def unreadable(frames):
    """Frames of the same pictures that can no longer be decoded."""
    for frame in frames:
        Path(frame.path).unlink()


@pytest.mark.parametrize("capacity_bytes", [0, 5 * FRAME_BYTES, 10**6], ids=["none", "some", "all"])
def test_frames_come_as_they_are_read_however_many_are_kept(frames, tmp_path, capacity_bytes):
    bank = opened(tmp_path / "run", frames, capacity_bytes=capacity_bytes)
    for numbers in ([3, 11, 3, 0], range(COUNT), [7]):
        assert (gathered(bank, numbers) == expected(frames, numbers)).all()
    kept = min(capacity_bytes // FRAME_BYTES, COUNT)
    assert bank.path.exists() == (kept > 0)
    if kept:
        assert bank.path.stat().st_size == 4096 + kept * (8 + FRAME_BYTES)


def test_a_frame_is_decoded_once_whoever_asks_and_only_when_it_is_asked_for(frames, tmp_path):
    bank = opened(tmp_path / "run", frames)
    wanted = expected(frames, [1, 2, 3])
    gathered(bank, [1, 2])
    bank.fill([2, 3])
    other = FrameBank(tmp_path / "run", frames, SIZE, capacity_bytes=10**6)  # another process
    other.open()
    unreadable(frames[1:4])
    assert (gathered(bank, [1, 2, 3]) == wanted).all()
    assert (gathered(other, [1, 2, 3]) == wanted).all()
    assert (gathered(opened(tmp_path / "run", frames), [1, 2, 3]) == wanted).all()  # a run that goes on
    unreadable(frames[4:])
    with pytest.raises(MissingFrameError):  # nobody had asked for it
        gathered(bank, [4])


def test_what_one_process_decodes_another_has(frames, tmp_path):
    one, other = opened(tmp_path / "run", frames), opened(tmp_path / "run", frames)
    wanted = expected(frames, range(COUNT))
    one.fill(range(COUNT))
    unreadable(frames)
    assert (gathered(other, range(COUNT)) == wanted).all()


def test_damaged_frames_are_decoded_again(frames, tmp_path):
    bank = opened(tmp_path / "run", frames)
    bank.fill(range(COUNT))
    content = bytearray(bank.path.read_bytes())
    begin = 4096 + 8 * COUNT
    content[begin + 4 * FRAME_BYTES + 7] ^= 1  # a pixel
    content[begin + 9 * FRAME_BYTES : begin + 10 * FRAME_BYTES] = bytes(FRAME_BYTES)  # pixels that never came there
    bank.path.write_bytes(content)
    wanted = expected(frames, range(COUNT))
    unreadable([frame for number, frame in enumerate(frames) if number not in (4, 9)])
    assert (gathered(opened(tmp_path / "run", frames), range(COUNT)) == wanted).all()


@pytest.mark.parametrize("change", ["other pictures", "other size", "cut short", "no file of ours", "other format"])
def test_a_file_of_anything_else_is_made_anew(frames, tmp_path, change):
    bank = opened(tmp_path / "run", frames)
    bank.fill(range(COUNT))
    content = bank.path.read_bytes()
    if change == "other pictures":
        Image.new("RGB", (10, 20), "red").save(frames[5].path)
        frames[5] = Frame(frames[5].path, sha256=file_sha256(frames[5].path))
    elif change == "other size":
        FrameBank(tmp_path / "run", frames, (8, 16), capacity_bytes=10**6).prepare()
    elif change == "cut short":
        bank.path.write_bytes(content[:-1])
    elif change == "no file of ours":
        bank.path.write_bytes(b"[1, 2]".ljust(len(content)))
    else:
        bank.path.write_bytes(content.replace(b'"bicubic"', b'"nearest"'))
    assert (gathered(opened(tmp_path / "run", frames), range(COUNT)) == expected(frames, range(COUNT))).all()


def test_a_changed_crop_is_refused(frames, tmp_path):
    bank = opened(tmp_path / "run", frames)
    Image.new("RGB", (10, 20), "red").save(frames[5].path)
    with pytest.raises(ChangedFrameError, match=r"5\.jpg was changed"):
        gathered(bank, [4, 5])
    with pytest.raises(ChangedFrameError, match=r"5\.jpg was changed"):
        bank.fill(range(COUNT))


def test_a_link_in_its_place_is_replaced_and_what_is_behind_it_stays(frames, tmp_path):
    behind, folder = tmp_path / "mine", tmp_path / "run"
    behind.write_bytes(b"mine")
    folder.mkdir()
    (folder / "training_frames_0.bin").symlink_to(behind)
    bank = opened(folder, frames)
    assert (gathered(bank, [1]) == expected(frames, [1])).all()
    assert behind.read_bytes() == b"mine"
    assert not bank.path.is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="no rights of others there")
def test_others_may_not_read_it(frames, tmp_path):
    assert stat.S_IMODE(opened(tmp_path / "run", frames).path.stat().st_mode) == 0o600


def test_each_machine_has_its_own_and_all_of_them_go(frames, tmp_path):
    banks = [opened(tmp_path / "run", frames, machine=machine) for machine in (0, 1)]
    assert len({bank.path for bank in banks}) == 2
    banks[1].remove()
    assert [*(tmp_path / "run").iterdir()] == []


def test_a_disk_without_room_keeps_fewer_and_says_the_sizes(frames, tmp_path, monkeypatch, caplog):
    free = 8 * (FRAME_BYTES + 8)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(free, 0, free))
    with caplog.at_level(logging.WARNING):
        bank = opened(tmp_path / "run", frames)
    assert "decoded training frames would take 0.0 GB, and 0.0 GB are free: 4 of 12 frames are kept" in caplog.text
    assert bank.path.stat().st_size == 4096 + 4 * (8 + FRAME_BYTES)
    assert (gathered(bank, range(COUNT)) == expected(frames, range(COUNT))).all()
    monkeypatch.undo()
    caplog.clear()
    again = opened(tmp_path / "run", frames)  # goes on with the file as it is
    assert again.path.stat().st_size == 4096 + 4 * (8 + FRAME_BYTES)
    assert (gathered(again, range(COUNT)) == expected(frames, range(COUNT))).all()


KILLED = """
import os, signal, sys
from pathlib import Path
from skyreid.clips import frame_bank
from skyreid.clips.frame_bank import FrameBank
from skyreid.files.regular_file import file_sha256
from skyreid.tracklet import Frame

folder, after, *paths = sys.argv[1:]
frames = [Frame(path, sha256=file_sha256(path)) for path in paths]
bank = FrameBank(Path(folder), frames, (16, 8), capacity_bytes=10**6)
read, done = frame_bank.read_resized, []
def counted(*arguments):
    done.append(0)
    if len(done) > int(after):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(*arguments)
frame_bank.read_resized = counted
bank.prepare()
for number in range(len(paths)):
    bank.fill([number])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal there")
def test_a_killed_process_leaves_what_it_had_decoded(frames, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    paths = [frame.path for frame in frames]
    done = subprocess.run([sys.executable, script, tmp_path / "run", "7", *paths], env=os.environ, timeout=300)
    assert done.returncode == -signal.SIGKILL
    wanted = expected(frames, range(COUNT))
    unreadable(frames[:7])
    bank = opened(tmp_path / "run", frames)
    assert (gathered(bank, range(COUNT)) == wanted).all()
