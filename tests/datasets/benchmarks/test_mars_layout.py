import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from skyreid.datasets.benchmarks import g2a_vreid, mars
from skyreid.datasets.benchmarks.mars_layout import write_mars_layout
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import DatasetError, MissingFrameError
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from tests.datasets.miniature_trees import write_image


@pytest.fixture
def tracklet(tmp_path):
    def build(pid, camid, num_frames=2, suffix=".jpg"):
        frames = []
        for number in range(num_frames):
            path = tmp_path / f"source/{pid}-{camid}-{number}{suffix}"
            write_image(path, width=8 + number)
            frames.append(Frame(str(path)))
        return Tracklet(
            tracklet_id=f"{pid}-{camid}",
            frames=tuple(frames),
            pid=pid,
            camid=camid,
            platform=PLATFORMS[min(camid, 1)],
        )

    return build


def content(tracklets):
    return [(t.pid, t.camid, [Path(f.path).read_bytes() for f in t.frames]) for t in tracklets]


def test_what_is_written_is_read_back_as_g2a_vreid(tracklet, tmp_path):
    train = [tracklet(7, 0), tracklet(7, 1, 3)]
    query, gallery = [tracklet(2, 0), tracklet(9999, 0)], [tracklet(2, 1), tracklet(9999, 1, 1)]
    write_mars_layout(tmp_path / "out", train=train, query=query, gallery=gallery)
    benchmark = g2a_vreid.survey(tmp_path / "out").benchmark()
    assert content(benchmark.train) == content(train)
    assert content(benchmark.query) == content(query)
    assert content(benchmark.gallery) == content(gallery)


def test_junk_distractors_and_six_cameras_are_read_back_as_mars(tracklet, tmp_path):
    query, gallery = [tracklet(2, 0)], [tracklet(2, 5), tracklet(0, 3), tracklet(-1, 2)]
    write_mars_layout(tmp_path / "out", train=[tracklet(1, 4)], query=query, gallery=gallery)
    found = mars.survey(tmp_path / "out")
    assert content(found.gallery) == content(gallery[:2])
    assert content(found.left_out) == content(gallery[2:])
    assert (tmp_path / "out/bbox_test/00-1/00-1C3T0001F001.jpg").exists()


def test_tracklets_count_per_person_and_frames_per_tracklet(tracklet, tmp_path):
    write_mars_layout(tmp_path / "out", train=[tracklet(1, 0), tracklet(1, 1)], query=[], gallery=[])
    assert (tmp_path / "out/info/train_name.txt").read_text().split() == [
        "0001C1T0001F001.jpg",
        "0001C1T0001F002.jpg",
        "0001C2T0002F001.jpg",
        "0001C2T0002F002.jpg",
    ]


def test_the_same_tracklets_give_the_same_bytes(tracklet, tmp_path):
    train, query, gallery = [tracklet(1, 0)], [tracklet(2, 0)], [tracklet(2, 1)]
    contents = []
    for name in ("a", "b"):
        write_mars_layout(tmp_path / name, train=train, query=query, gallery=gallery)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in files])
    assert contents[0] == contents[1]


def test_progress_counts_the_crops(tracklet, tmp_path):
    seen = []
    write_mars_layout(
        tmp_path / "out",
        train=[tracklet(1, 0, 3)],
        query=[tracklet(2, 0)],
        gallery=[tracklet(2, 1)],
        progress=lambda task, done, total, note="": seen.append((task, done, total)),
    )
    assert seen == [("copy crops", 3, 7), ("copy crops", 5, 7), ("copy crops", 7, 7)]


@pytest.mark.parametrize(
    ("pid", "camid", "message"),
    [
        (10_000, 0, "a MARS crop name holds pids from 0 to 9999 (and -1 for junk); got 10000"),
        (-2, 0, "a MARS crop name holds pids from 0 to 9999 (and -1 for junk); got -2"),
        (1, 9, "a MARS crop name holds camids from 0 to 8; got 9"),
        (1, -1, "a MARS crop name holds camids from 0 to 8; got -1"),
    ],
)
def test_what_a_crop_name_cannot_hold_is_refused_by_name(tracklet, tmp_path, pid, camid, message):
    with pytest.raises(DatasetError) as refusal:
        write_mars_layout(tmp_path / "out", train=[], query=[tracklet(pid, camid)], gallery=[])
    assert str(refusal.value) == f"tracklet '{pid}-{camid}': {message}"
    assert not (tmp_path / "out").exists()


