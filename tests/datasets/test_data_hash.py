"""What makes two sets of tracklets the same data (kind A4: the hash covers what the pictures are)."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from skyreid.datasets import read_benchmark
from skyreid.datasets.data_hash import data_sha256, hash_benchmark, pictures_sha256, read_unchanged, with_hashes
from skyreid.errors import ChangedFrameError, DatasetError, MissingFrameError
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.datasets.miniature_trees import write_mars


def write_tracklet(folder, crops, *, tracklet_id="a", pid=1, camid=0, platform=Platform.GROUND):
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for number, content in enumerate(crops):
        path = folder / f"{tracklet_id}-{number}.jpg"
        path.write_bytes(content)
        frames.append(Frame(str(path)))
    return Tracklet(tracklet_id=tracklet_id, frames=tuple(frames), pid=pid, camid=camid, platform=platform)


def hashed(*tracklets):
    return data_sha256(with_hashes(tracklets))


def test_the_hash_is_made_of_ids_people_cameras_platforms_and_bytes(tmp_path):
    crops = [b"one", b"two"]
    digests = "".join(hashlib.sha256(crop).hexdigest() for crop in crops)
    pictures = hashlib.sha256(digests.encode()).hexdigest()
    line = json.dumps(["a", 1, 0, "ground", pictures], separators=(",", ":")) + "\n"
    assert hashed(write_tracklet(tmp_path, crops)) == hashlib.sha256(line.encode()).hexdigest()
    assert hashed() == hashlib.sha256().hexdigest()


def test_names_places_and_order_do_not_count_but_everything_else_does(tmp_path):
    crops = [b"one", b"two"]
    here, other = write_tracklet(tmp_path / "a", crops), write_tracklet(tmp_path / "a", [b"x"], tracklet_id="b")
    same = hashed(here, other)
    assert hashed(other, here) == same
    assert hashed(write_tracklet(tmp_path / "deeper/b", crops), other) == same
    assert hashed(replace(here, attributes={"scene": "campus"}), other) == same
    changed = [
        write_tracklet(tmp_path / "c", [b"one", b"TWO"]),
        write_tracklet(tmp_path / "d", [b"two", b"one"]),
        write_tracklet(tmp_path / "e", [b"one"]),
        replace(here, tracklet_id="c"),
        replace(here, pid=2),
        replace(here, camid=1),
        replace(here, platform=Platform.AERIAL),
    ]
    assert len({same, *(hashed(one, other) for one in changed)}) == 1 + len(changed)


def test_a_crop_that_was_never_hashed_gives_no_hash(tmp_path):
    plain = write_tracklet(tmp_path, [b"one"])
    assert pictures_sha256(plain) is None
    with pytest.raises(DatasetError, match="the data hash needs that of every crop; tracklet 'a' lacks one"):
        data_sha256([plain])


def test_a_crop_that_changed_since_it_was_hashed_is_refused_wherever_it_is_read(tmp_path):
    (tracklet,) = with_hashes([write_tracklet(tmp_path, [b"one", b"two"])])
    (tmp_path / "a-1.jpg").write_bytes(b"TWO")
    then, now = (hashlib.sha256(content).hexdigest()[:12] for content in (b"two", b"TWO"))
    message = f"a-1.jpg was changed: its bytes have the sha256 {now}, the manifest lists {then}; put the file back"
    assert read_unchanged(tracklet.frames[0]) == b"one"
    for use in (lambda: read_unchanged(tracklet.frames[1]), lambda: with_hashes([tracklet])):
        with pytest.raises(ChangedFrameError, match=message):
            use()


def test_a_missing_crop_and_a_pipe_are_named_at_once(tmp_path):
    tracklet = write_tracklet(tmp_path, [b"one", b"two"])
    (tmp_path / "a-1.jpg").unlink()
    with pytest.raises(MissingFrameError, match=r"a-1\.jpg: is missing"):
        with_hashes([tracklet])
    os.mkfifo(tmp_path / "a-1.jpg")
    with pytest.raises(MissingFrameError, match=r"a-1\.jpg: cannot be read: not a regular file"):
        with_hashes([tracklet])
    with pytest.raises(OSError, match="not a regular file"):
        read_unchanged(tracklet.frames[1])


def test_a_crop_of_a_terabyte_is_refused_at_once(tmp_path):
    """Kind B4: a file without content costs nothing to make, and hashing it would take an hour."""
    tracklet = write_tracklet(tmp_path, [b"one", b"two"])
    with (tmp_path / "a-1.jpg").open("wb") as file:
        file.truncate(2**40)
    for use in (lambda: read_unchanged(tracklet.frames[1]), lambda: with_hashes([tracklet])):
        with pytest.raises((OSError, MissingFrameError), match="at most 1,073,741,824 are read"):
            use()


def test_a_benchmark_of_others_has_a_data_hash_too(tmp_path):
    """The files' bytes are in it, although no manifest lists them."""
    write_mars(tmp_path)
    before = hash_benchmark(read_benchmark("mars", tmp_path))
    assert data_sha256(before.tracklets) == data_sha256(hash_benchmark(read_benchmark("mars", tmp_path)).tracklets)
    Path(before.gallery[0].frames[0].path).write_bytes(b"painted over")
    after = hash_benchmark(read_benchmark("mars", tmp_path))
    assert data_sha256(after.train) == data_sha256(before.train)
    assert data_sha256(after.tracklets) != data_sha256(before.tracklets)
