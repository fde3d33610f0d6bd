"""The miniature benchmark on disk."""

import hashlib
from pathlib import Path

import pytest

from skyreid.datasets import read_benchmark
from skyreid.errors import DatasetError
from skyreid.simulation.crop_benchmark import write_crop_benchmark
from skyreid.tracklet import PLATFORMS, Platform


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("miniature") / "six"
    write_crop_benchmark(root, identities=6, frames_per_tracklet=2, seed=1)
    return root


def test_the_reader_reads_what_was_written(six):
    benchmark = read_benchmark("g2a-vreid", six)
    assert sorted((t.pid, t.platform) for t in benchmark.train) == [
        (pid, platform) for pid in (1, 2, 3) for platform in sorted(PLATFORMS)
    ]
    assert sorted((t.pid, t.platform) for t in benchmark.query) == [(pid, Platform.GROUND) for pid in (4, 5, 6)]
    assert sorted((t.pid, t.platform) for t in benchmark.gallery) == [(pid, Platform.AERIAL) for pid in (4, 5, 6)]
    tracklets = (*benchmark.train, *benchmark.query, *benchmark.gallery)
    assert [len(tracklet.frames) for tracklet in tracklets] == 12 * [2]


def test_the_same_arguments_give_the_same_bytes_with_any_number_of_workers(six, tmp_path):
    write_crop_benchmark(tmp_path / "again", identities=6, frames_per_tracklet=2, seed=1, num_workers=2)
    assert digests(tmp_path / "again") == digests(six)


def test_another_seed_gives_other_people(six, tmp_path):
    write_crop_benchmark(tmp_path / "other", identities=4, frames_per_tracklet=1, seed=2)
    crops = {name: digest for name, digest in digests(tmp_path / "other").items() if name.endswith(".jpg")}
    assert len(crops) == 8
    assert not set(crops.values()) & set(digests(six).values())


def test_an_identity_looks_the_same_however_many_others_there_are(six, tmp_path):
    write_crop_benchmark(tmp_path / "four", identities=4, frames_per_tracklet=2, seed=1)
    few, many = digests(tmp_path / "four"), digests(six)
    crops = [name for name in few if name.endswith(".jpg")]
    assert len(crops) == 16
    assert all(few[name] == many[name] for name in crops)


def test_progress_is_told_of_every_tracklet_and_nothing_else_is_left_behind(tmp_path):
    calls: list[tuple[str, int, int, str]] = []

    def listen(task: str, done: int, total: int, note: str = "") -> None:
        calls.append((task, done, total, note))

    write_crop_benchmark(tmp_path / "world", identities=4, frames_per_tracklet=1, seed=0, progress=listen)
    drawn = [call[1:3] for call in calls if call[0] == "draw people"]
    assert drawn == [(done, 8) for done in range(1, 9)]
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_a_failure_leaves_nothing_behind(tmp_path):
    def stop(task: str, done: int, total: int, note: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_crop_benchmark(tmp_path / "world", identities=4, frames_per_tracklet=1, seed=0, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"identities": 3}, "a benchmark's identities must be from 4 to 9999; got 3"),
        ({"identities": 10_000}, "a benchmark's identities must be from 4 to 9999; got 10000"),
        ({"frames_per_tracklet": 0}, "a benchmark's frames_per_tracklet must be from 1 to 999; got 0"),
        ({"num_workers": 0}, "a benchmark's num_workers must be from 1 to 256; got 0"),
        ({"seed": -1}, "a benchmark's seed must be from 0 to 4294967294; got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, changed, message):
    arguments = {"identities": 4, "frames_per_tracklet": 1, "seed": 0, "num_workers": 1} | changed
    with pytest.raises(DatasetError) as refusal:
        write_crop_benchmark(tmp_path / "world", **arguments)
    assert str(refusal.value) == message


def test_an_existing_folder_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(DatasetError) as refusal:
        write_crop_benchmark(tmp_path, identities=4, frames_per_tracklet=1, seed=0)
    assert str(refusal.value) == f"{tmp_path} must not exist yet: a benchmark is one new folder; remove or rename it"