def test_a_png_crop_is_refused(tracklet, tmp_path):
    with pytest.raises(DatasetError, match=r"MARS crops are .jpg files; got '.*1-0-0\.png'; save the crops"):
        write_mars_layout(tmp_path / "out", train=[tracklet(1, 0, suffix=".png")], query=[], gallery=[])


def test_training_identities_are_real_and_not_tested(tracklet, tmp_path):
    with pytest.raises(DatasetError, match="a training identity has a pid from 1; got 0"):
        write_mars_layout(tmp_path / "out", train=[tracklet(0, 0)], query=[], gallery=[])
    with pytest.raises(DatasetError, match=r"train and test identities must be disjoint; both have \[3\]"):
        write_mars_layout(tmp_path / "out", train=[tracklet(3, 0)], query=[], gallery=[tracklet(3, 1)])


def test_an_existing_folder_is_not_touched(tracklet, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DatasetError, match="must not exist yet"):
        write_mars_layout(tmp_path / "out", train=[tracklet(1, 0)], query=[], gallery=[])
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_crop_leaves_nothing_behind(tracklet, tmp_path):
    gone = tracklet(1, 0)
    Path(gone.frames[1].path).unlink()
    with pytest.raises(MissingFrameError, match=r"tracklet '1-0': '.*1-0-1\.jpg' is not there"):
        write_mars_layout(tmp_path / "out", train=[gone], query=[], gallery=[])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_killed_writer_leaves_no_folder_of_that_name(tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from PIL import Image
from skyreid.datasets.benchmarks.mars_layout import write_mars_layout
from skyreid.tracklet import Frame, Platform, Tracklet
root = Path(sys.argv[1])
Image.new("RGB", (8, 16)).save(root / "a.jpg")
train = [
    Tracklet(tracklet_id=str(pid), frames=(Frame(str(root / "a.jpg")),), pid=pid, camid=0, platform=Platform.GROUND)
    for pid in (1, 2, 3)
]
def die(task, done, total, note):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
write_mars_layout(root / "out", train=train, query=[], gallery=[], progress=die)
"""
    writer = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert writer.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert len(list(tmp_path.glob(".out.*.partial/new/bbox_train/*/*.jpg"))) == 2


def test_copies_that_a_killed_writer_left_go_when_the_folder_is_written_again(tracklet, tmp_path):
    """Kind B5: hidden copies of people's crops stay for ever."""
    left = tmp_path / ".out.0123456789abcdef.partial"
    (left / "new" / "bbox_train" / "0001").mkdir(parents=True)
    (left / "new" / "bbox_train" / "0001" / "0001C1T0001F001.jpg").touch()
    (left / "lock").touch()
    whole = shutil.copytree(left, tmp_path / "kept")
    write_mars_layout(tmp_path / "out", train=[tracklet(1, 0)], query=[], gallery=[])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "out", "source"]
    whole.rename(left)
    with pytest.raises(DatasetError, match="must not exist yet"):
        write_mars_layout(tmp_path / "out", train=[tracklet(1, 0)], query=[], gallery=[])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_the_manifest_beside_it_keeps_what_the_layout_cannot_hold(tracklet, tmp_path):
    asking = replace(tracklet(1, 0), attributes={"scene": "campus"})
    found = tracklet(1, 1)
    write_mars_layout(tmp_path / "out", train=[], query=[asking], gallery=[found])
    kept = read_manifest(tmp_path / "out" / "manifest.jsonl").tracklets
    benchmark = g2a_vreid.survey(tmp_path / "out").benchmark()
    assert [t.attributes for t in kept] == [{"scene": "campus"}, {}]
    assert [[f.path for f in t.frames] for t in kept] == [
        [f.path for f in t.frames] for t in (*benchmark.query, *benchmark.gallery)
    ]
