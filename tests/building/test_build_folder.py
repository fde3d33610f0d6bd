import fcntl
from pathlib import Path

import pytest

from skyreid.building.build_folder import check_complete, locked, sweep
from skyreid.building.build_report import SourceReport
from skyreid.building.finished_source import FinishedSource, FinishedTracklet
from skyreid.building.sources import Source
from skyreid.errors import SourceError
from skyreid.tracklet import Platform

GATE = Source(path=Path("gate.mp4"), platform=Platform.GROUND, camera="gate")
TOGETHER = ("manifest.jsonl", "dataset-card.md", "statistics.png", "masking.json")


def filled(folder):
    """What a build of `GATE` and of a drone leaves."""
    files = (
        *TOGETHER,
        "build.lock",
        "links.jsonl",
        "sources/gate-gate.json",
        "sources/drone-drone.json",
        "crops/gate-gate-0001/000000.jpg",
        "crops/drone-drone-0001/000000.jpg",
    )
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def finished(name):
    report = SourceReport(
        name=name,
        frames_read=1,
        boxes=1,
        boxes_interpolated=0,
        boxes_dropped={},
        tracklets=1,
        tracklets_dropped={},
        tracks_dropped={},
        crops=1,
        crops_dropped={},
        faces_detected=0,
        faces_followed=0,
        faces_by_fallback=0,
        faces_expected=3,
        faces_missed=1,
    )
    return FinishedSource(fingerprint={}, report=report, tracklets=(FinishedTracklet(f"{name}-0001", None, ()),))


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_made_and_entered_again(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "new/out"):
            assert (tmp_path / "new/out/sources").is_dir()


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "crops").mkdir()
    with (
        pytest.raises(SourceError, match="must be new, empty, or the folder of an earlier build; it holds other files"),
        locked(tmp_path),
    ):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="file: must be a folder; it is a file"), locked(tmp_path / "file"):
        pass


def test_two_builds_cannot_work_in_one_folder(tmp_path):
    with (tmp_path / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SourceError, match="another build is at work in this folder"), locked(tmp_path):
            pass


def test_a_finished_source_cannot_be_forgotten(tmp_path):
    with pytest.raises(
        SourceError,
        match="holds the finished source 'drone-drone', which is not among the given ones; give all sources again",
    ):
        check_complete([GATE], filled(tmp_path))


def test_nothing_of_a_whole_build_is_swept_away(tmp_path):
    before = files(filled(tmp_path))
    sweep(tmp_path, {name: finished(name) for name in ("gate-gate", "drone-drone")})
    assert files(tmp_path) == before


def test_with_a_source_to_be_built_all_that_was_said_of_it_goes(tmp_path):
    filled(tmp_path)
    (tmp_path / "partial/000000").mkdir(parents=True)
    (tmp_path / ".manifest.jsonl.0123456789abcdef.partial").touch()
    (tmp_path / "sources/.drone-drone.json.0123456789abcdef.partial").touch()
    assert sweep(tmp_path, {"gate-gate": finished("gate-gate"), "drone-drone": None}) == ["drone-drone"]
    assert files(tmp_path) == {
        "build.lock",
        "links.jsonl",
        "replaced/drone-drone.json",  # decisions were made on its tracklets
        "sources/gate-gate.json",
        "crops/gate-gate-0001/000000.jpg",
    }


@pytest.mark.parametrize("name", ["crops", "sources", "partial", "build.lock"])
def test_a_folder_whose_parts_are_links_is_refused_and_nothing_behind_them_is_touched(tmp_path, name):
    """Kind 11-B1: crops of an earlier build are removed, so they must not be somebody's photographs."""
    elsewhere = tmp_path / "photographs"
    (elsewhere / "holiday").mkdir(parents=True)
    (elsewhere / "holiday/beach.jpg").write_bytes(b"picture")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "build.lock").touch()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(elsewhere / "holiday/beach.jpg" if name == "build.lock" else elsewhere)
    with pytest.raises(SourceError, match=f"{name}: is a link; a build removes and writes files there"), locked(folder):
        sweep(folder, {"gate-gate": None})
    assert (elsewhere / "holiday/beach.jpg").read_bytes() == b"picture"


@pytest.mark.parametrize("name", ["holiday/beach.jpg", "gate-gate-0002/notes.txt", "gate-gate-0003.jpg"])
def test_what_no_build_put_among_the_crops_stays(tmp_path, name):
    folder = filled(tmp_path / "out")
    (folder / "crops" / name).parent.mkdir(exist_ok=True)
    (folder / "crops" / name).write_bytes(b"mine")
    with pytest.raises(SourceError, match="no build put this here; move it elsewhere, and build again"):
        sweep(folder, {"gate-gate": finished("gate-gate"), "drone-drone": finished("drone-drone")})
    assert (folder / "crops" / name).read_bytes() == b"mine"


def test_a_link_among_the_crops_is_not_followed(tmp_path):
    folder = filled(tmp_path / "out")
    elsewhere = tmp_path / "elsewhere-0001"
    elsewhere.mkdir()
    (elsewhere / "000000.jpg").touch()
    (folder / "crops/gate-gate-0002").symlink_to(elsewhere)
    with pytest.raises(SourceError, match="no build put this here"):
        sweep(folder, {"gate-gate": None, "drone-drone": None})
    assert (elsewhere / "000000.jpg").exists()
