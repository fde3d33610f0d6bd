import fcntl
from pathlib import Path

import pytest

from skyreid.building.build_folder import (
    CROPS,
    RECORDS,
    FinishedSource,
    FinishedTracklet,
    check_complete,
    fingerprint,
    locked,
    read_finished,
    sweep,
    write_finished,
)
from skyreid.building.crops.cropping import Crop
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.source_report import SourceReport
from skyreid.building.sources import Source
from skyreid.errors import SourceError
from skyreid.files.regular_file import bytes_sha256
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


GREY, DEFAULT = MaskingConfig(), QualityConfig()


def committed(out_dir):
    """A record with its crops."""
    empty = bytes_sha256(b"")
    crops = (
        Crop(0, 0.0, (1.0, 2.0, 3.0, 4.0), ((1.0, 2.0, 2.0, 3.0),), empty),
        Crop(5, 0.5, (1.5, 2.0, 3.0, 4.0), (), empty),
    )
    report = SourceReport(
        name="C1-a",
        frames_read=2,
        boxes=2,
        boxes_interpolated=0,
        boxes_dropped={},
        tracklets=1,
        tracklets_dropped={},
        tracks_dropped={},
        crops=2,
        crops_dropped={},
        faces_detected=1,
        faces_followed=0,
        faces_by_fallback=0,
        faces_expected=3,
        faces_missed=1,
    )
    finished = FinishedSource(
        fingerprint={"interval_s": "0.5"}, report=report, tracklets=(FinishedTracklet("C1-a-0001", 7, crops),)
    )
    (out_dir / RECORDS).mkdir()
    (out_dir / CROPS / "C1-a-0001").mkdir(parents=True)
    for crop in crops:
        (out_dir / CROPS / "C1-a-0001" / crop.file_name).touch()
    write_finished(out_dir, finished)
    return finished


def test_a_record_is_read_back(tmp_path):
    finished = committed(tmp_path)
    assert read_finished(tmp_path, "C1-a", finished.fingerprint) == finished
    assert read_finished(tmp_path, "C1-a", {"interval_s": "1.0"}) is None
    assert read_finished(tmp_path, "C1-b", finished.fingerprint) is None


def test_a_record_without_all_its_crops_counts_for_nothing(tmp_path):
    finished = committed(tmp_path)
    (tmp_path / CROPS / "C1-a-0001" / "000005.jpg").rename(tmp_path / "elsewhere")
    assert read_finished(tmp_path, "C1-a", finished.fingerprint) is None


def test_the_fingerprint_changes_with_everything_that_decides_over_the_crops(tmp_path):
    def source(video, annotations):
        for name, content in (("video", video), ("gt", annotations)):
            (tmp_path / name).write_text(content)
        return Source(path=tmp_path / "video", platform=Platform.GROUND, camera="C1", annotations=tmp_path / "gt")

    def of(source, *, finder="annotations", interval_s=0.5, masking=GREY, quality=DEFAULT):
        parts = fingerprint(source, finder=finder, interval_s=interval_s, masking=masking, quality=quality)
        return tuple(parts.items())

    def yunet(name, content):
        (tmp_path / name).write_text(content)
        return MaskingConfig(detector="yunet", model=tmp_path / name)

    base = of(source("v", "a"))
    others = {
        of(source("w", "a")),
        of(source("v", "b")),
        of(source("v", "a"), interval_s=0.25),
        of(source("v", "a"), masking=None),
        of(source("v", "a"), masking=MaskingConfig(style="pixelate")),
        of(source("v", "a"), masking=yunet("one", "1")),
        of(source("v", "a"), masking=yunet("two", "2")),
        of(source("v", "a"), quality=QualityConfig(min_visible=0.5)),
        of(source("v", "a"), finder="moving-camera"),
        of(Source(path=Path(tmp_path / "video"), platform=Platform.GROUND, camera="C1")),
    }
    assert len(others - {base}) == 10
    assert of(source("v", "a")) == base
    assert of(source("v", "a"), masking=yunet("one", "2")) == of(source("v", "a"), masking=yunet("two", "2"))


def test_a_build_that_is_refused_leaves_no_folder_and_one_that_wrote_leaves_what_it_wrote(tmp_path):
    for wrote in (False, True):
        with pytest.raises(SourceError, match="not these"), locked(tmp_path / "new"):
            if wrote:
                (tmp_path / "new" / RECORDS / "gate.json").touch()
            raise SourceError("not these")
        assert (tmp_path / "new").exists() == wrote
    for _ in range(2):
        with pytest.raises(SourceError, match="not these"), locked(tmp_path / "new"):
            raise SourceError("not these")
        assert (tmp_path / "new" / RECORDS / "gate.json").exists()
