from pathlib import Path

from skyreid.building.build_report import SourceReport
from skyreid.building.crops.cropping import Crop
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import QualityConfig
from skyreid.building.finished_source import (
    CROPS,
    RECORDS,
    FinishedSource,
    FinishedTracklet,
    fingerprint,
    read_finished,
    write_finished,
)
from skyreid.building.sources import Source
from skyreid.content_hash import bytes_sha256
from skyreid.tracklet import Platform

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
